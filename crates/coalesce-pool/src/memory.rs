//! The memory of refusals: which server has answered 421 for which origin.

use core::cmp::Ordering;
use core::net::SocketAddr;
use core::time::Duration;

use coalesce_core::{Origin, OriginBuf};

use crate::endpoint::comparable;
use crate::limits::{REFUSAL_TTL, REFUSALS_MAX};
use crate::sorted::SortedMap;

/// The SHA-256 of the certificate that a server presented (RFC 5280 §4.1, the whole DER).
///
/// # Examples
/// ```
/// use coalesce_pool::LeafDigest;
///
/// assert_eq!(LeafDigest::new([7; 32]).as_bytes(), &[7; 32]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafDigest([u8; 32]);

impl LeafDigest {
    /// Makes a digest of its bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A server as a client can recognise it: its certificate, if it has one, with its address and
/// port.
///
/// # Examples
/// ```
/// use coalesce_pool::{LeafDigest, ServerIdentity};
///
/// let leaf = Some(LeafDigest::new([7; 32]));
/// let identity = ServerIdentity::new(leaf, "[::ffff:192.0.2.10]:443".parse()?);
/// assert_eq!(identity, ServerIdentity::new(leaf, "192.0.2.10:443".parse()?));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerIdentity {
    leaf: Option<LeafDigest>,
    peer: SocketAddr,
}

impl ServerIdentity {
    /// Makes an identity. An IPv4 address mapped into IPv6 is the IPv4 address.
    pub fn new(leaf: Option<LeafDigest>, peer: SocketAddr) -> Self {
        let peer = comparable(peer).map_or(peer, SocketAddr::from);
        Self { leaf, peer }
    }
}

/// The pairs of server and origin for which a 421 arrived, each for a time.
///
/// The memory has at most [`REFUSALS_MAX`] entries. Beyond that, it forgets the entry that would
/// have expired first.
///
/// # Examples
/// ```
/// use core::time::Duration;
///
/// use coalesce_core::Origin;
/// use coalesce_pool::{RefusalMemory, ServerIdentity};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (server, origin) = ("192.0.2.10:443".parse()?, Origin::parse(b"https://a.test")?);
/// let server = ServerIdentity::new(None, server);
/// let mut memory = RefusalMemory::default();
/// memory.remember(server, &origin, Duration::ZERO);
/// assert!(memory.holds(&server, &origin, Duration::from_secs(599)));
/// assert!(!memory.holds(&server, &origin, Duration::from_secs(600)));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct RefusalMemory {
    /// The value is the time of expiry.
    entries: SortedMap<(ServerIdentity, OriginBuf), Duration>,
}

impl RefusalMemory {
    /// Remembers for [`REFUSAL_TTL`] that the server refuses the origin.
    pub fn remember(&mut self, server: ServerIdentity, origin: &Origin<'_>, now: Duration) {
        self.remember_until(server, origin, now.saturating_add(REFUSAL_TTL), now);
    }

    /// Remembers until `expires_at` that the server refuses the origin.
    pub fn remember_until(
        &mut self,
        server: ServerIdentity,
        origin: &Origin<'_>,
        expires_at: Duration,
        now: Duration,
    ) {
        if self.entries.len() >= REFUSALS_MAX {
            self.entries.retain(|_, expiry| *expiry > now);
        }
        if self.entries.len() >= REFUSALS_MAX {
            let first = self.entries.values().min().copied();
            let mut dropped = false;
            self.entries.retain(|_, expiry| {
                let is_first = !dropped && Some(*expiry) == first;
                dropped |= is_first;
                !is_first
            });
        }
        self.entries.insert((server, origin.to_buf()), expires_at);
    }

    /// Returns whether the server refused the origin and the entry has not expired.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// A binary search.
    pub fn holds(&self, server: &ServerIdentity, origin: &Origin<'_>, now: Duration) -> bool {
        let compare = |(known, of): &(ServerIdentity, OriginBuf)| match known.cmp(server) {
            Ordering::Equal => of.as_origin().cmp(origin),
            other => other,
        };
        !self.entries.is_empty()
            && self.entries.find_by(compare).is_some_and(|expiry| *expiry > now)
    }

    /// Returns the number of entries, expired ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn full_memory_forgets_the_entry_that_expires_first() {
        let server = ServerIdentity::new(None, "192.0.2.10:443".parse().unwrap());
        let mut memory = RefusalMemory::default();
        let name = |number: usize| format!("https://n{number}.test");
        for number in 0..REFUSALS_MAX + 10 {
            let now = Duration::from_millis(number.try_into().unwrap());
            memory.remember(server, &Origin::try_from(name(number).as_str()).unwrap(), now);
        }
        let now = Duration::from_secs(2);
        let holds =
            |number| memory.holds(&server, &Origin::try_from(name(number).as_str()).unwrap(), now);
        assert_eq!(memory.len(), REFUSALS_MAX);
        assert!(!holds(0) && !holds(9) && holds(10) && holds(REFUSALS_MAX + 9));
    }

    #[test]
    fn expired_entries_make_room_before_others_are_forgotten() {
        let server = ServerIdentity::new(None, "192.0.2.10:443".parse().unwrap());
        let mut memory = RefusalMemory::default();
        for number in 0..REFUSALS_MAX {
            let name = format!("https://n{number}.test");
            memory.remember(server, &Origin::try_from(name.as_str()).unwrap(), Duration::ZERO);
        }
        let origin = Origin::parse(b"https://late.test").unwrap();
        memory.remember(server, &origin, REFUSAL_TTL);
        assert_eq!(memory.len(), 1);
    }
}
