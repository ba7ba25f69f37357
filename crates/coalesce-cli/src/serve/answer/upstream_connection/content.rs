//! The content of an answer from upstream.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame};
use hyper::body::Incoming;

/// Content that is read as the client takes it.
#[derive(Debug)]
pub(in crate::serve::answer) enum AnswerContent {
    Http1(Incoming),
    Http2(RecvStream),
}

impl Body for AnswerContent {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Http1(incoming) => {
                Pin::new(incoming).poll_frame(context).map_err(Self::Error::from)
            }
            Self::Http2(stream) => match ready!(stream.poll_data(context)) {
                Some(Ok(data)) => {
                    stream.flow_control().release_capacity(data.len())?;
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                Some(Err(error)) => Poll::Ready(Some(Err(error.into()))),
                None => {
                    let trailers = ready!(stream.poll_trailers(context))?;
                    Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(incoming) => incoming.is_end_stream(),
            Self::Http2(stream) => stream.is_end_stream(),
        }
    }
}
