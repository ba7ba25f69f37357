//! The body of a response.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::error::{Error, ErrorKind};

type Ended = Box<dyn FnOnce(Result<(), &Error>) + Send + Sync>;

/// The body of a response.
///
/// Its stream is free for another request when the body has ended or is dropped.
pub struct ResponseBody {
    body: Incoming,
    ended: Option<Ended>,
}

impl ResponseBody {
    /// Wraps the body of hyper. `ended` runs once: at the end of the body, at an error, or when the
    /// body is dropped.
    pub(crate) fn new(body: Incoming, ended: Ended) -> Self {
        Self { body, ended: Some(ended) }
    }

    fn end(&mut self, result: Result<(), &Error>) {
        if let Some(ended) = self.ended.take() {
            ended(result);
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.end(Ok(()));
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => {
                if self.body.is_end_stream() {
                    self.end(Ok(()));
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                let error = Error::new(ErrorKind::Connection, error);
                self.end(Err(&error));
                Some(Err(error))
            }
            None => {
                self.end(Ok(()));
                None
            }
        };
        Poll::Ready(frame)
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
