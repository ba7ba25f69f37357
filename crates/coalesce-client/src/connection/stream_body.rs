//! The body of a request on its stream.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::body::SentBody;
use crate::error::BoxError;

/// The body of a request, and a value that lives as long as the body is being sent.
///
/// hyper drops the body when its last byte is handed to the connection, and when the stream is
/// reset.
pub(crate) struct StreamBody {
    body: SentBody,
    /// Dropped with the body.
    _alive: Option<Box<dyn Send>>,
}

impl StreamBody {
    /// Makes the body of one attempt.
    pub(crate) fn new(body: SentBody, alive: Option<Box<dyn Send>>) -> Self {
        Self { body, _alive: alive }
    }

    /// Returns the body, if the connection gave it back.
    pub(crate) fn into_inner(self) -> SentBody {
        self.body
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for StreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBody").finish_non_exhaustive()
    }
}
