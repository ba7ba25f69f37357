//! What was measured, as lines of JSON. Runs are merged by replacing figures of the same quantity.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use coalesce_benches::machine::Machine;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Record {
    Machine(Machine),
    Figure(Figure),
    Absent(Absent),
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
        Self { set, server, case, quantity, value, interval: None }
    }
}

impl Record {
    fn key(&self) -> Key {
        let none = String::new;
        match self {
            Self::Machine(_) => (0, [none(), none(), none(), none()]),
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

    /// Adds records, in the place of those with the same key.
    pub(crate) fn add(&mut self, records: impl IntoIterator<Item = Record>) {
        self.0.extend(records.into_iter().map(|record| (record.key(), record)));
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
        self.figures(set).find(|figure| {
            figure.server == server && figure.case == case && figure.quantity == quantity
        })
    }
}
