//! The answer to the question why a request gets a 421.

use std::fmt;

use coalesce_core::{Misdirected, Step, Verdict};
use coalesce_tls::{HandshakeFacts, HandshakeRefused};

/// The outcome of a handshake, and of one request on its connection; see
/// [`Site::explain`](crate::Site::explain). For operators: nothing of it belongs in a response.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_site::Explanation;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let site = site()?;
/// let explanation: Explanation = site.explain(Some("shop.example.test"), "admin.example.test");
/// assert!(!explanation.is_served());
/// assert_eq!(explanation.code(), "group");
/// assert_eq!(explanation.step().map(|step| step.number()), Some(6));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Explanation {
    pub(crate) outcome: Outcome,
    /// The facts of the connection, if there is one.
    pub(crate) facts: Option<HandshakeFacts>,
    /// The label of the host that is served.
    pub(crate) host: Option<String>,
    /// The group of the connection.
    pub(crate) group: Option<String>,
}

/// The two ways in which a question can end.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_core::Verdict;
/// use coalesce_site::Outcome;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let site = site()?;
/// let explanation = site.explain(Some("shop.example.test"), "shop.example.test");
/// assert!(matches!(explanation.outcome(), Outcome::Decided(Verdict::Serve(_))));
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "there is a connection or there is none")]
pub enum Outcome {
    /// There is no connection: the handshake is refused.
    Refused(Refusal),
    /// There is one, and the request gets this.
    Decided(Verdict),
}

/// Why there is no connection.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_site::Outcome;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let site = site()?;
/// let explanation = site.explain(Some("other.test"), "shop.example.test");
/// let Outcome::Refused(refusal) = explanation.outcome() else { panic!() };
/// assert_eq!(refusal.code(), "unrecognized_name");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: &'static str,
    rule: &'static str,
    text: String,
}

impl Refusal {
    pub(crate) const NO_PROTOCOL: &'static str = "no_application_protocol";
    pub(crate) const CLIENT_REQUIRED: &'static str = "client_certificate_required";
    pub(crate) const CLIENT_INVALID: &'static str = "client_certificate_invalid";

    pub(crate) fn by_server_name(refused: &HandshakeRefused) -> Self {
        let (code, rule) = ("unrecognized_name", "RFC 6066 §3");
        Self { code, rule, text: refused.to_string() }
    }

    pub(crate) fn no_listener(name: &str) -> Self {
        let text = format!("no listener has the name {name:?}");
        Self { code: "no_listener", rule: "", text }
    }

    pub(crate) fn no_protocol() -> Self {
        let text = "the client offers no protocol that the site has".to_owned();
        Self { code: Self::NO_PROTOCOL, rule: "RFC 7301 §3.2", text }
    }

    pub(crate) fn client_required(group: &str) -> Self {
        let text = format!("group {group:?} demands a client certificate");
        Self { code: Self::CLIENT_REQUIRED, rule: "RFC 8446 §4.4.2.4", text }
    }

    pub(crate) fn client_invalid(error: &dyn fmt::Display) -> Self {
        let (code, rule) = (Self::CLIENT_INVALID, "RFC 8446 §4.4.2.4, RFC 5280 §6");
        Self { code, rule, text: error.to_string() }
    }

    /// Returns a stable name of the reason.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// Returns the rule that refuses the handshake.
    pub const fn rule(&self) -> &'static str {
        self.rule
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Explanation {
    /// Returns the outcome.
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Returns the facts of the connection; `None` if the handshake was refused.
    pub const fn facts(&self) -> Option<&HandshakeFacts> {
        self.facts.as_ref()
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

    /// Returns the label of the host that the request is served as.
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
