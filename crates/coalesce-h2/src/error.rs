//! The error that ended a connection.

use std::fmt;

/// The error that ended a connection.
///
/// # Examples
/// ```
/// use coalesce_h2::Error;
///
/// fn level(error: &Error) -> tracing::Level {
///     if error.is_refusal_limit() {
///         // The client was refused too often in a row.
///         tracing::Level::WARN
///     } else if error.is_io() || error.is_remote() {
///         tracing::Level::DEBUG
///     } else {
///         tracing::Level::INFO
///     }
/// }
/// ```
pub struct Error {
    kind: Kind,
}

enum Kind {
    Protocol(h2::Error),
    Excess(Excess),
}

/// The limit that a client exceeded, which ends its connection with `GOAWAY(ENHANCE_YOUR_CALM)`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Excess {
    /// The refusal limit, [`REFUSED_IN_A_ROW_MAX`](crate::limits::REFUSED_IN_A_ROW_MAX) by default.
    Refusals,
    /// [`RESETS_MAX`](crate::limits::RESETS_MAX).
    Resets,
}

impl Error {
    /// Returns true if the refusal limit ended the connection, with `GOAWAY(ENHANCE_YOUR_CALM)`.
    pub const fn is_refusal_limit(&self) -> bool {
        matches!(self.kind, Kind::Excess(Excess::Refusals))
    }

    /// Returns true if the byte stream failed.
    pub fn is_io(&self) -> bool {
        matches!(&self.kind, Kind::Protocol(error) if error.is_io())
    }

    /// Returns true if the client ended the connection.
    pub fn is_remote(&self) -> bool {
        matches!(&self.kind, Kind::Protocol(error) if error.is_remote())
    }

    /// Returns the HTTP/2 error code, if there is one.
    pub fn reason(&self) -> Option<h2::Reason> {
        match &self.kind {
            Kind::Protocol(error) => error.reason(),
            Kind::Excess(_) => Some(h2::Reason::ENHANCE_YOUR_CALM),
        }
    }
}

impl From<Excess> for Error {
    fn from(excess: Excess) -> Self {
        Self { kind: Kind::Excess(excess) }
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
            Kind::Excess(Excess::Refusals) => f.write_str("too many refused requests in a row"),
            Kind::Excess(Excess::Resets) => f.write_str("too many streams reset by the client"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Protocol(error) => f.debug_tuple("Error").field(error).finish(),
            Kind::Excess(excess) => f.debug_tuple("Error").field(excess).finish(),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            Kind::Protocol(error) => Some(error),
            Kind::Excess(_) => None,
        }
    }
}
