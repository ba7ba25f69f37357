//! The bodies of requests, which may be sent twice, and of responses.

mod adapter;
mod replay;
mod response;

use std::any::Any;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};

use self::adapter::Adapter;
use self::replay::{KeptBody, Replay};
use crate::error::BoxError;

pub use response::ResponseBody;

/// A body on its way to a connection.
pub(crate) type SentBody = UnsyncBoxBody<Bytes, BoxError>;

/// The body of a request.
///
/// # Examples
/// ```
/// use coalesce_client::RequestBody;
///
/// let body = RequestBody::from("content");
/// assert!(format!("{body:?}").contains("7 bytes"));
/// ```
#[derive(Default)]
pub struct RequestBody(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    /// Can be sent again.
    Bytes(Bytes),
    /// A stream that is gone when it is sent.
    Stream(Option<SentBody>),
    /// A stream whose frames are kept.
    Kept(Arc<Mutex<KeptBody>>),
}

impl RequestBody {
    /// Takes any body. An empty one, a `Full<Bytes>` and a `String` can be sent again.
    pub fn new<B>(body: B) -> Self
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        if body.is_end_stream() {
            return Self::default();
        }
        let mut slot = Some(body);
        let any: &mut dyn Any = &mut slot;
        if let Some(own) = any.downcast_mut::<Option<Self>>() {
            return own.take().unwrap_or_default();
        }
        if let Some(text) = any.downcast_mut::<Option<String>>() {
            return text.take().unwrap_or_default().into();
        }
        if let Some(full) = any.downcast_mut::<Option<Full<Bytes>>>()
            && let Some(bytes) = full.take().and_then(content)
        {
            return bytes.into();
        }
        let stream = slot.map(|body| Adapter::new(body).boxed_unsync());
        Self(Kind::Stream(stream))
    }

    /// Keeps the frames of a stream that announces at most `limit` bytes, so that it can be sent
    /// again.
    pub(crate) fn replayable(mut self, limit: usize) -> Self {
        let Kind::Stream(stream) = &mut self.0 else { return self };
        let announced = stream.as_ref().and_then(|stream| stream.size_hint().upper());
        let announced = announced.and_then(|bytes| usize::try_from(bytes).ok());
        if let Some(bytes) = announced.filter(|bytes| *bytes <= limit)
            && let Some(stream) = stream.take()
        {
            self.0 = Kind::Kept(Arc::new(Mutex::new(KeptBody::new(stream, bytes))));
        }
        self
    }

    /// Returns how often it can be sent.
    pub(crate) fn repetition(&self) -> coalesce_pool::RequestBody {
        match self.0 {
            Kind::Empty => coalesce_pool::RequestBody::Empty,
            Kind::Bytes(_) | Kind::Kept(_) => coalesce_pool::RequestBody::Replayable,
            Kind::Stream(_) => coalesce_pool::RequestBody::OneShot,
        }
    }

    /// Returns the body for the first or the next attempt, or `None` if it is gone.
    pub(crate) fn next_attempt(&mut self) -> Option<SentBody> {
        match &mut self.0 {
            Kind::Empty => Some(Empty::new().map_err(|never| match never {}).boxed_unsync()),
            Kind::Bytes(bytes) => {
                Some(Full::new(bytes.clone()).map_err(|never| match never {}).boxed_unsync())
            }
            Kind::Stream(stream) => stream.take(),
            Kind::Kept(kept) => Some(Replay::new(Arc::clone(kept)).boxed_unsync()),
        }
    }
}

/// Returns the bytes of a body, which are all there.
fn content(body: Full<Bytes>) -> Option<Bytes> {
    let mut body = pin!(body);
    match body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().ok(),
        _ => None,
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Empty => f.write_str("RequestBody(empty)"),
            Kind::Bytes(bytes) => write!(f, "RequestBody({} bytes)", bytes.len()),
            Kind::Stream(_) | Kind::Kept(_) => f.write_str("RequestBody(stream)"),
        }
    }
}

impl From<()> for RequestBody {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::default() } else { Self(Kind::Bytes(bytes)) }
    }
}

impl From<String> for RequestBody {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for RequestBody {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Kind::Kept(kept) = &self.0 {
            let replay = Replay::new(Arc::clone(kept)).boxed_unsync();
            self.0 = Kind::Stream(Some(replay));
        }
        if let Kind::Stream(Some(stream)) = &mut self.0 {
            return Pin::new(stream).poll_frame(context);
        }
        let frame = match std::mem::take(&mut self.0) {
            Kind::Bytes(bytes) => Some(Ok(Frame::data(bytes))),
            _ => None,
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty | Kind::Stream(None) => true,
            Kind::Bytes(_) | Kind::Kept(_) => false,
            Kind::Stream(Some(stream)) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty | Kind::Stream(None) => SizeHint::with_exact(0),
            Kind::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(Some(stream)) => stream.size_hint(),
            Kind::Kept(kept) => Replay::new(Arc::clone(kept)).size_hint(),
        }
    }
}
