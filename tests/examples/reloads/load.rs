//! Connections that run scenarios until they are told to end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;

use coalesce_lab::{Record, Scenarios, Target, Verdict};

/// How many connections are open at a time.
pub(crate) const CONNECTIONS: usize = 6;

/// What the lab calls the outcomes of requests that clients may send again.
const UNPROCESSED: [&str; 2] = ["not processed", "reset REFUSED_STREAM"];

/// The outcomes of requests.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) connections: usize,
    pub(crate) served: usize,
    pub(crate) refused: usize,
    pub(crate) unprocessed: usize,
    /// The requests that had no answer.
    pub(crate) lost: usize,
    /// The requests that had an answer which is not accepted.
    pub(crate) wrong: usize,
    /// The outcomes that are not accepted, and how often each came.
    pub(crate) faults: BTreeMap<String, usize>,
}

impl Counts {
    /// Returns the share of requests that had no answer, in percent.
    pub(crate) fn lost_share(&self) -> f64 {
        let all = self.served + self.refused + self.unprocessed + self.lost + self.wrong;
        let [lost, all] = [self.lost, all.max(1)].map(|count| u32::try_from(count).map(f64::from));
        100.0 * lost.expect("few requests") / all.expect("few requests")
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.connections += other.connections;
        self.served += other.served;
        self.refused += other.refused;
        self.unprocessed += other.unprocessed;
        self.lost += other.lost;
        self.wrong += other.wrong;
        for (what, times) in other.faults {
            *self.faults.entry(what).or_default() += times;
        }
    }

    fn count(&mut self, record: &Record) {
        self.connections += 1;
        for request in record.requests() {
            let (outcome, times) = (request.outcome(), request.times());
            if UNPROCESSED.contains(&outcome) {
                self.unprocessed += times;
            } else if !request.verdict().is_some_and(Verdict::is_fine) {
                let accepted = request.accepts().join(" or ");
                let what = format!("{}: {outcome}, accepted: {accepted}", record.id());
                *self.faults.entry(what).or_default() += times;
                let has_answer = outcome.starts_with(|first: char| first.is_ascii_digit())
                    || outcome.starts_with("reset");
                *(if has_answer { &mut self.wrong } else { &mut self.lost }) += times;
            } else if outcome.starts_with("200") {
                self.served += times;
            } else {
                self.refused += times;
            }
        }
    }
}

/// Runs the scenarios on several connections at a time, each in its turn, until `ends` is set.
pub(crate) fn load(target: &Target, scenarios: &Scenarios, ends: &AtomicBool) -> Counts {
    let run = |begin: usize| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let all: Vec<_> = scenarios.iter().collect();
        let mut counts = Counts::default();
        for scenario in all.iter().cycle().skip(begin) {
            if ends.load(Ordering::Relaxed) {
                break;
            }
            counts.count(&runtime.block_on(target.run(scenario)));
        }
        counts
    };
    scope(|threads| {
        let connections: Vec<_> =
            (0..CONNECTIONS).map(|begin| threads.spawn(move || run(begin))).collect();
        connections.into_iter().fold(Counts::default(), |mut counts, connection| {
            counts.add(connection.join().expect("a connection"));
            counts
        })
    })
}
