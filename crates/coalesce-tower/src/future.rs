//! The future of a response.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;

use crate::body::{AnswerBody, ResponseBody};
use crate::open_request::{OpenRequest, opens_tunnel};

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
        Application { #[pin] future: F, is_connect: bool, open: Option<OpenRequest> },
        // Taken by the poll that returns it.
        Answer { response: Option<Response<R>> },
    }
}

impl<F, R> ResponseFuture<F, R> {
    /// The response of the application to a request with this method.
    pub(crate) fn application(future: F, is_connect: bool, open: OpenRequest) -> Self {
        let open = open.is_counted().then_some(open);
        Self { state: State::Application { future, is_connect, open } }
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
        wrap: impl FnOnce(Response<T>, Option<OpenRequest>) -> Response<R>,
    ) -> Poll<Result<Response<R>, E>>
    where
        F: Future<Output = Result<Response<T>, E>>,
    {
        match self.project().state.project() {
            Projected::Application { future, is_connect, open } => {
                let response = std::task::ready!(future.poll(context));
                let mut open = open.take();
                Poll::Ready(response.map(|response| {
                    if opens_tunnel(*is_connect, response.status())
                        && let Some(open) = open.take()
                    {
                        open.keep();
                    }
                    wrap(response, open)
                }))
            }
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
    R: AnswerBody,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_with(context, |response, open| match open {
            Some(open) => response.map(|body| body.with_open_request(open)),
            None => response,
        })
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
        let wrap = |response: Response<R>, open| {
            response.map(|body| ResponseBody::application(body, open))
        };
        self.project().inner.poll_with(context, wrap)
    }
}
