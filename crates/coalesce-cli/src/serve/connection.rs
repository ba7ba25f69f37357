//! One connection: handshake, decisions, requests.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use coalesce_core::{Authoritative, Misdirected};
use coalesce_h2::Accepted;
use h2::RecvStream;
use http::header::HOST;
use http::{HeaderValue, Request};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::server::TlsStream;
use tracing::{Instrument, Span, field};

use crate::config::VirtualHost;
use crate::serve::access_log::{AccessLog, Entry, Source};
use crate::serve::answer::Reply;
use crate::serve::limits::{ACCEPTED_IN_A_ROW_MAX, DRAIN_TIMEOUT, IDLE_TIMEOUT, PREFACE_TIMEOUT};
use crate::serve::meters::{Handshake, ListenerMeters, Meters, SERVED, UNLISTED};
use crate::serve::noting::shortened;
use crate::serve::snapshot::{Bound, Live};
use crate::serve::standing::Shared;

/// What the connections of one listener share.
#[derive(Debug)]
pub(super) struct Door {
    /// The number of the listener, as it was bound.
    pub(super) listener: usize,
    pub(super) bound: Bound,
    pub(super) meters: ListenerMeters,
    pub(super) observers: Observers,
}

/// Who is told what the server does.
#[derive(Clone, Debug)]
pub(crate) struct Observers {
    pub(super) meters: Arc<Meters>,
    pub(super) access_log: Option<AccessLog>,
}

impl Default for Observers {
    /// Meters that nobody reads, unless a recorder was installed before, and no log.
    fn default() -> Self {
        Self { meters: Arc::new(Meters::new()), access_log: None }
    }
}

/// The span that everything logged about a connection is in.
pub(super) fn span(peer: SocketAddr, listener: &str) -> Span {
    tracing::info_span!("connection", %peer, listener, server_name = field::Empty)
}

/// Serves one connection until it ends, or until `live` says so and its requests are answered.
pub(super) async fn serve(door: &Door, stream: TcpStream, peer: SocketAddr, mut live: Live) {
    // Answers are small and complete; none is to wait for the acknowledgement of another.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let _open = door.meters.connection();
    let opened = tokio::select! {
        opened = open(door, stream, peer, live.clone()) => opened,
        // No request has been made that would be owed an answer.
        _ = live.wait_for(|state| state.stopping) => return,
    };
    let (mut connection, standing) = match opened {
        Ok(opened) => opened,
        Err(outcome) => return door.meters.handshake(outcome),
    };
    door.meters.handshake(Handshake::Completed);
    let client = Arc::new(Client { peer });
    let mut news = pin!(news_of(live));
    // When to say farewell for want of requests; once it was said, when to wait no longer.
    let mut deadline = pin!(sleep(IDLE_TIMEOUT));
    let (mut ending, mut stopping) = (false, false);
    let mut accepted_in_a_row = 0_u32;
    loop {
        let event = poll_fn(|context| {
            // Requests go first: the rest matters once a while, and costs each time. But it must
            // not wait for a pause that never comes.
            let urgent = accepted_in_a_row >= ACCEPTED_IN_A_ROW_MAX;
            if !urgent && let Poll::Ready(accepted) = connection.poll_accept(context) {
                accepted_in_a_row += 1;
                return Poll::Ready(Event::Accepted(accepted));
            }
            accepted_in_a_row = 0;
            if !stopping && let Poll::Ready(news) = news.as_mut().poll(context) {
                return Poll::Ready(Event::News(news));
            }
            if deadline.as_mut().poll(context).is_ready() {
                return Poll::Ready(Event::TimeOut);
            }
            if urgent {
                return connection.poll_accept(context).map(Event::Accepted);
            }
            Poll::Pending
        });
        match event.await {
            Event::Accepted(Some(Ok(accepted))) => answer(&standing, accepted, &client),
            Event::Accepted(Some(Err(error))) => {
                if error.is_refusal_limit() {
                    standing.lock().noting.meters.budgets.increment(1);
                }
                tracing::debug!(%error, "connection ended");
                return;
            }
            Event::Accepted(None) => return,
            Event::News(News::Snapshot(live)) => {
                standing.renew();
                connection.announce(&standing.lock().origins());
                news.set(news_of(live));
            }
            Event::News(News::Stopping) => {
                (ending, stopping) = (true, true);
                deadline.as_mut().reset(Instant::now() + DRAIN_TIMEOUT);
                connection.graceful_shutdown();
            }
            Event::TimeOut => {
                // Every open request holds its client. One that crossed a farewell for want of
                // requests was accepted all the same, and is answered.
                let busy = Arc::strong_count(&client) > 1;
                if stopping || ending && !busy {
                    tracing::debug!("connection did not end in time");
                    return;
                }
                let next = if busy || standing.was_asked() {
                    IDLE_TIMEOUT
                } else {
                    ending = true;
                    connection.graceful_shutdown();
                    DRAIN_TIMEOUT
                };
                deadline.as_mut().reset(Instant::now() + next);
            }
        }
    }
}

/// What a connection has to see to.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and a box is not free")]
enum Event {
    Accepted(Option<Result<Accepted, coalesce_h2::Error>>),
    News(News),
    TimeOut,
}

/// What the server has to say.
enum News {
    /// There is a newer snapshot; and where to hear more.
    Snapshot(Live),
    Stopping,
}

async fn news_of(mut live: Live) -> News {
    // A server that is gone has stopped.
    let gone = live.changed().await.is_err();
    if gone || live.borrow_and_update().stopping { News::Stopping } else { News::Snapshot(live) }
}

type Connection = coalesce_h2::Connection<TlsStream<TcpStream>, Shared>;

/// Makes the handshakes of TLS and HTTP/2. What comes in their way is logged, and given.
async fn open(
    door: &Door,
    stream: TcpStream,
    peer: SocketAddr,
    mut live: Live,
) -> Result<(Connection, Shared), Handshake> {
    let snapshot = live.borrow_and_update().snapshot.clone();
    // Every listener that is bound has an entrance, and every group an identity.
    let entrance = snapshot.entrance(door.listener).ok_or(Handshake::Tls)?;
    // The acceptor logs its own refusals.
    let accepted = entrance.acceptor.accept(stream).await;
    let (stream, facts) = accepted.map_err(|error| Handshake::from(&error))?;
    if let Some(name) = facts.server_name() {
        Span::current().record("server_name", field::display(name));
    }
    // RFC 9113 §3.2: HTTP/2 over TLS is negotiated, never assumed.
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        tracing::debug!("the client did not negotiate h2");
        return Err(Handshake::NoH2);
    }
    let standing = Shared::new(facts, door, peer, snapshot, live).ok_or(Handshake::Tls)?;
    let origins = standing.lock().origins();
    let builder = coalesce_h2::Builder::new().origin_set(origins);
    let handshake = builder.handshake(stream, standing.clone());
    match timeout(PREFACE_TIMEOUT, handshake).await {
        Ok(Ok(connection)) => Ok((connection, standing)),
        Ok(Err(error)) => {
            tracing::debug!(%error, "no HTTP/2 on this connection");
            Err(Handshake::NoPreface)
        }
        Err(_elapsed) => {
            tracing::debug!("no HTTP/2 preface in time");
            Err(Handshake::NoPreface)
        }
    }
}

/// The other end of a connection, as its requests know it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) peer: SocketAddr,
}

/// Answers with what `accepted` was decided on: it is handed over before the next is decided.
fn answer(standing: &Shared, accepted: Accepted, client: &Arc<Client>) {
    let (request, respond, proof) = accepted.into_parts();
    let standing = standing.lock();
    let entry = standing.noting.source.as_ref().map(|source| {
        let host = proof.virtual_host().and_then(|id| standing.snapshot.site.virtual_host(id));
        entry(source, &request, &proof, host)
    });
    let reply = Reply::new(respond, entry);
    let later = standing.snapshot.answers.answer(request, reply, &proof, client);
    drop(standing);
    // What can be answered at once is: a task would cost more than the answer.
    let Some(later) = later else { return };
    tokio::spawn(later.in_current_span());
}

/// What the access log will say of a request that is served.
fn entry(
    source: &Arc<Source>,
    request: &Request<RecvStream>,
    proof: &Authoritative,
    host: Option<&VirtualHost>,
) -> Box<Entry> {
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let authority = authority.or_else(|| request.headers().get(HOST).map(HeaderValue::as_bytes));
    Box::new(Entry {
        source: source.clone(),
        begun: std::time::Instant::now(),
        authority: authority.map(shortened).unwrap_or_default(),
        method: request.method().to_string(),
        path: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        reason: if host.is_some() { SERVED } else { UNLISTED },
        observed: proof.observed().map(Misdirected::code),
        virtual_host: host.map(|host| host.name.clone()),
        status: None,
        bytes: 0,
        complete: false,
    })
}
