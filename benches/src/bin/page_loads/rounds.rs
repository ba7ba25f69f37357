//! Page loads in interleaved rounds, so that changes of the machine meet all clients alike.

use std::fs::{File, OpenOptions};
use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use coalesce_benches::progress::Progress;
use coalesce_benches::random::Random;
use coalesce_benches::records::Record as _;

use crate::arguments::Arguments;
use crate::drivers::{Kind, PEERS, Peer};
use crate::node;
use crate::records::{Conditions, Record, Records, Sample};
use crate::trace::{SHAPES, Shape};
use crate::versions;
use crate::world::{Server, World};

/// The records of this run and of earlier ones. Each new record is written at once, so that an
/// interrupted run keeps its page loads.
pub(crate) struct Kept {
    pub(crate) records: Records,
    file: Option<File>,
}

impl Kept {
    /// Reads the results file, if there is one.
    pub(crate) fn open(arguments: &Arguments) -> Result<Self> {
        let Some(path) = &arguments.results else {
            return Ok(Self { records: Records::default(), file: None });
        };
        let records = Records::read(path)?;
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.with_context(|| format!("could not open {}", path.display()))?;
        Ok(Self { records, file: Some(file) })
    }

    pub(crate) fn add(&mut self, record: Record) -> Result<()> {
        if let Some(file) = &mut self.file {
            let line = serde_json::to_string(&record)? + "\n";
            file.write_all(line.as_bytes()).context("could not write the results")?;
        }
        self.records.add([record]);
        Ok(())
    }

    /// Returns true if there is a record with the key of `record`.
    pub(crate) fn has(&self, record: &Record) -> bool {
        self.records.get(&record.key()).is_some()
    }
}

/// The page loads of a run.
pub(crate) struct Plan {
    shapes: Vec<&'static Shape>,
    peers: Vec<&'static Peer>,
    round_trips: Vec<u32>,
    loss: u32,
    rounds: u32,
    rounds_of_others: u32,
    resume: bool,
}

impl Plan {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let mut plan = Self {
            shapes: arguments.trace.clone(),
            peers: arguments.peer.clone(),
            round_trips: arguments.round_trip.clone(),
            loss: arguments.loss,
            rounds: arguments.rounds,
            rounds_of_others: arguments.rounds_of_others,
            resume: arguments.resume,
        };
        let is_quick = |peer: &Peer| matches!(peer.kind, Kind::Own(_));
        if arguments.quick {
            (plan.round_trips, plan.rounds, plan.rounds_of_others) = (vec![0], 1, 1);
        }
        if plan.shapes.is_empty() {
            let count = if arguments.quick { 1 } else { SHAPES.len() };
            plan.shapes = SHAPES.iter().take(count).collect();
        }
        if plan.peers.is_empty() {
            let peers = PEERS.iter().filter(|peer| is_installed(peer));
            plan.peers = peers.filter(|peer| !arguments.quick || is_quick(peer)).collect();
        }
        plan
    }

    /// Measures all page loads, and returns the number of those with a wrong or missing answer.
    pub(crate) fn measure(&self, world: &mut World, kept: &mut Kept) -> Result<usize> {
        let mut server = world.serve(&[])?;
        let mut progress = Progress::new();
        let mut random = Random::new(1);
        let (mut done, mut faults) = (0_usize, 0);
        let all = self.count();
        for round in 0..self.rounds.max(self.rounds_of_others) {
            for round_trip in &self.round_trips {
                for shape in &self.shapes {
                    let mut peers = self.peers_of(shape, round);
                    random.shuffle(&mut peers);
                    for peer in peers {
                        let conditions = Conditions {
                            trace: shape.name.to_owned(),
                            peer: peer.name.to_owned(),
                            round_trip: *round_trip,
                            loss: self.loss,
                            round,
                        };
                        done += 1;
                        progress.say(format_args!("{done} of {all}: {conditions}"));
                        faults +=
                            usize::from(self.one(peer, conditions, world, &mut server, kept)?);
                    }
                }
            }
        }
        server.stop()?;
        Ok(faults)
    }

    /// Loads a page once, unless that is done. Returns true if an answer was not right.
    fn one(
        &self,
        peer: &Peer,
        conditions: Conditions,
        world: &mut World,
        server: &mut Server,
        kept: &mut Kept,
    ) -> Result<bool> {
        let mut sample = Sample::of(conditions);
        if self.resume && kept.has(&Record::Sample(sample.clone())) {
            return Ok(false);
        }
        let shown = sample.conditions.to_string();
        world.set(sample.conditions.round_trip, sample.conditions.loss);
        let trace = world.trace(&sample.conditions.trace)?;
        server.take()?;
        let (loaded, bytes) = world.load(peer, trace).with_context(|| shown.clone())?;
        sample.counts = server.take()?;
        (sample.milliseconds, sample.bytes) = (loaded.milliseconds, bytes);
        (sample.wrong, sample.failed) = (loaded.wrong, loaded.failed);
        if let Err(error) = loaded.check(trace) {
            let _ = writeln!(std::io::stderr().lock(), "{shown}: {error:#}");
        } else if sample.counts.requests() < loaded.right as u64 {
            bail!("{shown}: {} answers, but {:?}", loaded.right, sample.counts);
        }
        let is_fault = !sample.is_right();
        kept.add(Record::Sample(sample))?;
        Ok(is_fault)
    }

    /// Returns the peers that load this page in this round. curl loads pages of one wave only.
    fn peers_of(&self, shape: &Shape, round: u32) -> Vec<&'static Peer> {
        let rounds = |peer: &Peer| if peer.is_main { self.rounds } else { self.rounds_of_others };
        let can = |peer: &Peer| shape.is_burst() || !matches!(peer.kind, Kind::Curl { .. });
        let peers = self.peers.iter().copied();
        peers.filter(|peer| round < rounds(peer) && can(peer)).collect()
    }

    fn count(&self) -> usize {
        let rounds = 0..self.rounds.max(self.rounds_of_others);
        let loads = rounds.flat_map(|round| {
            self.shapes.iter().map(move |shape| self.peers_of(shape, round).len())
        });
        loads.sum::<usize>() * self.round_trips.len()
    }
}

/// Returns true if the program of a peer can be run.
fn is_installed(peer: &Peer) -> bool {
    match peer.kind {
        Kind::Own(_) => true,
        Kind::Curl { .. } => versions::curl().is_some(),
        Kind::Node { script, .. } => {
            script.strip_suffix(".mjs").is_some_and(|package| node::version(package).is_some())
        }
    }
}
