//! Instructions of one lookup, counted by callgrind.
//!
//! The program runs itself under valgrind: once to build a set and draw a load, once to look
//! [`LOOKUPS`] queries up besides. All chance is seeded but the keys of certificates and hash maps;
//! the difference of the two totals, divided, is good to an instruction.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use coalesce_benches::progress::Progress;

use crate::loads::{Load, LoadKind};
use crate::oracle::Oracle;
use crate::peers::PeerKind;
use crate::records::{Instructions, Record};
use crate::sets::{NameSet, SetKind};

/// Lookups of the longer run.
const LOOKUPS: usize = 1 << 15;
/// Of peers that take tens of thousands of instructions for one.
const LOOKUPS_SLOW: usize = QUERIES;
const SLOW: [&str; 2] = ["webpki", "openssl"];
/// Different queries; they are run through again and again.
const QUERIES: usize = 1 << 10;
/// The sets that it is worth doing for: everything is in the caches.
pub(crate) const SETS: [&str; 4] = ["cert-1", "cert-10", "cert-100", "cert-1000"];
/// The peers likewise.
pub(crate) const PEERS: [&str; 6] =
    ["ours", crate::peers::REFERENCE, "linear", "sozu", "webpki", "openssl"];
/// The loads likewise.
pub(crate) const LOADS: [LoadKind; 6] = [
    LoadKind::Uniform,
    LoadKind::Zipf,
    LoadKind::Misses,
    LoadKind::NearMisses,
    LoadKind::Mixed,
    LoadKind::Messy,
];

/// Fails when valgrind does not run.
pub(crate) fn check_valgrind() -> Result<()> {
    let status = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("valgrind --version ended with {status}"),
        Err(error) => Err(error).context("valgrind is not installed (apt-get install valgrind)"),
    }
}

/// Counts for one peer with one set.
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

/// All instructions of one run.
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

/// What runs under valgrind.
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
