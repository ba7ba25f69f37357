//! The one HTTP/2 connection to an upstream, made when it is first needed and again when it is
//! gone.
//!
//! All requests share it, whatever authority they name: hyper-util's pool would open a connection
//! for each.

use std::error::Error;
use std::fmt;

use h2::Reason;
use http::uri::Authority;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::serve::answer::body::RequestBody;
use crate::serve::limits::{
    CONNECT_TIMEOUT, STREAM_WINDOW_BYTES, UPSTREAM_PING_INTERVAL, UPSTREAM_PING_TIMEOUT,
};

/// Why there is no answer from upstream.
#[derive(Debug)]
pub(super) enum UpstreamError {
    /// It was silent for too long.
    TimedOut,
    /// It cannot be reached, or speaks something else.
    Broken(String),
}

impl UpstreamError {
    pub(super) fn broken(error: &dyn Error) -> Self {
        // The outermost error says "client error" and little else.
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        Self::Broken(text)
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Broken(text) => f.write_str(text),
        }
    }
}

/// The connection, and how many there were before it.
#[derive(Debug, Default)]
pub(super) struct SharedConnection(Mutex<(u64, Option<Sender>)>);

type Sender = http2::SendRequest<RequestBody>;

impl SharedConnection {
    /// Asks the server at `to`.
    ///
    /// An upstream may end a connection while a request is on its way to it, be it that it ends its
    /// connections after some time. What it has not looked at is asked once more on a new
    /// connection, as far as it is still here or can be made again: RFC 9110 §9.2.2 allows that for
    /// safe methods, whatever became of the first.
    pub(super) async fn ask(
        &self,
        to: &Authority,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, UpstreamError> {
        let copy = copy(&request);
        let (number, mut sender) = self.get(to).await?;
        let mut error = match sender.try_send_request(request).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let unsent = error.take_message();
        let again = unsent.or_else(|| copy.filter(|_| connection_ended(error.error())));
        let Some(again) = again else { return Err(UpstreamError::broken(error.error())) };
        tracing::debug!(error = %error.error(), "asking the upstream again");
        self.forget(number).await;
        let (_, mut sender) = self.get(to).await?;
        sender.send_request(again).await.map_err(|error| UpstreamError::broken(&error))
    }

    async fn get(&self, to: &Authority) -> Result<(u64, Sender), UpstreamError> {
        let mut shared = self.0.lock().await;
        let (number, sender) = &mut *shared;
        if let Some(sender) = sender.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok((*number, sender.clone()));
        }
        let connected = timeout(CONNECT_TIMEOUT, connect(to)).await;
        let connected = connected.map_err(|_elapsed| UpstreamError::TimedOut)??;
        *number = number.saturating_add(1);
        *sender = Some(connected.clone());
        Ok((*number, connected))
    }

    /// Uses the connection with this number no more, unless another has taken its place already.
    async fn forget(&self, ended: u64) {
        let mut shared = self.0.lock().await;
        let (number, sender) = &mut *shared;
        if *number == ended {
            *sender = None;
        }
    }
}

/// A request that can be made again, once more.
fn copy(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let body = request.body().copy_if_empty()?;
    if !request.method().is_safe() {
        return None;
    }
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// Whether it is the connection that has ended, and not the request that was refused.
fn connection_ended(error: &hyper::Error) -> bool {
    if error.is_canceled() || error.is_closed() {
        return true;
    }
    let Some(error) = error.source().and_then(|source| source.downcast_ref::<h2::Error>()) else {
        return false;
    };
    error.is_io() || error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM)
}

async fn connect(to: &Authority) -> Result<Sender, UpstreamError> {
    const HTTP_PORT: u16 = 80;
    // Brackets are the authority's way to write an IPv6 address, not the resolver's.
    let host = to.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, to.port_u16().unwrap_or(HTTP_PORT)))
        .await
        .map_err(|error| UpstreamError::broken(&error))?;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        // An upstream that vanished without a word is found out, and asked anew.
        .timer(TokioTimer::new())
        .keep_alive_interval(UPSTREAM_PING_INTERVAL)
        .keep_alive_timeout(UPSTREAM_PING_TIMEOUT)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| UpstreamError::broken(&error))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection to the upstream ended");
        }
    });
    Ok(sender)
}
