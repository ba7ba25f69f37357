//! Listeners that share a port, told apart by their hostnames.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::fmt;

use crate::host::Host;
use crate::pattern::NamePattern;
use crate::policy::ListenerId;
#[cfg(feature = "alloc")]
use crate::policy::{GroupId, GroupPolicy, VirtualHostId};
use crate::table::AuthorityTable;
#[cfg(feature = "alloc")]
use crate::trie::BuildError;

/// The listeners of one port, each with a hostname, as the Kubernetes Gateway API has them
/// (`Listener.hostname`, GEP-3567): the most specific one is responsible for a host, both when the
/// ClientHello names it and when a request does.
///
/// | hostname there | pattern here |
/// | --- | --- |
/// | `a.example.test` | `a.example.test` |
/// | `*.example.test`, which stands for any depth | `**.example.test` |
/// | none | `*` |
#[derive(Clone, Copy, Debug)]
pub struct ListenerTable<S = &'static [u8]> {
    table: AuthorityTable<S>,
}

#[cfg(feature = "alloc")]
impl ListenerTable<Vec<u8>> {
    /// Builds a table. The order of the listeners does not matter; one may have several hostnames.
    ///
    /// # Errors
    /// [`BuildError::Duplicate`] for two listeners with one hostname, and those of
    /// [`AuthorityTableBuilder::build`](crate::AuthorityTableBuilder::build).
    pub fn build<'a>(
        listeners: impl IntoIterator<Item = (NamePattern<'a>, ListenerId)>,
    ) -> Result<Self, BuildError> {
        const ALL: GroupId = GroupId::new(0);
        let mut builder = AuthorityTable::builder();
        builder.group(ALL, GroupPolicy::default())?;
        for (hostname, listener) in listeners {
            builder.entry(hostname, VirtualHostId::new(listener.get()), ALL)?;
        }
        builder.build().map(|table| Self { table })
    }
}

impl<S: AsRef<[u8]>> ListenerTable<S> {
    /// The listener that is responsible for `host`: exact, then the longest wildcard, then the
    /// catch-all.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// That of [`AuthorityTable::lookup`].
    #[inline]
    pub fn responsible(&self, host: &Host<'_>) -> Option<ListenerId> {
        let found = self.table.lookup(host)?;
        Some(ListenerId::new(found.virtual_host.get()))
    }

    /// The listener without a hostname, which is responsible for who names none.
    ///
    /// # Allocation
    /// None.
    pub fn catch_all(&self) -> Option<ListenerId> {
        let found = self.table.get(&NamePattern::CatchAll)?;
        Some(ListenerId::new(found.virtual_host.get()))
    }
}

/// Which of the listeners that share a port is responsible for a host: a [`ListenerTable`] over any
/// storage.
///
/// [`ServerConnection::with_listener`](crate::ServerConnection::with_listener) takes it.
pub trait PortListeners: fmt::Debug + Send + Sync {
    /// The listener that is responsible for `host`, if one is. Whoever implements this promises to
    /// allocate nothing.
    fn responsible(&self, host: &Host<'_>) -> Option<ListenerId>;
}

impl<S: AsRef<[u8]> + fmt::Debug + Send + Sync> PortListeners for ListenerTable<S> {
    fn responsible(&self, host: &Host<'_>) -> Option<ListenerId> {
        Self::responsible(self, host)
    }
}
