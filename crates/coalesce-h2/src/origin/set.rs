//! An origin set as it is announced: encoded once, for any number of connections.

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
/// There is no other way to make one than from the table that decides, so that a client is told
/// the truth. It is encoded once; clones share the bytes.
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
/// // What a client knows already is not announced again.
/// assert!(origins.without(&origins).is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OriginSet {
    /// Whole frames, with the origins in order.
    frames: Bytes,
}

impl OriginSet {
    /// The origin set of `connection` under `table`, as
    /// [`ServerConnection::origins`] lists it: empty unless the connection is TLS.
    ///
    /// Sets are cut at [`ORIGIN_SET_BYTES_MAX`], and a warning says so. To be made once for each
    /// table, certificate, group and listener, from a connection without its server name, which
    /// [`with_server_name`](Self::with_server_name) adds.
    ///
    /// # Complexity
    /// That of [`ServerConnection::origins`], and sorting.
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

    /// This set, made of a connection that is `connection` but for its server name, with what is
    /// served because of that.
    #[must_use]
    pub fn with_server_name<S: AsRef<[u8]>>(
        &self,
        table: &AuthorityTable<S>,
        connection: &ServerConnection<'_>,
    ) -> Self {
        let mut own = Vec::new();
        // As many as the listener has ports.
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

    /// The origins in their ASCII serialisation (RFC 6454 §6.2), sorted.
    pub fn origins(&self) -> impl Iterator<Item = &[u8]> {
        Entries::of(&self.frames)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// What this set has and `other` has not. Clients only ever add to an origin set (RFC 8336
    /// §2.3), so nothing is said of what is gone: it is answered 421, and dropped for that.
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

    /// The frames.
    pub(super) fn frames(&self) -> Bytes {
        self.frames.clone()
    }
}

impl fmt::Debug for OriginSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.origins().map(String::from_utf8_lossy)).finish()
    }
}
