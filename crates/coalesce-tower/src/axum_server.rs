//! An acceptor for `axum-server`.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use axum_server::accept::Accept;
use coalesce_core::Ports;
use tokio::net::TcpStream;
use tower_layer::Layer;

use crate::attach::Attached;
use crate::connection::ConnectionInfo;
use crate::connections::{ConnectionLimits, Register};
use crate::listener::{Accepted, Entrance};

/// Makes the TLS handshakes of an `axum_server::Server`, and puts the facts of each into the
/// requests of its connection.
///
/// Its [`ConnectionLimits`] hold for all servers that a clone is given to. axum-server accepts
/// connections itself, so one that finds no room and no silent connection is closed.
///
/// ```no_run
/// # async fn run(
/// #     address: std::net::SocketAddr,
/// #     layer: coalesce_tower::CoalesceLayer<coalesce_core::AuthorityTable>,
/// #     acceptor: coalesce_tls::Acceptor,
/// # ) -> std::io::Result<()> {
/// use axum::{Router, ServiceExt, extract::Request, routing::get};
/// use coalesce_tower::{AxumServerAcceptor, VirtualHost};
/// use tower_layer::Layer;
///
/// let hello = |host: VirtualHost| async move { format!("{}\n", host.id()) };
/// let application = layer.layer(Router::new().route("/", get(hello)));
/// axum_server::bind(address)
///     .acceptor(AxumServerAcceptor::new(acceptor, [443]))
///     .serve(ServiceExt::<Request>::into_make_service(application))
///     .await
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AxumServerAcceptor {
    entrance: Entrance,
    register: Arc<Register>,
}

impl AxumServerAcceptor {
    /// An acceptor of connections over TLS, for a listener that answers for `ports`.
    pub fn new(acceptor: coalesce_tls::Acceptor, ports: impl Into<Ports<'static>>) -> Self {
        let register = Register::new(ConnectionLimits::new());
        Self { entrance: Entrance::tls(acceptor, ports), register }
    }

    /// Lets the server announce extended `CONNECT`, as
    /// [`Listener::extended_connect`](crate::Listener::extended_connect) does. axum-server
    /// announces it if its `http_builder` says so.
    #[must_use]
    pub fn extended_connect(
        mut self,
        takes: impl Fn(&ConnectionInfo) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.entrance.set_extended_connect(takes);
        self
    }

    /// Sets other limits than the defaults.
    #[must_use]
    pub fn with_limits(mut self, limits: ConnectionLimits) -> Self {
        self.register = Register::new(limits);
        self
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for AxumServerAcceptor {
    type Stream = Accepted;
    type Service = Attached<S>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Accepted, Attached<S>)>> + Send>>;

    fn accept(&self, socket: TcpStream, service: S) -> Self::Future {
        let (entrance, registered) = (self.entrance.clone(), self.register.enter());
        Box::pin(async move {
            let peer = socket.peer_addr()?;
            // The reason is in the log; axum-server drops the connection whatever it is told.
            let registered = registered.ok_or(io::ErrorKind::ConnectionAborted)?;
            let accepted = entrance.admit(socket, peer, registered).await;
            let accepted = accepted.ok_or(io::ErrorKind::ConnectionAborted)?;
            let service = accepted.info().layer(service);
            Ok((accepted, service))
        })
    }
}
