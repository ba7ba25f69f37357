//! Measurements as lines of JSON. Runs are merged: a record replaces the one with its key.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One measurement.
pub trait Record: Serialize + DeserializeOwned {
    /// The fields that identify a measurement.
    type Key: Ord;

    /// Returns the key of this record.
    fn key(&self) -> Self::Key;

    /// Returns true if `other`, which has another key, cannot hold together with this record.
    fn contradicts(&self, _other: &Self) -> bool {
        false
    }
}

/// Records in the order of their keys, each measurement once.
#[derive(Clone)]
pub struct Merged<R: Record>(BTreeMap<R::Key, R>);

impl<R: Record> Merged<R> {
    /// Reads a file of lines. A file that does not exist holds no records.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or a line is not a record.
    pub fn read(path: &Path) -> Result<Self> {
        let mut records = Self::default();
        if !path.exists() {
            return Ok(records);
        }
        let shown = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("could not read {shown}"))?;
        for (number, line) in (1..).zip(text.lines()) {
            let record = serde_json::from_str(line)
                .with_context(|| format!("line {number} of {shown} is not a record"))?;
            records.add([record]);
        }
        Ok(records)
    }

    /// Writes all records as lines of JSON.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, self.lines()?)
            .with_context(|| format!("could not write {}", path.display()))
    }

    /// Returns all records as lines of JSON.
    ///
    /// # Errors
    /// Returns an error if a record has a number that JSON does not support.
    pub fn lines(&self) -> Result<String> {
        let mut text = String::new();
        for record in self.0.values() {
            text += &serde_json::to_string(record)?;
            text.push('\n');
        }
        Ok(text)
    }

    /// Adds records. Each one replaces the record with its key and those that it contradicts.
    pub fn add(&mut self, records: impl IntoIterator<Item = R>) {
        for record in records {
            self.0.retain(|_, known| !record.contradicts(known));
            self.0.insert(record.key(), record);
        }
    }

    /// Returns all records, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.0.values()
    }

    /// Returns the record with this key.
    pub fn get(&self, key: &R::Key) -> Option<&R> {
        self.0.get(key)
    }
}

impl<R: Record> Default for Merged<R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<R: Record + fmt::Debug> fmt::Debug for Merged<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.values()).finish()
    }
}
