//! What a layer knows of a connection, and what a handler gets to know of its request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use coalesce_core::{
    Authoritative, DnsName, DnsNameBuf, GroupId, IdentifierSet, Memo, Scheme, ServerConnection,
};
use http::Extensions;

/// The facts of one connection, and, once the layer has let a request pass, the proof of it.
///
/// It travels in the extensions of each request. What accepts connections puts it there (as itself,
/// or in axum's `ConnectInfo`), the layer reads the facts and leaves the proof in the same place,
/// and the handler finds both.
///
/// Cloning is cheap, and a clone carries the facts alone: nobody copies a proof.
///
/// # Security
/// Facts are what their maker says they are. Those of [`tls`](Self::tls) must come from the
/// handshake of this very connection, and never be looked up again later.
#[derive(Debug)]
pub struct ConnectionInfo {
    facts: Arc<Facts>,
    peer: Option<SocketAddr>,
    proof: Option<Authoritative>,
}

#[derive(Debug)]
struct Facts {
    settled: Settled,
    ports: Arc<[u16]>,
    memo: Mutex<Memo>,
}

#[derive(Debug)]
enum Settled {
    #[cfg(feature = "listener")]
    Handshake(coalesce_tls::HandshakeFacts),
    Tls {
        presented: Arc<IdentifierSet<Vec<u8>>>,
        server_name: Option<DnsNameBuf>,
        group: GroupId,
    },
    Cleartext {
        group: GroupId,
    },
    TrustedGateway {
        scheme: Scheme,
        server_name: Option<DnsNameBuf>,
        group: GroupId,
    },
}

impl ConnectionInfo {
    /// A connection over TLS, which presented a certificate with these identifiers, to a
    /// ClientHello with this server name that chose `group`. `ports` are those that its listener
    /// answers for.
    pub fn tls(
        presented: Arc<IdentifierSet<Vec<u8>>>,
        server_name: Option<DnsName<'_>>,
        group: GroupId,
        ports: impl Into<Arc<[u16]>>,
    ) -> Self {
        let server_name = server_name.map(DnsNameBuf::from);
        Self::new(Settled::Tls { presented, server_name, group }, ports)
    }

    /// As [`tls`](Self::tls), with the facts as coalesce-tls settled them.
    #[cfg(feature = "listener")]
    pub fn handshake(facts: coalesce_tls::HandshakeFacts, ports: impl Into<Arc<[u16]>>) -> Self {
        Self::new(Settled::Handshake(facts), ports)
    }

    /// A connection in the clear, HTTP/1.1 or HTTP/2 with prior knowledge: it carries `http`
    /// origins only.
    pub fn cleartext(group: GroupId, ports: impl Into<Arc<[u16]>>) -> Self {
        Self::new(Settled::Cleartext { group }, ports)
    }

    /// A connection from a gateway that the user trusts to have checked the certificate itself
    /// (RFC 9110 §7.4), for a client that reached it by `scheme` and with this server name.
    ///
    /// # Security
    /// Whoever can open such a connection can name any virtual host of `group`.
    pub fn trusted_gateway(
        scheme: Scheme,
        server_name: Option<DnsName<'_>>,
        group: GroupId,
        ports: impl Into<Arc<[u16]>>,
    ) -> Self {
        let server_name = server_name.map(DnsNameBuf::from);
        Self::new(Settled::TrustedGateway { scheme, server_name, group }, ports)
    }

    fn new(settled: Settled, ports: impl Into<Arc<[u16]>>) -> Self {
        let facts = Facts { settled, ports: ports.into(), memo: Mutex::default() };
        Self { facts: Arc::new(facts), peer: None, proof: None }
    }

    /// The same connection, whose other end has this address.
    #[must_use]
    pub fn with_peer(mut self, peer: SocketAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    /// The address of the other end, where it is known: the client's, or its gateway's.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Returns the facts as [`decide`](coalesce_core::decide()) takes them.
    ///
    /// # Allocation
    /// None.
    pub fn connection(&self) -> ServerConnection<'_> {
        let ports = &*self.facts.ports;
        let connection = match &self.facts.settled {
            #[cfg(feature = "listener")]
            Settled::Handshake(facts) => {
                ServerConnection::tls(facts.presented().identifiers(), facts.group(), ports)
            }
            Settled::Tls { presented, group, .. } => {
                ServerConnection::tls(IdentifierSet::as_ref(presented), *group, ports)
            }
            Settled::Cleartext { group } => ServerConnection::cleartext(*group, ports),
            Settled::TrustedGateway { scheme, group, .. } => {
                ServerConnection::trusted_gateway(*scheme, *group, ports)
            }
        };
        connection.with_server_name(self.server_name())
    }

    /// Returns the server name of the handshake (RFC 6066 §3), if there was one.
    pub fn server_name(&self) -> Option<DnsName<'_>> {
        match &self.facts.settled {
            #[cfg(feature = "listener")]
            Settled::Handshake(facts) => facts.server_name(),
            Settled::Tls { server_name, .. } | Settled::TrustedGateway { server_name, .. } => {
                server_name.as_ref().map(DnsNameBuf::as_name)
            }
            Settled::Cleartext { .. } => None,
        }
    }

    /// The proof that the request which carries this may be served, and as what; `None` before the
    /// layer has decided, and in every clone.
    pub fn proof(&self) -> Option<&Authoritative> {
        self.proof.as_ref()
    }

    /// Returns the facts that a request carries in these extensions.
    pub fn from_request(extensions: &Extensions) -> Option<&Self> {
        let own = extensions.get::<Self>();
        #[cfg(feature = "axum")]
        let own = own.or_else(|| Some(&extensions.get::<axum::extract::ConnectInfo<Self>>()?.0));
        own
    }

    pub(crate) fn from_request_mut(extensions: &mut Extensions) -> Option<&mut Self> {
        #[cfg(feature = "axum")]
        if extensions.get::<Self>().is_none() {
            return Some(&mut extensions.get_mut::<axum::extract::ConnectInfo<Self>>()?.0);
        }
        extensions.get_mut()
    }

    pub(crate) fn ports(&self) -> &[u16] {
        &self.facts.ports
    }

    pub(crate) fn memo(&self) -> &Mutex<Memo> {
        &self.facts.memo
    }

    pub(crate) fn set_proof(&mut self, proof: Option<Authoritative>) {
        self.proof = proof;
    }
}

impl Clone for ConnectionInfo {
    fn clone(&self) -> Self {
        Self { facts: self.facts.clone(), peer: self.peer, proof: None }
    }
}
