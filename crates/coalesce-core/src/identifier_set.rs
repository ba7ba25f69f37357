//! The identifiers that one certificate presents, ready for lookup.

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
    /// A set of presented identifiers (RFC 9525 §2): a [`NameTrie`] of what one certificate says.
    ///
    /// `S` is the storage: a `Vec<u8>` as built, or a `&[u8]` or an `Arc<[u8]>` with the same
    /// bytes.
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
    /// Builds a set. Of equal identifiers one counts; the order of the others does not matter.
    ///
    /// # Errors
    /// [`BuildError::TooLarge`] beyond [`IDENTIFIERS_MAX`](crate::limits::IDENTIFIERS_MAX)
    /// identifiers, [`BuildError::Inseparable`] for names that were made to have the same hashes.
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
    /// Reads a set from the bytes of another, checking all of them.
    ///
    /// # Errors
    /// [`FormatError`] for the first thing found wrong. The format may change between versions of
    /// this crate; bytes of another version are refused.
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

    /// The set as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.trie.as_bytes()
    }

    /// The same set, borrowed: for storages that are not to be named.
    pub fn as_ref(&self) -> IdentifierSet<&[u8]> {
        IdentifierSet { trie: self.trie.as_ref() }
    }

    /// The number of an identifier that covers `host`, its place among
    /// [`identifiers`](Self::identifiers); of several the most specific.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// For a name linear in its length, whatever the size of the set.
    /// For an address a binary search.
    #[inline(always)]
    pub fn find(&self, host: &Host<'_>) -> Option<usize> {
        self.trie.find(host).map(|number| number as usize)
    }

    /// True if an identifier covers `host`.
    ///
    /// # Allocation
    /// None.
    #[inline(always)]
    pub fn covers(&self, host: &Host<'_>) -> bool {
        self.find(host).is_some()
    }

    /// [`find`](Self::find) for the host of an authority field, in one pass over its bytes. What
    /// [`Authority::parse`](crate::Authority::parse) refuses is covered by nothing.
    ///
    /// # Allocation
    /// None.
    pub fn find_authority(&self, authority: &[u8]) -> Option<usize> {
        let found = self.trie.find_authority(authority);
        found.map(|number| number as usize)
    }

    /// The number of this very identifier.
    ///
    /// # Allocation
    /// None.
    pub fn number(&self, identifier: &PresentedIdentifier<'_>) -> Option<usize> {
        self.trie.get(&pattern_of(identifier)).map(|number| number as usize)
    }

    /// The identifiers in the order of their numbers: canonical order, label by label from the
    /// right, then addresses.
    ///
    /// # Allocation
    /// None.
    pub fn identifiers(&self) -> impl Iterator<Item = StoredPattern<'_>> {
        self.trie.patterns().map(|(pattern, _)| pattern)
    }

    /// The checksum of the set. Sets of the same identifiers have the same; that others differ is
    /// likely and no more.
    pub fn checksum(&self) -> u64 {
        self.trie.checksum()
    }

    /// How many identifiers there are.
    pub fn len(&self) -> usize {
        self.trie.len()
    }

    /// Whether the set covers nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A set of identifiers that a connection has presented: borrowed, or shared and counted. Cloning
/// allocates nothing.
///
/// A reference to an [`IdentifierSet`] over any storage is one, and so is an `Arc` of one as built.
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
/// // Any storage can be borrowed. A set as built can be shared.
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

    /// True if an identifier covers `host`.
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

    /// True if an identifier is written as this pattern is.
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

/// Sets are equal if their identifiers are.
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

/// An identifier as it is written.
struct Shown<'a>(StoredPattern<'a>);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// An identifier as the trie holds it: RFC 9525 §6.3 knows wildcards of one label only.
fn pattern_of<'a>(identifier: &PresentedIdentifier<'a>) -> NamePattern<'a> {
    match *identifier {
        PresentedIdentifier::Dns(name) => NamePattern::Exact(name),
        PresentedIdentifier::Wildcard(parent) => NamePattern::OneLabel(parent),
        PresentedIdentifier::Ip(address) => NamePattern::Ip(address),
    }
}
