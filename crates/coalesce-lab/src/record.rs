//! What came of a scenario.

use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// What came of one scenario.
///
/// # Example
///
/// ```
/// use coalesce_lab::Report;
///
/// let json = r#"{"name": "mine", "address": "127.0.0.1:443", "seconds": 0.1, "records": [{
///     "id": "elsewhere", "kind": "misdirected", "summary": "Another certificate.",
///     "rfc": ["RFC 9110 §15.5.20"], "verdict": "first-choice", "outcome": "421",
///     "requests": [{"outcome": "421", "times": 1, "accepts": ["421"], "verdict": "first-choice"}]
/// }]}"#;
/// let report = Report::from_json(json)?;
/// assert_eq!(report.records()[0].outcome(), "421");
/// assert_eq!(report.records()[0].requests()[0].verdict(), report.records()[0].verdict());
/// # Ok::<(), coalesce_lab::LabError>(())
/// ```
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Record {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) summary: String,
    pub(crate) rfc: Vec<String>,
    /// `None` where the scenario is not for this server.
    pub(crate) verdict: Option<Verdict>,
    pub(crate) outcome: String,
    pub(crate) requests: Vec<RequestRecord>,
    /// The outcome of the ordinary request at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bystander: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<String>,
    #[serde(default)]
    pub(crate) resumed: bool,
    /// There was no connection to be had.
    #[serde(default)]
    pub(crate) unreachable: bool,
}

/// What came of requests in a row that had the same outcome.
///
/// # Example
///
/// ```
/// # fn show(record: &coalesce_lab::Record) {
/// for request in record.requests() {
///     println!("{} x {}: {}", request.times(), request.outcome(), request.verdict().unwrap());
/// }
/// # }
/// ```
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RequestRecord {
    pub(crate) outcome: String,
    pub(crate) times: usize,
    pub(crate) accepts: Vec<String>,
    pub(crate) verdict: Option<Verdict>,
}

impl Record {
    /// Returns the id of the scenario.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the kind of the scenario.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns a sentence about the requests.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Returns the sections of RFCs that say what is accepted.
    pub fn rfc(&self) -> &[String] {
        &self.rfc
    }

    /// Returns the verdict, or `None` if the scenario is not for this server.
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// Returns the outcomes of all requests in one line.
    pub fn outcome(&self) -> &str {
        &self.outcome
    }

    /// Returns what came of the requests, in their order.
    pub fn requests(&self) -> &[RequestRecord] {
        &self.requests
    }

    /// Returns the outcome of the ordinary request at the end.
    pub fn bystander(&self) -> Option<&str> {
        self.bystander.as_deref()
    }

    /// Returns true unless the verdict is worse than acceptable.
    pub fn is_fine(&self) -> bool {
        self.verdict.is_none_or(Verdict::is_fine)
    }
}

impl RequestRecord {
    /// Returns the outcome.
    pub fn outcome(&self) -> &str {
        &self.outcome
    }

    /// Returns how many requests in a row had it.
    pub fn times(&self) -> usize {
        self.times
    }

    /// Returns the accepted outcomes, the best one first.
    pub fn accepts(&self) -> &[String] {
        &self.accepts
    }

    /// Returns its verdict.
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }
}
