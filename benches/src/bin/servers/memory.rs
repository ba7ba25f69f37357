//! Measures the memory that a connection and a stream take in a server.
//!
//! The figure is the proportional set size of all processes of the server, from `smaps_rollup`: the
//! difference before and after, divided by the number. It does not contain socket buffers, which
//! belong to the kernel.

use std::fs;

use anyhow::{Context as _, Result, bail};
use coalesce_benches::progress::Progress;
use coalesce_benches::statistics::median;

use crate::case::Case;
use crate::client::{Client, Connection};
use crate::kinds::Kind;
use crate::processes;
use crate::records::{Figure, Record};
use crate::run::Bench;
use crate::server::Server;

pub(crate) const SET: &str = "memory";
pub(crate) const PER_CONNECTION: &str = "bytes per idle connection";
pub(crate) const PER_STREAM: &str = "bytes per open stream";

/// Connections that are idle after one answer.
const IDLE: usize = 2000;
/// Connections with open streams, and the number of streams on each.
const BUSY: usize = 100;
const STREAMS: usize = 100;
/// The number of attempts, because a server may give up on a body that does not arrive.
const TRIES: usize = 5;

/// Measures one server this number of times, each time newly started.
pub(crate) fn measure(
    bench: &Bench<'_>,
    kind: &'static Kind,
    times: usize,
    progress: &mut Progress,
) -> Result<Vec<Record>> {
    let (mut idle, mut streams) = (Vec::new(), Vec::new());
    for time in 1..=times {
        progress.say(format_args!("memory, {}: {time} of {times}", kind.name));
        idle.push(once(bench, kind, idle_connections)?);
        streams.push(once(bench, kind, open_streams)?);
    }
    let figure = |quantity, values: Vec<f64>| {
        Record::Figure(Figure::new(SET, kind.name, "", quantity, median(values)))
    };
    Ok(vec![figure(PER_CONNECTION, idle), figure(PER_STREAM, streams)])
}

/// Returns `None` if the server answered in the meantime.
type Measure = fn(&Client, &Server) -> Result<Option<f64>>;

fn once(bench: &Bench<'_>, kind: &'static Kind, measure: Measure) -> Result<f64> {
    for _ in 0..TRIES {
        let server = bench.launch(kind, &[]).start()?;
        let client = Client::new(bench.world)?;
        // Makes the memory that is allocated for the first connection and kept for all.
        client.check(server.address, Case::Served)?;
        let bytes = measure(&client, &server)?;
        drop(client);
        server.stop()?;
        if let Some(bytes) = bytes {
            return Ok(bytes);
        }
    }
    bail!("{} answered {TRIES} times before it was measured", kind.name)
}

fn idle_connections(client: &Client, server: &Server) -> Result<Option<f64>> {
    let before = bytes(server)?;
    let _open = client.run(connections(client, server, IDLE))?;
    Ok(Some((bytes(server)? - before) / IDLE as f64))
}

/// Measures requests whose bodies have not arrived, on connections that were idle before.
fn open_streams(client: &Client, server: &Server) -> Result<Option<f64>> {
    let mut connections = client.run(connections(client, server, BUSY))?;
    let before = bytes(server)?;
    let mut open = Vec::with_capacity(BUSY * STREAMS);
    client.run(async {
        for connection in &mut connections {
            for _ in 0..STREAMS {
                open.push(connection.withhold().await?);
            }
        }
        for connection in &mut connections {
            connection.settle().await?;
        }
        Ok(())
    })?;
    let after = bytes(server)?;
    let waiting = client.run(async {
        // An answer may follow the pong of the first ping, but not that of a second one.
        for connection in &mut connections {
            connection.settle().await?;
            connection.settle().await?;
        }
        for open in &mut open {
            if open.is_answered().await {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    Ok(waiting.then(|| (after - before) / (BUSY * STREAMS) as f64))
}

/// Opens connections and makes one request on each.
async fn connections(client: &Client, server: &Server, count: usize) -> Result<Vec<Connection>> {
    let mut open = Vec::with_capacity(count);
    for _ in 0..count {
        let mut connection = client.connect(server.address).await?;
        connection.burst(Case::Served, 1).await?;
        open.push(connection);
    }
    Ok(open)
}

/// Returns the proportional set size of all processes.
fn bytes(server: &Server) -> Result<f64> {
    let mut kibibytes = 0;
    for pid in processes::tree(server.leader) {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| format!("could not read {path}"))?;
        kibibytes += processes::field(&text, "Pss").context("smaps_rollup has no Pss")?;
    }
    Ok(kibibytes as f64 * 1024.0)
}
