//! The identifiers that one certificate presents, ready for lookup.

#[cfg(feature = "alloc")]
use alloc::{collections::BTreeMap, vec::Vec};

use crate::host::Host;
#[cfg(feature = "alloc")]
use crate::identifier::PresentedIdentifier;
#[cfg(feature = "alloc")]
use crate::limits::IDENTIFIERS_MAX;
#[cfg(feature = "alloc")]
use crate::pattern::NamePattern;
#[cfg(feature = "alloc")]
use crate::trie::{BuildError, IndexBuilder};
use crate::trie::{ImageError, Kind, NameIndex};

/// A set of presented identifiers (RFC 9525 §2) over any byte storage: a `Vec`, a `&'static [u8]`,
/// an `Arc<[u8]>`.
#[derive(Clone, Copy, Debug)]
pub struct IdentifierSet<S = &'static [u8]> {
    index: NameIndex<S>,
}

#[cfg(feature = "alloc")]
impl IdentifierSet<Vec<u8>> {
    /// Builds a set. Identifiers are numbered as they come; of equal ones the first counts.
    ///
    /// # Errors
    /// [`BuildError::TooLarge`] beyond [`IDENTIFIERS_MAX`] identifiers.
    pub fn build<'a>(
        identifiers: impl IntoIterator<Item = PresentedIdentifier<'a>>,
    ) -> Result<Self, BuildError> {
        let mut builder = IndexBuilder::default();
        let mut count = 0_usize;
        for identifier in identifiers {
            if count >= IDENTIFIERS_MAX {
                return Err(BuildError::TooLarge);
            }
            let pattern = match identifier {
                PresentedIdentifier::Dns(name) => NamePattern::Exact(name),
                PresentedIdentifier::Wildcard(parent) => NamePattern::OneLabel(parent),
                PresentedIdentifier::Ip(address) => NamePattern::Ip(address),
            };
            let number = u32::try_from(count).map_err(|_| BuildError::TooLarge)?;
            // A certificate may repeat a name; it covers no more for that.
            let _ = builder.insert(&pattern, number);
            count = count.saturating_add(1);
        }
        let image = builder.write(Kind::Identifiers, count, &[], &BTreeMap::new())?;
        Self::from_image(image).map_err(|_| BuildError::TooLarge)
    }
}

impl<S: AsRef<[u8]>> IdentifierSet<S> {
    /// Reads an image made by [`as_image`](Self::as_image), checking all of it.
    ///
    /// # Errors
    /// [`ImageError`] for the first thing found wrong. The format may change between versions of
    /// this crate; an image of another version is refused.
    ///
    /// # Allocation
    /// None.
    pub fn from_image(image: S) -> Result<Self, ImageError> {
        NameIndex::from_image(image, Kind::Identifiers).map(|index| Self { index })
    }

    /// The set as bytes.
    pub fn as_image(&self) -> &[u8] {
        self.index.as_image()
    }

    /// The same set, borrowed: what [`Connection::tls`](crate::Connection::tls) takes.
    pub fn borrow(&self) -> IdentifierSet<&[u8]> {
        IdentifierSet { index: self.index.borrow() }
    }

    /// The number of an identifier that covers `host`; of several the most specific.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// A binary search for each label of the host.
    pub fn find(&self, host: &Host<'_>) -> Option<usize> {
        self.index.find(host).map(|number| number as usize)
    }

    /// How many identifiers were given, repeated ones included.
    pub const fn len(&self) -> usize {
        self.index.values()
    }

    /// Whether the set covers nothing.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
