//! The authority table: name → virtual host → coalescing group.

#[cfg(feature = "alloc")]
use alloc::{collections::BTreeMap, vec::Vec};

use crate::host::Host;
#[cfg(feature = "alloc")]
use crate::limits::{ENTRIES_MAX, GROUPS_MAX};
#[cfg(feature = "alloc")]
use crate::pattern::NamePattern;
use crate::policy::{GroupId, GroupPolicy, VirtualHostId};
#[cfg(feature = "alloc")]
use crate::trie::{BuildError, IndexBuilder};
use crate::trie::{ImageError, Kind, NameIndex};

/// Which names a server answers for, as which virtual host, in which coalescing group.
///
/// Frozen once built, and over any byte storage: a `Vec`, a `&'static [u8]`, an `Arc<[u8]>`.
#[derive(Clone, Copy, Debug)]
pub struct AuthorityTable<S = &'static [u8]> {
    index: NameIndex<S>,
}

/// The entry that stands for a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableMatch {
    /// The entry's number, in the order of adding.
    pub entry: u32,
    /// Its virtual host.
    pub virtual_host: VirtualHostId,
    /// Its coalescing group.
    pub group: GroupId,
}

impl<S: AsRef<[u8]>> AuthorityTable<S> {
    /// Reads an image made by [`as_image`](Self::as_image), checking all of it.
    ///
    /// # Errors
    /// [`ImageError`] for the first thing found wrong. The format may change between versions of
    /// this crate; an image of another version is refused.
    ///
    /// # Allocation
    /// None.
    pub fn from_image(image: S) -> Result<Self, ImageError> {
        NameIndex::from_image(image, Kind::Table).map(|index| Self { index })
    }

    /// The table as bytes.
    pub fn as_image(&self) -> &[u8] {
        self.index.as_image()
    }

    /// The same table, borrowed.
    pub fn borrow(&self) -> AuthorityTable<&[u8]> {
        AuthorityTable { index: self.index.borrow() }
    }

    /// The most specific entry that stands for `host`: exact, then the longest wildcard, then the
    /// catch-all. [`Host::Other`] has none.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// A binary search for each label of the host.
    pub fn lookup(&self, host: &Host<'_>) -> Option<TableMatch> {
        let entry = self.index.find(host)?;
        let (virtual_host, group) = self.index.entry(entry)?;
        Some(TableMatch {
            entry,
            virtual_host: VirtualHostId::new(virtual_host),
            group: GroupId::new(group),
        })
    }

    /// The policies of `group`, or `None` when this table has no such group.
    pub fn group_policy(&self, group: GroupId) -> Option<GroupPolicy> {
        self.index.group(group.get()).and_then(GroupPolicy::from_bits)
    }

    /// How many entries there are.
    pub const fn len(&self) -> usize {
        self.index.values()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(feature = "alloc")]
impl AuthorityTable<Vec<u8>> {
    /// Starts an empty table.
    pub fn builder() -> AuthorityTableBuilder {
        AuthorityTableBuilder::default()
    }
}

/// Collects groups and entries for an [`AuthorityTable`].
#[cfg(feature = "alloc")]
#[derive(Debug, Default)]
pub struct AuthorityTableBuilder {
    index: IndexBuilder,
    entries: Vec<(u32, u32)>,
    groups: BTreeMap<u32, u32>,
}

#[cfg(feature = "alloc")]
impl AuthorityTableBuilder {
    /// Adds a coalescing group. Adding one twice with the same policies is no mistake.
    ///
    /// # Errors
    /// [`BuildError::GroupConflict`], or [`BuildError::TooLarge`] beyond [`GROUPS_MAX`].
    pub fn group(&mut self, id: GroupId, policy: GroupPolicy) -> Result<&mut Self, BuildError> {
        let bits = policy.to_bits();
        match self.groups.get(&id.get()) {
            Some(known) if *known == bits => Ok(self),
            Some(_) => Err(BuildError::GroupConflict { group: id.get() }),
            None if self.groups.len() >= GROUPS_MAX => Err(BuildError::TooLarge),
            None => {
                self.groups.insert(id.get(), bits);
                Ok(self)
            }
        }
    }

    /// Adds an entry: `pattern` is `virtual_host`, in `group`.
    ///
    /// # Errors
    /// [`BuildError::Duplicate`] when the pattern is there already, [`BuildError::UnknownGroup`]
    /// when the group is not, [`BuildError::TooLarge`] beyond [`ENTRIES_MAX`]. The builder is as it
    /// was before.
    pub fn entry(
        &mut self,
        pattern: NamePattern<'_>,
        virtual_host: VirtualHostId,
        group: GroupId,
    ) -> Result<&mut Self, BuildError> {
        if !self.groups.contains_key(&group.get()) {
            return Err(BuildError::UnknownGroup { group: group.get() });
        }
        if self.entries.len() >= ENTRIES_MAX {
            return Err(BuildError::TooLarge);
        }
        let number = u32::try_from(self.entries.len()).map_err(|_| BuildError::TooLarge)?;
        self.index.insert(&pattern, number).map_err(|earlier| BuildError::Duplicate { earlier })?;
        self.entries.push((virtual_host.get(), group.get()));
        Ok(self)
    }

    /// Freezes the table.
    ///
    /// # Errors
    /// [`BuildError::TooLarge`] when the image would exceed 4 GiB.
    pub fn build(&self) -> Result<AuthorityTable<Vec<u8>>, BuildError> {
        let image =
            self.index.write(Kind::Table, self.entries.len(), &self.entries, &self.groups)?;
        AuthorityTable::from_image(image).map_err(|_| BuildError::TooLarge)
    }
}
