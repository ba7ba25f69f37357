//! Whole servers beside each other: what a request costs `coalesce serve`, bare `h2` and others.
//!
//! ```text
//! cargo run --release -p coalesce-benches --bin servers -- --quick
//! cargo run --release -p coalesce-benches --bin servers -- \
//!     --results target/servers.jsonl --write docs/performance.md
//! cargo run --release -p coalesce-benches --bin servers -- --pair haproxy:421 coalesce:421
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | `case` | what is asked, and the right answer |
//! | `world`, `configurations`, `kinds` | certificates, configurations, the servers |
//! | `programs`, `server`, `processes` | building, starting and stopping; what the kernel says |
//! | `h2load`, `client`, `relay` | the loads: h2load, the program's own client, a relay that counts |
//! | `plan`, `run` | what is measured, in which order, and where |
//! | `cpu`, `instructions`, `calls`, `latency`, `memory`, `scaling` | one set of figures each |
//! | `callgrind`, `parts` | reading what callgrind counted |
//! | `records`, `report` | what was measured, as lines of JSON and for people |
#![expect(clippy::cast_precision_loss, reason = "figures of measurements are rounded anyway")]

mod callgrind;
mod calls;
mod case;
mod client;
mod configurations;
mod cpu;
mod h2load;
mod instructions;
mod kinds;
mod latency;
mod memory;
mod parts;
mod plan;
mod processes;
mod programs;
mod records;
mod relay;
mod report;
mod run;
mod scaling;
mod server;
mod world;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use coalesce_benches::machine;
use coalesce_benches::progress::Progress;

use crate::case::Case;
use crate::kinds::{KINDS, Kind};
use crate::plan::Plan;
use crate::records::{Record, Records, Version};

/// The sets of figures, in the order of the document.
pub(crate) const SETS: [&str; 6] =
    [instructions::SET, cpu::SET, calls::SET, latency::SET, memory::SET, scaling::SET];

/// Measure what a request costs `coalesce serve`, bare h2 and other servers.
///
/// Needs h2load, taskset, strace and valgrind. A server that is not installed is told as such and
/// left out. Exits with 0 when all is well, 1 when a server gave a wrong answer or something could
/// not be run, read or written, 2 for a wrong command line.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "flags are")]
#[command(name = "servers")]
struct Arguments {
    /// A set of figures; may be repeated. All by default.
    #[arg(long, value_name = "NAME", value_parser = set)]
    set: Vec<&'static str>,
    /// A server; may be repeated, and bare-h2 is always one. All by default.
    #[arg(long, value_name = "NAME", value_parser = kind)]
    server: Vec<&'static Kind>,
    /// Compare the CPU time of two servers and cases alone: B in terms of A.
    #[arg(long, num_args = 2, value_names = ["A:200", "B:200"], value_parser = job)]
    #[arg(conflicts_with_all = ["set", "server"])]
    pair: Vec<(&'static Kind, Case)>,
    /// Rounds of measuring; figures are medians over them.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Seconds of load in each of the two visits of a round.
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,
    /// Numbers of connections, separated by commas.
    #[arg(long, default_value = "1,10", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    conns: Vec<u16>,
    /// Measure roughly: at most three rounds, a quarter of a second each.
    #[arg(long)]
    quick: bool,
    /// Print the functions that instructions were spent in as well.
    #[arg(long)]
    functions: bool,
    /// A built `coalesce`; by default it is built.
    #[arg(long, value_name = "PATH")]
    coalesce: Option<PathBuf>,
    /// Write records as lines of JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Keep records in this file, beside those that are in it.
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Put the tables of all records between the marks of this document.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Measure nothing; write what the results hold.
    #[arg(long, requires = "results", conflicts_with = "pair")]
    render: bool,
}

fn set(name: &str) -> Result<&'static str, String> {
    SETS.into_iter().find(|set| *set == name).ok_or_else(|| one_of(&SETS))
}

fn kind(name: &str) -> Result<&'static Kind, String> {
    kinds::by_name(name).ok_or_else(|| one_of(&KINDS.each_ref().map(|kind| kind.name)))
}

fn job(text: &str) -> Result<(&'static Kind, Case), String> {
    let (server, case) = text.split_once(':').ok_or("expected SERVER:CASE")?;
    let case = Case::by_name(case).filter(|case| Case::PLAIN.contains(case));
    Ok((kind(server)?, case.ok_or_else(|| one_of(&Case::PLAIN.map(Case::name)))?))
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    if (0.01..=3600.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("expected 0.01 to 3600 seconds".to_owned())
    }
}

fn one_of(names: &[&str]) -> String {
    format!("expected one of {}", names.join(", "))
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // When nobody reads it there is nobody to tell.
            let _ = writeln!(std::io::stderr().lock(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let mut kept = match &arguments.results {
        Some(path) => Records::read(path)?,
        None => Records::default(),
    };
    if !arguments.render {
        measure(arguments, &mut kept)?;
    }
    if let Some(path) = &arguments.write {
        let shown = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("could not read {shown}"))?;
        let text = report::fill(&text, &kept, &SETS).with_context(|| format!("{shown}"))?;
        fs::write(path, text).with_context(|| format!("could not write {shown}"))?;
    }
    Ok(())
}

fn measure(arguments: &Arguments, kept: &mut Records) -> Result<()> {
    let plan = Plan::new(arguments)?;
    let mut progress = Progress::new();
    if let [first, second] = &arguments.pair[..] {
        return print(&plan.pair(*first, *second, &mut progress)?);
    }
    let mut fresh = Records::default();
    let mut add = |fresh: &mut Records, records: Vec<Record>| {
        fresh.add(records.clone());
        kept.add(records);
        match &arguments.results {
            Some(path) => kept.write(path),
            None => Ok(()),
        }
    };
    let version = |kind: &Kind| {
        let version = kind.version()?;
        Some(Record::Version(Version { server: kind.name.to_owned(), version }))
    };
    let mut about = vec![Record::Machine(machine::look())];
    about.extend(KINDS.iter().filter_map(version));
    add(&mut fresh, about)?;
    // Set by set, so that a run that is broken off leaves what it had.
    for set in &plan.sets {
        add(&mut fresh, plan.measure(set, &mut progress)?)?;
        if !arguments.json {
            print(&report::plain(&fresh, set))?;
        }
    }
    if arguments.json { print(&fresh.lines()?) } else { Ok(()) }
}

fn print(text: &str) -> Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes()).context("could not write the tables")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_pair_is_two_servers_and_cases() {
        let parse = |words: &[&str]| Arguments::try_parse_from([&["servers"], words].concat());
        let pair = parse(&["--pair", "haproxy:421", "coalesce:200"]).unwrap().pair;
        let names: Vec<_> = pair.iter().map(|(kind, case)| (kind.name, case.name())).collect();
        assert_eq!(names, [("haproxy", "421"), ("coalesce", "200")]);
        for wrong in ["haproxy", "haproxy:404", "hydra:200", "coalesce:421-upload"] {
            assert!(parse(&["--pair", "haproxy:421", wrong]).is_err(), "{wrong}");
        }
        assert!(parse(&["--pair", "haproxy:421"]).is_err());
    }
}
