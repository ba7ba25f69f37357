//! The command line of the program.

use std::path::PathBuf;

use clap::Parser;
use coalesce_benches::command_line::one_of;

use crate::case::Case;
use crate::kinds::{self, KINDS, Kind};
use crate::{calls, cpu, instructions, latency, memory, scaling};

/// The sets of figures, in the order of the document.
pub(crate) const SETS: [&str; 6] =
    [instructions::SET, cpu::SET, calls::SET, latency::SET, memory::SET, scaling::SET];

/// Measure what a request costs `coalesce serve`, bare h2 and other servers.
///
/// Needs h2load, taskset, strace and valgrind. A server that is not installed is reported and left
/// out. Exits with 0 on success, with 1 if a server gave a wrong answer or something could not be
/// run, read or written, and with 2 for a wrong command line.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each flag is a bool")]
#[command(name = "servers")]
pub(crate) struct Arguments {
    /// A set of figures; may be repeated. All by default.
    #[arg(long, value_name = "NAME", value_parser = set)]
    pub(crate) set: Vec<&'static str>,
    /// A server; may be repeated. bare-h2 is always included. All by default.
    #[arg(long, value_name = "NAME", value_parser = kind)]
    pub(crate) server: Vec<&'static Kind>,
    /// Compare only the CPU time of two servers and cases: B in terms of A.
    #[arg(long, num_args = 2, value_names = ["A:200", "B:200"], value_parser = job)]
    #[arg(conflicts_with_all = ["set", "server"])]
    pub(crate) pair: Vec<(&'static Kind, Case)>,
    /// Rounds of measuring. Figures are medians over them.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rounds: u16,
    /// Seconds of load in each of the two visits of a round.
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    pub(crate) seconds: f64,
    /// Numbers of connections, separated by commas.
    #[arg(long, default_value = "1,10", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) conns: Vec<u16>,
    /// Measure roughly: at most three rounds, a quarter of a second each.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Also print the functions that used the most instructions.
    #[arg(long)]
    pub(crate) functions: bool,
    /// The path of a built `coalesce`. By default the program builds it.
    #[arg(long, value_name = "PATH")]
    pub(crate) coalesce: Option<PathBuf>,
    /// Write records as lines of JSON instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
    /// Add the records to this file, which keeps its other records.
    #[arg(long, value_name = "FILE")]
    pub(crate) results: Option<PathBuf>,
    /// Write the tables of all records between the marks of this document.
    #[arg(long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
    /// Measure nothing; write the records of the results file.
    #[arg(long, requires = "results", conflicts_with = "pair")]
    pub(crate) render: bool,
}

fn set(name: &str) -> Result<&'static str, String> {
    SETS.into_iter().find(|set| *set == name).ok_or_else(|| one_of(SETS))
}

fn kind(name: &str) -> Result<&'static Kind, String> {
    kinds::by_name(name).ok_or_else(|| one_of(KINDS.iter().map(|kind| kind.name)))
}

fn job(text: &str) -> Result<(&'static Kind, Case), String> {
    let (server, case) = text.split_once(':').ok_or("expected SERVER:CASE")?;
    let case = Case::by_name(case).filter(|case| Case::PLAIN.contains(case));
    Ok((kind(server)?, case.ok_or_else(|| one_of(Case::PLAIN.map(Case::name)))?))
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    if (0.01..=3600.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("expected 0.01 to 3600 seconds".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn command_line_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn pair_takes_two_servers_and_cases() {
        let parse = |words: &[&str]| Arguments::try_parse_from([&["servers"], words].concat());
        let pair = parse(&["--pair", "haproxy:421", "coalesce:200"]).unwrap().pair;
        let names: Vec<_> = pair.iter().map(|(kind, case)| (kind.name, case.name())).collect();
        assert_eq!(names, [("haproxy", "421"), ("coalesce", "200")]);
        for wrong in ["haproxy", "haproxy:404", "hydra:200", "coalesce:421-upload"] {
            assert!(parse(&["--pair", "haproxy:421", wrong]).is_err(), "{wrong}");
        }
        assert!(parse(&["--pair", "haproxy:421"]).is_err());
    }

    #[test]
    fn documented_commands_are_valid() {
        let page = include_str!("../../../../docs/performance.md").replace("\\\n", " ");
        let mut count = 0;
        for line in page.lines().filter(|line| line.starts_with("cargo run ")) {
            let Some((_, words)) = line.split_once("--bin servers -- ") else { continue };
            let words = ["servers"].into_iter().chain(words.split_whitespace());
            assert!(Arguments::try_parse_from(words).is_ok(), "{line}");
            count += 1;
        }
        assert!(count >= 7, "{count} commands");
    }
}
