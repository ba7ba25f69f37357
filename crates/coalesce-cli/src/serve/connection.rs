//! One connection: handshake, decisions, requests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use coalesce_core::{Memo, RequestTarget};
use coalesce_h2::Accepted;
use coalesce_tls::Acceptor;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::server::TlsStream;
use tracing::{Instrument, Span, field};

use crate::config::Site;
use crate::serve::answer::Answers;
use crate::serve::limits::{DRAIN_TIMEOUT, IDLE_TIMEOUT, PREFACE_TIMEOUT};

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
    // When to say farewell for want of requests; once it was said, when to wait no longer.
    let mut deadline = Instant::now() + IDLE_TIMEOUT;
    let (mut ending, mut stopping) = (false, false);
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(Ok(accepted)) => {
                    if !ending {
                        deadline = Instant::now() + IDLE_TIMEOUT;
                    }
                    answer(entrance, accepted, &client);
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "connection ended");
                    return;
                }
                None => return,
            },
            _ = stopped.wait_for(|stopped| *stopped), if !stopping => {
                (ending, stopping) = (true, true);
                deadline = Instant::now() + DRAIN_TIMEOUT;
                connection.graceful_shutdown();
            }
            () = sleep_until(deadline) => {
                // Every open request holds its client. One that crossed a farewell for want of
                // requests was accepted all the same, and is answered.
                let busy = Arc::strong_count(&client) > 1;
                if stopping || ending && !busy {
                    tracing::debug!("connection did not end in time");
                    return;
                }
                if busy || asked.swap(false, Ordering::Relaxed) {
                    deadline = Instant::now() + IDLE_TIMEOUT;
                } else {
                    ending = true;
                    deadline = Instant::now() + DRAIN_TIMEOUT;
                    connection.graceful_shutdown();
                }
            }
        }
    }
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
