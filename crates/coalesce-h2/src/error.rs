//! Why a connection ended.

use std::fmt;

/// The end of a connection that did not close in peace.
pub struct Error {
    kind: Kind,
}

enum Kind {
    Protocol(h2::Error),
    BudgetSpent,
}

impl Error {
    pub(crate) const fn budget_spent() -> Self {
        Self { kind: Kind::BudgetSpent }
    }

    /// Whether the client was sent away for refusals alone, with `GOAWAY(ENHANCE_YOUR_CALM)`.
    pub const fn is_budget_spent(&self) -> bool {
        matches!(self.kind, Kind::BudgetSpent)
    }

    /// Whether the byte stream failed.
    pub fn is_io(&self) -> bool {
        matches!(&self.kind, Kind::Protocol(error) if error.is_io())
    }

    /// Whether the client ended the connection.
    pub fn is_remote(&self) -> bool {
        matches!(&self.kind, Kind::Protocol(error) if error.is_remote())
    }

    /// The HTTP/2 error code, where there is one.
    pub fn reason(&self) -> Option<h2::Reason> {
        match &self.kind {
            Kind::Protocol(error) => error.reason(),
            Kind::BudgetSpent => Some(h2::Reason::ENHANCE_YOUR_CALM),
        }
    }
}

impl From<h2::Error> for Error {
    fn from(error: h2::Error) -> Self {
        Self { kind: Kind::Protocol(error) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Protocol(error) => error.fmt(f),
            Kind::BudgetSpent => f.write_str("too many refused requests in a row"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Protocol(error) => f.debug_tuple("Error").field(error).finish(),
            Kind::BudgetSpent => f.write_str("Error(BudgetSpent)"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            Kind::Protocol(error) => Some(error),
            Kind::BudgetSpent => None,
        }
    }
}
