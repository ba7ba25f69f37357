//! Facts from a gateway that has terminated TLS (RFC 9110 §7.4). Nothing here is on by itself.

mod claims;
mod fields;
#[cfg(feature = "proxy-protocol")]
mod proxy_protocol;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use coalesce_core::{DnsName, GroupId, Scheme};
use ipnet::{IpNet, Ipv4Net};

pub(crate) use claims::strip;
pub use fields::GatewayFields;
pub(crate) use fields::{Forwarding, GatewayFieldError};
#[cfg(feature = "proxy-protocol")]
pub(crate) use proxy_protocol::ProxyProtocol;

/// The gateways that are trusted to have checked the certificate themselves, by address, and which
/// coalescing group a client that came through one belongs to.
///
/// ```
/// use coalesce_core::GroupId;
/// use coalesce_tower::TrustedGateways;
///
/// const PUBLIC: GroupId = GroupId::new(1);
/// const STAFF: GroupId = GroupId::new(2);
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let gateways = TrustedGateways::new(["10.0.0.5/32".parse()?, "fd00::/64".parse()?], |client| {
///     // The gateway asks for certificates where the server name is that of the staff.
///     Some(if client.certificate_verified { STAFF } else { PUBLIC })
/// });
/// # Ok(()) }
/// ```
///
/// # Security
/// The certificate step of the decision is waived for what they send, and whatever they say of
/// their clients is believed. They must strip what clients send under the same names, and no
/// other host may use a listed address.
#[derive(Clone)]
pub struct TrustedGateways {
    networks: Arc<[IpNet]>,
    group: Arc<GroupOf>,
}

type GroupOf = dyn Fn(&Forwarded<'_>) -> Option<GroupId> + Send + Sync;

/// What a gateway says of its client's connection.
///
/// # Examples
/// ```
/// use coalesce_core::{GroupId, Scheme};
/// use coalesce_tower::TrustedGateways;
///
/// let networks = ["10.0.0.5/32".parse().unwrap()];
/// let gateways = TrustedGateways::new(networks, |client| {
///     // Clients without TLS are refused.
///     (client.scheme == Scheme::Https).then_some(GroupId::new(1))
/// });
/// assert!(gateways.contain([10, 0, 0, 5].into()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forwarded<'a> {
    /// How the client reached the gateway.
    pub scheme: Scheme,
    /// The server name of the client's handshake, if the gateway passes one on.
    pub server_name: Option<DnsName<'a>>,
    /// Whether the client showed a certificate that the gateway has verified.
    pub certificate_verified: bool,
    /// True if the gateway speaks for itself, to see whether this server is alive.
    pub is_gateway: bool,
}

impl TrustedGateways {
    /// Trusts gateways in `networks`; a single address is one as well (`10.0.0.5/32`). `group` says
    /// which coalescing group a client belongs to; `None` refuses it.
    ///
    /// An address or a network of the form `::ffff:10.0.0.5` is that of the IPv4 address in it
    /// (RFC 4291 §2.5.5.2).
    pub fn new(
        networks: impl IntoIterator<Item = IpNet>,
        group: impl Fn(&Forwarded<'_>) -> Option<GroupId> + Send + Sync + 'static,
    ) -> Self {
        let networks = networks.into_iter().map(canonical).collect();
        Self { networks, group: Arc::new(group) }
    }

    /// Whether this is the address of one of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        // An IPv4 client of a socket that speaks both comes as `::ffff:a.b.c.d`.
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    pub(crate) fn are_at(&self, peer: Option<SocketAddr>) -> bool {
        peer.is_some_and(|peer| self.contain(peer.ip()))
    }

    fn group_of(&self, client: &Forwarded<'_>) -> Option<GroupId> {
        (self.group)(client)
    }
}

/// A network of IPv4-mapped addresses, as one of IPv4.
fn canonical(network: IpNet) -> IpNet {
    let (mapped, mapped_len) = (network.network().to_canonical(), network.prefix_len());
    match (network, mapped, mapped_len.checked_sub(MAPPED_PREFIX_LEN)) {
        (IpNet::V6(_), IpAddr::V4(address), Some(len)) => {
            Ipv4Net::new(address, len).map_or(network, IpNet::V4)
        }
        _ => network,
    }
}

/// The length of `::ffff:0:0/96`.
const MAPPED_PREFIX_LEN: u8 = 96;

impl fmt::Debug for TrustedGateways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedGateways").field("networks", &self.networks).finish_non_exhaustive()
    }
}
