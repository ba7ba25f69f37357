//! A connection to an upstream over HTTP/2, which carries many requests at once.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use h2::{Ping, PingPong, Reason, RecvStream};
use http::uri::Authority;
use http::{Request, Response};
use http_body::Body;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::serve::answer::body::RequestBody;
use crate::serve::answer::upstream_connection::error::{SendFailure, UpstreamError};
use crate::serve::answer::upstream_connection::tcp;
use crate::serve::answer::upstream_connection::upload::Upload;
use crate::serve::limits::{
    CHUNK_BYTES_MAX, STREAM_WINDOW_BYTES, UPSTREAM_HEADER_LIST_BYTES_MAX, UPSTREAM_PING_INTERVAL,
    UPSTREAM_PING_TIMEOUT, UPSTREAM_RESETS_REMEMBERED, UPSTREAM_STREAMS_MAX, UPSTREAM_WINDOW_BYTES,
};
use crate::serve::shares::Share;

/// A handle of the connection, which is closed when the last one is dropped and all its requests
/// have ended.
#[derive(Clone, Debug)]
pub(in crate::serve::answer) struct Http2Connection(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    // Dropped before `_last_handle`, so that the connection finds no sender when it is woken.
    sender: SendRequest<Bytes>,
    state: Arc<ConnectionState>,
    _last_handle: oneshot::Sender<()>,
}

/// The connection's state, as its task reports it.
#[derive(Debug)]
struct ConnectionState {
    /// The streams that the upstream allows.
    streams_max: AtomicUsize,
    has_ended: AtomicBool,
}

/// The limit of streams before the upstream has sent one. It cannot send this one, which does not
/// fit its field of 32 bits.
const NO_SETTINGS_YET: usize = usize::MAX - 1;

type Driven = Connection<TcpStream, Bytes>;

impl Http2Connection {
    /// Connects to the server at `to`, and waits for its SETTINGS: only they say how many requests
    /// the connection carries, and that the upstream speaks HTTP/2 at all (RFC 9113 §3.4).
    pub(super) async fn connect(to: &Authority, descriptor: Share) -> Result<Self, UpstreamError> {
        let stream = tcp::connect(to).await?;
        let (sender, mut connection) = Builder::new()
            .enable_push(false)
            .initial_max_send_streams(NO_SETTINGS_YET)
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(UPSTREAM_WINDOW_BYTES)
            .max_header_list_size(UPSTREAM_HEADER_LIST_BYTES_MAX)
            .max_send_buffer_size(CHUNK_BYTES_MAX)
            .max_concurrent_reset_streams(UPSTREAM_RESETS_REMEMBERED)
            // DATA of a stream that a client has reset is an error that `h2` counts. Clients must
            // not end the connection of others by it.
            .max_local_error_reset_streams(None)
            .handshake(stream)
            .await
            .map_err(|error| UpstreamError::broken(&error))?;
        let has_ended = settings(&mut connection).await?;
        // From now on the connection is there for all clients.
        descriptor.disown();
        let streams_max = connection.max_concurrent_send_streams();
        if streams_max == 0 {
            return Err(UpstreamError::Broken("allows no streams".to_owned()));
        }
        let (streams_max, has_ended) = (streams_max.into(), has_ended.into());
        let state = Arc::new(ConnectionState { streams_max, has_ended });
        let (last_handle, dropped) = oneshot::channel();
        let inner = Arc::new(Inner { sender, state: state.clone(), _last_handle: last_handle });
        let driven = drive(connection, state, Arc::downgrade(&inner), dropped);
        tokio::spawn(async move {
            driven.await;
            drop(descriptor);
        });
        Ok(Self(inner))
    }

    /// Sends the head of a request, and starts to send its content.
    pub(super) async fn send(
        &self,
        request: Request<RequestBody>,
    ) -> Result<(Response<RecvStream>, Option<Upload>), SendFailure> {
        let mut sender = self.0.sender.clone();
        if let Err(error) = poll_fn(|context| sender.poll_ready(context)).await {
            return Err(self.failure(&error, Some(request)));
        }
        let (parts, content) = request.into_parts();
        let no_content = content.is_end_stream();
        let sent = sender.send_request(Request::from_parts(parts, ()), no_content);
        let (answer, stream) = sent.map_err(|error| self.failure(&error, None))?;
        let upload = (!no_content).then(|| Upload::start(content, stream));
        match answer.await {
            Ok(answer) => Ok((answer, upload)),
            Err(error) => Err(self.failure(&error, None)),
        }
    }

    fn failure(&self, error: &h2::Error, unsent: Option<Request<RequestBody>>) -> SendFailure {
        let ended = error.is_io() || error.is_go_away() || unsent.is_some();
        if ended {
            self.0.state.has_ended.store(true, Ordering::Relaxed);
        }
        // The upstream has not processed a refused stream (RFC 9113 §8.7).
        let connection_ended = ended || error.reason() == Some(Reason::REFUSED_STREAM);
        SendFailure { error: UpstreamError::broken(error), unsent, connection_ended }
    }

    /// Returns the number of requests that the connection carries at once: the number that the
    /// upstream allows, as far as the connection's window covers the windows of their streams.
    pub(super) fn capacity(&self) -> usize {
        self.0.state.streams_max.load(Ordering::Relaxed).min(UPSTREAM_STREAMS_MAX)
    }

    pub(super) fn is_open(&self) -> bool {
        !self.0.state.has_ended.load(Ordering::Relaxed)
    }
}

/// Drives the connection until the SETTINGS of the upstream are there. Returns true if it has ended
/// with them.
async fn settings(connection: &mut Driven) -> Result<bool, UpstreamError> {
    poll_fn(|context| {
        let polled = Pin::new(&mut *connection).poll(context);
        if connection.max_concurrent_send_streams() != NO_SETTINGS_YET {
            return Poll::Ready(Ok(polled.is_ready()));
        }
        polled.map(|ended| match ended {
            Ok(()) => Err(UpstreamError::Broken("closed the connection".to_owned())),
            Err(error) => Err(UpstreamError::broken(&error)),
        })
    })
    .await
}

/// Drives the connection to its end.
async fn drive(
    mut connection: Driven,
    state: Arc<ConnectionState>,
    handles: Weak<Inner>,
    mut dropped: oneshot::Receiver<()>,
) {
    if state.has_ended.load(Ordering::Relaxed) {
        return;
    }
    let pings = connection.ping_pong();
    let mut has_handles = true;
    let driven = poll_fn(|context| {
        // Without handles the connection ends by itself, but nothing else wakes it.
        if has_handles {
            has_handles = Pin::new(&mut dropped).poll(context).is_pending();
        }
        let polled = Pin::new(&mut connection).poll(context);
        let streams_max = connection.max_concurrent_send_streams();
        state.streams_max.store(streams_max, Ordering::Relaxed);
        polled
    });
    tokio::select! {
        ended = driven => {
            if let Err(error) = ended {
                tracing::debug!(%error, "connection to the upstream ended");
            }
        }
        () = lost(pings, &handles) => tracing::debug!("the upstream does not answer pings"),
    }
    state.has_ended.store(true, Ordering::Relaxed);
}

/// Completes when an upstream with open requests no longer answers pings.
async fn lost(pings: Option<PingPong>, handles: &Weak<Inner>) {
    /// The pool has one handle, and each request another.
    const IDLE: usize = 1;
    let Some(mut pings) = pings else { return std::future::pending().await };
    loop {
        sleep(UPSTREAM_PING_INTERVAL).await;
        if handles.strong_count() <= IDLE {
            continue;
        }
        let mut pong = pin!(pings.ping(Ping::opaque()));
        if timeout(UPSTREAM_PING_TIMEOUT, &mut pong).await.is_err() {
            return;
        }
    }
}
