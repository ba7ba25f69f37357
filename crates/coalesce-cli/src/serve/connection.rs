//! One connection: handshake, decisions, requests.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use coalesce_core::{Memo, RequestTarget};
use coalesce_h2::Accepted;
use coalesce_tls::Acceptor;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::server::TlsStream;
use tracing::{Instrument, Span, field};

use crate::config::Site;
use crate::serve::answer::Answers;
use crate::serve::limits::{ACCEPTED_IN_A_ROW_MAX, DRAIN_TIMEOUT, IDLE_TIMEOUT, PREFACE_TIMEOUT};

/// What the connections of one listener share.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) listener: String,
    /// Its address in the site.
    pub(super) configured: SocketAddr,
    pub(super) acceptor: Acceptor,
    pub(super) ports: Vec<u16>,
    pub(super) site: Arc<Site>,
    pub(super) answers: Arc<Answers>,
}

/// The span that everything logged about a connection is in.
pub(super) fn span(peer: SocketAddr, listener: &str) -> Span {
    tracing::info_span!("connection", %peer, listener, server_name = field::Empty)
}

/// Serves one connection until it ends, or until `stopped` says so and its requests are answered.
pub(super) async fn serve(
    entrance: &Entrance,
    stream: TcpStream,
    peer: SocketAddr,
    mut stopped: watch::Receiver<bool>,
) {
    // Answers are small and complete; none is to wait for the acknowledgement of another.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let asked = Arc::new(AtomicBool::new(false));
    let opened = tokio::select! {
        opened = open(entrance, stream, asked.clone()) => opened,
        // No request has been made that would be owed an answer.
        _ = stopped.wait_for(|stopped| *stopped) => return,
    };
    let Some(mut connection) = opened else { return };
    let client = Arc::new(Client { peer });
    let mut news = pin!(stopped.wait_for(|stopped| *stopped));
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
            if !stopping && news.as_mut().poll(context).is_ready() {
                return Poll::Ready(Event::Stopped);
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
            Event::Accepted(Some(Ok(accepted))) => answer(entrance, accepted, &client),
            Event::Accepted(Some(Err(error))) => {
                tracing::debug!(%error, "connection ended");
                return;
            }
            Event::Accepted(None) => return,
            Event::Stopped => {
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
                let next = if busy || asked.swap(false, Ordering::Relaxed) {
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
    Stopped,
    TimeOut,
}

type Connection<D> = coalesce_h2::Connection<TlsStream<TcpStream>, D>;

/// Makes the handshakes of TLS and HTTP/2. What comes in their way is logged, and `None`. `asked`
/// is set by every request, the refused ones included: their connection is in use as well.
async fn open(
    entrance: &Entrance,
    stream: TcpStream,
    asked: Arc<AtomicBool>,
) -> Option<Connection<impl coalesce_h2::Decide + use<>>> {
    // The acceptor logs its own refusals.
    let (stream, facts) = entrance.acceptor.accept(stream).await.ok()?;
    if let Some(name) = facts.server_name() {
        Span::current().record("server_name", field::display(name));
    }
    let (site, ports) = (entrance.site.clone(), entrance.ports.clone());
    let configured = entrance.configured;
    // RFC 9113 §3.2: HTTP/2 over TLS is negotiated, never assumed.
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        tracing::debug!("the client did not negotiate h2");
        return None;
    }
    let mut memo = Memo::new();
    let decide = move |target: &RequestTarget<'_>| {
        asked.store(true, Ordering::Relaxed);
        memo.decide(site.table.as_ref(), &site.connection(configured, &facts, &ports), target)
    };
    let handshake = coalesce_h2::Builder::new().handshake(stream, decide);
    match timeout(PREFACE_TIMEOUT, handshake).await {
        Ok(Ok(connection)) => Some(connection),
        Ok(Err(error)) => {
            tracing::debug!(%error, "no HTTP/2 on this connection");
            None
        }
        Err(_elapsed) => {
            tracing::debug!("no HTTP/2 preface in time");
            None
        }
    }
}

/// The other end of a connection, as its requests know it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) peer: SocketAddr,
}

fn answer(entrance: &Entrance, accepted: Accepted, client: &Arc<Client>) {
    let (request, respond, proof) = accepted.into_parts();
    // What can be answered at once is: a task would cost more than the answer.
    let Some(later) = entrance.answers.answer(request, respond, &proof, client) else { return };
    tokio::spawn(later.in_current_span());
}
