//! The facts of a connection that another connector has made.

use std::io;
use std::net::SocketAddr;

use hyper_util::rt::TokioIo;
use rustls::{ClientConnection, HandshakeKind};
use rustls_pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A stream that knows its peer and its TLS handshake.
///
/// A client needs these facts to decide whether another host may use the connection. Implement this
/// trait for the stream of your connector, and pass the connector to
/// [`Connector`](crate::Connector). It is implemented for tokio's `TcpStream`, for `TlsStream` of
/// tokio-rustls, for `TokioIo` around them, and with the feature `hyper-rustls` for
/// `MaybeHttpsStream`.
///
/// # Examples
/// ```
/// use std::io;
/// use std::net::SocketAddr;
///
/// use coalesce_client::{PeerFacts, TlsPeer};
/// use tokio::net::TcpStream;
///
/// struct Counted {
///     socket: TcpStream,
///     bytes: u64,
/// }
///
/// impl PeerFacts for Counted {
///     fn peer_address(&self) -> io::Result<SocketAddr> {
///         self.socket.peer_address()
///     }
///
///     fn tls(&self) -> Option<TlsPeer> {
///         None
///     }
/// }
/// ```
pub trait PeerFacts {
    /// Returns the address of the server. The client compares it with the addresses of other hosts,
    /// so return the real peer of the socket.
    ///
    /// # Errors
    /// Returns the error of the socket. The client then gives the connection up.
    fn peer_address(&self) -> io::Result<SocketAddr>;

    /// Returns the facts of the TLS handshake, or `None` if there was none. The client refuses a
    /// connection for `https` without them.
    fn tls(&self) -> Option<TlsPeer>;
}

/// The facts of a TLS handshake that another connector has made.
///
/// # Examples
/// ```
/// use coalesce_client::TlsPeer;
///
/// let mut tls = TlsPeer::new(Vec::new());
/// tls.alpn = Some(b"h2".to_vec());
/// assert_eq!(tls.client_certificate_sent, None, "not known");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsPeer {
    /// The certificates that the server sent, the leaf first. After a resumed handshake, those of
    /// the full one.
    pub chain: Vec<CertificateDer<'static>>,
    /// The protocol that ALPN chose.
    pub alpn: Option<Vec<u8>>,
    /// Whether the handshake resumed a session.
    pub resumed: bool,
    /// Whether the server got a client certificate, in this handshake or in the one that it
    /// resumes. `None` if you do not know: the client then assumes that it did.
    pub client_certificate_sent: Option<bool>,
}

impl TlsPeer {
    /// Makes the facts of a full handshake without ALPN.
    pub const fn new(chain: Vec<CertificateDer<'static>>) -> Self {
        Self { chain, alpn: None, resumed: false, client_certificate_sent: None }
    }
}

/// rustls does not say whether a client certificate was sent, so this is not known.
impl From<&ClientConnection> for TlsPeer {
    fn from(session: &ClientConnection) -> Self {
        let chain = session.peer_certificates().unwrap_or_default().iter().cloned();
        Self {
            chain: chain.map(CertificateDer::into_owned).collect(),
            alpn: session.alpn_protocol().map(<[u8]>::to_vec),
            resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
            client_certificate_sent: None,
        }
    }
}

impl PeerFacts for TcpStream {
    fn peer_address(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }

    fn tls(&self) -> Option<TlsPeer> {
        None
    }
}

impl<T: PeerFacts> PeerFacts for TlsStream<T> {
    fn peer_address(&self) -> io::Result<SocketAddr> {
        self.get_ref().0.peer_address()
    }

    fn tls(&self) -> Option<TlsPeer> {
        Some(self.get_ref().1.into())
    }
}

impl<T: PeerFacts> PeerFacts for TokioIo<T> {
    fn peer_address(&self) -> io::Result<SocketAddr> {
        self.inner().peer_address()
    }

    fn tls(&self) -> Option<TlsPeer> {
        self.inner().tls()
    }
}
