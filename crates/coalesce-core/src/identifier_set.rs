//! A set of the identifiers in one certificate, ready for lookup.

#[cfg(feature = "alloc")]
use alloc::{sync::Arc, vec::Vec};
use core::fmt;

use crate::host::Host;
use crate::identifier::PresentedIdentifier;
use crate::pattern::NamePattern;
use crate::storage::over_bytes;
#[cfg(feature = "alloc")]
use crate::trie::{BuildError, Entries, write_identifiers};
use crate::trie::{FormatError, Kind, NameTrie, StoredPattern, TrieRef};

over_bytes! {
    /// A set of presented identifiers (RFC 9525 §2): a [`NameTrie`] of the names in one
    /// certificate.
    ///
    /// `S` is the storage: `Vec<u8>` as built, or `&[u8]` or `Arc<[u8]>` with the same bytes.
    ///
    /// # Examples
    ///
    #[cfg_attr(feature = "alloc", doc = "```")]
    #[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
    /// use coalesce_core::{DnsName, Host, IdentifierSet, PresentedIdentifier};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let set = IdentifierSet::build([
    ///     PresentedIdentifier::parse_dns(b"example.test")?,
    ///     PresentedIdentifier::parse_dns(b"*.example.test")?,
    /// ])?;
    /// let covers = |name: &str| -> Result<bool, coalesce_core::NameError> {
    ///     Ok(set.covers(&Host::Name(DnsName::parse(name.as_bytes())?)))
    /// };
    /// assert!(covers("example.test")?);
    /// assert!(covers("a.example.test")?);
    /// // A wildcard is one whole label (RFC 9525 §6.3).
    /// assert!(!covers("a.a.example.test")?);
    /// # Ok(()) }
    /// ```
    #[derive(Clone, Copy)]
    pub struct IdentifierSet<S> {
        trie: NameTrie<S>,
    }
}

#[cfg(feature = "alloc")]
impl IdentifierSet<Vec<u8>> {
    /// Builds a set. Equal identifiers count once, and their order does not matter.
    ///
    /// # Errors
    /// Returns [`BuildError::TooLarge`] for more than
    /// [`IDENTIFIERS_MAX`](crate::limits::IDENTIFIERS_MAX) identifiers, and
    /// [`BuildError::Inseparable`] for names that were chosen to have the same hashes.
    pub fn build<'a>(
        identifiers: impl IntoIterator<Item = PresentedIdentifier<'a>>,
    ) -> Result<Self, BuildError> {
        let mut entries = Entries::default();
        for identifier in identifiers {
            entries.insert(&pattern_of(&identifier), 0, 0)?;
        }
        let image = write_identifiers(&entries)?;
        NameTrie::built(image, Kind::Identifiers).map(|trie| Self { trie })
    }
}

impl<S: AsRef<[u8]>> IdentifierSet<S> {
    /// Reads a set from the bytes of another one and checks all of them.
    ///
    /// # Errors
    /// Returns [`FormatError`] for the first fault. The format may change between versions of this
    /// crate; bytes of another version are refused.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Examples
    ///
    #[cfg_attr(feature = "alloc", doc = "```")]
    #[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
    /// use coalesce_core::{IdentifierSet, PresentedIdentifier};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let set = IdentifierSet::build([PresentedIdentifier::parse_dns(b"a.test")?])?;
    /// let read = IdentifierSet::from_bytes(set.as_bytes())?;
    /// assert_eq!(read, set);
    /// assert!(IdentifierSet::from_bytes(b"no set").is_err());
    /// # Ok(()) }
    /// ```
    pub fn from_bytes(bytes: S) -> Result<Self, FormatError> {
        NameTrie::validated(bytes, Kind::Identifiers).map(|trie| Self { trie })
    }

    /// Returns the set as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.trie.as_bytes()
    }

    /// Borrows the set, so that you can pass it on without its storage type.
    pub fn as_ref(&self) -> IdentifierSet<&[u8]> {
        IdentifierSet { trie: self.trie.as_ref() }
    }

    /// Returns the number of an identifier that covers `host`: its position among
    /// [`identifiers`](Self::identifiers). If several cover it, the result is the most specific
    /// one.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// For a name, linear in its length, whatever the size of the set. For an address, a binary
    /// search.
    #[inline(always)]
    pub fn find(&self, host: &Host<'_>) -> Option<usize> {
        self.trie.find(host).map(|number| number as usize)
    }

    /// Returns whether an identifier covers `host`.
    ///
    /// # Allocation
    /// None.
    #[inline(always)]
    pub fn covers(&self, host: &Host<'_>) -> bool {
        self.find(host).is_some()
    }

    /// Does [`find`](Self::find) for the host of an authority field, in one pass over its bytes. A
    /// field that [`Authority::parse`](crate::Authority::parse) refuses is covered by no
    /// identifier.
    ///
    /// # Allocation
    /// None.
    pub fn find_authority(&self, authority: &[u8]) -> Option<usize> {
        let found = self.trie.find_authority(authority);
        found.map(|number| number as usize)
    }

    /// Returns the number of exactly this identifier.
    ///
    /// # Allocation
    /// None.
    pub fn number(&self, identifier: &PresentedIdentifier<'_>) -> Option<usize> {
        self.trie.get(&pattern_of(identifier)).map(|number| number as usize)
    }

    /// Lists the identifiers in the order of their numbers: names in canonical order, label by
    /// label from the right, then addresses.
    ///
    /// # Allocation
    /// None.
    pub fn identifiers(&self) -> impl Iterator<Item = StoredPattern<'_>> {
        self.trie.patterns().map(|(pattern, _)| pattern)
    }

    /// Returns the checksum of the set. Sets with the same identifiers have the same checksum.
    /// Different sets very likely have different checksums, but that is not certain.
    pub fn checksum(&self) -> u64 {
        self.trie.checksum()
    }

    /// Returns the number of identifiers.
    pub fn len(&self) -> usize {
        self.trie.len()
    }

    /// Returns whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The identifiers that a connection has presented, borrowed or shared. Cloning allocates nothing.
///
/// Make one from a reference to an [`IdentifierSet`] over any storage, or from an `Arc` of a set as
/// built.
///
/// # Examples
///
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// use std::sync::Arc;
///
/// use coalesce_core::{Host, IdentifierSet, PresentedIdentifier, PresentedSet};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let set = IdentifierSet::build([PresentedIdentifier::parse_dns(b"*.example.test")?])?;
/// // You can borrow a set over any storage, and share a set as built.
/// let borrowed = PresentedSet::from(&set);
/// assert!(borrowed.covers(&Host::parse(b"a.example.test")?));
/// let shared = PresentedSet::from(Arc::new(set));
/// assert_eq!(shared.identifiers().count(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PresentedSet<'a>(Held<'a>);

#[derive(Clone)]
enum Held<'a> {
    Borrowed(TrieRef<'a>),
    #[cfg(feature = "alloc")]
    Shared(Arc<IdentifierSet>),
}

impl PresentedSet<'_> {
    #[inline(always)]
    fn trie(&self) -> TrieRef<'_> {
        match &self.0 {
            Held::Borrowed(trie) => *trie,
            #[cfg(feature = "alloc")]
            Held::Shared(set) => set.trie.borrowed(),
        }
    }

    /// Returns whether an identifier covers `host`.
    ///
    /// # Allocation
    /// None.
    #[inline(always)]
    pub fn covers(&self, host: &Host<'_>) -> bool {
        self.trie().find(host).is_some()
    }

    /// Lists the identifiers in canonical order.
    ///
    /// # Allocation
    /// None.
    pub fn identifiers(&self) -> impl Iterator<Item = StoredPattern<'_>> {
        self.trie().patterns().map(|(pattern, _)| pattern)
    }

    /// Returns whether the set has an identifier with the form of this pattern.
    pub(crate) fn has(&self, pattern: &NamePattern<'_>) -> bool {
        self.trie().get(pattern).is_some()
    }
}

impl<'a, S: AsRef<[u8]>> From<&'a IdentifierSet<S>> for PresentedSet<'a> {
    #[inline(always)]
    fn from(set: &'a IdentifierSet<S>) -> Self {
        Self(Held::Borrowed(set.trie.borrowed()))
    }
}

#[cfg(feature = "alloc")]
impl From<Arc<IdentifierSet>> for PresentedSet<'_> {
    fn from(set: Arc<IdentifierSet>) -> Self {
        Self(Held::Shared(set))
    }
}

impl fmt::Debug for PresentedSet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.identifiers().map(Shown)).finish()
    }
}

/// Two sets are equal if their identifiers are.
impl<S: AsRef<[u8]>, T: AsRef<[u8]>> PartialEq<IdentifierSet<T>> for IdentifierSet<S> {
    fn eq(&self, other: &IdentifierSet<T>) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl<S: AsRef<[u8]>> Eq for IdentifierSet<S> {}

impl<S: AsRef<[u8]>> fmt::Debug for IdentifierSet<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.identifiers().map(Shown)).finish()
    }
}

/// Prints an identifier as it is written.
struct Shown<'a>(StoredPattern<'a>);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Returns an identifier as a trie pattern. RFC 9525 §6.3 has only wildcards of one label.
fn pattern_of<'a>(identifier: &PresentedIdentifier<'a>) -> NamePattern<'a> {
    match *identifier {
        PresentedIdentifier::Dns(name) => NamePattern::Exact(name),
        PresentedIdentifier::Wildcard(parent) => NamePattern::OneLabel(parent),
        PresentedIdentifier::Ip(address) => NamePattern::Ip(address),
    }
}
