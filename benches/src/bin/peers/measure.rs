//! Builds, checks and times all peers in turn.
//!
//! A round runs one block of queries through every peer, and each round starts with another peer,
//! so that other activity of the machine affects all peers alike. Ratios are taken within a round,
//! and the reported figure is their median.
//!
//! In its turn a peer first runs a block without timing, so that the caches hold its own data. Then
//! it runs another block with overlapped lookups and a third one with dependent lookups.

use std::time::{Duration, Instant};

use coalesce_benches::progress::Progress;
use coalesce_benches::statistics::median;

use crate::counting::count;
use crate::loads::{LOADS, Load, LoadKind};
use crate::oracle::Oracle;
use crate::peers::{Answers, Difference, OURS, Peer, PeerKind, is_ours};
use crate::records::{Absent, Build, Record, Time};
use crate::sets::{NameSet, SetKind};

/// The amount of measuring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) rounds: usize,
    /// The queries in a block.
    pub(crate) block: usize,
    /// The number of different blocks.
    pub(crate) blocks: usize,
}

impl Extent {
    pub(crate) const fn full(rounds: usize) -> Self {
        Self { rounds, block: 1 << 14, blocks: 16 }
    }

    pub(crate) const fn quick(rounds: usize) -> Self {
        Self { rounds, block: 1 << 10, blocks: 4 }
    }
}

/// The time of a block. A slow peer gets fewer queries.
const BLOCK_TIME: Duration = Duration::from_millis(4);
/// The least number of queries in a block.
const BLOCK_MIN: usize = 32;
/// The time for checking a peer. At least [`CHECKED_MIN`] queries are checked, and for Coalesce
/// all.
const CHECK_TIME: Duration = Duration::from_secs(2);
const CHECKED_MIN: usize = 64;
/// The number of queries for which allocations are counted.
const COUNTED: usize = 256;

/// A peer that has built a set.
pub(crate) struct Contender {
    pub(crate) kind: &'static PeerKind,
    peer: Box<dyn Peer>,
    bytes: i64,
    build: Duration,
}

/// Builds all peers that support a set. Records the reason for the others.
pub(crate) fn build(
    set: &NameSet,
    peers: &[&'static PeerKind],
    progress: &mut Progress,
) -> (Vec<Contender>, Vec<Record>) {
    let (mut contenders, mut records) = (Vec::new(), Vec::new());
    for kind in peers {
        progress.say(format_args!("{}: building {}", set.kind.name, kind.name));
        let started = Instant::now();
        let (result, counted) = count(|| kind.build(set));
        let elapsed = started.elapsed();
        let (set, peer) = (set.kind.name.to_owned(), kind.name.to_owned());
        match result {
            Ok(built) => {
                let own = built.bytes.and_then(|bytes| i64::try_from(bytes).ok());
                let bytes = own.unwrap_or(counted.bytes);
                contenders.push(Contender { kind, peer: built.peer, bytes, build: elapsed });
            }
            Err(refusal) => records.push(Record::Absent(Absent { set, peer, reason: refusal.0 })),
        }
    }
    (contenders, records)
}

/// Returns the cost of building.
pub(crate) fn builds(set: &NameSet, contenders: &[Contender]) -> Vec<Record> {
    let record = |contender: &Contender| {
        Record::Build(Build {
            set: set.kind.name.to_owned(),
            peer: contender.kind.name.to_owned(),
            names: set.len(),
            // OpenSSL allocates in C, where nothing is counted.
            bytes_per_name: (contender.kind.name != "openssl")
                .then(|| contender.bytes as f64 / set.len() as f64),
            milliseconds: contender.build.as_secs_f64() * 1e3,
        })
    };
    contenders.iter().map(record).collect()
}

/// The result of checking a peer's answers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Checked {
    pub(crate) queries: usize,
    pub(crate) wrong: usize,
    /// The wrong answers that a documented difference explains.
    pub(crate) explained: usize,
}

/// Compares a peer's answers with the right ones.
pub(crate) fn check(set: &NameSet, contender: &Contender, load: &Load) -> Checked {
    let started = Instant::now();
    let mut checked = Checked::default();
    for (query, right) in load.queries().into_iter().zip(&load.answers) {
        let enough = checked.queries >= CHECKED_MIN && started.elapsed() > CHECK_TIME;
        if enough && !is_ours(contender.kind.name) {
            break;
        }
        checked.queries += 1;
        let given = contender.peer.answer(query);
        if !contender.kind.agrees(*right, given) {
            checked.wrong += 1;
            let explains = |difference: &Difference| difference.explains(set, *right, given);
            checked.explained += usize::from(contender.kind.differences.iter().any(explains));
        }
    }
    checked
}

/// Builds one set with some peers and measures some loads.
pub(crate) fn run(
    kind: SetKind,
    loads: &[LoadKind],
    peers: &[&'static PeerKind],
    extent: Extent,
    progress: &mut Progress,
) -> Vec<Record> {
    progress.say(format_args!("{}: making names", kind.name));
    let set = NameSet::generate(kind);
    let oracle = Oracle::new(&set);
    let (contenders, mut records) = build(&set, peers, progress);
    records.extend(builds(&set, &contenders));
    for load in loads {
        let name = load.name();
        progress.say(format_args!("{}: drawing and checking {name}", kind.name));
        let load = Load::generate(*load, &set, &oracle, extent.block * extent.blocks);
        records.extend(time(&set, name, &load, &contenders, extent, progress));
    }
    records
}

impl LoadKind {
    /// Returns the name on the command line.
    pub(crate) fn name(self) -> &'static str {
        LOADS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// The figures of one peer by round, in nanoseconds per lookup.
#[derive(Default)]
struct Rounds {
    overlapped: Vec<f64>,
    dependent: Vec<f64>,
}

fn time(
    set: &NameSet,
    load_name: &str,
    load: &Load,
    contenders: &[Contender],
    extent: Extent,
    progress: &mut Progress,
) -> Vec<Record> {
    let queries = load.queries();
    let checked: Vec<Checked> =
        contenders.iter().map(|contender| check(set, contender, load)).collect();
    let blocks: Vec<usize> = contenders
        .iter()
        .map(|contender| fitting_block(&*contender.peer, &queries, extent.block))
        .collect();
    let rounds = measure_rounds(set, load_name, &queries, contenders, &blocks, extent, progress);
    let ours = contenders.iter().position(|contender| contender.kind.name == OURS);
    let ours = ours.map(|at| &rounds[at]);
    let record = |at: usize| {
        let (contender, figures) = (&contenders[at], &rounds[at]);
        let counted = &queries[..COUNTED.min(blocks[at])];
        let ((), allocated) = count(|| contender.peer.overlapped(counted));
        let judged = contender.kind.answers != Answers::Nothing;
        Record::Time(Time {
            set: set.kind.name.to_owned(),
            load: load_name.to_owned(),
            peer: contender.kind.name.to_owned(),
            rounds: extent.rounds,
            block: blocks[at],
            overlapped_ns: median(figures.overlapped.clone()),
            dependent_ns: median(figures.dependent.clone()),
            overlapped_to_ours: ratio(&figures.overlapped, ours.map(|ours| &ours.overlapped[..])),
            dependent_to_ours: ratio(&figures.dependent, ours.map(|ours| &ours.dependent[..])),
            allocations: allocated.allocations as f64 / counted.len() as f64,
            checked: if judged { checked[at].queries } else { 0 },
            wrong: checked[at].wrong,
            explained: checked[at].explained,
        })
    };
    (0..contenders.len()).map(record).collect()
}

/// Times every contender in every round, in a different order each round.
fn measure_rounds(
    set: &NameSet,
    load_name: &str,
    queries: &[&[u8]],
    contenders: &[Contender],
    blocks: &[usize],
    extent: Extent,
    progress: &mut Progress,
) -> Vec<Rounds> {
    let mut rounds: Vec<Rounds> = contenders.iter().map(|_| Rounds::default()).collect();
    for round in 0..extent.rounds {
        progress.say(format_args!(
            "{}: {load_name}, round {} of {}",
            set.kind.name,
            round + 1,
            extent.rounds
        ));
        // Use three consecutive blocks, none of them from the last round, so that the caches favour
        // no block.
        let block = |at: usize| (3 * round + at) % extent.blocks * extent.block;
        let [warm_up, overlapped, dependent] = [0, 1, 2].map(block);
        for turn in 0..contenders.len() {
            let at = (round + turn) % contenders.len();
            let peer = &*contenders[at].peer;
            let queries = |start: usize| &queries[start..start + blocks[at]];
            peer.overlapped(queries(warm_up));
            let one = |work: &dyn Fn()| nanoseconds(blocks[at], work);
            rounds[at].overlapped.push(one(&|| peer.overlapped(queries(overlapped))));
            rounds[at].dependent.push(one(&|| peer.dependent(queries(dependent))));
        }
    }
    rounds
}

/// Returns how many queries fit into [`BLOCK_TIME`].
fn fitting_block(peer: &dyn Peer, queries: &[&[u8]], block: usize) -> usize {
    let sample = &queries[..BLOCK_MIN];
    peer.overlapped(sample);
    let one = nanoseconds(sample.len(), || peer.overlapped(sample)).max(0.1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates on purpose"
    )]
    let fitting = (BLOCK_TIME.as_secs_f64() * 1e9 / one) as usize;
    fitting.clamp(BLOCK_MIN, block)
}

fn nanoseconds(queries: usize, work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64() * 1e9 / queries as f64
}

/// Returns the median over rounds of the peer's time divided by Coalesce's time.
fn ratio(peer: &[f64], ours: Option<&[f64]>) -> Option<f64> {
    ours.map(|ours| median(peer.iter().zip(ours).map(|(peer, ours)| peer / ours).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::PEERS;
    use crate::sets::SETS;

    /// Checks that every answer of every peer on every load is right or differs for a documented
    /// reason.
    fn agree(name: &str) {
        let kind = *SETS.iter().find(|kind| kind.name == name).unwrap();
        let set = NameSet::generate(kind);
        let oracle = Oracle::new(&set);
        let peers: Vec<&PeerKind> = PEERS.iter().collect();
        let (contenders, absent) = build(&set, &peers, &mut Progress::silent());
        assert!(contenders.len() + absent.len() == PEERS.len());
        for (_, kind) in LOADS {
            let load = Load::generate(kind, &set, &oracle, 2000);
            for contender in &contenders {
                let checked = check(&set, contender, &load);
                assert_eq!(
                    checked.wrong,
                    checked.explained,
                    "{name} {} {}",
                    kind.name(),
                    contender.kind.name
                );
                if contender.kind.name == OURS {
                    assert_eq!(checked.wrong, 0, "{name} {kind:?}");
                    assert_eq!(checked.queries, 2000, "{name} {kind:?}");
                }
            }
        }
    }

    #[test]
    fn peers_agree_on_a_certificate_of_10_names() {
        agree("cert-10");
    }

    #[test]
    fn peers_agree_on_a_certificate_of_100_names() {
        agree("cert-100");
    }

    #[test]
    fn peers_agree_on_a_table_of_1000_names() {
        agree("table-1e3");
    }

    #[test]
    fn median_is_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!(median(vec![]).abs() < 1e-9);
    }
}
