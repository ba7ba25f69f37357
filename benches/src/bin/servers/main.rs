//! Compares whole servers: the cost of a request for `coalesce serve`, bare `h2` and others.
//!
//! ```text
//! cargo run --release -p coalesce-benches --bin servers -- --quick
//! cargo run --release -p coalesce-benches --bin servers -- \
//!     --results target/servers.jsonl --write docs/performance.md
//! cargo run --release -p coalesce-benches --bin servers -- --pair haproxy:421 coalesce:421
//! ```
//!
//! | module | contents |
//! | --- | --- |
//! | `arguments` | the command line |
//! | `case` | the requests and their right answers |
//! | `world`, `configurations`, `kinds` | certificates, configurations, the servers |
//! | `programs`, `server`, `processes` | building, starting and stopping; figures of the kernel |
//! | `h2load`, `client`, `relay` | the loads: h2load, the program's own client, a relay that counts |
//! | `plan`, `run` | the measurements, their order and their processors |
//! | `cpu`, `instructions`, `calls`, `latency`, `memory`, `scaling` | one set of figures each |
//! | `callgrind`, `parts` | reading the counts of callgrind |
//! | `records`, `report` | the measurements as lines of JSON and as tables |
#![expect(clippy::cast_precision_loss, reason = "measured figures are rounded anyway")]

mod arguments;
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
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use coalesce_benches::progress::Progress;
use coalesce_benches::{command_line, machine};

use crate::arguments::{Arguments, SETS};
use crate::kinds::{KINDS, Kind};
use crate::plan::Plan;
use crate::records::{Record, Records, Version};

fn main() -> ExitCode {
    command_line::end(run(&Arguments::parse()))
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
    // Record after each set, so that an interrupted run keeps its finished sets.
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
