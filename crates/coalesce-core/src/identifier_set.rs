//! The identifiers that one certificate presents, ready for lookup.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use crate::host::Host;
use crate::identifier::PresentedIdentifier;
use crate::pattern::NamePattern;
#[cfg(feature = "alloc")]
use crate::trie::{BuildError, IndexBuilder};
use crate::trie::{ImageError, ImagePattern, Kind, NameTrie};

/// A set of presented identifiers (RFC 9525 §2) over any byte storage: a `Vec`, a `&'static [u8]`,
/// an `Arc<[u8]>`.
#[derive(Clone, Copy, Debug)]
pub struct IdentifierSet<S = &'static [u8]> {
    index: NameTrie<S>,
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
        let mut builder = IndexBuilder::default();
        for identifier in identifiers {
            builder.insert(&pattern_of(&identifier), 0, 0)?;
        }
        let image = builder.write_identifiers()?;
        let index = NameTrie::built(image, Kind::Identifiers).map_err(|_| BuildError::TooLarge)?;
        Ok(Self { index })
    }
}

impl<S: AsRef<[u8]>> IdentifierSet<S> {
    /// Reads an image made by [`as_bytes`](Self::as_bytes), checking all of it.
    ///
    /// # Errors
    /// [`ImageError`] for the first thing found wrong. The format may change between versions of
    /// this crate; an image of another version is refused.
    ///
    /// # Allocation
    /// None.
    pub fn from_bytes(image: S) -> Result<Self, ImageError> {
        NameTrie::from_bytes(image, Kind::Identifiers).map(|index| Self { index })
    }

    /// The set as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.index.as_bytes()
    }

    /// The same set, borrowed: what [`ServerConnection::tls`](crate::ServerConnection::tls) takes.
    pub fn as_ref(&self) -> IdentifierSet<&[u8]> {
        IdentifierSet { index: self.index.as_ref() }
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
        self.index.find(host).map(|number| number as usize)
    }

    /// [`find`](Self::find) for the host of an authority field, in one pass over its bytes. What
    /// [`Authority::parse`](crate::Authority::parse) refuses is covered by nothing.
    ///
    /// # Allocation
    /// None.
    pub fn find_authority(&self, authority: &[u8]) -> Option<usize> {
        let found = self.index.find_authority(authority);
        found.map(|number| number as usize)
    }

    /// The number of this very identifier.
    ///
    /// # Allocation
    /// None.
    pub fn number(&self, identifier: &PresentedIdentifier<'_>) -> Option<usize> {
        self.index.find_pattern(&pattern_of(identifier)).map(|number| number as usize)
    }

    /// Whether an identifier is written as this pattern is.
    pub(crate) fn has(&self, pattern: &NamePattern<'_>) -> bool {
        self.index.find_pattern(pattern).is_some()
    }

    /// The identifiers in the order of their numbers: canonical order, label by label from the
    /// right, then addresses.
    ///
    /// # Allocation
    /// None.
    pub fn identifiers(&self) -> impl Iterator<Item = ImagePattern<'_>> {
        self.index.patterns().map(|(pattern, _)| pattern)
    }

    /// The checksum of the image. Sets of the same identifiers have the same; that others differ is
    /// likely and no more.
    pub fn checksum(&self) -> u64 {
        self.index.checksum()
    }

    /// How many identifiers there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether the set covers nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An identifier as the index holds it: RFC 9525 §6.3 knows wildcards of one label only.
fn pattern_of<'a>(identifier: &PresentedIdentifier<'a>) -> NamePattern<'a> {
    match *identifier {
        PresentedIdentifier::Dns(name) => NamePattern::Exact(name),
        PresentedIdentifier::Wildcard(parent) => NamePattern::OneLabel(parent),
        PresentedIdentifier::Ip(address) => NamePattern::Ip(address),
    }
}
