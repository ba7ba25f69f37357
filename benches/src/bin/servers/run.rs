//! Settings that all measurements share.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::kinds::Kind;
use crate::programs::Programs;
use crate::server::Launch;
use crate::world::World;

/// The place and the settings of the measurements.
pub(crate) struct Bench<'a> {
    pub(crate) world: &'a World,
    pub(crate) programs: &'a Programs,
    pub(crate) cores: Cores,
    /// Print the functions that used the most instructions.
    pub(crate) functions: bool,
}

/// The processors of the server and of the load, in the form of `taskset -c`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cores {
    pub(crate) all: Vec<usize>,
    /// The server's processor.
    pub(crate) server: String,
    /// The load's processor: another one, if there is one.
    pub(crate) load: String,
}

impl Cores {
    /// Takes the first processor that this program may use for servers, and the last one for the
    /// load.
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

/// Formats a list of processors.
pub(crate) fn list(cores: &[usize]) -> String {
    cores.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

/// Reads the numbers of a list such as `0-2,5`.
pub(crate) fn cores(list: &str) -> Option<Vec<usize>> {
    let mut all = Vec::new();
    for range in list.split(',') {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        all.extend(from.parse::<usize>().ok()?..=to.parse().ok()?);
    }
    Some(all)
}

impl<'a> Bench<'a> {
    /// Returns a launch with one worker on the server's core.
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
    fn processor_lists_are_parsed() {
        assert_eq!(cores("0-1"), Some(vec![0, 1]));
        assert_eq!(cores("2,4-6"), Some(vec![2, 4, 5, 6]));
        assert_eq!(cores("?"), None);
    }
}
