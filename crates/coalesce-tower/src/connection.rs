//! What a layer knows of a connection, and what a handler gets to know of its request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use coalesce_core::{
    Authoritative, ClientCertificates, DnsName, DnsNameBuf, GroupId, IdentifierSet, Memo, Ports,
    Scheme, ServerConnection,
};
use http::Extensions;

#[cfg(feature = "listener")]
use crate::connections::Life;
use crate::open_request::OpenRequest;

/// The facts of one connection, and, once the layer has let a request pass, the proof of it.
///
/// It travels in the extensions of each request. What accepts connections puts it there (as itself,
/// or in axum's `ConnectInfo`), the layer reads the facts and leaves the proof in the same place,
/// and the handler finds both.
///
/// Cloning is cheap. A clone carries the facts without the proof, so a proof cannot be copied.
///
/// # Security
/// Facts are what their maker says they are. Those of [`tls`](Self::tls) must come from the
/// handshake of this very connection, and never be looked up again later.
///
/// # Examples
/// ```
/// use coalesce_core::{GroupId, Scheme};
/// use coalesce_tower::ConnectionInfo;
///
/// let info = ConnectionInfo::cleartext(GroupId::new(1), 80)
///     .with_peer(([192, 0, 2, 1], 50_000).into());
/// assert_eq!(info.connection().scheme(), Scheme::Http);
/// assert!(info.proof().is_none(), "no request was decided");
/// ```
#[derive(Debug)]
pub struct ConnectionInfo {
    facts: Arc<Facts>,
    peer: Option<SocketAddr>,
    proof: Option<Authoritative>,
}

#[derive(Debug)]
struct Facts {
    connection: ServerConnection<'static>,
    #[cfg(feature = "listener")]
    handshake: Option<coalesce_tls::HandshakeFacts>,
    /// What the listener knows of the connection.
    #[cfg(feature = "listener")]
    life: Option<Arc<Life>>,
    /// Has a copy of `connection`, which can be read without the lock.
    memo: Mutex<Memo<'static>>,
}

impl ConnectionInfo {
    /// A connection over TLS, which presented a certificate with these identifiers, to a
    /// ClientHello with this server name that chose `group`. `client_certificates` is whether its
    /// handshake asked the client for one, `ports` are those that its listener answers for.
    pub fn tls(
        presented: Arc<IdentifierSet>,
        server_name: Option<DnsName<'_>>,
        group: GroupId,
        client_certificates: ClientCertificates,
        ports: impl Into<Ports<'static>>,
    ) -> Self {
        let connection = ServerConnection::tls(presented, group, client_certificates, ports);
        Self::new(connection.with_shared_server_name(kept(server_name)))
    }

    /// As [`tls`](Self::tls), with the facts as coalesce-tls settled them.
    #[cfg(feature = "listener")]
    pub fn handshake(
        facts: &coalesce_tls::HandshakeFacts,
        ports: impl Into<Ports<'static>>,
    ) -> Self {
        let connection = facts.connection(ports);
        let memo = Mutex::new(Memo::new(connection.clone()));
        let handshake = Some(facts.clone());
        Self::from_facts(Facts { connection, handshake, life: None, memo })
    }

    /// A connection in the clear, HTTP/1.1 or HTTP/2 with prior knowledge: it carries `http`
    /// origins only.
    pub fn cleartext(group: GroupId, ports: impl Into<Ports<'static>>) -> Self {
        Self::new(ServerConnection::cleartext(group, ports))
    }

    /// A connection from a gateway that the user trusts to have checked the certificate itself
    /// (RFC 9110 §7.4), for a client that reached it by `scheme` and with this server name, and was
    /// asked for a certificate there or was not.
    ///
    /// # Security
    /// A client that can open such a connection can name any virtual host of `group`.
    pub fn trusted_gateway(
        scheme: Scheme,
        server_name: Option<DnsName<'_>>,
        group: GroupId,
        client_certificates: ClientCertificates,
        ports: impl Into<Ports<'static>>,
    ) -> Self {
        let connection =
            ServerConnection::trusted_gateway(scheme, group, client_certificates, ports);
        Self::new(connection.with_shared_server_name(kept(server_name)))
    }

    fn new(connection: ServerConnection<'static>) -> Self {
        let memo = Mutex::new(Memo::new(connection.clone()));
        let facts = Facts {
            connection,
            #[cfg(feature = "listener")]
            handshake: None,
            #[cfg(feature = "listener")]
            life: None,
            memo,
        };
        Self::from_facts(facts)
    }

    fn from_facts(facts: Facts) -> Self {
        Self { facts: Arc::new(facts), peer: None, proof: None }
    }

    /// The same connection, whose other end has this address.
    #[must_use]
    pub fn with_peer(mut self, peer: SocketAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    /// The same connection, which a listener ends after a while of silence.
    #[cfg(feature = "listener")]
    pub(crate) fn with_life(mut self, life: &Arc<Life>) -> Self {
        // Nothing else has these facts yet.
        if let Some(facts) = Arc::get_mut(&mut self.facts) {
            facts.life = Some(life.clone());
        }
        self
    }

    /// Records that the content of a request stays unread, so the connection is closed.
    #[cfg_attr(
        not(feature = "listener"),
        allow(clippy::unused_self, reason = "only a listener closes connections")
    )]
    pub(crate) fn set_leaves_content(&self) {
        #[cfg(feature = "listener")]
        if let Some(life) = &self.facts.life {
            life.set_leaves_content();
        }
    }

    /// Counts a request of this connection as open until the value is dropped, so that the listener
    /// does not end the connection as idle. The layer calls this itself.
    pub fn open_request(&self) -> OpenRequest {
        #[cfg(feature = "listener")]
        let open = OpenRequest::new(self.facts.life.as_ref());
        #[cfg(not(feature = "listener"))]
        let open = OpenRequest::new();
        open
    }

    /// The address of the other end, where it is known: the client's, or its gateway's.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Returns the facts as [`decide`](coalesce_core::decide()) takes them.
    pub fn connection(&self) -> &ServerConnection<'static> {
        &self.facts.connection
    }

    /// Returns the facts of the handshake, if the connection was made from them.
    #[cfg(feature = "listener")]
    pub fn handshake_facts(&self) -> Option<&coalesce_tls::HandshakeFacts> {
        self.facts.handshake.as_ref()
    }

    /// Returns the server name of the handshake (RFC 6066 §3), if there was one.
    pub fn server_name(&self) -> Option<DnsName<'_>> {
        self.facts.connection.server_name()
    }

    /// The proof that the request which carries this may be served, and as what; `None` before the
    /// layer has decided, and in every clone.
    pub fn proof(&self) -> Option<&Authoritative> {
        self.proof.as_ref()
    }

    /// Returns the facts that a request carries in these extensions.
    ///
    /// # Examples
    /// ```
    /// use coalesce_tower::ConnectionInfo;
    ///
    /// /// Returns the reason why an observed group would have refused this request.
    /// fn observed<B>(request: &http::Request<B>) -> Option<&'static str> {
    ///     let info = ConnectionInfo::from_request(request.extensions())?;
    ///     info.proof()?.observed().map(|reason| reason.code())
    /// }
    /// ```
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

    pub(crate) fn ports(&self) -> &Ports<'static> {
        self.facts.connection.ports()
    }

    pub(crate) fn memo(&self) -> &Mutex<Memo<'static>> {
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

fn kept(server_name: Option<DnsName<'_>>) -> Option<Arc<DnsNameBuf>> {
    server_name.map(|name| Arc::new(DnsNameBuf::from(name)))
}
