//! Bodies of responses: the application's, and those of the layer's own answers.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{BodyExt, Full};

use crate::open_request::OpenRequest;

/// The content of an answer that is the layer's own.
///
/// # Examples
/// ```
/// use bytes::Bytes;
/// use coalesce_tower::{AnswerBody, AnswerContent};
///
/// /// A body of an application, which holds bytes.
/// struct Body(Bytes);
///
/// impl AnswerBody for Body {
///     fn answer(content: AnswerContent) -> Self {
///         Self(content.into_bytes())
///     }
/// }
/// ```
#[derive(Debug)]
pub struct AnswerContent {
    left: Bytes,
    /// Where the end has to wait until the content was written.
    written: Option<Arc<Written>>,
}

impl AnswerContent {
    pub(crate) const fn new(content: Bytes) -> Self {
        Self { left: content, written: None }
    }

    /// The same content as an answer to a request on HTTP/2 whose body is still coming.
    ///
    /// h2 resets that stream as soon as the answer has ended (RFC 9113 §8.1), and curl 7 loses an
    /// answer that comes in one TLS record with its `RST_STREAM`. So the answer ends when the bytes
    /// of its content are let go of, which h2 does while it writes. One without content ends at
    /// once: gRPC wants its fields to be the end.
    pub(crate) fn with_late_end(mut self) -> Self {
        if !self.left.is_empty() {
            let written = Arc::new(Written::default());
            self.left = Bytes::from_owner(Guarded { bytes: self.left, written: written.clone() });
            self.written = Some(written);
        }
        self
    }

    /// The bytes, for bodies that hold nothing else.
    pub fn into_bytes(self) -> Bytes {
        self.left
    }
}

impl Body for AnswerContent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.left.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.left)))));
        }
        if let Some(written) = &self.written {
            std::task::ready!(written.poll(context));
            self.written = None;
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && self.written.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

/// Bytes that report when their last holder drops them.
struct Guarded {
    bytes: Bytes,
    written: Arc<Written>,
}

impl AsRef<[u8]> for Guarded {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.written.set();
    }
}

/// Whether they have, and who waits for it.
#[derive(Debug, Default)]
struct Written(Mutex<(bool, Option<Waker>)>);

impl Written {
    fn set(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        let waiting = state.1.take();
        drop(state);
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0 {
            return Poll::Ready(());
        }
        state.1 = Some(context.waker().clone());
        Poll::Pending
    }
}

/// A body that the layer can make for its own answers.
///
/// What the application answers with is passed on as it is, so that nothing is boxed on its way;
/// this is for the few answers that are the layer's. Implemented for the bodies of axum and tonic
/// (features `axum` and `tonic`), for those of `http-body-util` that can hold bytes, and for
/// [`ResponseBody`], which is the one or the other.
///
/// # Examples
/// ```
/// use bytes::Bytes;
/// use coalesce_tower::AnswerBody;
/// use http_body_util::Full;
///
/// /// `Full<Bytes>` is the body of many small servers.
/// fn assert_answers<B: AnswerBody>() {}
/// assert_answers::<Full<Bytes>>();
/// ```
pub trait AnswerBody {
    /// A body with this content.
    fn answer(content: AnswerContent) -> Self;

    /// Returns this body, which drops `open` when it is dropped.
    ///
    /// The default drops `open` at once. That is right for bodies whose bytes are all there: they
    /// are sent as fast as the client takes them, and a client that takes none is idle. A body that
    /// waits for its bytes has to hold `open`.
    #[must_use]
    fn with_open_request(self, open: OpenRequest) -> Self
    where
        Self: Sized,
    {
        drop(open);
        self
    }
}

/// Makes `with_open_request` box the body together with the request if the length of the body is
/// not known: such a body waits for its bytes.
macro_rules! hold_in_a_box {
    () => {
        fn with_open_request(self, open: OpenRequest) -> Self {
            if self.size_hint().exact().is_some() {
                return self;
            }
            Self::new(Held { body: self, open })
        }
    };
}

pin_project_lite::pin_project! {
    /// A body that keeps its request open.
    struct Held<R> {
        #[pin]
        body: R,
        open: OpenRequest,
    }
}

impl<R: Body> Body for Held<R> {
    type Data = R::Data;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<R::Data>, R::Error>>> {
        self.project().body.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl AnswerBody for Full<Bytes> {
    fn answer(content: AnswerContent) -> Self {
        Self::new(content.into_bytes())
    }
}

impl<E: 'static> AnswerBody for BoxBody<Bytes, E> {
    fn answer(content: AnswerContent) -> Self {
        Self::new(content.map_err(|never| match never {}))
    }

    hold_in_a_box!();
}

impl<E: 'static> AnswerBody for UnsyncBoxBody<Bytes, E> {
    fn answer(content: AnswerContent) -> Self {
        Self::new(content.map_err(|never| match never {}))
    }

    hold_in_a_box!();
}

#[cfg(feature = "axum")]
impl AnswerBody for axum::body::Body {
    fn answer(content: AnswerContent) -> Self {
        Self::new(content)
    }

    hold_in_a_box!();
}

#[cfg(feature = "tonic")]
impl AnswerBody for tonic::body::Body {
    fn answer(content: AnswerContent) -> Self {
        Self::new(content.map_err(|never| match never {}))
    }

    hold_in_a_box!();
}

pin_project_lite::pin_project! {
    /// The application's body, or the content of the layer's own answer. Nothing is boxed.
    #[derive(Debug)]
    pub struct ResponseBody<R> {
        #[pin]
        whose: Whose<R>,
        // Dropped with the body.
        open: Option<OpenRequest>,
    }
}

pin_project_lite::pin_project! {
    #[derive(Debug)]
    #[project = Projected]
    enum Whose<R> {
        Application { #[pin] body: R },
        Answer { #[pin] content: AnswerContent },
    }
}

impl<R> ResponseBody<R> {
    pub(crate) const fn application(body: R, open: Option<OpenRequest>) -> Self {
        Self { whose: Whose::Application { body }, open }
    }
}

impl<R> AnswerBody for ResponseBody<R> {
    fn answer(content: AnswerContent) -> Self {
        Self { whose: Whose::Answer { content }, open: None }
    }

    fn with_open_request(mut self, open: OpenRequest) -> Self {
        self.open = Some(open);
        self
    }
}

impl<R: Body<Data = Bytes>> Body for ResponseBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        let this = self.project();
        match this.whose.project() {
            Projected::Application { body } => {
                // All of its bytes are there, as `AnswerBody::with_open_request` says.
                if this.open.is_some() && body.size_hint().exact().is_some() {
                    *this.open = None;
                }
                body.poll_frame(context)
            }
            Projected::Answer { content } => {
                content.poll_frame(context).map_err(|never| match never {})
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.whose {
            Whose::Application { body } => body.is_end_stream(),
            Whose::Answer { content } => content.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.whose {
            Whose::Application { body } => body.size_hint(),
            Whose::Answer { content } => content.size_hint(),
        }
    }
}
