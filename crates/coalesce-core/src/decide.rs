//! The decision whether a connection serves a request.

pub use connection::ServerConnection;
pub use memo::Memo;

use crate::authorities::{Authorities, Entry};
use crate::authority::Authority;
use crate::host::Host;
use crate::policy::{
    ClientCertificates, CoalescePolicy, ConnectPolicy, Enforcement, GroupId, GroupPolicy,
    UnknownAuthority, VirtualHostId,
};
use crate::reason::{Malformed, Misdirected};
use crate::request::{HostField, MethodKind, RequestTarget};
use crate::simd::{Kernel, Simd, dispatch};
use connection::{Coverage, Responsible};

/// The result of a decision on one request.
///
/// # Examples
///
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// use coalesce_core::{AuthorityTable, GroupId, RequestTarget, ServerConnection, Verdict, decide};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let table = AuthorityTable::builder().build()?;
/// let connection = ServerConnection::cleartext(GroupId::new(1), 80);
/// let request = RequestTarget { scheme: Some(b"http"), ..RequestTarget::https(b"a.test") };
/// let status = match decide(&table, &connection, &request) {
///     Verdict::Serve(_proof) => 200,
///     Verdict::Misdirected(_) => 421,
///     Verdict::Malformed(reason) => reason.answer().status(),
/// };
/// assert_eq!(status, 421);
/// # Ok(()) }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use]
#[allow(clippy::exhaustive_enums, reason = "callers must handle every outcome")]
pub enum Verdict {
    /// The application gets the request, with this proof.
    Serve(Authoritative),
    /// The request's stream gets a 421.
    Misdirected(Misdirected),
    /// The request gets the answer of [`Malformed::answer`].
    Malformed(Malformed),
}

/// The proof that a request may be served on its connection, and as which virtual host.
///
/// Only [`decide`] makes one, and it cannot be copied. A request therefore cannot reach an
/// application that takes a proof by value unless the decision allowed it. A proof holds for the
/// request that was decided and for no other.
///
/// # Examples
///
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// # use coalesce_core::{AuthorityTable, GroupPolicy, NamePattern, RequestTarget};
/// # use coalesce_core::{ServerConnection, Verdict, decide};
/// use coalesce_core::{Authoritative, GroupId, ServedAs, VirtualHostId};
///
/// /// An application that no request reaches without a decision.
/// fn respond(proof: &Authoritative) -> String {
///     format!("virtual host {:?} of group {}", proof.virtual_host(), proof.group())
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let group = GroupId::new(1);
/// # let mut builder = AuthorityTable::builder();
/// # builder.group(group, GroupPolicy::default())?;
/// # builder.entry(NamePattern::parse(b"a.test")?, VirtualHostId::new(7), group)?;
/// # let table = builder.build()?;
/// let connection = ServerConnection::cleartext(group, 80);
/// let request = RequestTarget { scheme: Some(b"http"), ..RequestTarget::https(b"a.test") };
/// let Verdict::Serve(proof) = decide(&table, &connection, &request) else { panic!() };
/// assert_eq!(respond(&proof), "virtual host Some(VirtualHostId(7)) of group 1");
/// assert_eq!(proof.served_as(), ServedAs::VirtualHost(VirtualHostId::new(7)));
/// assert_eq!(proof.observed(), None);
/// # Ok(()) }
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Authoritative {
    served_as: ServedAs,
    group: GroupId,
    observed: Option<Misdirected>,
}

impl Authoritative {
    /// Returns how the request is served.
    pub const fn served_as(&self) -> ServedAs {
        self.served_as
    }

    /// Returns the virtual host, unless the request is [`ServedAs::Unlisted`] or
    /// [`ServedAs::Tunnel`].
    pub const fn virtual_host(&self) -> Option<VirtualHostId> {
        match self.served_as {
            ServedAs::VirtualHost(id) => Some(id),
            ServedAs::Unlisted | ServedAs::Tunnel => None,
        }
    }

    /// Returns the coalescing group of the connection.
    pub const fn group(&self) -> GroupId {
        self.group
    }

    /// Returns the first reason for which the request would have got a 421 if its group were not
    /// [observed](crate::Enforcement::Observe). `None` if no step refused the request.
    pub const fn observed(&self) -> Option<Misdirected> {
        self.observed
    }
}

/// The way in which a request is served.
///
/// # Examples
/// ```
/// use coalesce_core::{Authoritative, ServedAs};
///
/// fn status(proof: &Authoritative) -> u16 {
///     match proof.served_as() {
///         ServedAs::VirtualHost(_) => 200,
///         ServedAs::Unlisted => 404,
///         // A proxy opens the tunnel; this one does not.
///         ServedAs::Tunnel => 501,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "an application must answer each one differently")]
pub enum ServedAs {
    /// A virtual host. The connection meets its certificate and its group.
    VirtualHost(VirtualHostId),
    /// An authority without an entry, allowed by [`UnknownAuthority::HandToApplication`]. The
    /// connection proves nothing about it, so answer 404.
    Unlisted,
    /// A tunnel for a proxy to open, allowed by [`ConnectPolicy::Any`]. The authority belongs to
    /// another server.
    Tunnel,
}

/// Decides one request on one connection.
///
/// The steps run in this order, and each has its own reasons to refuse:
///
/// 1. One authority: `:authority`, else `Host` (RFC 9113 §8.3.1, RFC 9110 §7.2).
/// 2. The request has the connection's scheme (RFC 9110 §7.4).
/// 3. A virtual host has this name (RFC 9110 §15.5.20).
/// 4. The listener answers for the port (RFC 9110 §4.3.3).
/// 5. A certificate that the connection has presented so far covers the host (RFC 9110 §7.4, RFC
///    9113 §9.1.1).
/// 6. The connection's listener, among those that share the port, is responsible for the host. The
///    virtual host is in the connection's group. The [`CoalescePolicy`] of the entry, or else of
///    the group, allows the host.
/// 7. If there is a `Host` too, it names the same authority (RFC 9113 §8.3.1).
/// 8. Serve.
///
/// How is `CONNECT` decided? A tunnel has no origin to compare. After step 1, in which only
/// `:authority` counts (RFC 9113 §8.5), [`ConnectPolicy`] refuses it or passes it to the
/// application; step 7 still applies. A `CONNECT` with `:protocol` goes through every step. The
/// policy may refuse it only at the end, so a misdirected one gets its 421.
///
/// If the group is [observed](crate::Enforcement::Observe), a step that would answer 421 records
/// its reason and the decision continues, as far as that is safe. The proof contains the reason.
///
/// # Panics
/// Never, for any input.
///
/// # Allocation
/// None.
///
/// # Complexity
/// Linear in the length of the fields, plus two lookups, plus a third one if listeners share a
/// port.
///
/// # Examples
///
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// use coalesce_core::{
///     AuthorityTable, ClientCertificates, GroupId, GroupPolicy, IdentifierSet, Misdirected,
///     NamePattern, PresentedIdentifier, RequestTarget, ServerConnection, Verdict, VirtualHostId,
///     decide,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let group = GroupId::new(1);
/// let mut table = AuthorityTable::builder();
/// table.group(group, GroupPolicy::default())?;
/// table.entry(NamePattern::parse(b"**.test")?, VirtualHostId::new(0), group)?;
/// let table = table.build()?;
///
/// let presented = IdentifierSet::build([PresentedIdentifier::parse_dns(b"*.a.test")?])?;
/// let clients = ClientCertificates::NotAsked;
/// let connection = ServerConnection::tls(&presented, group, clients, 443);
/// let decide = |authority| decide(&table, &connection, &RequestTarget::https(authority));
///
/// assert!(matches!(decide(b"x.a.test"), Verdict::Serve(_)));
/// assert_eq!(decide(b"x.a.test:8443"), Verdict::Misdirected(Misdirected::Port));
/// assert_eq!(decide(b"x.b.test"), Verdict::Misdirected(Misdirected::Certificate));
/// assert_eq!(decide(b"other.example"), Verdict::Misdirected(Misdirected::UnknownAuthority));
/// assert!(matches!(decide(b"user@x.a.test"), Verdict::Malformed(_)));
/// # Ok(()) }
/// ```
#[inline]
pub fn decide<A: Authorities + ?Sized>(
    table: &A,
    connection: &ServerConnection<'_>,
    request: &RequestTarget<'_>,
) -> Verdict {
    verdict(connection, &decided(table, connection, request))
}

#[inline(always)]
fn decided<A: Authorities + ?Sized>(
    table: &A,
    connection: &ServerConnection<'_>,
    request: &RequestTarget<'_>,
) -> Result<Allowed, Refusal> {
    dispatch(Deciding { table, connection, request }, ())
}

#[inline(always)]
fn verdict(connection: &ServerConnection<'_>, decided: &Result<Allowed, Refusal>) -> Verdict {
    match *decided {
        Ok(Allowed { served_as, observed, .. }) => {
            Verdict::Serve(Authoritative { served_as, group: connection.group, observed })
        }
        Err(Refusal::Misdirected(reason)) => Verdict::Misdirected(reason),
        Err(Refusal::Malformed(reason)) => Verdict::Malformed(reason),
    }
}

/// A request that every step allowed.
struct Allowed {
    served_as: ServedAs,
    observed: Option<Misdirected>,
    /// The policy that compares the host with the server name.
    coalesce: CoalescePolicy,
}

/// Collects findings. While observing, records the first one instead of refusing.
struct Finding {
    enforcement: Enforcement,
    first: Option<Misdirected>,
}

impl Finding {
    /// Refuses while the group is enforced. Records the reason while it is observed.
    #[inline(always)]
    fn misdirected(&mut self, reason: Misdirected) -> Result<(), Refusal> {
        if self.enforcement == Enforcement::Enforce {
            return Err(reason.into());
        }
        self.first.get_or_insert(reason);
        Ok(())
    }

    /// Returns a refusal even while observing. The first recorded reason is the reason.
    fn refused(&self, reason: Misdirected) -> Refusal {
        self.first.unwrap_or(reason).into()
    }
}

/// The steps as a kernel, so that they are compiled for each instruction set.
struct Deciding<'a, A: ?Sized> {
    table: &'a A,
    connection: &'a ServerConnection<'a>,
    request: &'a RequestTarget<'a>,
}

impl<A: Authorities + ?Sized> Kernel<()> for Deciding<'_, A> {
    type Output = Result<Allowed, Refusal>;

    #[inline(always)]
    fn run(self, (): (), simd: impl Simd) -> Self::Output {
        steps(simd, self.table, self.connection, self.request)
    }
}

enum Refusal {
    Misdirected(Misdirected),
    Malformed(Malformed),
}

impl From<Misdirected> for Refusal {
    fn from(reason: Misdirected) -> Self {
        Self::Misdirected(reason)
    }
}

impl From<Malformed> for Refusal {
    fn from(reason: Malformed) -> Self {
        Self::Malformed(reason)
    }
}

#[inline(always)]
fn steps<A: Authorities + ?Sized>(
    simd: impl Simd,
    table: &A,
    connection: &ServerConnection<'_>,
    request: &RequestTarget<'_>,
) -> Result<Allowed, Refusal> {
    // A group that is no longer in the table gets the default policies; step 6 refuses its hosts.
    let policy = table.group_policy(connection.group).unwrap_or_default();
    let mut finding = Finding { enforcement: policy.enforcement, first: None };

    // 1. One authority.
    let authority = one_authority(simd, request)?;
    if request.method == MethodKind::Connect {
        let served_as = tunnel(request, &authority, policy)?;
        return Ok(Allowed { served_as, observed: None, coalesce: policy.coalesce });
    }

    // 2. Scheme.
    let scheme = connection.scheme.as_str().as_bytes();
    if request.scheme.is_some_and(|named| !named.eq_ignore_ascii_case(scheme)) {
        finding.misdirected(Misdirected::Scheme)?;
    }

    // 3. Known here.
    let default_port = connection.scheme.default_port();
    let host = authority.host();
    let responsible = match &connection.listener {
        None => Responsible::Own,
        Some(listener) => listener.responsible(&host),
    };
    let known = table.lookup(&host).filter(|_| responsible != Responsible::NoListener);
    let Some(entry) = known else {
        // Another listener may know the host, but its hosts are not served on this connection.
        let elsewhere = responsible == Responsible::Another;
        if elsewhere || policy.unknown_authority == UnknownAuthority::Misdirected {
            return Err(finding.refused(Misdirected::UnknownAuthority));
        }
        same_host_field(request, &authority, default_port)?;
        check_extended_connect(request, policy)?;
        let (served_as, observed) = (ServedAs::Unlisted, finding.first);
        return Ok(Allowed { served_as, observed, coalesce: policy.coalesce });
    };

    // 4. Port.
    if !connection.ports.contains(authority.port_or(default_port)) {
        finding.misdirected(Misdirected::Port)?;
    }

    // 5. Certificate. 6. Group.
    let coalesce =
        check_connection(table, connection, policy, &host, entry, responsible, &mut finding)?;

    // 7. Host field.
    same_host_field(request, &authority, default_port)?;
    check_extended_connect(request, policy)?;

    // 8. Serve.
    let (served_as, observed) = (ServedAs::VirtualHost(entry.virtual_host), finding.first);
    Ok(Allowed { served_as, observed, coalesce })
}

/// Does steps 5 and 6: checks that this connection may carry requests for `host`, whose entry is
/// `entry`. Returns the policy that compares the host with the server name.
#[inline(always)]
fn check_connection<A: Authorities + ?Sized>(
    table: &A,
    connection: &ServerConnection<'_>,
    policy: GroupPolicy,
    host: &Host<'_>,
    entry: Entry,
    responsible: Responsible,
    finding: &mut Finding,
) -> Result<CoalescePolicy, Refusal> {
    // 5. Certificate.
    let covered = match &connection.coverage {
        Coverage::Presented(presented) => presented.covers(host),
        Coverage::Cleartext | Coverage::TrustedGateway => true,
    };
    if !covered {
        finding.misdirected(Misdirected::Certificate)?;
    }

    // 6. Group.
    if responsible == Responsible::Another {
        finding.misdirected(Misdirected::Listener)?;
    }
    let of_group = if entry.group == connection.group {
        policy.coalesce
    } else {
        of_another_group(table, connection, policy, entry.group, finding)?
    };
    let coalesce = entry.coalesce.unwrap_or(of_group);
    if !server_name_allows(coalesce, connection, host) {
        finding.misdirected(Misdirected::ServerName)?;
    }
    Ok(coalesce)
}

/// Refuses a host of another group. Returns that group's policy if both groups are observed and
/// none of their handshakes asks for client certificates.
#[inline(never)]
fn of_another_group<A: Authorities + ?Sized>(
    table: &A,
    connection: &ServerConnection<'_>,
    policy: GroupPolicy,
    group: GroupId,
    finding: &mut Finding,
) -> Result<CoalescePolicy, Refusal> {
    if policy.enforcement == Enforcement::Enforce {
        return Err(Misdirected::Group.into());
    }
    let other = table.group_policy(group).ok_or_else(|| finding.refused(Misdirected::Group))?;
    // Observing never crosses a client-certificate boundary. The connection knows whether its
    // handshake asked the client, and the table knows whether each group asks. One yes is enough to
    // refuse.
    let asked =
        [connection.client_certificates, policy.client_certificates(), other.client_certificates()]
            .contains(&ClientCertificates::Asked);
    if asked || other.enforcement == Enforcement::Enforce {
        return Err(finding.refused(Misdirected::Group));
    }
    finding.misdirected(Misdirected::Group)?;
    Ok(other.coalesce)
}

#[inline(always)]
fn one_authority<'a>(
    simd: impl Simd,
    request: &RequestTarget<'a>,
) -> Result<Authority<'a>, Malformed> {
    match (request.authority, request.host) {
        (_, HostField::Several) => Err(Malformed::SeveralHosts),
        (Some(authority), _) => {
            Authority::parse_with(simd, authority).map_err(Malformed::Authority)
        }
        (None, HostField::One(host)) if request.method != MethodKind::Connect => {
            Authority::parse(host).map_err(Malformed::Host)
        }
        (None, _) => Err(Malformed::NoAuthority),
    }
}

fn tunnel(
    request: &RequestTarget<'_>,
    authority: &Authority<'_>,
    policy: GroupPolicy,
) -> Result<ServedAs, Refusal> {
    match (policy.connect, authority.port()) {
        (ConnectPolicy::Refuse | ConnectPolicy::Extended, _) => {
            Err(Malformed::ConnectRefused.into())
        }
        (ConnectPolicy::Any, None) => Err(Malformed::ConnectPort.into()),
        (ConnectPolicy::Any, Some(port)) => {
            // A tunnel has no default port, so a `Host` without a port means the port of
            // `:authority` (the example of RFC 9112 §3.2.3).
            same_host_field(request, authority, port)?;
            Ok(ServedAs::Tunnel)
        }
    }
}

#[inline]
fn check_extended_connect(
    request: &RequestTarget<'_>,
    policy: GroupPolicy,
) -> Result<(), Malformed> {
    let extended = request.method == MethodKind::ExtendedConnect;
    if extended && policy.connect == ConnectPolicy::Refuse {
        return Err(Malformed::ExtendedConnectRefused);
    }
    Ok(())
}

#[inline]
fn server_name_allows(
    policy: CoalescePolicy,
    connection: &ServerConnection<'_>,
    host: &Host<'_>,
) -> bool {
    if policy == CoalescePolicy::CertificateAndGroup {
        return true;
    }
    let server_name = connection.server_name();
    // A cleartext connection has no server name to compare with. A gateway that terminated TLS
    // knows the server name, so a connection from it is compared even if the gateway did not pass
    // the name on.
    if matches!(connection.coverage, Coverage::Cleartext) && server_name.is_none() {
        return true;
    }
    match (policy, server_name, host) {
        (CoalescePolicy::StrictServerName, None, Host::Ip(_)) => true,
        (_, Some(server_name), Host::Name(name)) => server_name == *name,
        _ => false,
    }
}

fn same_host_field(
    request: &RequestTarget<'_>,
    authority: &Authority<'_>,
    default_port: u16,
) -> Result<(), Malformed> {
    let (Some(_), HostField::One(field)) = (request.authority, request.host) else {
        return Ok(());
    };
    // RFC 9110 §7.2 allows an empty Host only if the target has no authority, but this one has.
    if field.is_empty() {
        return Err(Malformed::HostDiffers);
    }
    let named = Authority::parse(field).map_err(Malformed::HostBeside)?;
    let same = named.host() == authority.host()
        && named.port_or(default_port) == authority.port_or(default_port);
    if same { Ok(()) } else { Err(Malformed::HostDiffers) }
}

mod connection;
mod memo;
#[cfg(all(test, feature = "alloc"))]
mod tests;
