//! The records of measured page loads.

use std::fmt;

use coalesce_benches::machine::Machine;
use coalesce_benches::records;
use serde::{Deserialize, Serialize};

use crate::counts::Counts;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Record {
    Machine(Machine),
    Version(Version),
    Sample(Sample),
    Instructions(Instructions),
}

/// The version of a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) peer: String,
    pub(crate) version: String,
}

/// The conditions of a page load.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Conditions {
    pub(crate) trace: String,
    pub(crate) peer: String,
    /// The round-trip time in milliseconds.
    pub(crate) round_trip: u32,
    /// The percentage of lost packets.
    pub(crate) loss: u32,
    pub(crate) round: u32,
}

/// One page load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    #[serde(flatten)]
    pub(crate) conditions: Conditions,
    pub(crate) milliseconds: f64,
    pub(crate) wrong: usize,
    pub(crate) failed: usize,
    /// The bytes on the link, IP headers included.
    pub(crate) bytes: u64,
    #[serde(flatten)]
    pub(crate) counts: Counts,
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, peer, round_trip, round, .. } = self;
        write!(f, "round {round}, {round_trip} ms, {trace}, {peer}")
    }
}

impl Sample {
    /// Returns a sample without figures.
    pub(crate) fn of(conditions: Conditions) -> Self {
        let counts = Counts::default();
        Self { conditions, milliseconds: 0.0, wrong: 0, failed: 0, bytes: 0, counts }
    }

    /// Returns true if all answers were right.
    pub(crate) fn is_right(&self) -> bool {
        self.wrong == 0 && self.failed == 0
    }
}

/// The instructions of one page load without a round-trip time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Instructions {
    pub(crate) trace: String,
    pub(crate) peer: String,
    pub(crate) client: u64,
    pub(crate) server: u64,
}

/// The fields that identify a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Machine,
    Version(String),
    Sample(Conditions),
    Instructions(String, String),
}

impl records::Record for Record {
    type Key = Key;

    fn key(&self) -> Key {
        match self {
            Self::Machine(_) => Key::Machine,
            Self::Version(version) => Key::Version(version.peer.clone()),
            Self::Sample(sample) => Key::Sample(sample.conditions.clone()),
            Self::Instructions(of) => Key::Instructions(of.trace.clone(), of.peer.clone()),
        }
    }
}

pub(crate) type Records = records::Merged<Record>;
