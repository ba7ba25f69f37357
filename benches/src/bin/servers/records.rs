//! What was measured, as lines of JSON. Runs are merged by replacing figures of the same quantity.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use coalesce_benches::machine::Machine;
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

/// What a server calls itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) server: String,
    pub(crate) version: String,
}

/// One measured quantity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// The set of measurements that it belongs to.
    pub(crate) set: String,
    pub(crate) server: String,
    pub(crate) case: String,
    pub(crate) quantity: String,
    pub(crate) value: f64,
    /// Between which a bootstrap puts it in 95 of 100 draws.
    pub(crate) interval: Option<[f64; 2]>,
    /// Of how many rounds it is the median.
    pub(crate) rounds: Option<usize>,
}

/// Why something was not measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Absent {
    pub(crate) set: String,
    pub(crate) server: String,
    pub(crate) reason: String,
}

/// What makes two records the same measurement.
type Key = (u8, [String; 4]);

impl Figure {
    pub(crate) fn new(set: &str, server: &str, case: &str, quantity: &str, value: f64) -> Self {
        let [set, server, case, quantity] = [set, server, case, quantity].map(str::to_owned);
        Self { set, server, case, quantity, value, interval: None, rounds: None }
    }

    /// The median over rounds, with its interval.
    pub(crate) fn over(mut self, rounds: &[f64]) -> Self {
        self.value = median(rounds.to_vec());
        self.interval = Some(interval(rounds));
        self.rounds = Some(rounds.len());
        self
    }
}

impl Record {
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
}

/// All records, each measurement once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records(BTreeMap<Key, Record>);

impl Records {
    /// Reads a file of lines; a file that is not there holds none.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let shown = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("could not read {shown}"))?;
        let mut records = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let record = serde_json::from_str(line)
                .with_context(|| format!("line {number} of {shown} is no record"))?;
            records.add([record]);
        }
        Ok(records)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, self.lines()?)
            .with_context(|| format!("could not write {}", path.display()))
    }

    /// As lines of JSON.
    pub(crate) fn lines(&self) -> Result<String> {
        let mut text = String::new();
        for record in self.0.values() {
            text += &serde_json::to_string(record)?;
            text.push('\n');
        }
        Ok(text)
    }

    /// Adds records, in the place of those with the same key. In one set a server has figures or is
    /// absent, whichever was found last.
    pub(crate) fn add(&mut self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            match &record {
                Record::Figure(Figure { set, server, .. }) => self.remove(2, set, server),
                Record::Absent(Absent { set, server, .. }) => self.remove(1, set, server),
                Record::Machine(_) | Record::Version(_) => {}
            }
            self.0.insert(record.key(), record);
        }
    }

    fn remove(&mut self, kind: u8, set: &str, server: &str) {
        self.0.retain(|(of, [in_set, of_server, ..]), _| {
            *of != kind || in_set != set || of_server != server
        });
    }

    pub(crate) fn machine(&self) -> Option<&Machine> {
        self.0.values().find_map(|record| match record {
            Record::Machine(machine) => Some(machine),
            _ => None,
        })
    }

    pub(crate) fn version(&self, server: &str) -> Option<&str> {
        self.0.values().find_map(|record| match record {
            Record::Version(found) if found.server == server => Some(found.version.as_str()),
            _ => None,
        })
    }

    pub(crate) fn absent(&self, set: &str, server: &str) -> Option<&Absent> {
        self.0.values().find_map(|record| match record {
            Record::Absent(absent) if absent.set == set && absent.server == server => Some(absent),
            _ => None,
        })
    }

    pub(crate) fn figures(&self, set: &str) -> impl Iterator<Item = &Figure> {
        self.0.values().filter_map(move |record| match record {
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
        match self.0.get(&key) {
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
    fn the_newer_figure_replaces_the_older() {
        let mut records = Records::default();
        records.add([figure("nginx", 1.0), figure("nginx", 2.0), figure("caddy", 3.0)]);
        let lines = records.lines().unwrap();
        assert_eq!(lines.lines().count(), 2);
        let found = records.figure("cpu", "nginx", "200, 1", "microseconds").unwrap();
        assert_eq!(found.value.to_bits(), 2.0_f64.to_bits());
    }

    #[test]
    fn a_server_has_figures_or_is_absent() {
        let mut records = Records::default();
        records.add([figure("nginx", 1.0), figure("caddy", 3.0), absent("nginx")]);
        assert!(records.absent("cpu", "nginx").is_some());
        assert_eq!(records.figures("cpu").count(), 1);
        records.add([figure("nginx", 1.0)]);
        assert!(records.absent("cpu", "nginx").is_none());
        assert_eq!(records.figures("cpu").count(), 2);
    }
}
