//! A scriptable server over TLS. Its log is the truth about a client.

mod http1;
mod http2;
mod log;
mod presented;
mod script;
mod serve;
mod served;

use std::net::SocketAddr;
use std::sync::{Arc, MutexGuard};

use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use crate::certificates;
use log::{Order, SharedLog};
use presented::ByServerName;
use served::Shared;

pub(crate) use log::Log;
pub(crate) use script::{
    Answer, MAX_CONCURRENT_STREAMS, REFUSED_STREAM, Script, goaway, origin_frame,
};

/// A running server. Dropping it closes its socket, but not its connections.
pub(crate) struct Origin {
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

impl Origin {
    /// Starts a server.
    ///
    /// # Panics
    /// If the address is in use.
    #[allow(clippy::unused_async, reason = "it needs the runtime")]
    pub(crate) async fn start(address: SocketAddr, script: Script) -> Self {
        let tls = tls(&script);
        let shared = Arc::new(Shared { script, tls, log: SharedLog::default() });
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option");
        socket.bind(address).expect("a free address");
        let listener = socket.listen(1_024).expect("a free address");
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Self { shared, accepting }
    }

    /// Returns the log so far.
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.shared.log.read()
    }

    /// Waits until the log is as `wanted`.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Log) -> bool) {
        self.shared.log.until(what, wanted).await;
    }

    /// Sends bytes on a connection.
    pub(crate) fn send(&self, connection: usize, bytes: Vec<u8>) {
        self.order(connection, Order::Send(bytes));
    }

    /// Closes a connection, and waits until it is closed.
    pub(crate) async fn close(&self, connection: usize) {
        self.order(connection, Order::Close);
        self.until("the end of the connection", |log| !log.connections[connection].open).await;
    }

    fn order(&self, connection: usize, order: Order) {
        // Fails if the connection has ended.
        let _ = self.log().connections[connection].orders.send(order);
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (socket, _) = listener.accept().await.expect("a connection");
        socket.set_nodelay(true).expect("a socket of TCP");
        tokio::spawn(serve::serve(socket, Arc::clone(&shared)));
    }
}

fn tls(script: &Script) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = if script.asks_for_certificate {
        let roots = Arc::new(certificates::roots());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
        builder.with_client_cert_verifier(
            verifier.allow_unauthenticated().build().expect("a verifier"),
        )
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_cert_resolver(Arc::new(ByServerName::new(script)));
    config.alpn_protocols.clone_from(&script.protocols);
    TlsAcceptor::from(Arc::new(config))
}
