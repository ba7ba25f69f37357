//! Counts the instructions of one lookup with callgrind.
//!
//! The program runs itself twice under valgrind: once to build a set and draw a load, and once to
//! look up [`LOOKUPS`] queries in addition. All random numbers are seeded, except the keys of
//! certificates and hash maps. The difference of the two totals, divided by the lookups, is exact
//! to one instruction.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use coalesce_benches::progress::Progress;

use crate::loads::{Load, LoadKind};
use crate::oracle::Oracle;
use crate::peers::PeerKind;
use crate::records::{Instructions, Record};
use crate::sets::{NameSet, SetKind};

/// The lookups of the longer run.
const LOOKUPS: usize = 1 << 15;
/// The lookups for peers that take tens of thousands of instructions each.
const LOOKUPS_SLOW: usize = QUERIES;
const SLOW: [&str; 2] = ["webpki", "openssl"];
/// The number of different queries, which repeat.
const QUERIES: usize = 1 << 10;
/// The measured sets. They fit in the caches, so instructions matter most.
pub(crate) const SETS: [&str; 4] = ["cert-1", "cert-10", "cert-100", "cert-1000"];
/// The measured peers.
pub(crate) const PEERS: [&str; 6] =
    ["ours", crate::peers::REFERENCE, "linear", "sozu", "webpki", "openssl"];
/// The measured loads.
pub(crate) const LOADS: [LoadKind; 6] = [
    LoadKind::Uniform,
    LoadKind::Zipf,
    LoadKind::Misses,
    LoadKind::NearMisses,
    LoadKind::Mixed,
    LoadKind::Messy,
];

/// Returns an error if valgrind does not run.
pub(crate) fn check_valgrind() -> Result<()> {
    let status = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("valgrind --version ended with {status}"),
        Err(error) => Err(error).context("valgrind is not installed (apt-get install valgrind)"),
    }
}

/// Counts the instructions of one peer with one set.
pub(crate) fn count(
    set: SetKind,
    loads: &[LoadKind],
    peer: &PeerKind,
    progress: &mut Progress,
) -> Result<Vec<Record>> {
    let lookups = if SLOW.contains(&peer.name) { LOOKUPS_SLOW } else { LOOKUPS };
    let mut records = Vec::new();
    for load in loads {
        progress.say(format_args!("{}: counting {} on {}", set.name, peer.name, load.name()));
        let base = total(set, *load, peer, 0)?;
        let more = total(set, *load, peer, lookups)?;
        records.push(Record::Instructions(Instructions {
            set: set.name.to_owned(),
            load: load.name().to_owned(),
            peer: peer.name.to_owned(),
            count: (more - base) / lookups as f64,
        }));
    }
    Ok(records)
}

/// Returns all instructions of one run.
fn total(set: SetKind, load: LoadKind, peer: &PeerKind, lookups: usize) -> Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["--set", set.name, "--load", load.name(), "--peer", peer.name])
        .args(["--lookups", &lookups.to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    let (Some((_, figure)), true) = (collected, output.status.success()) else {
        bail!("callgrind ended with {}: {said}", output.status);
    };
    figure.trim().parse().with_context(|| format!("no count of instructions: {figure}"))
}

/// Does the work that runs under valgrind.
pub(crate) fn child(set: SetKind, load: LoadKind, peer: &PeerKind, lookups: usize) -> Result<()> {
    let set = NameSet::generate(set);
    let load = Load::generate(load, &set, &Oracle::new(&set), QUERIES);
    let queries = load.queries();
    let built = peer.build(&set).map_err(|refusal| anyhow::anyhow!(refusal.0))?;
    for _ in 0..lookups / QUERIES {
        built.peer.overlapped(&queries);
    }
    Ok(())
}
