//! The error of a request.

use std::error::Error as StdError;
use std::fmt;

use crate::trail::Trail;

/// An error of any type.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// The reason why a request has no response.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    source: Option<BoxError>,
}

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request cannot be sent as it is.
    Request,
    /// The host has no address.
    Resolve,
    /// No connection could be made.
    Connect,
    /// The connection or the stream ended too early.
    Connection,
    /// A time limit passed.
    Timeout,
    /// A limit of the client was reached.
    Limit,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, source: impl Into<BoxError>) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// Makes the error of a request that the pool gave up.
    pub(crate) fn failed(
        failure: coalesce_pool::Failure,
        source: Option<BoxError>,
        _trail: Trail,
    ) -> Self {
        Self { kind: ErrorKind::Connection, source: source.or_else(|| Some(failure.into())) }
    }

    /// Returns the kind.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|it| it as &(dyn StdError + 'static))
    }
}
