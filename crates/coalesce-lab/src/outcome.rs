//! What came of a request, and the words for it that scenarios accept.

use std::fmt;

use serde::Deserialize;

use crate::renames::Renames;
use crate::wire::frame::ErrorCode;

/// What came of one request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// An answer, with the virtual host that it names.
    Answer { status: u16, host: Option<String> },
    /// An answer whose stream was reset before its end.
    Broken { status: u16, code: ErrorCode },
    /// The stream was reset.
    Reset(ErrorCode),
    /// The server ended the connection by GOAWAY, and gave no answer.
    GoAway(ErrorCode),
    /// No request could be answered, because the connection ended first.
    Ended(Ended),
    /// The server ended the connection, and said that it did not process the request.
    Unprocessed,
    /// The request was not sent.
    NotSent,
    /// No answer came in time.
    Silence,
}

/// Why a connection ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Ended {
    /// TLS failed on either side: the alert, or what rustls says.
    Tls(String),
    /// The server closed the connection without an alert.
    Closed,
    /// The handshake chose another protocol, or none.
    Protocol(Option<String>),
    /// The server sent a header block that cannot be decoded.
    Undecodable,
    /// The server took no bytes, or its handshake did not end, in time.
    TimedOut,
    /// Requests got no answer in time, so those after them were not sent.
    Stalled,
    /// There was no connection.
    Unreachable(String),
}

impl Outcome {
    /// True where the server served content.
    pub(crate) fn is_served(&self) -> bool {
        matches!(
            self,
            Self::Answer { status: 200..=299, .. } | Self::Broken { status: 200..=299, .. }
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { status, host: None } => write!(f, "{status}"),
            Self::Answer { status, host: Some(host) } => write!(f, "{status} from {host}"),
            Self::Broken { status, code } => write!(f, "{status}, then reset {code}"),
            Self::Reset(code) => write!(f, "reset {code}"),
            Self::GoAway(code) => write!(f, "goaway {code}"),
            Self::Ended(ended) => ended.fmt(f),
            Self::Unprocessed => f.write_str("not processed"),
            Self::NotSent => f.write_str("not sent"),
            Self::Silence => f.write_str("no answer"),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(reason) => write!(f, "tls {reason}"),
            Self::Closed => f.write_str("closed"),
            Self::Protocol(None) => f.write_str("no protocol"),
            Self::Protocol(Some(protocol)) => write!(f, "protocol {protocol}"),
            Self::Undecodable => f.write_str("undecodable fields"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Stalled => f.write_str("stalled"),
            Self::Unreachable(reason) => write!(f, "unreachable: {reason}"),
        }
    }
}

/// An outcome that a scenario accepts, as it is written in a file:
///
/// | text | accepts |
/// | --- | --- |
/// | `200 from a` | this status, from this virtual host |
/// | `421` | this status, from any |
/// | `2xx` | each status of this class |
/// | `reset CANCEL`, `goaway CANCEL` | a reset or GOAWAY with this error code |
/// | `reset`, `goaway` | a reset or GOAWAY with any |
/// | `tls` | any failure of the handshake, and any alert |
/// | `closed` | a connection closed without an alert, perhaps after a GOAWAY without an error |
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub(crate) struct Accepted {
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Kind {
    Status { status: u16, host: Option<String> },
    Class(u16),
    Reset(Option<ErrorCode>),
    GoAway(Option<ErrorCode>),
    Tls,
    Closed,
}

impl Accepted {
    /// True if `outcome` is one of those. Where `marked` is false, the server does not say which
    /// virtual host answered, and any will do.
    pub(crate) fn accepts(&self, outcome: &Outcome, marked: bool) -> bool {
        match (&self.kind, outcome) {
            (Kind::Status { status, host }, Outcome::Answer { status: found, host: from }) => {
                status == found && (host.is_none() || host == from || (!marked && from.is_none()))
            }
            (Kind::Class(class), Outcome::Answer { status, .. }) => status / 100 == *class,
            (Kind::Reset(code), Outcome::Reset(found))
            | (Kind::GoAway(code), Outcome::GoAway(found)) => {
                code.is_none_or(|code| code == *found)
            }
            (Kind::Tls, Outcome::Ended(Ended::Tls(_)))
            | (Kind::Closed, Outcome::Ended(Ended::Closed) | Outcome::Unprocessed) => true,
            _ => false,
        }
    }

    /// Returns the virtual host that it names.
    pub(crate) fn host(&self) -> Option<&str> {
        match &self.kind {
            Kind::Status { host, .. } => host.as_deref(),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the outcome with the virtual host that a world has in place of this one.
    pub(crate) fn renamed(&self, renames: &Renames) -> Self {
        let Kind::Status { status, host: Some(host) } = &self.kind else { return self.clone() };
        let host = renames.virtual_host(host).to_owned();
        let text = format!("{status} from {host}");
        Self { text, kind: Kind::Status { status: *status, host: Some(host) } }
    }
}

impl TryFrom<String> for Accepted {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let kind = kind(&text).ok_or_else(|| {
            format!(
                "outcome \"{text}\": expected STATUS, STATUS from HOST, 2xx, reset, reset CODE, \
                 goaway, goaway CODE, tls or closed"
            )
        })?;
        Ok(Self { text, kind })
    }
}

fn kind(text: &str) -> Option<Kind> {
    let (word, rest) = text.split_once(' ').map_or((text, None), |(word, rest)| (word, Some(rest)));
    let code = |rest: Option<&str>| match rest {
        None => Some(None),
        Some(name) => ErrorCode::from_name(name).map(Some),
    };
    match (word, rest) {
        ("reset", rest) => code(rest).map(Kind::Reset),
        ("goaway", rest) => code(rest).map(Kind::GoAway),
        ("tls", None) => Some(Kind::Tls),
        ("closed", None) => Some(Kind::Closed),
        (class, None) if class.len() == 3 && class.ends_with("xx") => class
            .strip_suffix("xx")?
            .parse()
            .ok()
            .filter(|class| (1..=5).contains(class))
            .map(Kind::Class),
        (status, rest) => {
            let status = status.parse().ok().filter(|status| (100..=599).contains(status))?;
            let host = match rest {
                None => None,
                Some(rest) => Some(rest.strip_prefix("from ")?.to_owned()),
            };
            Some(Kind::Status { status, host })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(text: &str, outcome: &Outcome) -> bool {
        Accepted::try_from(text.to_owned()).unwrap().accepts(outcome, true)
    }

    fn answer(status: u16, host: Option<&str>) -> Outcome {
        Outcome::Answer { status, host: host.map(str::to_owned) }
    }

    #[test]
    fn accepted_status_compares_the_host_where_it_names_one() {
        assert!(accepts("200 from a", &answer(200, Some("a"))));
        assert!(!accepts("200 from a", &answer(200, Some("b"))));
        assert!(!accepts("200 from a", &answer(200, None)));
        assert!(accepts("200", &answer(200, Some("a"))));
        assert!(accepts("2xx", &answer(204, None)));
        assert!(!accepts("2xx", &answer(304, None)));
    }

    #[test]
    fn unmarked_answer_is_accepted_only_where_the_server_marks_none() {
        let accepted = Accepted::try_from("200 from a".to_owned()).unwrap();
        assert!(accepted.accepts(&answer(200, None), false));
        assert!(!accepted.accepts(&answer(200, None), true));
        assert!(!accepted.accepts(&answer(200, Some("b")), false));
    }

    #[test]
    fn accepted_reset_without_a_code_takes_any() {
        let reset = Outcome::Reset(ErrorCode(1));
        assert!(accepts("reset", &reset) && accepts("reset PROTOCOL_ERROR", &reset));
        assert!(!accepts("reset CANCEL", &reset) && !accepts("goaway", &reset));
        assert!(!accepts("421", &Outcome::Broken { status: 421, code: ErrorCode(1) }));
    }

    #[test]
    fn accepted_ends_are_kept_apart() {
        let tls = Outcome::Ended(Ended::Tls("handshake_failure".into()));
        assert!(accepts("tls", &tls) && !accepts("closed", &tls));
        assert!(accepts("closed", &Outcome::Ended(Ended::Closed)));
        assert!(accepts("closed", &Outcome::Unprocessed));
        assert!(!accepts("closed", &Outcome::Ended(Ended::TimedOut)));
    }

    #[test]
    fn unknown_outcome_is_an_error() {
        for text in ["", "20", "600", "9xx", "200 of a", "reset NOTHING", "tls alert", "2xx from a"]
        {
            let error = Accepted::try_from(text.to_owned()).unwrap_err();
            assert!(error.starts_with(&format!("outcome \"{text}\": expected STATUS")), "{error}");
        }
    }
}
