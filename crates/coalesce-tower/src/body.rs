//! Bodies of responses: the application's, and those of the layer's own answers.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};

/// A body that the layer can make for its own answers.
///
/// What the application answers with is passed on as it is, so that nothing is boxed on its way;
/// this is for the few answers that are the layer's. Implemented for the bodies of axum and tonic
/// (features `axum` and `tonic`), for those of `http-body-util` that can hold bytes, and for
/// [`ResponseBody`], which is the one or the other.
pub trait AnswerBody {
    /// A body with this content.
    fn answer(content: Bytes) -> Self;
}

impl AnswerBody for Full<Bytes> {
    fn answer(content: Bytes) -> Self {
        Self::new(content)
    }
}

impl<E> AnswerBody for BoxBody<Bytes, E> {
    fn answer(content: Bytes) -> Self {
        use http_body_util::BodyExt;
        Full::new(content).map_err(|never| match never {}).boxed()
    }
}

impl<E> AnswerBody for UnsyncBoxBody<Bytes, E> {
    fn answer(content: Bytes) -> Self {
        use http_body_util::BodyExt;
        Full::new(content).map_err(|never| match never {}).boxed_unsync()
    }
}

#[cfg(feature = "axum")]
impl AnswerBody for axum::body::Body {
    fn answer(content: Bytes) -> Self {
        Self::from(content)
    }
}

#[cfg(feature = "tonic")]
impl AnswerBody for tonic::body::Body {
    fn answer(content: Bytes) -> Self {
        Self::new(Full::new(content))
    }
}

pin_project_lite::pin_project! {
    /// The application's body, or the content of the layer's own answer. Nothing is boxed.
    #[derive(Debug)]
    pub struct ResponseBody<R> {
        #[pin]
        whose: Whose<R>,
    }
}

pin_project_lite::pin_project! {
    #[derive(Debug)]
    #[project = Projected]
    enum Whose<R> {
        Application { #[pin] body: R },
        // What is left to send.
        Answer { content: Bytes },
    }
}

impl<R> ResponseBody<R> {
    pub(crate) const fn application(body: R) -> Self {
        Self { whose: Whose::Application { body } }
    }
}

impl<R> AnswerBody for ResponseBody<R> {
    fn answer(content: Bytes) -> Self {
        Self { whose: Whose::Answer { content } }
    }
}

impl<R: Body<Data = Bytes>> Body for ResponseBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        match self.project().whose.project() {
            Projected::Application { body } => body.poll_frame(context),
            Projected::Answer { content } => {
                let left = std::mem::take(content);
                Poll::Ready((!left.is_empty()).then(|| Ok(Frame::data(left))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.whose {
            Whose::Application { body } => body.is_end_stream(),
            Whose::Answer { content } => content.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.whose {
            Whose::Application { body } => body.size_hint(),
            Whose::Answer { content } => SizeHint::with_exact(content.len() as u64),
        }
    }
}
