//! New connections: TCP with Happy Eyeballs, proxies, TLS.

use std::fmt;
use std::net::SocketAddr;

use coalesce_pool::{Endpoint, PoolKey, Protocol};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::BoxError;

/// A byte stream to a server.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// The purpose of a new connection.
#[derive(Debug)]
pub(crate) struct DialTarget {
    pub(crate) key: PoolKey,
    pub(crate) endpoints: Vec<Endpoint>,
    /// Offer only HTTP/1.1 by ALPN.
    pub(crate) http1_only: bool,
}

/// A new connection after its handshake.
pub(crate) struct Dialed {
    pub(crate) io: Box<dyn Io>,
    /// The real peer of the socket.
    pub(crate) peer: SocketAddr,
    pub(crate) protocol: Protocol,
    pub(crate) tls: Option<PeerTls>,
}

/// The handshake of a new connection.
#[derive(Clone, Debug)]
pub(crate) struct PeerTls {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) resumed: bool,
    pub(crate) client_certificate_sent: bool,
    /// A stapled OCSP response came.
    pub(crate) evidence: bool,
}

impl fmt::Debug for Dialed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialed").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Makes connections.
#[derive(Debug)]
pub(crate) struct Dialer {}

impl Dialer {
    /// Makes one connection. Calls `handshaking` when TCP is connected and TLS begins.
    pub(crate) async fn dial(
        &self,
        _target: DialTarget,
        _handshaking: &mut (dyn FnMut(SocketAddr) + Send),
    ) -> Result<Dialed, BoxError> {
        Err("not written".into())
    }
}
