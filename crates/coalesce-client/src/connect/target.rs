//! The purpose of a new connection, and the connection itself.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use coalesce_core::IdentifierSet;
use coalesce_pool::{Endpoint, HandshakeCheck, PoolKey, Protocol, VerifierKind};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream to a server.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// The purpose of a new connection.
#[derive(Debug)]
pub(crate) struct DialTarget {
    pub(crate) key: PoolKey,
    /// The endpoints of the host. Ignored if there is a proxy, which resolves the host itself.
    pub(crate) endpoints: Vec<Endpoint>,
    /// Offer only HTTP/1.1 by ALPN.
    pub(crate) http1_only: bool,
}

/// A new connection after its handshake.
pub(crate) struct Dialed {
    pub(crate) io: Box<dyn Io>,
    /// The real peer of the socket: the server, or the proxy.
    pub(crate) peer: SocketAddr,
    pub(crate) protocol: Protocol,
    pub(crate) tls: Option<PeerTls>,
}

impl fmt::Debug for Dialed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialed")
            .field("peer", &self.peer)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// The handshake of a new connection.
#[derive(Clone, Debug)]
pub(crate) struct PeerTls {
    /// The certificates that the server sent, the leaf first. A resumed handshake has those of the
    /// full one.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// The names of the leaf.
    pub(crate) names: Arc<IdentifierSet>,
    /// Whether the verifier can be run again on the chain.
    pub(crate) verifier: VerifierKind,
    pub(crate) check: HandshakeCheck,
    pub(crate) resumed: bool,
    pub(crate) client_certificate_sent: bool,
    /// The stapled OCSP response (RFC 6066 §8). Empty if none came, and after a resumed handshake.
    pub(crate) ocsp: Vec<u8>,
    /// Whether the handshake gave evidence of the certificate that the verifier has checked.
    pub(crate) evidence: bool,
}
