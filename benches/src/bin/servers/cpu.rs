//! Measures the CPU time of one request: user and system time of all processes of a server, under
//! h2load.
//!
//! A round goes through all servers and cases, then back in the opposite order. Any two of them
//! thus run as A B B A, and a drift affects both alike. Ratios are taken within a round. The
//! reported figure is their median, with an interval from a bootstrap over rounds.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use coalesce_benches::progress::Progress;

use crate::case::Case;
use crate::h2load::{self, Load, REQUESTS_PER_CONNECTION};
use crate::kinds::{BASELINE, OURS};
use crate::records::{Figure, Record};
use crate::run::Bench;
use crate::server::Server;

pub(crate) const SET: &str = "cpu";
/// The requests that estimate a server's pace. They also warm it up.
const WARMING: usize = 1000;

/// The duration and number of the rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) rounds: usize,
    /// The seconds of load in each of the two visits of a round.
    pub(crate) seconds: f64,
}

/// One server with one case.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) server: &'a Server,
    pub(crate) case: Case,
}

impl Job<'_> {
    fn key(&self) -> (&'static str, Case) {
        (self.server.kind.name, self.case)
    }
}

/// The cost of a number of requests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    requests: usize,
    cpu: Duration,
    seconds: f64,
}

impl Cost {
    pub(crate) fn microseconds(self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.requests as f64
    }

    pub(crate) fn per_second(self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// Returns the number of processors that the server kept busy.
    pub(crate) fn busy(self) -> f64 {
        self.cpu.as_secs_f64() / self.seconds
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            cpu: self.cpu + other.cpu,
            seconds: self.seconds + other.seconds,
        }
    }
}

/// Loads a server until it has answered this number of requests.
pub(crate) fn visit(job: Job<'_>, cores: &str, load: Load, mut requests: usize) -> Result<Cost> {
    let before = job.server.cpu_time();
    let mut cost = Cost::default();
    while requests > 0 {
        let now = requests.min(load.connections * REQUESTS_PER_CONNECTION);
        let load = Load { requests: now, ..load };
        let outcome = h2load::run(cores, job.server.address, load)
            .with_context(|| format!("{} {}", job.server.kind.name, job.case.name()))?;
        requests -= now;
        cost.requests += now;
        cost.seconds += outcome.seconds;
    }
    cost.cpu = job.server.cpu_time().saturating_sub(before);
    job.server.empty_log()?;
    Ok(cost)
}

/// Returns how many requests a server answers in this number of seconds, after a first visit.
pub(crate) fn pace(job: Job<'_>, cores: &str, load: Load, seconds: f64) -> Result<usize> {
    let first = visit(job, cores, load, WARMING * load.connections.min(4))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast rounds down on purpose"
    )]
    let requests = (first.per_second() * seconds) as usize;
    Ok(requests.max(WARMING))
}

/// Runs all rounds with this number of connections. Returns the costs of each job, by round.
pub(crate) fn rounds(
    bench: &Bench<'_>,
    jobs: &[Job<'_>],
    connections: usize,
    extent: Extent,
    progress: &mut Progress,
) -> Result<Vec<Vec<Cost>>> {
    let cores = &bench.cores.load;
    let load = |job: &Job<'_>| Load { case: job.case, connections, requests: 0, threads: 1 };
    let mut paces = Vec::with_capacity(jobs.len());
    for job in jobs {
        paces.push(pace(*job, cores, load(job), extent.seconds)?);
    }
    let mut costs = vec![Vec::with_capacity(extent.rounds); jobs.len()];
    for round in 1..=extent.rounds {
        let of = extent.rounds;
        progress.say(format_args!("cpu, {connections} connections: round {round} of {of}"));
        let mut round = vec![Cost::default(); jobs.len()];
        for at in (0..jobs.len()).chain((0..jobs.len()).rev()) {
            let cost = visit(jobs[at], cores, load(&jobs[at]), paces[at])?;
            round[at] = round[at].plus(cost);
        }
        for (all, cost) in costs.iter_mut().zip(round) {
            all.push(cost);
        }
    }
    Ok(costs)
}

/// Returns the case and the number of connections as one column of a record.
pub(crate) fn load_name(case: Case, connections: usize) -> String {
    format!("{}, {connections}", case.name())
}

/// Measures all jobs, and records each with its ratios to the baseline and to Coalesce.
pub(crate) fn measure(
    bench: &Bench<'_>,
    jobs: &[Job<'_>],
    connections: usize,
    extent: Extent,
    progress: &mut Progress,
) -> Result<Vec<Record>> {
    let costs = rounds(bench, jobs, connections, extent, progress)?;
    let by_key: BTreeMap<_, _> = jobs.iter().map(Job::key).zip(&costs).collect();
    let mut records = Vec::new();
    for (job, costs) in jobs.iter().zip(&costs) {
        let (server, case) = job.key();
        let load = load_name(case, connections);
        let figure = |quantity, values: &[f64]| {
            Record::Figure(Figure::new(SET, server, &load, quantity, 0.0).over(values))
        };
        let all = |of: fn(Cost) -> f64| costs.iter().map(|cost| of(*cost)).collect::<Vec<_>>();
        records.push(figure(MICROSECONDS, &all(Cost::microseconds)));
        records.push(figure(PER_SECOND, &all(Cost::per_second)));
        if let Some(baseline) = by_key.get(&(BASELINE, case)) {
            records.push(figure(TO_BASELINE, &ratios(costs, baseline)));
        }
        if let Some(ours) = by_key.get(&(OURS, case)) {
            records.push(figure(OURS_TO_IT, &ratios(ours, costs)));
        }
        if let Some(served) = by_key.get(&(server, Case::Served)) {
            records.push(figure(TO_SERVED, &ratios(costs, served)));
        }
    }
    Ok(records)
}

pub(crate) const MICROSECONDS: &str = "microseconds";
pub(crate) const PER_SECOND: &str = "per second";
pub(crate) const TO_BASELINE: &str = "to bare-h2";
pub(crate) const OURS_TO_IT: &str = "coalesce to it";
pub(crate) const TO_SERVED: &str = "to its 200";

/// Returns the CPU time of `costs` divided by that of `others`, by round.
pub(crate) fn ratios(costs: &[Cost], others: &[Cost]) -> Vec<f64> {
    let ratio = |(cost, other): (&Cost, &Cost)| cost.microseconds() / other.microseconds();
    costs.iter().zip(others).map(ratio).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratio_is_taken_within_a_round() {
        let cost = |micros: u64| Cost {
            requests: 1000,
            cpu: Duration::from_micros(micros * 1000),
            seconds: 0.5,
        };
        let ratios = ratios(&[cost(10), cost(60)], &[cost(20), cost(30)]);
        assert_eq!(
            ratios.iter().map(|ratio| ratio.to_bits()).collect::<Vec<_>>(),
            [0.5_f64.to_bits(), 2.0_f64.to_bits()]
        );
        assert!((cost(10).busy() - 0.02).abs() < 1e-9);
        assert!((cost(10).plus(cost(30)).microseconds() - 20.0).abs() < 1e-9);
    }
}
