//! The questions that a decision asks of a table.

#[cfg(feature = "alloc")]
use alloc::{boxed::Box, sync::Arc};

use crate::host::Host;
use crate::policy::{CoalescePolicy, GroupId, GroupPolicy, VirtualHostId};

/// Answers the two questions of [`decide`](crate::decide()): the entry of a host, and the policies
/// of a group.
///
/// This crate implements it for [`AuthorityTable`](crate::AuthorityTable), and for references,
/// `Box` and `Arc` of an implementation. You can implement it for an overlay over a table, another
/// store or a test double. If an implementation allocates, [`decide`](crate::decide()) does too.
///
/// # Security
/// Both answers must come from one snapshot, because the groups of one snapshot do not apply to the
/// entries of another.
///
/// # Examples
///
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// use coalesce_core::{
///     Authorities, AuthorityTable, Entry, GroupId, GroupPolicy, Host, RequestTarget,
///     ServerConnection, Verdict, VirtualHostId, decide,
/// };
///
/// /// A table, and one host that was added after it was built.
/// struct Overlay {
///     table: AuthorityTable,
///     added: (&'static str, Entry),
/// }
///
/// impl Authorities for Overlay {
///     fn lookup(&self, host: &Host<'_>) -> Option<Entry> {
///         let (name, entry) = self.added;
///         if Host::try_from(name).as_ref() == Ok(host) {
///             return Some(entry);
///         }
///         self.table.lookup(host)
///     }
///
///     fn group_policy(&self, group: GroupId) -> Option<GroupPolicy> {
///         self.table.group_policy(group)
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let group = GroupId::new(1);
/// let mut table = AuthorityTable::builder();
/// table.group(group, GroupPolicy::default())?;
/// let added = ("new.example.test", Entry::new(VirtualHostId::new(7), group));
/// let overlay = Overlay { table: table.build()?, added };
///
/// let connection = ServerConnection::cleartext(group, 80);
/// let mut request = RequestTarget::https(b"new.example.test");
/// request.scheme = Some(b"http");
/// let Verdict::Serve(proof) = decide(&overlay, &connection, &request) else { panic!() };
/// assert_eq!(proof.virtual_host(), Some(VirtualHostId::new(7)));
/// # Ok(()) }
/// ```
pub trait Authorities {
    /// Finds the most specific entry for `host`: exact, then the longest wildcard, then the
    /// catch-all.
    fn lookup(&self, host: &Host<'_>) -> Option<Entry>;

    /// Returns the policies of `group`, or `None` if the group does not exist.
    fn group_policy(&self, group: GroupId) -> Option<GroupPolicy>;
}

/// An entry of a table, as found for a host.
///
/// # Examples
/// ```
/// use coalesce_core::{CoalescePolicy, Entry, GroupId, VirtualHostId};
///
/// let entry = Entry::new(VirtualHostId::new(7), GroupId::new(1));
/// assert_eq!(entry.coalesce, None);
/// let strict = entry.with_coalesce(CoalescePolicy::StrictServerName);
/// assert_eq!(strict.coalesce, Some(CoalescePolicy::StrictServerName));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Entry {
    /// The virtual host.
    pub virtual_host: VirtualHostId,
    /// The coalescing group.
    pub group: GroupId,
    /// Which authorities the host may share a connection with. `None` means the group's policy.
    pub coalesce: Option<CoalescePolicy>,
}

impl Entry {
    /// Makes an entry that follows the policies of its group.
    pub const fn new(virtual_host: VirtualHostId, group: GroupId) -> Self {
        Self { virtual_host, group, coalesce: None }
    }

    /// Sets a coalescing policy for this entry, which overrides the group's.
    #[must_use]
    pub const fn with_coalesce(mut self, coalesce: CoalescePolicy) -> Self {
        self.coalesce = Some(coalesce);
        self
    }
}

macro_rules! by_reference {
    ($($(#[$condition:meta])* $pointer:ty),*) => {$(
        $(#[$condition])*
        impl<A: Authorities + ?Sized> Authorities for $pointer {
            #[inline(always)]
            fn lookup(&self, host: &Host<'_>) -> Option<Entry> {
                (**self).lookup(host)
            }

            #[inline(always)]
            fn group_policy(&self, group: GroupId) -> Option<GroupPolicy> {
                (**self).group_policy(group)
            }
        }
    )*};
}

by_reference!(&A, #[cfg(feature = "alloc")] Box<A>, #[cfg(feature = "alloc")] Arc<A>);
