//! The facts of a connection, on which a decision is based.

#[cfg(feature = "alloc")]
use alloc::{sync::Arc, vec::Vec};

use crate::host::Host;
use crate::identifier_set::PresentedSet;
use crate::listener::PortListeners;
use crate::name::DnsName;
#[cfg(feature = "alloc")]
use crate::name::DnsNameBuf;
use crate::policy::{ClientCertificates, GroupId, ListenerId};
use crate::ports::Ports;
use crate::request::Scheme;

/// The facts of one connection. They are fixed when the handshake ends, except that the connection
/// may present more certificates later.
///
/// There are three ways to make one. Each name says why you trust the connection for `https`
/// origins: its own certificates, nothing (cleartext), or a trusted gateway.
///
/// Make one for each connection and keep it, because [`decide`](crate::decide()) takes it by
/// reference. It can borrow its parts, or share them: an `Arc` of its identifiers, an owned server
/// name, an `Arc` of its listeners. A struct can then hold a `ServerConnection<'static>`. Cloning
/// allocates nothing.
///
/// # Examples
///
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// use coalesce_core::{
///     ClientCertificates, DnsName, GroupId, IdentifierSet, PresentedIdentifier, Scheme,
///     ServerConnection,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let presented = IdentifierSet::build([PresentedIdentifier::parse_dns(b"*.example.test")?])?;
/// let clients = ClientCertificates::NotAsked;
/// let connection = ServerConnection::tls(&presented, GroupId::new(1), clients, &[443, 8443])
///     .with_server_name(Some(DnsName::parse(b"a.example.test")?));
/// assert_eq!(connection.scheme(), Scheme::Https);
/// assert!(connection.ports().contains(8443));
/// assert_eq!(connection.server_name(), Some(DnsName::parse(b"A.example.test.")?));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ServerConnection<'a> {
    pub(super) scheme: Scheme,
    pub(super) client_certificates: ClientCertificates,
    pub(super) group: GroupId,
    pub(crate) ports: Ports<'a>,
    pub(super) coverage: Coverage<'a>,
    server_name: Option<ServerName<'a>>,
    pub(super) listener: Option<Listener<'a>>,
}

/// One of several listeners on a port.
#[derive(Clone, Debug)]
pub(super) struct Listener<'a> {
    own: ListenerId,
    of_port: OfPort<'a>,
}

#[derive(Clone, Debug)]
enum OfPort<'a> {
    Borrowed(&'a dyn PortListeners),
    #[cfg(feature = "alloc")]
    Shared(Arc<dyn PortListeners>),
}

/// A server name, borrowed or shared.
#[derive(Clone, Debug)]
enum ServerName<'a> {
    Borrowed(DnsName<'a>),
    #[cfg(feature = "alloc")]
    Shared(Arc<DnsNameBuf>),
}

/// The answer to the question which listener of the connection's port is responsible for a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Responsible {
    /// The connection's own listener, or listeners do not share the port.
    Own,
    Another,
    NoListener,
}

impl Listener<'_> {
    #[inline]
    pub(super) fn responsible(&self, host: &Host<'_>) -> Responsible {
        let of_port = match &self.of_port {
            OfPort::Borrowed(of_port) => *of_port,
            #[cfg(feature = "alloc")]
            OfPort::Shared(of_port) => &**of_port,
        };
        match of_port.responsible(host) {
            Some(listener) if listener == self.own => Responsible::Own,
            Some(_) => Responsible::Another,
            None => Responsible::NoListener,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Coverage<'a> {
    /// The presented certificates, whose identifiers must cover the host.
    Presented(Presented<'a>),
    /// No TLS, so there is no certificate. The connection serves `http` origins only.
    Cleartext,
    /// A gateway that has checked the certificate itself (RFC 9110 §7.4).
    TrustedGateway,
}

/// The sets of identifiers that the connection has presented so far.
#[derive(Clone, Debug)]
pub(super) struct Presented<'a> {
    /// The set of the handshake's certificate.
    pub(super) first: PresentedSet<'a>,
    /// The sets of later certificates, in the order of adding.
    #[cfg(feature = "alloc")]
    later: Option<Arc<[PresentedSet<'a>]>>,
}

impl<'a> Presented<'a> {
    #[cfg(feature = "alloc")]
    #[inline(always)]
    fn later(&self) -> &[PresentedSet<'a>] {
        self.later.as_deref().unwrap_or_default()
    }

    #[cfg(not(feature = "alloc"))]
    #[allow(clippy::unused_self, reason = "the method uses it if `alloc` is on")]
    const fn later(&self) -> &[PresentedSet<'a>] {
        &[]
    }

    /// Returns whether one of the sets covers `host`.
    #[inline(always)]
    pub(super) fn covers(&self, host: &Host<'_>) -> bool {
        // Nearly every connection has a single set, so the loop over later sets stays out of line.
        self.first.covers(host) || !self.later().is_empty() && self.later_covers(host)
    }

    #[cold]
    #[inline(never)]
    fn later_covers(&self, host: &Host<'_>) -> bool {
        self.later().iter().any(|set| set.covers(host))
    }

    pub(super) fn sets(&self) -> impl Iterator<Item = &PresentedSet<'a>> {
        core::iter::once(&self.first).chain(self.later())
    }
}

impl<'a> ServerConnection<'a> {
    /// Makes a connection over TLS. Its handshake presented a certificate with these identifiers,
    /// chose `group`, and asked the client for a certificate or not. Its listener answers for
    /// `ports`.
    ///
    /// # Security
    /// `client_certificates` must describe this handshake, not the current configuration. If you
    /// are not sure, use [`ClientCertificates::Asked`], which serves less. `HandshakeFacts` of
    /// `coalesce-tls` makes the whole connection for you.
    pub fn tls(
        presented: impl Into<PresentedSet<'a>>,
        group: GroupId,
        client_certificates: ClientCertificates,
        ports: impl Into<Ports<'a>>,
    ) -> Self {
        let coverage = Coverage::Presented(Presented {
            first: presented.into(),
            #[cfg(feature = "alloc")]
            later: None,
        });
        Self::new(Scheme::Https, coverage, group, client_certificates, ports.into())
    }

    /// Makes a cleartext connection. It serves `http` origins only, and no client was asked for a
    /// certificate.
    pub fn cleartext(group: GroupId, ports: impl Into<Ports<'a>>) -> Self {
        let clients = ClientCertificates::NotAsked;
        Self::new(Scheme::Http, Coverage::Cleartext, group, clients, ports.into())
    }

    /// Makes a connection from a gateway that you trust to check the certificate itself (RFC 9110
    /// §7.4), for origins of `scheme`. No other connection skips the certificate step. You say
    /// whether the gateway asked its client for a certificate.
    ///
    /// # Security
    /// Anyone who can open such a connection can name any virtual host of `group`.
    ///
    /// # Examples
    /// ```
    /// use coalesce_core::{ClientCertificates, GroupId, Scheme, ServerConnection};
    ///
    /// let clients = ClientCertificates::NotAsked;
    /// let connection =
    ///     ServerConnection::trusted_gateway(Scheme::Https, GroupId::new(1), clients, 443);
    /// assert_eq!(connection.presented().count(), 0);
    /// ```
    pub fn trusted_gateway(
        scheme: Scheme,
        group: GroupId,
        client_certificates: ClientCertificates,
        ports: impl Into<Ports<'a>>,
    ) -> Self {
        Self::new(scheme, Coverage::TrustedGateway, group, client_certificates, ports.into())
    }

    const fn new(
        scheme: Scheme,
        coverage: Coverage<'a>,
        group: GroupId,
        client_certificates: ClientCertificates,
        ports: Ports<'a>,
    ) -> Self {
        let (server_name, listener) = (None, None);
        Self { scheme, client_certificates, group, ports, coverage, server_name, listener }
    }

    /// Sets the server name of the ClientHello (RFC 6066 §3).
    #[must_use]
    pub fn with_server_name(mut self, server_name: Option<DnsName<'a>>) -> Self {
        self.server_name = server_name.map(ServerName::Borrowed);
        self
    }

    /// Sets the server name of the ClientHello, for a connection that must own its parts.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn with_shared_server_name(mut self, server_name: Option<Arc<DnsNameBuf>>) -> Self {
        self.server_name = server_name.map(ServerName::Shared);
        self
    }

    /// Moves the connection to `group`. Use it when a newer table numbers its groups differently
    /// from the table of the handshake.
    ///
    /// # Security
    /// The caller must make sure that the handshake meets the TLS policy of `group`, because a
    /// group is a security boundary.
    #[must_use]
    pub fn with_group(mut self, group: GroupId) -> Self {
        self.group = group;
        self
    }

    /// Sets the listener that accepted the connection, one of those that share its port.
    ///
    /// An authority for which another of these listeners is responsible is misdirected. An
    /// authority for which none of them is responsible counts as unknown, even if a virtual host
    /// has it.
    ///
    /// # Examples
    ///
    #[cfg_attr(feature = "alloc", doc = "```")]
    #[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
    /// use coalesce_core::{
    ///     AuthorityTable, GroupId, GroupPolicy, ListenerId, ListenerTable, Misdirected,
    ///     NamePattern, RequestTarget, ServerConnection, Verdict, VirtualHostId, decide,
    /// };
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (shop, rest) = (ListenerId::new(0), ListenerId::new(1));
    /// let listeners = ListenerTable::build([
    ///     (NamePattern::parse(b"shop.test")?, shop),
    ///     (NamePattern::CatchAll, rest),
    /// ])?;
    /// # let group = GroupId::new(1);
    /// # let mut table = AuthorityTable::builder();
    /// # table.group(group, GroupPolicy::default())?;
    /// # table.entry(NamePattern::CatchAll, VirtualHostId::new(0), group)?;
    /// # let table = table.build()?;
    /// let connection = ServerConnection::cleartext(group, 80).with_listener(rest, &listeners);
    /// let request = RequestTarget { scheme: Some(b"http"), ..RequestTarget::https(b"shop.test") };
    /// let verdict = decide(&table, &connection, &request);
    /// assert_eq!(verdict, Verdict::Misdirected(Misdirected::Listener));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_listener(mut self, own: ListenerId, of_port: &'a dyn PortListeners) -> Self {
        self.listener = Some(Listener { own, of_port: OfPort::Borrowed(of_port) });
        self
    }

    /// Sets the listener as [`with_listener`](Self::with_listener) does, for a connection that must
    /// own its parts.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn with_shared_listener(
        mut self,
        own: ListenerId,
        of_port: Arc<dyn PortListeners>,
    ) -> Self {
        self.listener = Some(Listener { own, of_port: OfPort::Shared(of_port) });
        self
    }

    /// Adds the identifiers of a further certificate that this connection has presented
    /// (draft-ietf-httpbis-secondary-server-certs). From now on, step 5 of
    /// [`decide`](crate::decide()) accepts its names too.
    ///
    /// A cleartext connection and a connection from a gateway present no certificates, so they do
    /// not change.
    ///
    /// # Security
    /// Add a set only after the client has received the certificate. A client that has not seen it
    /// has no reason to trust this connection with its names.
    ///
    /// # Allocation
    /// One list of all sets that were added.
    ///
    /// # Examples
    /// ```
    /// use coalesce_core::{
    ///     ClientCertificates, GroupId, Host, IdentifierSet, PresentedIdentifier, ServerConnection,
    /// };
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let first = IdentifierSet::build([PresentedIdentifier::parse_dns(b"a.test")?])?;
    /// let later = IdentifierSet::build([PresentedIdentifier::parse_dns(b"b.test")?])?;
    /// let clients = ClientCertificates::NotAsked;
    /// let mut connection = ServerConnection::tls(&first, GroupId::new(1), clients, 443);
    /// connection.present(&later);
    /// let host = Host::parse(b"b.test")?;
    /// assert!(connection.presented().any(|set| set.covers(&host)));
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "alloc")]
    pub fn present(&mut self, set: impl Into<PresentedSet<'a>>) {
        if let Coverage::Presented(presented) = &mut self.coverage {
            let earlier = presented.later().iter().cloned();
            let all: Vec<PresentedSet<'a>> = earlier.chain([set.into()]).collect();
            presented.later = Some(all.into());
        }
    }

    /// Lists the sets of identifiers that the connection has presented so far. Only a TLS
    /// connection has any.
    pub fn presented(&self) -> impl Iterator<Item = &PresentedSet<'a>> {
        let presented = match &self.coverage {
            Coverage::Presented(presented) => Some(presented),
            Coverage::Cleartext | Coverage::TrustedGateway => None,
        };
        presented.into_iter().flat_map(Presented::sets)
    }

    /// Returns the group that the handshake chose.
    pub const fn group(&self) -> GroupId {
        self.group
    }

    /// Returns whether the handshake asked for a client certificate.
    pub const fn client_certificates(&self) -> ClientCertificates {
        self.client_certificates
    }

    /// Returns the scheme of the origins that this connection serves.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns the ports that the listener answers for.
    pub const fn ports(&self) -> &Ports<'a> {
        &self.ports
    }

    /// Returns the server name of the ClientHello.
    #[inline(always)]
    pub fn server_name(&self) -> Option<DnsName<'_>> {
        match self.server_name.as_ref()? {
            ServerName::Borrowed(name) => Some(*name),
            #[cfg(feature = "alloc")]
            ServerName::Shared(name) => Some(name.as_name()),
        }
    }
}
