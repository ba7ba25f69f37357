//! The records of the program `peers`.

use std::ops::{Deref, DerefMut};
use std::path::Path;

use anyhow::Result;
use coalesce_benches::machine::Machine;
use coalesce_benches::records::{self, Merged};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Record {
    Machine(Machine),
    Build(Build),
    Time(Time),
    Instructions(Instructions),
    Absent(Absent),
}

/// The cost of building a peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Build {
    pub(crate) set: String,
    pub(crate) peer: String,
    pub(crate) names: usize,
    /// Unknown for memory that C code allocates.
    pub(crate) bytes_per_name: Option<f64>,
    pub(crate) milliseconds: f64,
}

/// The cost of a lookup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Time {
    pub(crate) set: String,
    pub(crate) load: String,
    pub(crate) peer: String,
    pub(crate) rounds: usize,
    pub(crate) block: usize,
    pub(crate) overlapped_ns: f64,
    pub(crate) dependent_ns: f64,
    /// The peer's time divided by Coalesce's time, the median over rounds.
    pub(crate) overlapped_to_ours: Option<f64>,
    pub(crate) dependent_to_ours: Option<f64>,
    pub(crate) allocations: f64,
    pub(crate) checked: usize,
    pub(crate) wrong: usize,
    pub(crate) explained: usize,
}

/// The instructions of one lookup, counted by callgrind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Instructions {
    pub(crate) set: String,
    pub(crate) load: String,
    pub(crate) peer: String,
    pub(crate) count: f64,
}

/// The reason why a measurement is missing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Absent {
    pub(crate) set: String,
    pub(crate) peer: String,
    pub(crate) reason: String,
}

/// The fields that identify a measurement: kind, set, load, peer.
type Key = (u8, String, String, String);

impl records::Record for Record {
    type Key = Key;

    fn key(&self) -> Key {
        let key = |kind, set: &str, load: &str, peer: &str| {
            (kind, set.to_owned(), load.to_owned(), peer.to_owned())
        };
        match self {
            Self::Machine(_) => key(0, "", "", ""),
            // A peer is either built or absent.
            Self::Build(Build { set, peer, .. }) | Self::Absent(Absent { set, peer, .. }) => {
                key(1, set, "", peer)
            }
            Self::Time(time) => key(2, &time.set, &time.load, &time.peer),
            Self::Instructions(counted) => key(3, &counted.set, &counted.load, &counted.peer),
        }
    }
}

/// All records, each measurement once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records(Merged<Record>);

impl Deref for Records {
    type Target = Merged<Record>;

    fn deref(&self) -> &Merged<Record> {
        &self.0
    }
}

impl DerefMut for Records {
    fn deref_mut(&mut self) -> &mut Merged<Record> {
        &mut self.0
    }
}

impl Records {
    /// Reads a file of lines. A file that does not exist has no records.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        Merged::read(path).map(Self)
    }

    pub(crate) fn machine(&self) -> Option<&Machine> {
        self.iter().find_map(|record| match record {
            Record::Machine(machine) => Some(machine),
            _ => None,
        })
    }

    pub(crate) fn builds(&self) -> impl Iterator<Item = &Build> {
        self.iter().filter_map(|record| match record {
            Record::Build(build) => Some(build),
            _ => None,
        })
    }

    pub(crate) fn times(&self) -> impl Iterator<Item = &Time> {
        self.iter().filter_map(|record| match record {
            Record::Time(time) => Some(time),
            _ => None,
        })
    }

    pub(crate) fn instructions(&self) -> impl Iterator<Item = &Instructions> {
        self.iter().filter_map(|record| match record {
            Record::Instructions(counted) => Some(counted),
            _ => None,
        })
    }

    pub(crate) fn absent(&self) -> impl Iterator<Item = &Absent> {
        self.iter().filter_map(|record| match record {
            Record::Absent(absent) => Some(absent),
            _ => None,
        })
    }
}
