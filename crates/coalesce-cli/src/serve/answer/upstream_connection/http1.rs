//! A connection to an upstream over HTTP/1.1, which carries one request at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use http::uri::Authority;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;

use crate::serve::answer::body::RequestBody;
use crate::serve::answer::upstream_connection::error::{SendFailure, UpstreamError};
use crate::serve::answer::upstream_connection::tcp;
use crate::serve::limits::UPSTREAM_BUFFER_BYTES_MAX;
use crate::serve::shares::Share;

/// A handle of the connection, which is closed when the last one is dropped.
#[derive(Clone, Debug)]
pub(in crate::serve::answer) struct Http1Connection(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sender: Mutex<http1::SendRequest<RequestBody>>,
    task: AbortHandle,
    descriptor: Arc<Share>,
}

impl Http1Connection {
    pub(super) async fn connect(to: &Authority, descriptor: Share) -> Result<Self, UpstreamError> {
        let stream = tcp::connect(to).await?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(UPSTREAM_BUFFER_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| UpstreamError::broken(&error))?;
        let descriptor = Arc::new(descriptor);
        let held = descriptor.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to the upstream ended");
            }
            drop(held);
        });
        let (sender, task) = (Mutex::new(sender), task.abort_handle());
        Ok(Self(Arc::new(Inner { sender, task, descriptor })))
    }

    /// Sends a request. The upstream may have closed a connection that `is_reused` meanwhile.
    pub(super) async fn send(
        &self,
        request: Request<RequestBody>,
        is_reused: bool,
    ) -> Result<Response<Incoming>, SendFailure> {
        let sending = self.sender().try_send_request(request);
        let mut failure = match sending.await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let unsent = failure.take_message();
        let error = failure.error();
        let ended = error.is_canceled() || error.is_closed() || error.is_incomplete_message();
        let (error, connection_ended) = (UpstreamError::broken(error), is_reused && ended);
        Err(SendFailure { error, unsent, connection_ended })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.sender().is_closed()
    }

    /// Waits until the last request and its answer are through. Returns false if the connection has
    /// ended.
    pub(super) fn poll_released(&self, context: &mut Context<'_>) -> Poll<bool> {
        let ready = ready!(self.sender().poll_ready(context));
        // From now on the connection is there for all clients.
        self.0.descriptor.disown();
        Poll::Ready(ready.is_ok())
    }

    fn sender(&self) -> MutexGuard<'_, http1::SendRequest<RequestBody>> {
        // Held for a call, never while something is awaited.
        self.0.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The upstream may not have taken all of a request whose answer is complete.
        self.task.abort();
    }
}
