//! The records of measured servers.

use std::ops::{Deref, DerefMut};
use std::path::Path;

use anyhow::Result;
use coalesce_benches::machine::Machine;
use coalesce_benches::records::{self, Merged};
use coalesce_benches::statistics::{interval, median};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Record {
    Machine(Machine),
    Version(Version),
    Figure(Figure),
    Absent(Absent),
}

/// The version of a server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) server: String,
    pub(crate) version: String,
}

/// One measured quantity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// The set of figures.
    pub(crate) set: String,
    pub(crate) server: String,
    pub(crate) case: String,
    pub(crate) quantity: String,
    pub(crate) value: f64,
    /// The interval that a bootstrap gives in 95 of 100 draws.
    pub(crate) interval: Option<[f64; 2]>,
    /// The number of rounds of which the value is the median.
    pub(crate) rounds: Option<usize>,
}

/// The reason why a measurement is missing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Absent {
    pub(crate) set: String,
    pub(crate) server: String,
    pub(crate) reason: String,
}

/// The fields that identify a measurement.
type Key = (u8, [String; 4]);

impl Figure {
    pub(crate) fn new(set: &str, server: &str, case: &str, quantity: &str, value: f64) -> Self {
        let [set, server, case, quantity] = [set, server, case, quantity].map(str::to_owned);
        Self { set, server, case, quantity, value, interval: None, rounds: None }
    }

    /// Sets the median over rounds, with its interval.
    pub(crate) fn over(mut self, rounds: &[f64]) -> Self {
        self.value = median(rounds.to_vec());
        self.interval = Some(interval(rounds));
        self.rounds = Some(rounds.len());
        self
    }
}

impl records::Record for Record {
    type Key = Key;

    fn key(&self) -> Key {
        let none = String::new;
        match self {
            Self::Machine(_) => (0, [none(), none(), none(), none()]),
            Self::Version(Version { server, .. }) => (3, [server.clone(), none(), none(), none()]),
            Self::Figure(Figure { set, server, case, quantity, .. }) => {
                (1, [set, server, case, quantity].map(Clone::clone))
            }
            Self::Absent(Absent { set, server, .. }) => {
                (2, [set.clone(), server.clone(), none(), none()])
            }
        }
    }

    /// In one set a server either has figures or is absent. The newer record counts.
    fn contradicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Figure(figure), Self::Absent(absent))
            | (Self::Absent(absent), Self::Figure(figure)) => {
                figure.set == absent.set && figure.server == absent.server
            }
            _ => false,
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

    pub(crate) fn version(&self, server: &str) -> Option<&str> {
        self.iter().find_map(|record| match record {
            Record::Version(found) if found.server == server => Some(found.version.as_str()),
            _ => None,
        })
    }

    pub(crate) fn absent(&self, set: &str, server: &str) -> Option<&Absent> {
        self.iter().find_map(|record| match record {
            Record::Absent(absent) if absent.set == set && absent.server == server => Some(absent),
            _ => None,
        })
    }

    pub(crate) fn figures(&self, set: &str) -> impl Iterator<Item = &Figure> {
        self.iter().filter_map(move |record| match record {
            Record::Figure(figure) if figure.set == set => Some(figure),
            _ => None,
        })
    }

    pub(crate) fn figure(
        &self,
        set: &str,
        server: &str,
        case: &str,
        quantity: &str,
    ) -> Option<&Figure> {
        let key = (1, [set, server, case, quantity].map(str::to_owned));
        match self.get(&key) {
            Some(Record::Figure(figure)) => Some(figure),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absent(server: &str) -> Record {
        let [set, server, reason] = ["cpu", server, "not installed"].map(str::to_owned);
        Record::Absent(Absent { set, server, reason })
    }

    fn figure(server: &str, value: f64) -> Record {
        Record::Figure(Figure::new("cpu", server, "200, 1", "microseconds", value))
    }

    #[test]
    fn newer_figure_replaces_the_older() {
        let mut records = Records::default();
        records.add([figure("nginx", 1.0), figure("nginx", 2.0), figure("caddy", 3.0)]);
        let lines = records.lines().unwrap();
        assert_eq!(lines.lines().count(), 2);
        let found = records.figure("cpu", "nginx", "200, 1", "microseconds").unwrap();
        assert_eq!(found.value.to_bits(), 2.0_f64.to_bits());
    }

    #[test]
    fn server_has_figures_or_is_absent() {
        let mut records = Records::default();
        records.add([figure("nginx", 1.0), figure("caddy", 3.0), absent("nginx")]);
        assert!(records.absent("cpu", "nginx").is_some());
        assert_eq!(records.figures("cpu").count(), 1);
        records.add([figure("nginx", 1.0)]);
        assert!(records.absent("cpu", "nginx").is_none());
        assert_eq!(records.figures("cpu").count(), 2);
    }
}
