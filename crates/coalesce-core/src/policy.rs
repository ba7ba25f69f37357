//! The policies of a coalescing group.

use core::fmt;

/// The number of a virtual host, chosen by the caller.
///
/// # Examples
/// ```
/// use coalesce_core::VirtualHostId;
///
/// let id = VirtualHostId::new(7);
/// assert_eq!((id.get(), id.to_string()), (7, "7".to_owned()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualHostId(u32);

/// The number of a coalescing group, chosen by the caller.
///
/// If two tables use the same id, the caller promises that it has the same TLS policy in both. The
/// decision compares ids, never the policies themselves, so you can judge a connection of one
/// snapshot with the table of the next.
///
/// # Examples
/// ```
/// use coalesce_core::GroupId;
///
/// let id = GroupId::new(7);
/// assert_eq!((id.get(), id.to_string()), (7, "7".to_owned()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(u32);

/// The number of a listener, chosen by the caller. If two tables use the same id, it must mean the
/// same listener in both.
///
/// # Examples
/// ```
/// use coalesce_core::ListenerId;
///
/// let id = ListenerId::new(7);
/// assert_eq!((id.get(), id.to_string()), (7, "7".to_owned()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(u32);

macro_rules! id {
    ($id:ident) => {
        impl $id {
            /// Wraps a number of the caller's choice.
            pub const fn new(id: u32) -> Self {
                Self(id)
            }

            /// Returns the number.
            pub const fn get(self) -> u32 {
                self.0
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(VirtualHostId);
id!(GroupId);
id!(ListenerId);

/// The policies of one coalescing group. The default suits most servers.
///
/// # Examples
/// ```
/// use coalesce_core::{CoalescePolicy, Enforcement, GroupPolicy, UnknownAuthority};
///
/// let policy = GroupPolicy::default()
///     .with_coalesce(CoalescePolicy::StrictServerName)
///     .with_unknown_authority(UnknownAuthority::HandToApplication)
///     .with_enforcement(Enforcement::Observe);
/// assert_eq!(policy.coalesce, CoalescePolicy::StrictServerName);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct GroupPolicy {
    /// Which authorities may share a connection of this group.
    pub coalesce: CoalescePolicy,
    /// The treatment of an authority that the table does not contain.
    pub unknown_authority: UnknownAuthority,
    /// The treatment of `CONNECT`.
    pub connect: ConnectPolicy,
    /// Whether a misdirected request is refused.
    pub enforcement: Enforcement,
    client_certificates: ClientCertificates,
}

impl GroupPolicy {
    /// Sets which authorities may share a connection of the group.
    #[must_use]
    pub const fn with_coalesce(mut self, coalesce: CoalescePolicy) -> Self {
        self.coalesce = coalesce;
        self
    }

    /// Sets the treatment of an authority that the table does not contain.
    #[must_use]
    pub const fn with_unknown_authority(mut self, unknown_authority: UnknownAuthority) -> Self {
        self.unknown_authority = unknown_authority;
        self
    }

    /// Sets the treatment of `CONNECT`.
    #[must_use]
    pub const fn with_connect(mut self, connect: ConnectPolicy) -> Self {
        self.connect = connect;
        self
    }

    /// Sets whether a misdirected request is refused.
    #[must_use]
    pub const fn with_enforcement(mut self, enforcement: Enforcement) -> Self {
        self.enforcement = enforcement;
        self
    }

    /// Copies from `rules` whether the handshakes of the group ask for client certificates.
    ///
    /// # Security
    /// While a group is [observed](Enforcement::Observe), requests on connections of other groups
    /// may reach its hosts if the handshakes of both groups ask for no certificate. Without this
    /// call, the policy counts as one that asks.
    #[must_use]
    pub fn with_handshake_rules(mut self, rules: &(impl HandshakeRules + ?Sized)) -> Self {
        self.client_certificates = rules.client_certificates();
        self
    }

    /// Returns whether the handshakes of the group ask for client certificates.
    pub const fn client_certificates(&self) -> ClientCertificates {
        self.client_certificates
    }
}

/// The rules that the handshakes of a group apply. `TlsPolicy` of `coalesce-tls` implements it.
///
/// For another TLS library, implement this trait on your configuration type. The answer then comes
/// from the configuration itself and cannot disagree with it.
///
/// # Examples
/// ```
/// use coalesce_core::{ClientCertificates, GroupPolicy, HandshakeRules};
///
/// /// The configuration of another TLS library.
/// struct Configuration {
///     client_cas: Vec<&'static str>,
/// }
///
/// impl HandshakeRules for Configuration {
///     fn client_certificates(&self) -> ClientCertificates {
///         if self.client_cas.is_empty() {
///             ClientCertificates::NotAsked
///         } else {
///             ClientCertificates::Asked
///         }
///     }
/// }
///
/// let configuration = Configuration { client_cas: Vec::new() };
/// let policy = GroupPolicy::default().with_handshake_rules(&configuration);
/// assert_eq!(policy.client_certificates(), ClientCertificates::NotAsked);
/// ```
pub trait HandshakeRules {
    /// Returns whether the handshakes ask clients for a certificate.
    fn client_certificates(&self) -> ClientCertificates;
}

/// Which authorities may share one connection.
///
/// # Examples
///
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// use coalesce_core::{
///     AuthorityTable, ClientCertificates, CoalescePolicy, DnsName, GroupId, GroupPolicy,
///     IdentifierSet, Misdirected, NamePattern, PresentedIdentifier, RequestTarget,
///     ServerConnection, Verdict, VirtualHostId, decide,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let group = GroupId::new(1);
/// let mut table = AuthorityTable::builder();
/// table.group(group, GroupPolicy::default().with_coalesce(CoalescePolicy::StrictServerName))?;
/// table.entry(NamePattern::parse(b"*.test")?, VirtualHostId::new(0), group)?;
/// let table = table.build()?;
///
/// let presented = IdentifierSet::build([PresentedIdentifier::parse_dns(b"*.test")?])?;
/// let clients = ClientCertificates::NotAsked;
/// let connection = ServerConnection::tls(&presented, group, clients, 443)
///     .with_server_name(Some(DnsName::parse(b"a.test")?));
/// let decide = |authority| decide(&table, &connection, &RequestTarget::https(authority));
/// assert!(matches!(decide(b"a.test"), Verdict::Serve(_)));
/// assert_eq!(decide(b"b.test"), Verdict::Misdirected(Misdirected::ServerName));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CoalescePolicy {
    /// Every authority that the presented certificate covers and whose virtual host is in the
    /// connection's group (RFC 9113 §9.1.1).
    #[default]
    CertificateAndGroup,
    /// As `CertificateAndGroup`, and the host must equal the server name. A TLS connection without
    /// a server name serves only IP literals, because clients do not send one for those (RFC 6066
    /// §3). The same holds for a connection from a trusted gateway that passes no server name on.
    /// On a cleartext connection there is no server name to compare with.
    StrictServerName,
    /// One connection, one host: as `StrictServerName`, but a connection without a server name
    /// does not even serve IP literals. Do not put hosts that clients reach by address in such a
    /// group.
    Never,
}

/// The treatment of an authority that the table does not contain.
///
/// # Examples
///
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// use coalesce_core::{
///     AuthorityTable, GroupId, GroupPolicy, RequestTarget, ServedAs, ServerConnection,
///     UnknownAuthority, Verdict, decide,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let group = GroupId::new(1);
/// let policy = GroupPolicy::default();
/// let policy = policy.with_unknown_authority(UnknownAuthority::HandToApplication);
/// let mut table = AuthorityTable::builder();
/// table.group(group, policy)?;
/// let table = table.build()?;
///
/// let connection = ServerConnection::cleartext(group, 80);
/// let request = RequestTarget { scheme: Some(b"http"), ..RequestTarget::https(b"a.test") };
/// let Verdict::Serve(proof) = decide(&table, &connection, &request) else { panic!() };
/// assert_eq!(proof.served_as(), ServedAs::Unlisted);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnknownAuthority {
    /// The request gets a 421 with the same bytes as every other 421.
    #[default]
    Misdirected,
    /// The application gets the request as [`ServedAs::Unlisted`](crate::ServedAs::Unlisted) and
    /// can answer with its own 404.
    HandToApplication,
}

/// The treatment of `CONNECT`. A form that is not allowed gets a 405.
///
/// # Examples
///
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// use coalesce_core::{
///     AuthorityTable, ConnectPolicy, GroupId, GroupPolicy, HostField, Malformed, MethodKind,
///     RequestTarget, ServedAs, ServerConnection, Verdict, decide,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let group = GroupId::new(1);
/// let mut table = AuthorityTable::builder();
/// table.group(group, GroupPolicy::default().with_connect(ConnectPolicy::Any))?;
/// let proxy = table.build()?;
/// let server = AuthorityTable::builder().build()?;
///
/// let connection = ServerConnection::cleartext(group, 80);
/// let request = RequestTarget {
///     authority: Some(b"far.test:443"),
///     host: HostField::Absent,
///     scheme: None,
///     method: MethodKind::Connect,
/// };
/// let Verdict::Serve(proof) = decide(&proxy, &connection, &request) else { panic!() };
/// assert_eq!(proof.served_as(), ServedAs::Tunnel);
/// let refused = decide(&server, &connection, &request);
/// assert_eq!(refused, Verdict::Malformed(Malformed::ConnectRefused));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectPolicy {
    /// Every `CONNECT` is refused, because an origin server is not a proxy (RFC 9110 §9.3.6).
    #[default]
    Refuse,
    /// Extended `CONNECT` (RFC 8441) is decided like any other request; plain `CONNECT` is refused.
    Extended,
    /// Extended `CONNECT` is decided like any other request. The application gets plain `CONNECT`
    /// as [`ServedAs::Tunnel`](crate::ServedAs::Tunnel), because a proxy never answers 421 (RFC
    /// 9110 §15.5.20).
    Any,
}

/// Whether a misdirected request is refused with a 421.
///
/// Observing helps you bring these rules to a server that had none. Every request is decided. A
/// request that would be refused is served where that is safe, as the virtual host that it names.
/// The proof contains the reason ([`Authoritative::observed`](crate::Authoritative::observed)), so
/// you can count such requests.
///
/// | found | while observing |
/// | --- | --- |
/// | another scheme, port, certificate, listener or server name | served |
/// | another group, if both observe and neither the handshake nor either group asks for client certificates | served |
/// | another group otherwise | 421 |
/// | an authority without an entry | 421, or as [`UnknownAuthority`] says: no virtual host could serve it |
/// | malformed | refused |
///
/// # Examples
///
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// use coalesce_core::{
///     AuthorityTable, Enforcement, GroupId, GroupPolicy, Misdirected, NamePattern,
///     RequestTarget, ServerConnection, Verdict, VirtualHostId, decide,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let group = GroupId::new(1);
/// let mut table = AuthorityTable::builder();
/// table.group(group, GroupPolicy::default().with_enforcement(Enforcement::Observe))?;
/// table.entry(NamePattern::parse(b"a.test")?, VirtualHostId::new(0), group)?;
/// let table = table.build()?;
///
/// // The request names another port than the listener's, but is served.
/// let connection = ServerConnection::cleartext(group, 80);
/// let request = RequestTarget { scheme: Some(b"http"), ..RequestTarget::https(b"a.test:81") };
/// let Verdict::Serve(proof) = decide(&table, &connection, &request) else { panic!() };
/// assert_eq!(proof.observed(), Some(Misdirected::Port));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Enforcement {
    /// A misdirected request is refused.
    #[default]
    Enforce,
    /// A misdirected request is served where that is safe.
    Observe,
}

/// Whether a handshake asks its client for a certificate.
///
/// # Examples
/// ```
/// use coalesce_core::{ClientCertificates, GroupId, ServerConnection};
///
/// let connection = ServerConnection::cleartext(GroupId::new(1), 80);
/// assert_eq!(connection.client_certificates(), ClientCertificates::NotAsked);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a handshake either asks for a certificate or not")]
pub enum ClientCertificates {
    /// The handshake asks for one, whether the client must present it or may.
    #[default]
    Asked,
    /// The handshake asks for none, so it accepts every client.
    NotAsked,
}

impl CoalescePolicy {
    #[cfg(feature = "alloc")]
    const fn to_bits(self) -> u32 {
        match self {
            Self::CertificateAndGroup => 0,
            Self::StrictServerName => 1,
            Self::Never => 2,
        }
    }

    const fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            0 => Some(Self::CertificateAndGroup),
            1 => Some(Self::StrictServerName),
            2 => Some(Self::Never),
            _ => None,
        }
    }
}

/// The place of an entry's policy in the word of its row; 0 there means no policy.
const OWN_SHIFT: u32 = 8;

/// The bits of a row's word that hold the group's policies.
pub(crate) const GROUP_BITS: u32 = (1 << OWN_SHIFT) - 1;

/// Returns the bits for a policy that entries have, as part of their row's word.
#[cfg(feature = "alloc")]
pub(crate) fn own_bits(coalesce: Option<CoalescePolicy>) -> u32 {
    coalesce.map_or(0, |own| own.to_bits().saturating_add(1) << OWN_SHIFT)
}

/// Returns the policy that the entries of a row have, if it is not the group's.
#[inline(always)]
pub(crate) const fn own_coalesce(bits: u32) -> Option<CoalescePolicy> {
    // The match covers all four values of two bits, so the compiler leaves no branch.
    match bits >> OWN_SHIFT & 3 {
        1 => Some(CoalescePolicy::CertificateAndGroup),
        2 => Some(CoalescePolicy::StrictServerName),
        3 => Some(CoalescePolicy::Never),
        _ => None,
    }
}

impl GroupPolicy {
    /// Returns the policies as one word of a table: two bits for a policy with three values or room
    /// for more, one bit for a policy with two.
    #[cfg(feature = "alloc")]
    pub(crate) const fn to_bits(self) -> u32 {
        let unknown = match self.unknown_authority {
            UnknownAuthority::Misdirected => 0,
            UnknownAuthority::HandToApplication => 1,
        };
        let connect = match self.connect {
            ConnectPolicy::Refuse => 0,
            ConnectPolicy::Extended => 1,
            ConnectPolicy::Any => 2,
        };
        let enforcement = match self.enforcement {
            Enforcement::Enforce => 0,
            Enforcement::Observe => 1,
        };
        let clients = match self.client_certificates {
            ClientCertificates::Asked => 0,
            ClientCertificates::NotAsked => 1,
        };
        self.coalesce.to_bits() | unknown << 2 | connect << 4 | enforcement << 6 | clients << 7
    }

    /// Reads the word that `to_bits` makes; the policy of a row's entries does not matter. Returns
    /// `None` for bits that `to_bits` never makes.
    #[inline]
    pub(crate) fn from_bits(bits: u32) -> Option<Self> {
        // Most groups have the default policies.
        if bits == 0 { Some(Self::default()) } else { Self::from_other_bits(bits) }
    }

    #[inline(never)]
    fn from_other_bits(bits: u32) -> Option<Self> {
        if bits >> OWN_SHIFT > 3 {
            return None;
        }
        let coalesce = CoalescePolicy::from_bits(bits & 3)?;
        let unknown_authority = match bits >> 2 & 3 {
            0 => UnknownAuthority::Misdirected,
            1 => UnknownAuthority::HandToApplication,
            _ => return None,
        };
        let connect = match bits >> 4 & 3 {
            0 => ConnectPolicy::Refuse,
            1 => ConnectPolicy::Extended,
            2 => ConnectPolicy::Any,
            _ => return None,
        };
        let enforcement =
            if bits >> 6 & 1 == 0 { Enforcement::Enforce } else { Enforcement::Observe };
        let client_certificates = if bits >> 7 & 1 == 0 {
            ClientCertificates::Asked
        } else {
            ClientCertificates::NotAsked
        };
        Some(Self { coalesce, unknown_authority, connect, enforcement, client_certificates })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_bits_round_trip_and_unknown_bits_are_refused() {
        for bits in (0..1 << 11).chain((0..32).map(|bit| 1 << bit)).chain([u32::MAX]) {
            let read = GroupPolicy::from_bits(bits);
            #[cfg(feature = "alloc")]
            assert!(
                read.is_none_or(|policy| policy.to_bits() | own_bits(own_coalesce(bits)) == bits),
                "{bits:x}"
            );
            let known = bits & 3 < 3 && bits >> 2 & 3 < 2 && bits >> 4 & 3 < 3 && bits >> 8 < 4;
            assert_eq!(read.is_some(), known, "{bits:x}");
        }
    }

    #[test]
    fn default_policy_asks_for_client_certificates() {
        assert_eq!(GroupPolicy::default().client_certificates(), ClientCertificates::Asked);
        assert_eq!(GroupPolicy::from_bits(0), Some(GroupPolicy::default()));
    }
}
