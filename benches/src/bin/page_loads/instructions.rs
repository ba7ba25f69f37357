//! Counts the instructions of a page load: in the client, and in the servers.

use anyhow::{Context as _, Result};
use coalesce_benches::progress::Progress;

use crate::arguments::Arguments;
use crate::drivers::{Kind, PEERS, Peer};
use crate::records::{Instructions, Record};
use crate::rounds::Kept;
use crate::trace::{SHAPES, Shape, Trace};
use crate::world::World;

/// The command that counts.
const CALLGRIND: [&str; 3] = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];

/// Counts the instructions of each page and client without a round-trip time.
pub(crate) fn count(arguments: &Arguments, world: &mut World, kept: &mut Kept) -> Result<()> {
    world.set(0, 0);
    let is_own = |peer: &&Peer| matches!(peer.kind, Kind::Own(_));
    let mut peers = arguments.peer.clone();
    if peers.is_empty() {
        peers = PEERS.iter().filter(is_own).collect();
    }
    let mut shapes: Vec<&Shape> = arguments.trace.clone();
    if shapes.is_empty() {
        shapes = SHAPES.iter().collect();
    }
    let mut progress = Progress::new();
    let idle = served(world, None)?;
    for peer in peers {
        let nothing = Trace { name: "nothing".into(), operators: Vec::new(), waves: Vec::new() };
        let mut start = None;
        for shape in &shapes {
            progress.say(format_args!("instructions: {}, {}", shape.name, peer.name));
            let [trace, peer_name] = [shape.name, peer.name].map(str::to_owned);
            let mut record =
                Instructions { trace: trace.clone(), peer: peer_name, client: 0, server: 0 };
            if arguments.resume && kept.has(&Record::Instructions(record.clone())) {
                continue;
            }
            let trace = world.trace(&trace)?;
            let start = match start {
                Some(start) => start,
                None => *start.insert(loaded(world, peer, &nothing)?),
            };
            record.client = loaded(world, peer, trace)?.saturating_sub(start);
            record.server = served(world, Some((peer, trace)))?.saturating_sub(idle);
            kept.add(Record::Instructions(record))?;
        }
    }
    Ok(())
}

/// Returns the instructions of a client that loads a page.
fn loaded(world: &World, peer: &Peer, trace: &Trace) -> Result<u64> {
    let server = world.serve(&[])?;
    let (loaded, messages) = world.load_under(&CALLGRIND, peer, trace)?;
    server.stop()?;
    loaded.check(trace).with_context(|| format!("{}, {}", trace.name, peer.name))?;
    collected(&messages)
}

/// Returns the instructions of servers that one client or none loads a page from.
fn served(world: &World, load: Option<(&Peer, &Trace)>) -> Result<u64> {
    let server = world.serve(&CALLGRIND)?;
    if let Some((peer, trace)) = load {
        let (loaded, _) = world.load(peer, trace)?;
        loaded.check(trace).with_context(|| format!("{}, {}", trace.name, peer.name))?;
    }
    collected(&server.stop()?)
}

/// Reads the count that callgrind prints at the end.
fn collected(messages: &str) -> Result<u64> {
    let line = messages.lines().find_map(|line| line.split_once("Collected :"));
    let (_, count) = line.with_context(|| format!("callgrind counted nothing: {messages}"))?;
    count.trim().parse().context("callgrind printed no number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_of_callgrind_is_read() {
        assert_eq!(collected("==1== \n==1== Collected : 12345\n").unwrap(), 12345);
        assert!(collected("==1== Events    : Ir\n").is_err());
    }
}
