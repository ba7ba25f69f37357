//! Connections together with their facts.

mod announcement;
mod heads;
mod stream;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use coalesce_core::{GroupId, Ports};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Sleep;

use crate::connection::ConnectionInfo;
use crate::connections::{ConnectionLimits, Register, Registered, Side};
#[cfg(feature = "proxy-protocol")]
use crate::gateway::{ProxyProtocol, TrustedGateways};
use crate::limits::ACCEPT_PAUSE;
pub use stream::Accepted;

/// Accepts connections, and says of each what it is.
///
/// Handshakes are made beside each other. One that fails is logged and never seen here. Dropping
/// the listener ends the handshakes under way.
///
/// A slow or silent client delays no other client: [`ConnectionLimits`] bound how many connections
/// and handshakes there are, and how long each may be silent. At a bound the one that is silent the
/// longest is ended, so that a new one is served. The same happens when the process has no more
/// descriptors.
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
    register: Arc<Register>,
    handshakes: JoinSet<Option<(Accepted, SocketAddr)>>,
    /// A connection that waits until another one has left.
    waiting: Option<(TcpStream, SocketAddr)>,
    pause: Option<Pause>,
}

/// The system had no connection to give. It may have one when another connection has left, or
/// something else in the process.
#[derive(Debug)]
struct Pause {
    sleep: Pin<Box<Sleep>>,
    /// How many connections had left when it began.
    left: u64,
}

/// How a connection becomes known. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Entrance {
    kind: Kind,
    ports: Ports<'static>,
    extended_connect: Option<TakesExtendedConnect>,
}

/// Returns whether extended `CONNECT` is announced on a connection.
#[derive(Clone)]
struct TakesExtendedConnect(Arc<dyn Fn(&ConnectionInfo) -> bool + Send + Sync>);

impl fmt::Debug for TakesExtendedConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TakesExtendedConnect")
    }
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
struct NewestAcceptor(Arc<dyn Fn() -> (coalesce_tls::Acceptor, Ports<'static>) + Send + Sync>);

impl fmt::Debug for NewestAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewestAcceptor")
    }
}

impl Entrance {
    pub(crate) fn tls(acceptor: coalesce_tls::Acceptor, ports: impl Into<Ports<'static>>) -> Self {
        Self::new(Kind::Tls(acceptor), ports.into())
    }

    fn new(kind: Kind, ports: Ports<'static>) -> Self {
        Self { kind, ports, extended_connect: None }
    }

    pub(crate) fn set_extended_connect(
        &mut self,
        takes: impl Fn(&ConnectionInfo) -> bool + Send + Sync + 'static,
    ) {
        self.extended_connect = Some(TakesExtendedConnect(Arc::new(takes)));
    }

    /// Makes a connection of a socket, or `None` with the reason in the log.
    pub(crate) async fn admit(
        self,
        socket: TcpStream,
        peer: SocketAddr,
        registered: Registered,
    ) -> Option<Accepted> {
        let life = registered.life().clone();
        let extended_connect = self.extended_connect.clone();
        let mut admitted = pin!(self.connection(socket, peer, registered));
        let admitted = poll_fn(move |context| {
            if life.ends(Side::Read, context) {
                return Poll::Ready(None);
            }
            admitted.as_mut().poll(context)
        });
        let mut accepted = admitted.await?;
        if !extended_connect.is_some_and(|takes| (takes.0)(accepted.info())) {
            accepted.hide_extended_connect();
        }
        Some(accepted)
    }

    async fn connection(
        self,
        socket: TcpStream,
        peer: SocketAddr,
        registered: Registered,
    ) -> Option<Accepted> {
        // Answers are small and complete; none is to wait for the acknowledgement of another.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let ports = self.ports;
        match self.kind {
            Kind::Tls(acceptor) => handshake(acceptor, socket, peer, ports, registered).await,
            Kind::NewestTls(newest) => {
                let (acceptor, ports) = (newest.0)();
                handshake(acceptor, socket, peer, ports, registered).await
            }
            Kind::Cleartext(group) => {
                let info = ConnectionInfo::cleartext(group, ports).with_peer(peer);
                Some(Accepted::cleartext(socket, info, registered))
            }
            #[cfg(feature = "proxy-protocol")]
            Kind::Proxied(proxied) => {
                let limit = registered.limits().handshake_timeout;
                let (socket, info) = proxied.admit(socket, peer, ports, limit).await?;
                Some(Accepted::cleartext(socket, info, registered))
            }
        }
    }
}

async fn handshake(
    acceptor: coalesce_tls::Acceptor,
    socket: TcpStream,
    peer: SocketAddr,
    ports: Ports<'static>,
    registered: Registered,
) -> Option<Accepted> {
    let acceptor = match registered.limits().handshake_timeout {
        Some(timeout) => acceptor.with_handshake_timeout(timeout),
        None => acceptor,
    };
    // The acceptor logs its own refusals.
    let (stream, facts) = acceptor.accept(socket).await.ok()?;
    let info = ConnectionInfo::handshake(&facts, ports).with_peer(peer);
    Some(Accepted::tls(stream, info, registered))
}

impl Listener {
    /// Connections over TLS, whose certificates and client rules `acceptor` has.
    pub fn tls(
        socket: TcpListener,
        acceptor: coalesce_tls::Acceptor,
        ports: impl Into<Ports<'static>>,
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
        newest: impl Fn() -> (coalesce_tls::Acceptor, Ports<'static>) + Send + Sync + 'static,
    ) -> Self {
        let kind = Kind::NewestTls(NewestAcceptor(Arc::new(newest)));
        Self::new(socket, Entrance::new(kind, Ports::from(&[])))
    }

    /// Connections in the clear, HTTP/1.1 or HTTP/2 with prior knowledge, all of `group`.
    pub fn cleartext(
        socket: TcpListener,
        group: GroupId,
        ports: impl Into<Ports<'static>>,
    ) -> Self {
        Self::new(socket, Entrance::new(Kind::Cleartext(group), ports.into()))
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
        ports: impl Into<Ports<'static>>,
    ) -> Self {
        let kind = Kind::Proxied(ProxyProtocol { gateways });
        Self::new(socket, Entrance::new(kind, ports.into()))
    }

    fn new(socket: TcpListener, entrance: Entrance) -> Self {
        let register = Register::new(ConnectionLimits::new());
        Self { socket, entrance, register, handshakes: JoinSet::new(), waiting: None, pause: None }
    }

    /// Sets other limits than the defaults, for the connections that are accepted from now on.
    #[must_use]
    pub fn with_limits(mut self, limits: ConnectionLimits) -> Self {
        self.register = Register::new(limits);
        self
    }

    /// Lets the server announce extended `CONNECT` (RFC 8441), for a WebSocket over HTTP/2, on the
    /// connections that `takes` returns true for. By default there are none.
    ///
    /// Announce it where the policy of the connection's group takes it
    /// ([`ConnectPolicy::Extended`](coalesce_core::ConnectPolicy)), and nowhere else: a browser
    /// that finds the announcement opens its WebSocket on this connection, and does not try
    /// HTTP/1.1 after a 405. What the server announces on other connections, as `axum::serve`
    /// always does, is taken back on its way to the client.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    ///
    /// use coalesce_core::{AuthorityTable, ConnectPolicy};
    /// use coalesce_tower::Listener;
    ///
    /// fn with_web_sockets(listener: Listener, table: Arc<AuthorityTable>) -> Listener {
    ///     listener.extended_connect(move |info| {
    ///         let policy = table.group_policy(info.connection().group());
    ///         policy.is_some_and(|policy| policy.connect != ConnectPolicy::Refuse)
    ///     })
    /// }
    /// ```
    #[must_use]
    pub fn extended_connect(
        mut self,
        takes: impl Fn(&ConnectionInfo) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.entrance.set_extended_connect(takes);
        self
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
            if let Some((socket, peer)) = self.waiting.take() {
                match self.register.poll_enter(context) {
                    Poll::Ready(registered) => {
                        self.admit(socket, peer, registered);
                        // Back to the set, so that the new handshake wakes this task.
                        continue;
                    }
                    Poll::Pending => {
                        self.waiting = Some((socket, peer));
                        return Poll::Pending;
                    }
                }
            }
            if let Some(pause) = &mut self.pause {
                let left = self.register.poll_left(pause.left, context);
                if pause.sleep.as_mut().poll(context).is_pending() && left.is_pending() {
                    return Poll::Pending;
                }
                self.pause = None;
            }
            match std::task::ready!(self.socket.poll_accept(context)) {
                Ok(accepted) => self.waiting = Some(accepted),
                // It is the client's own, who has gone away already.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    self.register.say_accept_failed(&error);
                    let left = self.register.make_room();
                    let sleep = Box::pin(tokio::time::sleep(ACCEPT_PAUSE));
                    self.pause = Some(Pause { sleep, left });
                }
            }
        }
    }

    fn admit(&mut self, socket: TcpStream, peer: SocketAddr, registered: Registered) {
        let admitted = self.entrance.clone().admit(socket, peer, registered);
        self.handshakes.spawn(async move { Some((admitted.await?, peer)) });
    }
}

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "tonic")]
mod tonic;
