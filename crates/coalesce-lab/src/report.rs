//! The records of a whole list, for people and for programs.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::error::LabError;
use crate::record::Record;
use crate::verdict::Verdict;

/// The records of every scenario that was run against a server.
///
/// # Example
///
/// ```
/// use coalesce_lab::{Report, Verdict};
///
/// let report = Report::new("mine", "127.0.0.1:8443");
/// assert_eq!(report.count(Verdict::FirstChoice), 0);
/// assert!(report.is_fine() && !report.is_unreachable());
/// ```
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Report {
    pub(crate) name: String,
    address: String,
    #[serde(default)]
    seconds: f64,
    pub(crate) records: Vec<Record>,
}

impl Report {
    /// Returns the report on a server without any record yet.
    pub fn new(name: &str, address: &str) -> Self {
        Self {
            name: name.to_owned(),
            address: address.to_owned(),
            seconds: 0.0,
            records: Vec::new(),
        }
    }

    /// Adds a record, and the seconds that it took.
    pub fn add(&mut self, record: Record, seconds: f64) {
        self.records.push(record);
        self.seconds += seconds;
    }

    /// Returns the name of the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the records, in the order in which the scenarios were run.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Returns how many scenarios have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.records.iter().filter(|record| record.verdict == Some(verdict)).count()
    }

    /// Returns true if no verdict is worse than acceptable.
    pub fn is_fine(&self) -> bool {
        self.records.iter().all(Record::is_fine)
    }

    /// Returns true if there were scenarios, and no connection for any of them.
    pub fn is_unreachable(&self) -> bool {
        let mut run = self.records.iter().filter(|record| record.verdict.is_some()).peekable();
        run.peek().is_some() && run.all(|record| record.unreachable)
    }

    /// Returns the report as JSON.
    pub fn to_json(&self) -> Result<String, LabError> {
        serde_json::to_string_pretty(self).map_err(|error| LabError::new(&self.name, error))
    }

    /// Reads a report from JSON.
    pub fn from_json(json: &str) -> Result<Self, LabError> {
        serde_json::from_str(json).map_err(|error| LabError::new("report", error))
    }

    /// Returns the numbers of all verdicts in one line.
    pub fn summary(&self) -> String {
        let mut line = format!("lab: {}: {} scenarios", self.name, self.records.len());
        for verdict in Verdict::ALL {
            // A write to a string does not fail.
            let _ = write!(line, ", {} {verdict}", self.count(verdict));
        }
        let skipped = self.records.iter().filter(|record| record.verdict.is_none()).count();
        if skipped > 0 {
            let _ = write!(line, ", {skipped} skipped");
        }
        line
    }
}
