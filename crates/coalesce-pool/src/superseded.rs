//! Connections that another one replaces (RFC 8336 §2.4).

use crate::candidate::{ConnectionFacts, ConnectionState, ConnectionStatus};
use crate::endpoint::comparable;

/// When a connection closes.
///
/// # Examples
/// ```
/// use coalesce_pool::Closing;
///
/// assert_eq!(Closing::Now.code(), "now");
/// assert_eq!(Closing::WhenIdle.code(), "when-idle");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Closing {
    /// At once: it has no open stream.
    Now,
    /// As soon as it has no open stream.
    WhenIdle,
}

impl Closing {
    /// Returns a stable name for logs, metrics and tools.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::WhenIdle => "when-idle",
        }
    }
}

/// Decides whether one connection is closed because another one replaces it.
///
/// A connection replaces another one if all of this holds:
///
/// - both are open, direct, and agree in address, scheme, partition and TLS configuration,
/// - the origin set of the first is a proper superset of the other's,
/// - it has room for the streams of the other, and for one at least,
/// - its certificate covers each host of the other's set that the other's certificate covers.
///
/// Why the certificate? RFC 8336 §2.4 speaks of sets alone. But a server may announce any origin,
/// and must not be able to close the connections of servers whose certificates it does not have.
///
/// Why the address? Requests whose host has the address of the first connection alone could not use
/// the other one, so each of them would make a connection that closes after it.
///
/// # Examples
/// ```
/// use coalesce_pool::{ConnectionFacts, ConnectionStatus, PoolKey, Protocol, superseded};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = PoolKey::new("https://a.test".parse()?);
/// let facts = ConnectionFacts::new(key, "192.0.2.10:443".parse()?, Protocol::Http2);
/// let status = ConnectionStatus::default();
/// // No origin set, so neither replaces the other.
/// assert_eq!(superseded((&facts, &status), (&facts, &status)), None);
/// # Ok(()) }
/// ```
pub fn superseded(
    one: (&ConnectionFacts, &ConnectionStatus),
    by: (&ConnectionFacts, &ConnectionStatus),
) -> Option<Closing> {
    let ((facts, status), (other, theirs)) = (one, by);
    let open = |status: &ConnectionStatus| status.state == ConnectionState::Open && !status.alone;
    let replaced = open(status)
        && open(theirs)
        && agree(facts, other)
        && theirs.room() >= status.streams_active.max(1)
        && status.origin_set().is_proper_subset(theirs.origin_set())
        && covers_as_much(facts, status, other);
    let idle = status.streams_active == 0;
    replaced.then_some(if idle { Closing::Now } else { Closing::WhenIdle })
}

/// Returns whether both connections are made under the same terms.
fn agree(one: &ConnectionFacts, other: &ConnectionFacts) -> bool {
    comparable(one.peer) == comparable(other.peer)
        && one.key.partition == other.key.partition
        && one.key.tls_configuration == other.key.tls_configuration
        && one.key.proxy.is_none()
        && other.key.proxy.is_none()
}

/// Returns whether the certificate of `other` covers the hosts that `one` is used for.
fn covers_as_much(
    one: &ConnectionFacts,
    status: &ConnectionStatus,
    other: &ConnectionFacts,
) -> bool {
    let (Some(own), Some(theirs)) = (&one.tls, &other.tls) else { return false };
    status.origin_set().origins().all(|origin| {
        let host = origin.host();
        !own.identifiers.covers(&host) || theirs.identifiers.covers(&host)
    })
}
