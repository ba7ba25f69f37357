//! A body whose frames are kept, so that it can be sent again.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;

use crate::error::BoxError;

/// A stream, with the frames that it has given so far.
pub(super) struct KeptBody {
    stream: UnsyncBoxBody<Bytes, BoxError>,
    frames: Vec<KeptFrame>,
    /// The bytes that may still come. The body announced no more.
    room: usize,
    ended: bool,
}

#[derive(Clone)]
enum KeptFrame {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl KeptBody {
    /// Keeps at most `room` bytes of a stream that announces no more.
    pub(super) fn new(stream: UnsyncBoxBody<Bytes, BoxError>, room: usize) -> Self {
        Self { stream, frames: Vec::new(), room, ended: false }
    }

    /// Returns the frame with this number.
    fn poll_frame_at(
        &mut self,
        number: usize,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(kept) = self.frames.get(number) {
            return Poll::Ready(Some(Ok(kept.clone().into())));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = std::task::ready!(Pin::new(&mut self.stream).poll_frame(context));
        Poll::Ready(match frame {
            None => {
                self.ended = true;
                None
            }
            Some(Err(error)) => Some(Err(error)),
            Some(Ok(frame)) => Some(self.keep(frame)),
        })
    }

    fn keep(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BoxError> {
        let kept = match frame.into_data() {
            Ok(data) => {
                let room = self.room.checked_sub(data.len());
                self.room = room.ok_or("the body is longer than it announced")?;
                KeptFrame::Data(data)
            }
            Err(frame) => KeptFrame::Trailers(frame.into_trailers().unwrap_or_default()),
        };
        self.frames.push(kept.clone());
        Ok(kept.into())
    }
}

impl From<KeptFrame> for Frame<Bytes> {
    fn from(kept: KeptFrame) -> Self {
        match kept {
            KeptFrame::Data(data) => Self::data(data),
            KeptFrame::Trailers(trailers) => Self::trailers(trailers),
        }
    }
}

/// One sending of a kept body. Only the newest one reads from the stream, because the others have
/// been dropped.
pub(super) struct Replay {
    kept: Arc<Mutex<KeptBody>>,
    next: usize,
}

impl Replay {
    pub(super) const fn new(kept: Arc<Mutex<KeptBody>>) -> Self {
        Self { kept, next: 0 }
    }
}

impl Body for Replay {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let next = self.next;
        let polled = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.poll_frame_at(next, context)
        };
        if let Poll::Ready(Some(Ok(_))) = &polled {
            self.next = next.saturating_add(1);
        }
        polled
    }

    fn size_hint(&self) -> SizeHint {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // The length of the whole body is known only before the first frame.
        if self.next == 0 && kept.frames.is_empty() {
            kept.stream.size_hint()
        } else {
            SizeHint::default()
        }
    }
}
