//! The reasons why an upstream did not answer.

use std::error::Error;
use std::fmt;

use http::Request;

use crate::serve::answer::body::RequestBody;

/// The reason why there is no answer from the upstream.
#[derive(Clone, Debug)]
pub(in crate::serve::answer) enum UpstreamError {
    /// The upstream was silent for too long.
    TimedOut,
    /// The upstream cannot be reached, or does not speak the protocol.
    Broken(String),
    /// The client has as many requests in progress as allowed.
    Full,
    /// There is no open file to spare for a connection.
    NoDescriptor,
    /// The client sent its content too slowly.
    SlowClient,
}

impl UpstreamError {
    pub(in crate::serve::answer) fn broken(error: &dyn Error) -> Self {
        // The outermost error says "client error" and little else.
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        Self::Broken(text)
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Broken(text) => f.write_str(text),
            Self::Full => f.write_str("too many requests of one client are under way"),
            Self::NoDescriptor => f.write_str("no open file to spare for a connection"),
            Self::SlowClient => f.write_str("the client sends its content too slowly"),
        }
    }
}

/// The failure of a request on one connection.
#[derive(Debug)]
pub(in crate::serve::answer) struct SendFailure {
    pub(in crate::serve::answer) error: UpstreamError,
    /// The request, if no part of it was sent.
    pub(in crate::serve::answer) unsent: Option<Request<RequestBody>>,
    /// True if the connection has ended; false if the upstream refused this request.
    pub(in crate::serve::answer) connection_ended: bool,
}
