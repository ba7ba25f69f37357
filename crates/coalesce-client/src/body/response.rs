//! The body of a response.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::error::{Error, ErrorKind};

/// The body of a response.
///
/// Its stream is free for another request when the body has ended or is dropped.
pub struct ResponseBody {
    body: Incoming,
    /// Dropped at the end of the body, at an error, or with the body.
    stream: Option<Box<dyn Send + Sync>>,
}

impl ResponseBody {
    /// Wraps the body of hyper, and keeps `stream` until its end.
    pub(crate) fn new(body: Incoming, stream: Option<Box<dyn Send + Sync>>) -> Self {
        Self { body, stream }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = ready!(Pin::new(&mut self.body).poll_frame(context));
        if !matches!(polled, Some(Ok(_))) || self.body.is_end_stream() {
            self.stream = None;
        }
        let failed = |error| Error::new(ErrorKind::Connection, error);
        Poll::Ready(polled.map(|frame| frame.map_err(failed)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}
