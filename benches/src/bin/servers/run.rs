//! What all measurements have in common.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::kinds::Kind;
use crate::programs::Programs;
use crate::server::Launch;
use crate::world::World;

/// Where things are measured, and how.
pub(crate) struct Bench<'a> {
    pub(crate) world: &'a World,
    pub(crate) programs: &'a Programs,
    pub(crate) cores: Cores,
    /// Print the functions that instructions were spent in.
    pub(crate) functions: bool,
}

/// Which processors do what, as `taskset -c` takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cores {
    pub(crate) all: Vec<usize>,
    /// The server's.
    pub(crate) server: String,
    /// The load's: another one, where there is one.
    pub(crate) load: String,
}

impl Cores {
    /// The first that this program may use is for servers, the last for the load.
    pub(crate) fn look() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let all = list.and_then(|list| cores(list.trim())).context("no list of processors")?;
        let (Some(server), Some(load)) = (all.first(), all.last()) else {
            bail!("no processors");
        };
        Ok(Self { server: server.to_string(), load: load.to_string(), all })
    }
}

/// A list of such numbers.
pub(crate) fn list(cores: &[usize]) -> String {
    cores.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

/// The numbers of a list such as `0-2,5`.
pub(crate) fn cores(list: &str) -> Option<Vec<usize>> {
    let mut all = Vec::new();
    for range in list.split(',') {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        all.extend(from.parse::<usize>().ok()?..=to.parse().ok()?);
    }
    Some(all)
}

impl<'a> Bench<'a> {
    /// One worker on the server's core.
    pub(crate) fn launch(&'a self, kind: &'static Kind, wrapper: &'a [String]) -> Launch<'a> {
        Launch {
            world: self.world,
            programs: self.programs,
            kind,
            cores: &self.cores.server,
            workers: 1,
            wrapper,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors_are_read() {
        assert_eq!(cores("0-1"), Some(vec![0, 1]));
        assert_eq!(cores("2,4-6"), Some(vec![2, 4, 5, 6]));
        assert_eq!(cores("?"), None);
    }
}
