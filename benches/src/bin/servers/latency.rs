//! Measures how long a single request takes on an otherwise idle connection.
//!
//! The program's own client sends a request, waits for its whole answer, and only then sends the
//! next one, so the server sleeps before each. The servers get blocks of requests in turns, A B B
//! A. A ratio compares the quantiles of the two blocks in a round.

use std::time::Instant;

use anyhow::{Context as _, Result};
use coalesce_benches::progress::Progress;
use coalesce_benches::statistics::quantile;

use crate::case::Case;
use crate::client::{Client, Connection};
use crate::cpu::TO_BASELINE;
use crate::kinds::{BASELINE, Kind};
use crate::records::{Figure, Record};
use crate::run::Bench;

pub(crate) const SET: &str = "latency";
/// The reported quantiles and their names.
pub(crate) const QUANTILES: [(&str, f64); 2] = [("p50", 0.5), ("p99", 0.99)];

/// The number of rounds, and the requests in each of a server's two blocks per round.
const ROUNDS: usize = 40;
const BLOCK: usize = 500;
/// The requests before the first block of a connection.
const WARMING: usize = 100;

/// The microseconds of one server, a list for each round.
type Rounds = Vec<Vec<f64>>;

/// Measures `kinds`, which include the baseline.
pub(crate) fn measure(
    bench: &Bench<'_>,
    kinds: &[&'static Kind],
    case: Case,
    quick: bool,
    progress: &mut Progress,
) -> Result<Vec<Record>> {
    let (rounds, block) = if quick { (5, 100) } else { (ROUNDS, BLOCK) };
    let mut servers = Vec::new();
    for kind in kinds {
        servers.push(bench.launch(kind, &[]).start()?);
    }
    let client = Client::new(bench.world)?;
    let taken = client.run(async {
        let mut taken: Vec<Rounds> = vec![Vec::new(); servers.len()];
        for round in 1..=rounds {
            progress.say(format_args!("latency, {}: round {round} of {rounds}", case.name()));
            // Make new connections, because the refusal limit would end one that lasts for all
            // rounds.
            let mut connections = Vec::new();
            for server in &servers {
                let mut connection = client.connect(server.address).await?;
                lone(&mut connection, case, WARMING).await?;
                connections.push(connection);
            }
            let mut this = vec![Vec::new(); servers.len()];
            for at in (0..servers.len()).chain((0..servers.len()).rev()) {
                this[at].extend(lone(&mut connections[at], case, block).await?);
            }
            for (all, this) in taken.iter_mut().zip(this) {
                all.push(this);
            }
        }
        Ok(taken)
    })?;
    for server in servers {
        server.stop()?;
    }
    records(kinds, case, &taken)
}

/// Measures the microseconds of this number of requests, one after another.
async fn lone(connection: &mut Connection, case: Case, requests: usize) -> Result<Vec<f64>> {
    let mut taken = Vec::with_capacity(requests);
    for _ in 0..requests {
        let started = Instant::now();
        let answer = connection.ask(case).await?.answer().await?;
        taken.push(started.elapsed().as_secs_f64() * 1e6);
        answer.check(case)?;
    }
    Ok(taken)
}

fn records(kinds: &[&'static Kind], case: Case, taken: &[Rounds]) -> Result<Vec<Record>> {
    let by_round = |rounds: &Rounds, part: f64| -> Vec<f64> {
        rounds.iter().map(|taken| quantile(taken.clone(), part)).collect()
    };
    let baseline = kinds.iter().position(|kind| kind.name == BASELINE);
    let baseline = &taken[baseline.context("the baseline is measured")?];
    let mut records = Vec::new();
    for (kind, rounds) in kinds.iter().zip(taken) {
        for (name, part) in QUANTILES {
            let (ours, theirs) = (by_round(rounds, part), by_round(baseline, part));
            let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
            let of = |quantity: &str, values: &[f64]| {
                let figure = Figure::new(SET, kind.name, case.name(), quantity, 0.0);
                Record::Figure(figure.over(values))
            };
            records.push(of(name, &ours));
            records.push(of(&format!("{name} {TO_BASELINE}"), &ratios));
        }
    }
    Ok(records)
}
