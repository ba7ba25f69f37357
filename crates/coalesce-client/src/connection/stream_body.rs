//! The body of a request on its stream.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::cancel::Cancel;
use crate::body::SentBody;
use crate::error::BoxError;

/// A value that lives as long as the body is being sent, and can end it.
pub(crate) type Upload = Arc<dyn AsRef<Cancel> + Send + Sync>;

/// The body of a request, and a value that lives as long as the body is being sent.
///
/// hyper drops the body when its last byte is handed to the connection, and when the stream is
/// reset.
pub(crate) struct StreamBody {
    body: SentBody,
    /// Dropped with the body. `None` for a body that is empty.
    upload: Option<Upload>,
}

impl StreamBody {
    /// Makes the body of one attempt.
    pub(crate) fn new(body: SentBody, upload: Option<Upload>) -> Self {
        Self { body, upload }
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
        if let Some(upload) = &self.upload
            && (**upload).as_ref().is_cancelled(context.waker())
        {
            return Poll::Ready(Some(Err(h2::Error::from(h2::Reason::CANCEL).into())));
        }
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
