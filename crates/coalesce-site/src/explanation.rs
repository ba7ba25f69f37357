//! The answer to the question why a request gets a 421.

use std::fmt;

use coalesce_core::{Misdirected, Step, Verdict};
use coalesce_tls::HandshakeRefused;

/// The outcome of a handshake with one server name, and of one request on its connection; see
/// [`Site::explain`](crate::Site::explain). For operators: nothing of it belongs in a response.
#[derive(Debug)]
pub struct Explanation {
    pub(crate) outcome: Outcome,
    /// The host that is served.
    pub(crate) host: Option<String>,
    /// The group of the connection.
    pub(crate) group: Option<String>,
}

/// The two ways in which a question can end.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// There is no connection: the handshake is refused.
    Refused(HandshakeRefused),
    /// There is one, and the request gets this.
    Decided(Verdict),
}

impl Explanation {
    /// Returns the outcome.
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Returns whether the request is served.
    pub const fn is_served(&self) -> bool {
        matches!(self.outcome, Outcome::Decided(Verdict::Serve(_)))
    }

    /// Returns the step of the decision that ended it; `None` if the handshake was refused.
    pub const fn step(&self) -> Option<Step> {
        match &self.outcome {
            Outcome::Refused(_) => None,
            Outcome::Decided(Verdict::Serve(_)) => Some(Step::Serve),
            Outcome::Decided(Verdict::Misdirected(reason)) => Some(reason.step()),
            Outcome::Decided(Verdict::Malformed(reason)) => Some(reason.step()),
        }
    }

    /// Returns a stable name of the reason: `served`, or the code of the refusal.
    pub const fn code(&self) -> &'static str {
        match &self.outcome {
            Outcome::Refused(refused) => refused.code(),
            Outcome::Decided(Verdict::Serve(_)) => "served",
            Outcome::Decided(Verdict::Misdirected(reason)) => reason.code(),
            Outcome::Decided(Verdict::Malformed(reason)) => reason.code(),
        }
    }

    /// Returns why the request would be answered 421 if its group were enforced and not observed.
    pub fn observed(&self) -> Option<Misdirected> {
        match &self.outcome {
            Outcome::Decided(Verdict::Serve(proof)) => proof.observed(),
            _ => None,
        }
    }

    /// Returns the first name of the host that the request is served as.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Returns the name of the connection's coalescing group.
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self.group().unwrap_or_default();
        match &self.outcome {
            Outcome::Refused(refused) => write!(f, "no connection: {refused}"),
            Outcome::Decided(Verdict::Serve(_)) => match self.host() {
                Some(host) => write!(f, "served as host {host:?} in group {group:?}"),
                None => write!(f, "served as no host, in group {group:?}"),
            },
            Outcome::Decided(Verdict::Misdirected(reason)) => {
                write!(f, "421 in group {group:?}, step {}: {reason}", reason.step().number())
            }
            Outcome::Decided(Verdict::Malformed(reason)) => {
                let (status, step) = (reason.answer().status(), reason.step().number());
                write!(f, "{status} in group {group:?}, step {step}: {reason}")
            }
        }
    }
}
