//! Compares Coalesce's lookups with those of other libraries, in turns in one process.
//!
//! ```text
//! cargo run --release -p coalesce-benches --bin peers -- --quick
//! cargo run --release -p coalesce-benches --bin peers --features openssl,sozu -- \
//!     --set cert-100 --results target/peers.jsonl --write benches/RESULTS.md
//! ```
//!
//! | module | contents |
//! | --- | --- |
//! | `generator`, `sets`, `loads` | names, sets of names, queries; all from seeds |
//! | `oracle` | the right answers |
//! | `peers` | the compared implementations, one row and one builder each |
//! | `ours` | Coalesce as a peer |
//! | `measure`, `counting`, `instructions` | times, bytes, instructions |
//! | `records` | the measurements, as lines of JSON |
//! | `report`, `plot` | the measurements as tables and plots |
#![expect(clippy::cast_precision_loss, reason = "measured figures are rounded anyway")]

mod counting;
mod generator;
mod instructions;
mod loads;
mod measure;
mod oracle;
mod ours;
mod peers;
mod plot;
mod records;
mod report;
mod sets;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use coalesce_benches::command_line::one_of;
use coalesce_benches::machine;
use coalesce_benches::progress::Progress;

use crate::loads::{LOADS, LoadKind};
use crate::measure::Extent;
use crate::peers::{OURS, PEERS, PeerKind, is_ours};
use crate::records::{Record, Records};
use crate::sets::{SETS, SetKind};

/// Compare Coalesce's lookups with those of other libraries.
///
/// Exits with 0 on success, with 1 if Coalesce gave a wrong answer or a file could not be read or
/// written, and with 2 for a wrong command line.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each flag is a bool")]
#[command(name = "peers")]
struct Arguments {
    /// A set of names; may be repeated. All but the largest by default.
    #[arg(long, value_name = "NAME", value_parser = set)]
    set: Vec<SetKind>,
    /// A load of queries; may be repeated. All by default.
    #[arg(long, value_name = "NAME", value_parser = load)]
    load: Vec<LoadKind>,
    /// A peer; may be repeated. Coalesce is always included. All by default.
    #[arg(long, value_name = "NAME", value_parser = peer)]
    peer: Vec<&'static PeerKind>,
    /// Rounds of measuring. Figures are medians over them.
    #[arg(long, default_value_t = 51, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Measure roughly: fewer queries, at most five rounds, three small sets by default.
    #[arg(long)]
    quick: bool,
    /// Write records as lines of JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Add the records to this file, which keeps its other records.
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Write all records as Markdown, and plots into the folder `plots` beside it.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Measure nothing; write the records of the results file.
    #[arg(long, requires = "results")]
    render: bool,
    /// Count instructions under callgrind instead of measuring time.
    #[arg(long, conflicts_with = "render")]
    instructions: bool,
    /// List all sets, loads and peers.
    #[arg(long)]
    list: bool,
    /// Look up this many queries and print nothing. This runs under callgrind.
    #[arg(long, hide = true)]
    lookups: Option<usize>,
}

fn set(name: &str) -> Result<SetKind, String> {
    let found = SETS.iter().find(|set| set.name == name);
    found.copied().ok_or_else(|| one_of(SETS.iter().map(|set| set.name)))
}

fn load(name: &str) -> Result<LoadKind, String> {
    let found = LOADS.iter().find(|(found, _)| *found == name);
    found.map(|(_, kind)| *kind).ok_or_else(|| one_of(LOADS.map(|(name, _)| name)))
}

fn peer(name: &str) -> Result<&'static PeerKind, String> {
    let found = PEERS.iter().find(|peer| peer.name == name);
    found.ok_or_else(|| one_of(PEERS.iter().map(|peer| peer.name)))
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            // If standard error is closed, there is no other place to report the error.
            let _ = writeln!(std::io::stderr().lock(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.list {
        print(&report::list())?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(lookups) = arguments.lookups {
        let (Some(set), Some(load), Some(peer)) =
            (arguments.set.first(), arguments.load.first(), arguments.peer.first())
        else {
            anyhow::bail!("lookups want a set, a load and a peer");
        };
        instructions::child(*set, *load, peer, lookups)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut kept = match &arguments.results {
        Some(path) => Records::read(path)?,
        None => Records::default(),
    };
    let mut fresh = Records::default();
    if !arguments.render {
        fresh.add([Record::Machine(machine::look())]);
        let plan = Plan::new(arguments);
        // Write after each set, so that an interrupted run keeps its finished sets.
        for set in &plan.sets {
            let records = plan.measure(*set, &mut Progress::new())?;
            fresh.add(records.clone());
            kept.add([Record::Machine(machine::look())]);
            kept.add(records);
            if let Some(path) = &arguments.results {
                kept.write(path)?;
            }
            if !arguments.json {
                print(&report::set(&fresh, set.name))?;
            }
        }
    }
    if arguments.json {
        print(&fresh.lines()?)?;
    }
    if let Some(path) = &arguments.write {
        write(path, &kept)?;
    }
    let wrong: usize =
        fresh.times().filter(|time| is_ours(&time.peer)).map(|time| time.wrong).sum();
    if wrong > 0 {
        anyhow::bail!("coalesce gave {wrong} wrong answers");
    }
    Ok(ExitCode::SUCCESS)
}

/// The measurements to make.
struct Plan {
    sets: Vec<SetKind>,
    loads: Vec<LoadKind>,
    peers: Vec<&'static PeerKind>,
    extent: Extent,
    instructions: bool,
}

impl Plan {
    fn new(arguments: &Arguments) -> Self {
        let instructions = arguments.instructions;
        let rounds = usize::from(arguments.rounds);
        let extent =
            if arguments.quick { Extent::quick(rounds.min(5)) } else { Extent::full(rounds) };
        let usual_set = |set: &SetKind| match (instructions, arguments.quick) {
            (true, _) => instructions::SETS.contains(&set.name),
            (_, true) => ["cert-10", "cert-100", "table-1e3"].contains(&set.name),
            _ => set.usual,
        };
        let usual_load = |load: &LoadKind| !instructions || instructions::LOADS.contains(load);
        let usual_peer =
            |peer: &&PeerKind| !instructions || instructions::PEERS.contains(&peer.name);
        let mut peers = arguments.peer.clone();
        if peers.is_empty() {
            peers = PEERS.iter().filter(usual_peer).collect();
        }
        if !peers.iter().any(|peer| peer.name == OURS) {
            peers.extend(PEERS.iter().find(|peer| peer.name == OURS));
        }
        Self {
            sets: or_usual(&arguments.set, SETS.iter().copied().filter(usual_set)),
            loads: or_usual(
                &arguments.load,
                LOADS.map(|(_, kind)| kind).into_iter().filter(usual_load),
            ),
            peers,
            extent,
            instructions,
        }
    }

    fn measure(&self, set: SetKind, progress: &mut Progress) -> Result<Vec<Record>> {
        if !self.instructions {
            return Ok(measure::run(set, &self.loads, &self.peers, self.extent, progress));
        }
        instructions::check_valgrind()?;
        let names = sets::NameSet::generate(set);
        let mut records = Vec::new();
        for peer in &self.peers {
            // A peer that cannot be built here cannot be built under valgrind either.
            if peer.build(&names).is_ok() {
                records.extend(instructions::count(set, &self.loads, peer, progress)?);
            }
        }
        Ok(records)
    }
}

fn or_usual<T: Clone>(wanted: &[T], usual: impl Iterator<Item = T>) -> Vec<T> {
    if wanted.is_empty() { usual.collect() } else { wanted.to_vec() }
}

fn print(text: &str) -> Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes()).context("could not write the tables")
}

/// Writes the Markdown file and its plots.
fn write(path: &Path, records: &Records) -> Result<()> {
    let plots = path.with_file_name("plots");
    std::fs::create_dir_all(&plots)
        .with_context(|| format!("could not make {}", plots.display()))?;
    let files = [
        (path.to_owned(), report::markdown(records)),
        (plots.join("time.svg"), plot::time(records)),
        (plots.join("bytes.svg"), plot::bytes(records)),
    ];
    for (path, text) in files {
        std::fs::write(&path, text)
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    Ok(())
}
