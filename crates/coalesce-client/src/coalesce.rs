//! Whether hosts share connections.

use coalesce_pool::Coalescing;
#[cfg(doc)]
use coalesce_pool::DnsPolicy;

/// Whether requests share connections with other hosts.
///
/// # Examples
/// ```
/// use coalesce_client::Coalesce;
///
/// assert_eq!(Coalesce::default(), Coalesce::Address);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Coalesce {
    /// A host uses its own connections, and these carry no other host.
    Off,
    /// A host uses its own connections, and these may carry other hosts.
    OwnOrigin,
    /// Hosts at the same address share connections. The default.
    #[default]
    Address,
    /// As `Address`. If the server sends ORIGIN frames, its origin set can also allow other ports,
    /// and replaces the comparison of addresses as far as the [`DnsPolicy`] says (RFC 8336 §2.4).
    Origins,
}

impl From<Coalesce> for Coalescing {
    fn from(choice: Coalesce) -> Self {
        match choice {
            Coalesce::Off => Self::Off,
            Coalesce::OwnOrigin => Self::OwnOrigin,
            Coalesce::Address => Self::Address,
            Coalesce::Origins => Self::AnyOrigin,
        }
    }
}
