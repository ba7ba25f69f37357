//! One connection: its handshakes, its requests, its end.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use coalesce_core::{Authoritative, Misdirected};
use coalesce_h2::Accepted;
use coalesce_http::log::LoggedAuthority;
use coalesce_site::ServedHost;
use coalesce_tls::HandshakeFailure;
use h2::RecvStream;
use http::header::HOST;
use http::{HeaderValue, Request};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::server::TlsStream;
use tracing::{Instrument, Span, field};

use crate::config::VirtualHost;
use crate::serve::answer::{ClientCertificate, Peer, Reply};
use crate::serve::connection_state::SharedState;
use crate::serve::limits::{ACCEPTED_IN_A_ROW_MAX, DRAIN_TIMEOUT, IDLE_TIMEOUT, PREFACE_TIMEOUT};
use crate::serve::listener::ListenerContext;
use crate::serve::observe::access_log::{
    ConnectionLog, LoggedPeer, RequestLine, RequestRecord, logged_path,
};
use crate::serve::observe::handshakes::{FailedHandshake, Outcome};
use crate::serve::observe::meters::{SERVED, UNLISTED};
use crate::serve::snapshot::Live;

/// Serves one connection until it ends, or until `live` asks it to end and its requests are
/// answered.
pub(super) async fn serve(
    listener: &ListenerContext,
    stream: TcpStream,
    address: SocketAddr,
    mut live: Live,
) {
    // Answers are small and complete, so none should wait for the acknowledgement of another.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let _open = listener.meters.connection();
    // Boxed, and freed after the handshakes: a task reserves memory for its largest future for its
    // whole life.
    let opening = Box::pin(open(listener, stream, address, live.clone()));
    let opened = tokio::select! {
        opened = opening => opened,
        // No request is lost: the client has made none yet.
        _ = live.wait_for(|state| state.stopping) => return,
    };
    match opened {
        Ok((connection, state, certificate)) => {
            let peer = Arc::new(Peer::new(address, certificate));
            serve_requests(connection, &state, &peer, live).await;
        }
        Err(failed) => listener.meters.failed(&failed),
    }
}

/// Answers the requests of an open connection.
async fn serve_requests(
    mut connection: Box<Http2Connection>,
    state: &SharedState,
    peer: &Arc<Peer>,
    live: Live,
) {
    let mut news = pin!(news_of(live));
    let mut deadline = pin!(sleep(IDLE_TIMEOUT));
    let mut phase = Phase::Open;
    let mut accepted_in_a_row = 0_u32;
    loop {
        let event = poll_fn(|context| {
            let news = (phase != Phase::Stopping).then_some(news.as_mut());
            let deadline = deadline.as_mut();
            poll_event(&mut connection, news, deadline, &mut accepted_in_a_row, context)
        });
        let next_timeout = match event.await {
            ConnectionEvent::Accepted(Some(Ok(accepted))) => {
                answer(state, accepted, peer);
                continue;
            }
            ConnectionEvent::Accepted(Some(Err(error))) => {
                if error.is_refusal_limit() {
                    state.lock().recorder.meters.refusal_limits.increment(1);
                }
                tracing::debug!(%error, "connection ended");
                return;
            }
            ConnectionEvent::Accepted(None) => return,
            ConnectionEvent::News(News::Snapshot(live)) => {
                state.renew();
                connection.announce(&state.lock().origins());
                news.set(news_of(live));
                continue;
            }
            ConnectionEvent::News(News::Stopping) => {
                phase = Phase::Stopping;
                connection.graceful_shutdown();
                DRAIN_TIMEOUT
            }
            ConnectionEvent::TimeOut => {
                // Every open request holds a reference to its peer.
                let busy = Arc::strong_count(peer) > 1;
                match phase.after_timeout(busy, || state.was_asked()) {
                    AfterTimeout::Wait => IDLE_TIMEOUT,
                    AfterTimeout::SayFarewell => {
                        phase = Phase::Farewell;
                        connection.graceful_shutdown();
                        DRAIN_TIMEOUT
                    }
                    AfterTimeout::Close => {
                        tracing::debug!("connection did not end in time");
                        return;
                    }
                }
            }
        };
        deadline.as_mut().reset(Instant::now() + next_timeout);
    }
}

/// The phase of a connection on its way to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// GOAWAY was sent, because the client made no requests.
    Farewell,
    /// GOAWAY was sent, because the server is stopping.
    Stopping,
}

/// The action after a deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AfterTimeout {
    Wait,
    SayFarewell,
    Close,
}

impl Phase {
    /// A request that crossed the GOAWAY on its way was accepted and is answered. So a busy
    /// connection is closed only if the server stops.
    fn after_timeout(self, busy: bool, was_asked: impl FnOnce() -> bool) -> AfterTimeout {
        match self {
            Self::Stopping => AfterTimeout::Close,
            Self::Farewell if !busy => AfterTimeout::Close,
            Self::Open if !busy && !was_asked() => AfterTimeout::SayFarewell,
            Self::Open | Self::Farewell => AfterTimeout::Wait,
        }
    }
}

/// The next event of a connection.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and a box is not free")]
enum ConnectionEvent {
    Accepted(Option<Result<Accepted, coalesce_h2::Error>>),
    News(News),
    TimeOut,
}

/// Polls for the next event of a connection; without `news`, the server will send no more news.
///
/// Polls requests first, because other events are rare and each check costs time. But the other
/// checks must not wait for a pause between requests, which a busy client never makes.
#[inline]
fn poll_event(
    connection: &mut Http2Connection,
    news: Option<Pin<&mut impl Future<Output = News>>>,
    deadline: Pin<&mut Sleep>,
    accepted_in_a_row: &mut u32,
    context: &mut Context<'_>,
) -> Poll<ConnectionEvent> {
    let others_first = *accepted_in_a_row >= ACCEPTED_IN_A_ROW_MAX;
    if !others_first && let Poll::Ready(accepted) = connection.poll_accept(context) {
        *accepted_in_a_row += 1;
        return Poll::Ready(ConnectionEvent::Accepted(accepted));
    }
    *accepted_in_a_row = 0;
    if let Some(Poll::Ready(news)) = news.map(|news| news.poll(context)) {
        return Poll::Ready(ConnectionEvent::News(news));
    }
    if deadline.poll(context).is_ready() {
        return Poll::Ready(ConnectionEvent::TimeOut);
    }
    if others_first {
        return connection.poll_accept(context).map(ConnectionEvent::Accepted);
    }
    Poll::Pending
}

/// A message of the server to its connections.
enum News {
    /// There is a newer snapshot; the receiver waits for the one after it.
    Snapshot(Live),
    Stopping,
}

async fn news_of(mut live: Live) -> News {
    // If the server was dropped, it has stopped.
    let gone = live.changed().await.is_err();
    if gone || live.borrow_and_update().stopping { News::Stopping } else { News::Snapshot(live) }
}

type Http2Connection = coalesce_h2::Connection<TlsStream<TcpStream>, SharedState>;

/// A connection that requests may come on, its state, and the client certificate.
type Opened = (Box<Http2Connection>, SharedState, Option<Box<ClientCertificate>>);

/// Makes the handshakes of TLS and HTTP/2.
async fn open(
    listener: &ListenerContext,
    stream: TcpStream,
    address: SocketAddr,
    mut live: Live,
) -> Result<Opened, FailedHandshake> {
    let snapshot = live.borrow_and_update().snapshot.clone();
    let no_snapshot =
        |what: &str| FailedHandshake::new(Outcome::Failed(HandshakeFailure::Tls), None, what);
    // Every snapshot has every bound listener, and every group that its acceptors choose.
    let acceptor = snapshot.acceptor(listener.number).ok_or_else(|| no_snapshot("no listener"))?;
    let accepted = acceptor.accept(stream).await;
    let (stream, facts) = accepted.map_err(|error| FailedHandshake::from(&error))?;
    let server_name = facts.server_name().map(|name| name.to_string());
    if let Some(name) = &server_name {
        Span::current().record("server_name", field::display(name));
    }
    // RFC 9113 §3.2: HTTP/2 over TLS is negotiated, never assumed. The TLS handshake of a client
    // that offers only other protocols has already failed (RFC 7301 §3.2).
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        let outcome = Outcome::Failed(HandshakeFailure::NoProtocol);
        return Err(FailedHandshake::new(outcome, server_name, NO_ALPN));
    }
    let version = stream.get_ref().1.protocol_version();
    // The verifier of the group has accepted it, or the handshake would have failed.
    let certificates = stream.get_ref().1.peer_certificates();
    let certificate = certificates.and_then(ClientCertificate::new).map(Box::new);
    let peer = LoggedPeer { address, has_certificate: certificate.is_some() };
    let state = SharedState::new(facts, listener, peer, snapshot, live)
        .ok_or_else(|| no_snapshot("no group"))?;
    let origins = state.lock().origins();
    let builder = coalesce_h2::Builder::new().origin_set(origins);
    let handshake = builder.handshake(stream, state.clone());
    let detail = match timeout(PREFACE_TIMEOUT, handshake).await {
        // Boxed, because the task would otherwise reserve memory for each place that it is moved
        // to.
        Ok(Ok(connection)) => {
            listener.meters.completed(version);
            return Ok((Box::new(connection), state, certificate));
        }
        Ok(Err(error)) => format!("no HTTP/2 preface: {error}"),
        Err(_elapsed) => {
            format!("no HTTP/2 preface after {} s", PREFACE_TIMEOUT.as_secs_f64())
        }
    };
    Err(FailedHandshake::new(Outcome::NoPreface, server_name, detail).with_alpn("h2"))
}

/// The detail of a handshake without ALPN.
const NO_ALPN: &str = "the client offers no ALPN protocol; h2 expected";

/// Answers an accepted request with the snapshot that decided it. The state still has that
/// snapshot, because a request is answered before the next one is decided.
fn answer(state: &SharedState, accepted: Accepted, peer: &Arc<Peer>) {
    let (request, respond, proof) = accepted.into_parts();
    let state = state.lock();
    let recorder = &state.recorder;
    let line = recorder.access_log.as_ref().map(|log| {
        let host = proof.virtual_host().and_then(|id| state.snapshot.site.host(id));
        request_line(log, &request, &proof, host)
    });
    let is_recorded = recorder.counts || line.is_some();
    let record = is_recorded.then(|| {
        let (meters, begun) = (recorder.meters.clone(), std::time::Instant::now());
        Box::new(RequestRecord { meters, begun, status: None, bytes: 0, complete: false, line })
    });
    let reply = Reply::new(respond, record);
    let later = state.snapshot.answers.answer(request, reply, &proof, peer);
    drop(state);
    // Most requests are answered at once, because a task would cost more than the answer.
    let Some(later) = later else { return };
    tokio::spawn(later.in_current_span());
}

/// Makes the record of a served request for the access log.
fn request_line(
    connection: &Arc<ConnectionLog>,
    request: &Request<RecvStream>,
    proof: &Authoritative,
    host: Option<&ServedHost<VirtualHost>>,
) -> RequestLine {
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let authority = authority.or_else(|| request.headers().get(HOST).map(HeaderValue::as_bytes));
    RequestLine {
        connection: connection.clone(),
        authority: authority
            .map(|bytes| LoggedAuthority::new(bytes).to_string())
            .unwrap_or_default(),
        // A client may send a method as long as a header block.
        method: LoggedAuthority::new(request.method().as_str().as_bytes()).to_string(),
        path: request.uri().path_and_query().map(|it| logged_path(it.as_str())).unwrap_or_default(),
        reason: if host.is_some() { SERVED } else { UNLISTED },
        observed: proof.observed().map(Misdirected::code),
        virtual_host: host.map(|host| host.name().to_owned()),
    }
}
