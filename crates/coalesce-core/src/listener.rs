//! Listeners that share a port, told apart by their hostnames.

use core::fmt;

use crate::host::Host;
#[cfg(feature = "alloc")]
use crate::pattern::NamePattern;
use crate::policy::ListenerId;
#[cfg(feature = "alloc")]
use crate::trie::{BuildError, NameTrie};

/// The listeners of one port, each with a hostname, as the Kubernetes Gateway API has them
/// (`Listener.hostname`, GEP-3567): the most specific one is responsible for a host, both when the
/// ClientHello names it and when a request does.
///
/// | hostname there | pattern here |
/// | --- | --- |
/// | `a.example.test` | `a.example.test` |
/// | `*.example.test`, which stands for any depth | `**.example.test` |
/// | none | `*` |
///
/// # Examples
/// ```
/// use coalesce_core::{Host, ListenerId, ListenerTable, NamePattern};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (example, rest) = (ListenerId::new(0), ListenerId::new(1));
/// let listeners = ListenerTable::build([
///     (NamePattern::parse(b"**.example.test")?, example),
///     (NamePattern::CatchAll, rest),
/// ])?;
/// assert_eq!(listeners.responsible(&Host::parse(b"a.b.example.test")?), Some(example));
/// assert_eq!(listeners.responsible(&Host::parse(b"example.test")?), Some(rest));
/// assert_eq!(listeners.catch_all(), Some(rest));
/// # Ok(()) }
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTable {
    trie: NameTrie,
}

#[cfg(feature = "alloc")]
impl ListenerTable {
    /// Builds a table. The order of the listeners does not matter; one may have several hostnames.
    ///
    /// # Errors
    /// [`BuildError::Duplicate`] for two listeners with one hostname, and those of
    /// [`NameTrieBuilder::build`](crate::NameTrieBuilder::build).
    pub fn build<'a>(
        listeners: impl IntoIterator<Item = (NamePattern<'a>, ListenerId)>,
    ) -> Result<Self, BuildError> {
        let mut builder = NameTrie::builder();
        for (hostname, listener) in listeners {
            builder.insert(&hostname, listener.get())?;
        }
        builder.build().map(|trie| Self { trie })
    }

    /// The listener that is responsible for `host`: exact, then the longest wildcard, then the
    /// catch-all.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// That of [`NameTrie::find`].
    #[inline]
    pub fn responsible(&self, host: &Host<'_>) -> Option<ListenerId> {
        self.trie.find(host).map(ListenerId::new)
    }

    /// The listener without a hostname, which is responsible for who names none.
    ///
    /// # Allocation
    /// None.
    pub fn catch_all(&self) -> Option<ListenerId> {
        self.trie.get(&NamePattern::CatchAll).map(ListenerId::new)
    }
}

/// Which of the listeners that share a port is responsible for a host: a
/// `ListenerTable`, for one.
///
/// [`ServerConnection::with_listener`](crate::ServerConnection::with_listener) takes it.
///
/// # Examples
/// ```
/// use coalesce_core::{Host, ListenerId, PortListeners};
///
/// /// Listener 4 answers for addresses, listener 5 for names.
/// #[derive(Debug)]
/// struct ByKind;
///
/// impl PortListeners for ByKind {
///     fn responsible(&self, host: &Host<'_>) -> Option<ListenerId> {
///         match host {
///             Host::Ip(_) => Some(ListenerId::new(4)),
///             Host::Name(_) => Some(ListenerId::new(5)),
///             _ => None,
///         }
///     }
/// }
/// ```
pub trait PortListeners: fmt::Debug + Send + Sync {
    /// The listener that is responsible for `host`, if one is. Whoever implements this promises to
    /// allocate nothing.
    fn responsible(&self, host: &Host<'_>) -> Option<ListenerId>;
}

#[cfg(feature = "alloc")]
impl PortListeners for ListenerTable {
    fn responsible(&self, host: &Host<'_>) -> Option<ListenerId> {
        Self::responsible(self, host)
    }
}
