//! One connection of a server: the handshake, then the protocol.

use std::sync::Arc;

use rustls::HandshakeKind;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::log::Connection;
use super::served::{Served, Shared, short};
use super::{http1, http2};

/// Serves a connection to its end.
pub(super) async fn serve(socket: TcpStream, shared: Arc<Shared>) {
    let order = shared.log.change(|log| {
        log.accepted += 1;
        log.accepted - 1
    });
    if (shared.script.held)(order) {
        shared.script.handshake.passed().await;
    }
    let Ok(tls) = shared.tls.accept(socket).await else { return };
    let session = tls.get_ref().1;
    let server_name = session.server_name().map(short).unwrap_or_default();
    let is_http2 = session.alpn_protocol() == Some(b"h2");
    let (orders, received) = mpsc::unbounded_channel();
    let connection = Connection {
        server_name: server_name.clone(),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        client_certificate: session.peer_certificates().is_some(),
        open: true,
        orders,
    };
    let number = shared.log.change(|log| {
        log.connections.push(connection);
        log.connections.len() - 1
    });
    let served = Served { shared: Arc::clone(&shared), number, server_name };
    if is_http2 {
        http2::serve(tls, served, received).await;
    } else {
        http1::serve(tls, served, received).await;
    }
    shared.log.change(|log| log.connections[number].open = false);
}
