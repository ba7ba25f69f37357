//! The client as a tower service.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::body::ResponseBody;
use crate::client::Client;
use crate::error::{BoxError, Error};

/// The future of [`Client`] as a service.
///
/// # Cancellation
/// The client resets the stream of the request if the future is dropped.
///
/// # Examples
/// ```
/// use coalesce_client::{Client, RequestBody, ResponseFuture};
/// use tower_service::Service;
///
/// fn start(client: &mut Client, request: http::Request<RequestBody>) -> ResponseFuture {
///     client.call(request)
/// }
/// ```
pub struct ResponseFuture(Pin<Box<dyn Future<Output = Answer> + Send>>);

type Answer = Result<Response<ResponseBody>, Error>;

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}

impl Future for ResponseFuture {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        self.0.as_mut().poll(context)
    }
}

/// The service is always ready: the connection is not known before the request, so a request waits
/// for it in the future.
impl<B> Service<Request<B>> for Client
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody>;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let client = self.clone();
        ResponseFuture(Box::pin(async move { client.request(request).await }))
    }
}
