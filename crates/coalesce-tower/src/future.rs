//! The future of a response.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;

use crate::body::ResponseBody;

pin_project_lite::pin_project! {
    /// The application's response, or the layer's own answer. Nothing is boxed.
    #[derive(Debug)]
    pub struct ResponseFuture<F, R> {
        #[pin]
        state: State<F, R>,
    }
}

pin_project_lite::pin_project! {
    #[derive(Debug)]
    #[project = Projected]
    enum State<F, R> {
        Application { #[pin] future: F },
        // Taken by the poll that returns it.
        Answer { response: Option<Response<R>> },
    }
}

impl<F, R> ResponseFuture<F, R> {
    pub(crate) fn application(future: F) -> Self {
        Self { state: State::Application { future } }
    }

    pub(crate) fn answer(response: Response<R>) -> Self {
        Self { state: State::Answer { response: Some(response) } }
    }
}

impl<F, R> ResponseFuture<F, R> {
    /// Polls either, and makes one type of both.
    fn poll_with<T, E>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        wrap: impl FnOnce(Response<T>) -> Response<R>,
    ) -> Poll<Result<Response<R>, E>>
    where
        F: Future<Output = Result<Response<T>, E>>,
    {
        match self.project().state.project() {
            Projected::Application { future } => future.poll(context).map_ok(wrap),
            // A future that has ended and is polled all the same has nothing more to say.
            Projected::Answer { response } => {
                response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
            }
        }
    }
}

impl<F, R, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_with(context, |response| response)
    }
}

pin_project_lite::pin_project! {
    /// As [`ResponseFuture`], for an application whose body the layer cannot make.
    #[derive(Debug)]
    pub struct WrappedFuture<F, R> {
        #[pin]
        inner: ResponseFuture<F, ResponseBody<R>>,
    }
}

impl<F, R> From<ResponseFuture<F, ResponseBody<R>>> for WrappedFuture<F, R> {
    fn from(inner: ResponseFuture<F, ResponseBody<R>>) -> Self {
        Self { inner }
    }
}

impl<F, R, E> Future for WrappedFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let wrap = |response: Response<R>| response.map(ResponseBody::application);
        self.project().inner.poll_with(context, wrap)
    }
}
