//! Connections together with their facts.

mod stream;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use coalesce_core::{GroupId, Ports};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::connection::ConnectionInfo;
#[cfg(feature = "proxy-protocol")]
use crate::gateway::{ProxyProtocol, TrustedGateways};
use crate::limits::{ACCEPT_PAUSE, HANDSHAKES_MAX};
pub use stream::Accepted;

/// Accepts connections, and says of each what it is.
///
/// Handshakes are made beside each other, at most [`HANDSHAKES_MAX`] at once: a client that is slow
/// holds nobody up. One that fails is logged and never seen here. Dropping the listener ends the
/// handshakes under way.
///
/// `ports` are those that its requests may name: 443, where clients reach it through a port map, or
/// else the port it is bound to.
///
/// With the feature `axum` it is what `axum::serve` takes, with `tonic` what
/// `serve_with_incoming` takes; the layer then finds the facts by itself. With plain hyper, call
/// [`accept`](Self::accept).
///
/// # Examples
/// ```
/// use coalesce_tls::Acceptor;
/// use coalesce_tower::Listener;
/// use tokio::net::TcpListener;
///
/// async fn serve(acceptor: Acceptor) -> std::io::Result<()> {
///     let socket = TcpListener::bind("127.0.0.1:8443").await?;
///     // Clients reach it at 443 through a port map.
///     let mut listener = Listener::tls(socket, acceptor, [443, 8443]);
///     loop {
///         let (accepted, peer) = listener.accept().await;
///         println!("{peer}: {:?}", accepted.info().server_name());
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    entrance: Entrance,
    handshakes: JoinSet<Option<(Accepted, SocketAddr)>>,
    pause: Option<std::pin::Pin<Box<tokio::time::Sleep>>>,
}

/// How a connection becomes known. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Entrance {
    kind: Kind,
    ports: Ports,
}

#[derive(Clone, Debug)]
enum Kind {
    Tls(coalesce_tls::Acceptor),
    NewestTls(NewestAcceptor),
    Cleartext(GroupId),
    #[cfg(feature = "proxy-protocol")]
    Proxied(ProxyProtocol),
}

/// Returns the acceptor for the next connection, and the ports that its requests may name.
#[derive(Clone)]
struct NewestAcceptor(Arc<dyn Fn() -> (coalesce_tls::Acceptor, Ports) + Send + Sync>);

impl fmt::Debug for NewestAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewestAcceptor")
    }
}

impl Entrance {
    pub(crate) fn tls(acceptor: coalesce_tls::Acceptor, ports: impl Into<Ports>) -> Self {
        Self { kind: Kind::Tls(acceptor), ports: ports.into() }
    }

    /// Makes a connection of a socket, or `None` with the reason in the log.
    pub(crate) async fn admit(self, socket: TcpStream, peer: SocketAddr) -> Option<Accepted> {
        // Answers are small and complete; none is to wait for the acknowledgement of another.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let ports = self.ports;
        match self.kind {
            Kind::Tls(acceptor) => handshake(acceptor, socket, peer, ports).await,
            Kind::NewestTls(newest) => {
                let (acceptor, ports) = (newest.0)();
                handshake(acceptor, socket, peer, ports).await
            }
            Kind::Cleartext(group) => {
                let info = ConnectionInfo::cleartext(group, ports).with_peer(peer);
                Some(Accepted::cleartext(socket, info))
            }
            #[cfg(feature = "proxy-protocol")]
            Kind::Proxied(proxied) => proxied.admit(socket, peer, ports).await,
        }
    }
}

async fn handshake(
    acceptor: coalesce_tls::Acceptor,
    socket: TcpStream,
    peer: SocketAddr,
    ports: Ports,
) -> Option<Accepted> {
    // The acceptor logs its own refusals.
    let (stream, facts) = acceptor.accept(socket).await.ok()?;
    let info = ConnectionInfo::handshake(&facts, ports).with_peer(peer);
    Some(Accepted::tls(stream, info))
}

impl Listener {
    /// Connections over TLS, whose certificates and client rules `acceptor` has.
    pub fn tls(
        socket: TcpListener,
        acceptor: coalesce_tls::Acceptor,
        ports: impl Into<Ports>,
    ) -> Self {
        Self::new(socket, Entrance::tls(acceptor, ports))
    }

    /// Makes a listener for connections over TLS that asks `newest` for the acceptor of each
    /// connection and for the ports that its requests may name. A server that swaps its handshake
    /// table returns the newest one.
    ///
    /// # Examples
    /// ```
    /// use std::sync::{Arc, RwLock};
    ///
    /// use coalesce_tls::Acceptor;
    /// use coalesce_tower::Listener;
    ///
    /// fn listen(socket: tokio::net::TcpListener, newest: Arc<RwLock<Acceptor>>) -> Listener {
    ///     let read = move || match newest.read() {
    ///         Ok(acceptor) => acceptor.clone(),
    ///         Err(poisoned) => poisoned.into_inner().clone(),
    ///     };
    ///     Listener::newest_tls(socket, move || (read(), 443.into()))
    /// }
    /// ```
    pub fn newest_tls(
        socket: TcpListener,
        newest: impl Fn() -> (coalesce_tls::Acceptor, Ports) + Send + Sync + 'static,
    ) -> Self {
        let kind = Kind::NewestTls(NewestAcceptor(Arc::new(newest)));
        Self::new(socket, Entrance { kind, ports: Ports::from(&[]) })
    }

    /// Connections in the clear, HTTP/1.1 or HTTP/2 with prior knowledge, all of `group`.
    pub fn cleartext(socket: TcpListener, group: GroupId, ports: impl Into<Ports>) -> Self {
        Self::new(socket, Entrance { kind: Kind::Cleartext(group), ports: ports.into() })
    }

    /// Connections of trusted gateways, whose facts are in a PROXY protocol header of version 2:
    /// the TLS TLV makes it a connection over TLS, with the authority TLV as its server name.
    ///
    /// One that comes from elsewhere, or does not begin with such a header, is refused. The command
    /// `LOCAL` is the gateway's own connection, in the clear.
    #[cfg(feature = "proxy-protocol")]
    pub fn proxied(
        socket: TcpListener,
        gateways: TrustedGateways,
        ports: impl Into<Ports>,
    ) -> Self {
        let kind = Kind::Proxied(ProxyProtocol { gateways });
        Self::new(socket, Entrance { kind, ports: ports.into() })
    }

    fn new(socket: TcpListener, entrance: Entrance) -> Self {
        Self { socket, entrance, handshakes: JoinSet::new(), pause: None }
    }

    /// The address that the socket is bound to.
    ///
    /// # Errors
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next connection and the address of its other end. Safe to drop and call again.
    pub async fn accept(&mut self) -> (Accepted, SocketAddr) {
        poll_fn(|context| self.poll_accept(context)).await
    }

    /// As [`accept`](Self::accept), by polling.
    pub fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<(Accepted, SocketAddr)> {
        loop {
            match self.handshakes.poll_join_next(context) {
                Poll::Ready(Some(Ok(Some(accepted)))) => return Poll::Ready(accepted),
                // Refused, and logged; or a panic, which is its own message.
                Poll::Ready(Some(_)) => continue,
                Poll::Ready(None) | Poll::Pending => {}
            }
            // A place that becomes free wakes this task, since it is in the set.
            if self.handshakes.len() >= HANDSHAKES_MAX {
                return Poll::Pending;
            }
            if let Some(pause) = &mut self.pause {
                std::task::ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            match std::task::ready!(self.socket.poll_accept(context)) {
                Ok((socket, peer)) => {
                    let admitted = self.entrance.clone().admit(socket, peer);
                    self.handshakes.spawn(async move { Some((admitted.await?, peer)) });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    self.pause = Some(Box::pin(tokio::time::sleep(ACCEPT_PAUSE)));
                }
            }
        }
    }
}

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "tonic")]
mod tonic;
