//! The decision.

pub use memo::Memo;

use crate::authority::Authority;
use crate::host::Host;
use crate::identifier_set::IdentifierSet;
use crate::name::DnsName;
use crate::name::scan::{Machine, OnMachine, on_this_machine};
use crate::policy::{
    CoalescePolicy, ConnectPolicy, GroupId, GroupPolicy, UnknownAuthority, VirtualHostId,
};
use crate::reason::{Malformed, Misdirected};
use crate::request::{HostField, MethodKind, RequestTarget, Scheme};
use crate::table::AuthorityTable;

/// The facts of one connection, fixed when its handshake ended.
///
/// There are three ways to make one, and each says by its name what vouches for an `https` origin:
/// the certificate of this handshake, nothing (cleartext), or a gateway that the user trusts.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    scheme: Scheme,
    coverage: Coverage<'a>,
    server_name: Option<DnsName<'a>>,
    group: GroupId,
    ports: &'a [u16],
}

#[derive(Clone, Copy, Debug)]
enum Coverage<'a> {
    /// What the presented certificate covers.
    Presented(IdentifierSet<&'a [u8]>),
    /// No TLS: there is nothing to present, and only `http` origins to serve.
    Cleartext,
    /// RFC 9110 §7.4: the gateway has checked what this step would check.
    TrustedGateway,
}

impl<'a> Connection<'a> {
    /// A connection over TLS, which presented a certificate with these identifiers and whose
    /// ClientHello chose `group`. `ports` are those that its listener answers for.
    pub const fn tls(presented: IdentifierSet<&'a [u8]>, group: GroupId, ports: &'a [u16]) -> Self {
        let coverage = Coverage::Presented(presented);
        Self { scheme: Scheme::Https, coverage, server_name: None, group, ports }
    }

    /// A connection in the clear: it carries `http` origins only.
    pub const fn cleartext(group: GroupId, ports: &'a [u16]) -> Self {
        let coverage = Coverage::Cleartext;
        Self { scheme: Scheme::Http, coverage, server_name: None, group, ports }
    }

    /// A connection from a gateway that the user trusts to have checked the certificate itself
    /// (RFC 9110 §7.4), carrying origins of `scheme`. The one way to waive the certificate step.
    ///
    /// # Security
    /// Whoever can open such a connection can name any virtual host of `group`.
    pub const fn trusted_gateway(scheme: Scheme, group: GroupId, ports: &'a [u16]) -> Self {
        Self { scheme, coverage: Coverage::TrustedGateway, server_name: None, group, ports }
    }

    /// The same connection, whose ClientHello carried `server_name` (RFC 6066 §3).
    #[must_use]
    pub const fn with_server_name(mut self, server_name: Option<DnsName<'a>>) -> Self {
        self.server_name = server_name;
        self
    }

    /// The group that the handshake chose.
    pub const fn group(&self) -> GroupId {
        self.group
    }

    /// The scheme of the origins this connection carries.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }
}

/// What becomes of one request.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
#[allow(clippy::exhaustive_enums, reason = "callers must handle every outcome")]
pub enum Verdict {
    /// The application may have it, with this proof.
    Serve(Authoritative),
    /// It is answered 421 on its own stream.
    Misdirected(Misdirected),
    /// It is answered as [`Malformed::answer`] says.
    Malformed(Malformed),
}

/// The proof that a request may be served on its connection, and as what.
///
/// Only [`decide`] makes one, and nobody copies it: an application that takes it by value cannot be
/// reached without the decision. It proves something of the request that was decided and of no
/// other.
#[derive(Debug, PartialEq, Eq)]
pub struct Authoritative {
    site: Site,
    group: GroupId,
}

impl Authoritative {
    /// What the request is served as.
    pub const fn site(&self) -> Site {
        self.site
    }

    /// The virtual host, unless the request is [`Site::Unlisted`] or [`Site::Tunnel`].
    pub const fn virtual_host(&self) -> Option<VirtualHostId> {
        match self.site {
            Site::VirtualHost(id) => Some(id),
            Site::Unlisted | Site::Tunnel => None,
        }
    }

    /// The coalescing group of the connection.
    pub const fn group(&self) -> GroupId {
        self.group
    }
}

/// What a served request is served as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "an application must answer each of them differently")]
pub enum Site {
    /// A virtual host, whose certificate and group this connection has met.
    VirtualHost(VirtualHostId),
    /// Nobody's authority, handed over by [`UnknownAuthority::HandToApplication`]. The connection
    /// proves nothing about it; 404 is the answer.
    Unlisted,
    /// A tunnel for a proxy to open, handed over by [`ConnectPolicy::Any`]. The authority is
    /// another server's.
    Tunnel,
}

/// Decides one request on one connection.
///
/// The steps, in order, each refusal with its own reason:
///
/// 1. One authority: `:authority`, else `Host` (RFC 9113 §8.3.1, RFC 9110 §7.2).
/// 2. The scheme is the connection's (RFC 9110 §7.4).
/// 3. A virtual host has this name (RFC 9110 §15.5.20).
/// 4. The listener answers for the port (RFC 9110 §4.3.3).
/// 5. The presented certificate covers the host (RFC 9110 §7.4, RFC 9113 §9.1.1).
/// 6. The virtual host is in the connection's group, and the group's [`CoalescePolicy`] holds.
/// 7. `Host`, if there is one as well, names the same authority (RFC 9113 §8.3.1).
/// 8. Serve.
///
/// Where does `CONNECT` stand? For a tunnel it has no origin to compare: after step 1, where only
/// `:authority` counts (RFC 9113 §8.5), it is refused or handed over by [`ConnectPolicy`], step 7
/// included. With `:protocol` it goes through every step, and is refused at the end if the policy
/// does not take it, so that a misdirected one is told so.
///
/// # Panics
/// Never, for any input.
///
/// # Allocation
/// None.
///
/// # Complexity
/// Linear in the length of the fields, plus two lookups.
pub fn decide<S: AsRef<[u8]>>(
    table: &AuthorityTable<S>,
    connection: &Connection<'_>,
    request: &RequestTarget<'_>,
) -> Verdict {
    match on_this_machine(Deciding { table, connection, request }, ()) {
        Ok(site) => Verdict::Serve(Authoritative { site, group: connection.group }),
        Err(Refusal::Misdirected(reason)) => Verdict::Misdirected(reason),
        Err(Refusal::Malformed(reason)) => Verdict::Malformed(reason),
    }
}

/// The steps as work for a machine.
struct Deciding<'a, S> {
    table: &'a AuthorityTable<S>,
    connection: &'a Connection<'a>,
    request: &'a RequestTarget<'a>,
}

impl<S: AsRef<[u8]>> OnMachine<()> for Deciding<'_, S> {
    type Output = Result<Site, Refusal>;

    #[inline(always)]
    fn on(self, (): (), machine: impl Machine) -> Self::Output {
        steps(machine, self.table, self.connection, self.request)
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
fn steps<S: AsRef<[u8]>>(
    machine: impl Machine,
    table: &AuthorityTable<S>,
    connection: &Connection<'_>,
    request: &RequestTarget<'_>,
) -> Result<Site, Refusal> {
    // A group that this snapshot no longer has keeps the strictest policies; step 6 refuses the
    // rest.
    let policy = table.group_policy(connection.group).unwrap_or_default();

    // 1. One authority.
    let authority = one_authority(machine, request)?;
    if request.method == MethodKind::Connect {
        return tunnel(request, &authority, policy);
    }

    // 2. Scheme.
    let scheme = connection.scheme.as_str().as_bytes();
    if request.scheme.is_some_and(|named| !named.eq_ignore_ascii_case(scheme)) {
        return Err(Misdirected::Scheme.into());
    }

    // 3. Known here.
    let host = authority.host();
    let Some(entry) = table.lookup(&host) else {
        return match policy.unknown_authority {
            UnknownAuthority::Misdirected => Err(Misdirected::UnknownAuthority.into()),
            UnknownAuthority::HandToApplication => {
                same_host_field(request, &authority, connection.scheme.default_port())?;
                extended_connect_taken(request, policy)?;
                Ok(Site::Unlisted)
            }
        };
    };

    // 4. Port.
    let default_port = connection.scheme.default_port();
    let port = authority.port_or(default_port);
    if !connection.ports.contains(&port) {
        return Err(Misdirected::Port.into());
    }

    // 5. Certificate.
    let covered = match connection.coverage {
        Coverage::Presented(presented) => presented.find(&host).is_some(),
        Coverage::Cleartext | Coverage::TrustedGateway => true,
    };
    if !covered {
        return Err(Misdirected::Certificate.into());
    }

    // 6. Group.
    if entry.group != connection.group {
        return Err(Misdirected::Group.into());
    }
    if !server_name_allows(policy.coalesce, connection, &host) {
        return Err(Misdirected::ServerName.into());
    }

    // 7. Host field.
    same_host_field(request, &authority, default_port)?;
    extended_connect_taken(request, policy)?;

    // 8. Serve.
    Ok(Site::VirtualHost(entry.virtual_host))
}

#[inline(always)]
fn one_authority<'a>(
    machine: impl Machine,
    request: &RequestTarget<'a>,
) -> Result<Authority<'a>, Malformed> {
    match (request.authority, request.host) {
        (_, HostField::Several) => Err(Malformed::SeveralHosts),
        (Some(authority), _) => {
            Authority::parse_on(machine, authority).map_err(Malformed::Authority)
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
) -> Result<Site, Refusal> {
    match (policy.connect, authority.port()) {
        (ConnectPolicy::Refuse | ConnectPolicy::Extended, _) => {
            Err(Malformed::ConnectRefused.into())
        }
        (ConnectPolicy::Any, None) => Err(Malformed::ConnectPort.into()),
        (ConnectPolicy::Any, Some(port)) => {
            // A tunnel has no default port: a `Host` without one means the port that is named
            // (the example of RFC 9112 §3.2.3).
            same_host_field(request, authority, port)?;
            Ok(Site::Tunnel)
        }
    }
}

fn extended_connect_taken(
    request: &RequestTarget<'_>,
    policy: GroupPolicy,
) -> Result<(), Malformed> {
    let extended = request.method == MethodKind::ExtendedConnect;
    if extended && policy.connect == ConnectPolicy::Refuse {
        return Err(Malformed::ExtendedConnectRefused);
    }
    Ok(())
}

fn server_name_allows(
    policy: CoalescePolicy,
    connection: &Connection<'_>,
    host: &Host<'_>,
) -> bool {
    // In the clear there is no server name to miss. A gateway that terminated TLS knows it, and one
    // that does not pass it on serves nothing that is compared with it.
    if matches!(connection.coverage, Coverage::Cleartext) && connection.server_name.is_none() {
        return true;
    }
    match (policy, connection.server_name, host) {
        (CoalescePolicy::CertificateAndGroup, _, _)
        | (CoalescePolicy::StrictServerName, None, Host::Ip(_)) => true,
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
    // RFC 9110 §7.2 lets a Host be empty when its target has no authority; this one has.
    if field.is_empty() {
        return Err(Malformed::HostDiffers);
    }
    let named = Authority::parse(field).map_err(Malformed::HostBeside)?;
    let same = named.host() == authority.host()
        && named.port_or(default_port) == authority.port_or(default_port);
    if same { Ok(()) } else { Err(Malformed::HostDiffers) }
}

mod memo;
#[cfg(all(test, feature = "alloc"))]
mod tests;
