//! An origin set, encoded once for any number of connections.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;

use bytes::Bytes;
use coalesce_core::{AuthorityTable, Listing, ServerConnection};

use super::frame::{Entries, PREFIX_LEN, push_frames};
use crate::limits::ORIGIN_SET_BYTES_MAX;

/// The origins that a connection would be served, as ORIGIN frames (RFC 8336 §2.1).
///
/// A set can only be made from the table that decides, so it announces no origin that would get a
/// 421. It is encoded once, and clones share the bytes.
///
/// # Examples
/// ```
/// use coalesce_core::{
///     AuthorityTable, ClientCertificates, GroupId, GroupPolicy, IdentifierSet, NamePattern,
///     PresentedIdentifier, ServerConnection, VirtualHostId,
/// };
/// use coalesce_h2::OriginSet;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let group = GroupId::new(1);
/// let mut table = AuthorityTable::builder();
/// table.group(group, GroupPolicy::default())?;
/// table.entry(NamePattern::parse(b"a.test")?, VirtualHostId::new(0), group)?;
/// let table = table.build()?;
/// let certificate = IdentifierSet::build([PresentedIdentifier::parse_dns(b"*.test")?])?;
/// let clients = ClientCertificates::NotAsked;
/// let connection = ServerConnection::tls(&certificate, group, clients, 443);
///
/// let origins = OriginSet::new(&table, &connection);
/// assert_eq!(origins.origins().collect::<Vec<_>>(), [b"https://a.test"]);
/// // An origin is not announced twice.
/// assert!(origins.without(&origins).is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OriginSet {
    /// Whole frames, with the origins in order.
    frames: Bytes,
}

impl OriginSet {
    /// Makes the origin set of `connection` under `table`, as [`ServerConnection::origins`] lists
    /// it. The set is empty unless the connection is TLS.
    ///
    /// A set is cut at [`ORIGIN_SET_BYTES_MAX`], with a warning. Make it once for each table,
    /// certificate, group and listener, from a connection without a server name;
    /// [`with_server_name`](Self::with_server_name) adds the name.
    ///
    /// # Complexity
    /// That of [`ServerConnection::origins`], and that of sorting its result.
    pub fn new<S: AsRef<[u8]>>(
        table: &AuthorityTable<S>,
        connection: &ServerConnection<'_>,
    ) -> Self {
        let (mut origins, mut left) = (BTreeSet::new(), ORIGIN_SET_BYTES_MAX);
        let listing = connection.origins(table, |origin| {
            let origin = origin.to_string();
            let Some(rest) = left.checked_sub(PREFIX_LEN + origin.len()) else {
                return ControlFlow::Break(());
            };
            if origins.insert(origin) {
                left = rest;
            }
            ControlFlow::Continue(())
        });
        if listing == Listing::Cut {
            tracing::warn!(
                group = connection.group().get(),
                announced = origins.len(),
                bytes_max = ORIGIN_SET_BYTES_MAX,
                "an origin set is too large; a part of it is announced"
            );
        }
        Self::encoded(origins.iter().map(String::as_bytes))
    }

    /// Returns this set with the origins that only the server name of `connection` permits. The set
    /// must be that of the same connection without its server name.
    #[must_use]
    pub fn with_server_name<S: AsRef<[u8]>>(
        &self,
        table: &AuthorityTable<S>,
        connection: &ServerConnection<'_>,
    ) -> Self {
        let mut own = Vec::new();
        // There is one origin for each port of the listener.
        let _ = connection.origins_of_server_name(table, |origin| {
            own.push(origin.to_string());
            ControlFlow::Continue(())
        });
        if own.is_empty() {
            return self.clone();
        }
        let own = own.iter().map(String::as_bytes);
        Self::encoded(self.origins().chain(own).collect::<BTreeSet<_>>().into_iter())
    }

    fn encoded<'a>(origins: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut frames = Vec::new();
        push_frames(origins, &mut frames);
        Self { frames: frames.into() }
    }

    /// Returns the origins in their ASCII serialisation (RFC 6454 §6.2), sorted.
    pub fn origins(&self) -> impl Iterator<Item = &[u8]> {
        Entries::of(&self.frames)
    }

    /// Returns true if the set has no origins.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Returns the origins that are in this set and not in `other`. A client only adds to an origin
    /// set (RFC 8336 §2.3), so a removed origin cannot be announced. A request for it gets a 421,
    /// and then the client drops it.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        if self == other {
            return Self::default();
        }
        let mut others = other.origins().peekable();
        let fresh = self.origins().filter(|origin| {
            while let Some(other) = others.peek() {
                match Ord::cmp(other, origin) {
                    Ordering::Less => others.next(),
                    Ordering::Equal => return false,
                    Ordering::Greater => break,
                };
            }
            true
        });
        Self::encoded(fresh)
    }

    /// Returns the encoded frames.
    pub(super) fn frames(&self) -> Bytes {
        self.frames.clone()
    }
}

impl fmt::Debug for OriginSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.origins().map(String::from_utf8_lossy)).finish()
    }
}
