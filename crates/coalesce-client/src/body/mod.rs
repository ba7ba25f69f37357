//! The bodies of requests, which may be sent twice, and of responses.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

use crate::error::{BoxError, Error};

/// A body on its way to a connection.
pub(crate) type SentBody = UnsyncBoxBody<Bytes, BoxError>;

/// The body of a request.
#[derive(Debug, Default)]
pub struct RequestBody {}

impl RequestBody {
    /// Returns how often it can be sent.
    pub(crate) fn repetition(&self) -> coalesce_pool::RequestBody {
        coalesce_pool::RequestBody::Empty
    }

    /// Returns the body for the first or the next attempt, or `None` if it is gone.
    pub(crate) fn next_attempt(&mut self) -> Option<SentBody> {
        None
    }
}

/// The body of a response.
#[derive(Debug)]
pub struct ResponseBody {}

impl ResponseBody {
    /// Wraps the body of hyper. `ended` runs once: at the end of the body, at an error, or when the
    /// body is dropped.
    pub(crate) fn new(
        _body: hyper::body::Incoming,
        _ended: Box<dyn FnOnce(Result<(), &Error>) + Send>,
    ) -> Self {
        Self {}
    }
}
