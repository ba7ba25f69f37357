//! Listeners that share a port and differ in their hostnames.

use core::fmt;

use crate::host::Host;
#[cfg(feature = "alloc")]
use crate::pattern::NamePattern;
use crate::policy::ListenerId;
#[cfg(feature = "alloc")]
use crate::trie::{BuildError, NameTrie};

/// The listeners of one port, each with a hostname, as in the Kubernetes Gateway API
/// (`Listener.hostname`, GEP-3567). The most specific listener is responsible for a host, whether a
/// ClientHello or a request names the host.
///
/// | hostname there | pattern here |
/// | --- | --- |
/// | `a.example.test` | `a.example.test` |
/// | `*.example.test`, which the API matches at any depth | `**.example.test` |
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
    /// Builds a table. The order of the listeners does not matter. A listener may have several
    /// hostnames.
    ///
    /// # Errors
    /// Returns [`BuildError::Duplicate`] if two listeners have the same hostname, and the errors of
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

    /// Returns the listener that is responsible for `host`: exact, then the longest wildcard, then
    /// the catch-all.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// As for [`NameTrie::find`].
    #[inline]
    pub fn responsible(&self, host: &Host<'_>) -> Option<ListenerId> {
        self.trie.find(host).map(ListenerId::new)
    }

    /// Returns the listener without a hostname. It is responsible for clients that send no server
    /// name.
    ///
    /// # Allocation
    /// None.
    pub fn catch_all(&self) -> Option<ListenerId> {
        self.trie.get(&NamePattern::CatchAll).map(ListenerId::new)
    }
}

/// Finds which of the listeners that share a port is responsible for a host. `ListenerTable`
/// implements it.
///
/// Give an implementation to
/// [`ServerConnection::with_listener`](crate::ServerConnection::with_listener).
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
    /// Returns the listener that is responsible for `host`, if there is one. Implementations must
    /// not allocate.
    fn responsible(&self, host: &Host<'_>) -> Option<ListenerId>;
}

#[cfg(feature = "alloc")]
impl PortListeners for ListenerTable {
    fn responsible(&self, host: &Host<'_>) -> Option<ListenerId> {
        Self::responsible(self, host)
    }
}
