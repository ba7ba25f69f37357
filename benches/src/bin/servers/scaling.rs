//! Compares one worker on one processor with two workers on two.
//!
//! If the machine has no third processor, h2load shares the second one, so the requests per second
//! cannot double. The CPU time of a request shows the cost of the second worker. The number of busy
//! processors shows how much of the remaining capacity the server used.

use anyhow::{Result, ensure};
use coalesce_benches::progress::Progress;

use crate::case::Case;
use crate::cpu::{self, Cost, Extent, Job, MICROSECONDS, PER_SECOND};
use crate::h2load::Load;
use crate::kinds::Kind;
use crate::records::{Figure, Record};
use crate::run::{Bench, list};
use crate::server::{Launch, Server};

pub(crate) const SET: &str = "scaling";
pub(crate) const BUSY: &str = "processors busy";
pub(crate) const TO_ONE: &str = "per second to one worker";
/// The numbers of workers, each on its processor.
pub(crate) const WORKERS: [usize; 2] = [1, 2];
/// The number of connections, several so that workers can share them.
const CONNECTIONS: usize = 10;

/// A server with one number of workers.
struct Place {
    server: Server,
    load_cores: String,
    load: Load,
    pace: usize,
    costs: Vec<Cost>,
}

impl Place {
    fn new(
        bench: &Bench<'_>,
        kind: &'static Kind,
        case: Case,
        workers: usize,
        extent: Extent,
    ) -> Result<Self> {
        let all = &bench.cores.all;
        ensure!(all.len() >= workers, "{workers} workers want as many processors");
        let (own, others) = all.split_at(workers);
        let others = if others.is_empty() { &all[..] } else { others };
        let launch = Launch { cores: &list(own), workers, ..bench.launch(kind, &[]) };
        let server = launch.start()?;
        let threads = others.len().min(workers);
        let load = Load { case, connections: CONNECTIONS, requests: 0, threads };
        let load_cores = list(others);
        let job = Job { server: &server, case };
        let pace = cpu::pace(job, &load_cores, load, extent.seconds)?;
        Ok(Self { server, load_cores, load, pace, costs: Vec::new() })
    }

    fn visit(&self) -> Result<Cost> {
        let job = Job { server: &self.server, case: self.load.case };
        cpu::visit(job, &self.load_cores, self.load, self.pace)
    }
}

pub(crate) fn measure(
    bench: &Bench<'_>,
    kind: &'static Kind,
    case: Case,
    extent: Extent,
    progress: &mut Progress,
) -> Result<Vec<Record>> {
    let [mut one, mut two] = {
        let place = |workers| Place::new(bench, kind, case, workers, extent);
        [place(WORKERS[0])?, place(WORKERS[1])?]
    };
    for round in 1..=extent.rounds {
        progress.say(format_args!("scaling, {}: round {round} of {}", case.name(), extent.rounds));
        let (first, second, third, fourth) =
            (one.visit()?, two.visit()?, two.visit()?, one.visit()?);
        one.costs.push(first.plus(fourth));
        two.costs.push(second.plus(third));
    }
    let mut records = Vec::new();
    for (place, workers) in [(&one, WORKERS[0]), (&two, WORKERS[1])] {
        let load = format!("{}, {workers}", case.name());
        let mut figure = |quantity: &str, values: Vec<f64>| {
            let figure = Figure::new(SET, kind.name, &load, quantity, 0.0);
            records.push(Record::Figure(figure.over(&values)));
        };
        let all = |of: fn(Cost) -> f64| place.costs.iter().map(|cost| of(*cost)).collect();
        figure(MICROSECONDS, all(Cost::microseconds));
        figure(PER_SECOND, all(Cost::per_second));
        figure(BUSY, all(Cost::busy));
        let ratio = |(cost, one): (&Cost, &Cost)| cost.per_second() / one.per_second();
        figure(TO_ONE, place.costs.iter().zip(&one.costs).map(ratio).collect());
    }
    one.server.stop()?;
    two.server.stop()?;
    Ok(records)
}
