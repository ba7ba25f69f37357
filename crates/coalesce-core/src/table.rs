//! The authority table: name → virtual host → coalescing group.

#[cfg(feature = "alloc")]
use alloc::{collections::BTreeMap, vec::Vec};

use crate::host::Host;
#[cfg(feature = "alloc")]
use crate::limits::GROUPS_MAX;
use crate::name::DnsName;
use crate::pattern::NamePattern;
use crate::policy::{GroupId, GroupPolicy, VirtualHostId};
#[cfg(feature = "alloc")]
use crate::trie::{BuildError, Duplicate, IndexBuilder, Progress};
use crate::trie::{ImageError, ImagePattern, Kind, Layout, NameTrie};

/// Which names a server answers for, as which virtual host, in which coalescing group.
///
/// Frozen once built, and over any byte storage: a `Vec`, a `&'static [u8]`, an `Arc<[u8]>`.
#[derive(Clone, Copy, Debug)]
pub struct AuthorityTable<S = &'static [u8]> {
    index: NameTrie<S>,
}

/// The entry that stands for a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableMatch {
    /// Its virtual host.
    pub virtual_host: VirtualHostId,
    /// Its coalescing group.
    pub group: GroupId,
}

/// One entry, as a table lists it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TableEntry<'a> {
    /// What it stands for.
    pub pattern: ImagePattern<'a>,
    /// Its virtual host.
    pub virtual_host: VirtualHostId,
    /// Its coalescing group.
    pub group: GroupId,
}

impl<S: AsRef<[u8]>> AuthorityTable<S> {
    /// Reads an image made by [`as_bytes`](Self::as_bytes), checking all of it.
    ///
    /// # Errors
    /// [`ImageError`] for the first thing found wrong. The format may change between versions of
    /// this crate; an image of another version is refused.
    ///
    /// # Allocation
    /// None.
    pub fn from_bytes(image: S) -> Result<Self, ImageError> {
        NameTrie::from_bytes(image, Kind::Table).map(|index| Self { index })
    }

    /// Takes an image that [`from_bytes`](Self::from_bytes) has accepted before, in this process or
    /// another, and whose [`checksum`](Self::checksum) the caller kept: opening a table of ten
    /// million names takes microseconds then.
    ///
    /// # Security
    /// Only the header is looked at. The checksum in it says which image this claims to be, and
    /// nothing computes it anew, so the bytes must come from where nobody else can write. Lookups
    /// in bytes that were changed for all that are as total as any, without panics and within the
    /// image, and may give wrong answers.
    ///
    /// # Errors
    /// [`ImageError`] for a header that does not fit the bytes, or that has another checksum.
    ///
    /// # Allocation
    /// None.
    pub fn from_trusted_bytes(image: S, checksum: u64) -> Result<Self, ImageError> {
        NameTrie::from_trusted_bytes(image, Kind::Table, checksum).map(|index| Self { index })
    }

    /// The table as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.index.as_bytes()
    }

    /// The same table, borrowed.
    pub fn as_ref(&self) -> AuthorityTable<&[u8]> {
        AuthorityTable { index: self.index.as_ref() }
    }

    /// The most specific entry that stands for `host`: exact, then the longest wildcard, then the
    /// catch-all. [`Host::Other`] has none.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// For a name linear in its length, whatever the size of the table, times the number of
    /// any-depth wildcard lengths of more than 30 bytes that it has suffixes of.
    /// For an address a binary search.
    #[inline(always)]
    pub fn lookup(&self, host: &Host<'_>) -> Option<TableMatch> {
        self.matched(self.index.find(host)?)
    }

    /// [`lookup`](Self::lookup) for the host of an authority field, in one pass over its bytes.
    /// What [`Authority::parse`](crate::Authority::parse) refuses has no entry.
    ///
    /// # Allocation
    /// None.
    pub fn lookup_authority(&self, authority: &[u8]) -> Option<TableMatch> {
        let found = self.index.find_authority(authority);
        found.and_then(|value| self.matched(value))
    }

    /// [`lookup_authority`](Self::lookup_authority) for each of `authorities`; `found` is called
    /// with the number of each and its entry, in order. In a table that is larger than the caches
    /// this takes a fraction of the time, because lookups do not wait for memory one after the
    /// other; what [`Layout`] says is excepted.
    ///
    /// # Allocation
    /// None.
    pub fn lookup_authorities(
        &self,
        authorities: &[&[u8]],
        mut found: impl FnMut(usize, Option<TableMatch>),
    ) {
        self.index.find_authorities(authorities, |number, value| {
            found(number, value.and_then(|value| self.matched(value)));
        });
    }

    #[inline(always)]
    fn matched(&self, value: u32) -> Option<TableMatch> {
        let (virtual_host, group) = self.index.entry(value)?;
        Some(TableMatch {
            virtual_host: VirtualHostId::new(virtual_host),
            group: GroupId::new(group),
        })
    }

    /// The entry with this very pattern, whatever other entry stands for what it stands for.
    ///
    /// # Allocation
    /// None.
    pub fn get(&self, pattern: &NamePattern<'_>) -> Option<TableMatch> {
        self.index.find_pattern(pattern).and_then(|value| self.matched(value))
    }

    /// [`lookup`](Self::lookup), and the pattern that was found.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// A lookup for each label of the name.
    pub fn lookup_pattern<'a>(&self, host: &Host<'a>) -> Option<(NamePattern<'a>, TableMatch)> {
        let (name, own) = match *host {
            Host::Name(name) => (Some(name), NamePattern::Exact(name)),
            Host::Ip(address) => (None, NamePattern::Ip(address)),
            Host::Other(_) => return None,
        };
        let parent = name.and_then(DnsName::parent);
        let above = core::iter::successors(parent, |name| name.parent());
        let wildcards = parent.map(NamePattern::OneLabel).into_iter();
        let mut candidates = core::iter::once(own)
            .chain(wildcards.chain(above.map(NamePattern::AnyDepth)))
            .chain([NamePattern::CatchAll]);
        candidates.find_map(|pattern| self.get(&pattern).map(|found| (pattern, found)))
    }

    /// Every entry in canonical order: names label by label from the right, each before the names
    /// below it and before its wildcards; then addresses by family and octets; then the catch-all.
    ///
    /// # Allocation
    /// None.
    pub fn entries(&self) -> impl Iterator<Item = TableEntry<'_>> {
        self.index.patterns().filter_map(|(pattern, value)| self.entry(pattern, value))
    }

    /// The entries for `suffix` and for what is below it, in canonical order, wildcards included.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// A binary search, then linear in what is found.
    pub fn entries_below(&self, suffix: DnsName<'_>) -> impl Iterator<Item = TableEntry<'_>> {
        self.index.patterns_below(suffix).filter_map(|(pattern, value)| self.entry(pattern, value))
    }

    /// The entries for names of exactly one label more than `suffix`, in canonical order, wildcards
    /// included; `None` where something else was passed over, which takes a binary search.
    pub(crate) fn children(
        &self,
        suffix: DnsName<'_>,
    ) -> impl Iterator<Item = Option<TableEntry<'_>>> {
        let children = self.index.patterns_below(suffix).children();
        children.map(|found| found.and_then(|(pattern, value)| self.entry(pattern, value)))
    }

    fn entry<'a>(&self, pattern: ImagePattern<'a>, value: u32) -> Option<TableEntry<'a>> {
        let TableMatch { virtual_host, group } = self.matched(value)?;
        Some(TableEntry { pattern, virtual_host, group })
    }

    /// Every group with its policies, by id.
    pub fn groups(&self) -> impl Iterator<Item = (GroupId, GroupPolicy)> {
        self.index
            .groups()
            .filter_map(|(id, bits)| Some((GroupId::new(id), GroupPolicy::from_bits(bits)?)))
    }

    /// The checksum of the image. Tables with the same groups and entries in the same layout have
    /// the same; that others differ is likely and no more.
    pub fn checksum(&self) -> u64 {
        self.index.checksum()
    }

    /// How the names are kept.
    pub const fn layout(&self) -> Layout {
        self.index.layout()
    }

    /// The policies of `group`, or `None` when this table has no such group.
    pub fn group_policy(&self, group: GroupId) -> Option<GroupPolicy> {
        self.index.group(group.get()).and_then(GroupPolicy::from_bits)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
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
#[derive(Clone, Debug, Default)]
pub struct AuthorityTableBuilder {
    index: IndexBuilder,
    layout: Layout,
    /// Ids and policy bits, in the order of adding.
    groups: Vec<(u32, u32)>,
    /// The places of the ids among the groups.
    places: BTreeMap<u32, u16>,
}

#[cfg(feature = "alloc")]
impl AuthorityTableBuilder {
    /// Chooses a layout; without this, [`Layout::Fast`].
    pub fn layout(&mut self, layout: Layout) -> &mut Self {
        self.layout = layout;
        self
    }

    /// Makes room for `names` further entries of `bytes` bytes together, for those who know.
    pub fn reserve(&mut self, names: usize, bytes: usize) -> &mut Self {
        self.index.reserve(names, bytes);
        self
    }

    /// Adds a coalescing group. Adding one twice with the same policies is no mistake.
    ///
    /// # Errors
    /// [`BuildError::GroupConflict`], [`BuildError::TooLarge`] beyond [`GROUPS_MAX`], and
    /// [`BuildError::UnknownGroup`] for one [`within`](GroupPolicy::within) a group that was not
    /// added before, is itself within another, or has an id that cannot be named there.
    pub fn group(&mut self, id: GroupId, policy: GroupPolicy) -> Result<&mut Self, BuildError> {
        let unknown = |group: GroupId| BuildError::UnknownGroup { group: group.get() };
        if let Some(home) = policy.within {
            let place = self.places.get(&home.get()).ok_or_else(|| unknown(home))?;
            let bits = self.groups.get(usize::from(*place)).map(|(_, bits)| *bits);
            let nested = bits.and_then(GroupPolicy::from_bits).and_then(|home| home.within);
            if nested.is_some() {
                return Err(unknown(home));
            }
        }
        let home = policy.within.unwrap_or(id);
        let bits = policy.to_bits().ok_or_else(|| unknown(home))?;
        let known =
            self.places.get(&id.get()).and_then(|place| self.groups.get(usize::from(*place)));
        match known {
            Some((_, known)) if *known == bits => Ok(self),
            Some(_) => Err(BuildError::GroupConflict { group: id.get() }),
            None if self.groups.len() >= GROUPS_MAX => Err(BuildError::TooLarge),
            None => {
                let place = u16::try_from(self.groups.len()).map_err(|_| BuildError::TooLarge)?;
                self.places.insert(id.get(), place);
                self.groups.push((id.get(), bits));
                Ok(self)
            }
        }
    }

    /// Adds an entry: `pattern` is `virtual_host`, in `group`. Entries are numbered in the order of
    /// adding. That a pattern is there already is found when the table is built.
    ///
    /// # Errors
    /// [`BuildError::UnknownGroup`] when the group was not added before,
    /// [`BuildError::TooLarge`] beyond [`ENTRIES_MAX`](crate::limits::ENTRIES_MAX). The builder is
    /// as it was before.
    pub fn entry(
        &mut self,
        pattern: NamePattern<'_>,
        virtual_host: VirtualHostId,
        group: GroupId,
    ) -> Result<&mut Self, BuildError> {
        let group = self
            .places
            .get(&group.get())
            .copied()
            .ok_or(BuildError::UnknownGroup { group: group.get() })?;
        self.index.insert(&pattern, virtual_host.get(), group)?;
        Ok(self)
    }

    /// How many entries were added.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every pair of entries with the same pattern, by the number of the later one. Of three equal
    /// entries the first and the second are a pair, and the second and the third.
    pub fn duplicates(&self) -> Vec<Duplicate> {
        self.index.duplicates()
    }

    /// Freezes the table. The same groups and entries in any order give the same image.
    ///
    /// # Errors
    /// [`BuildError::Duplicate`] for one pair of [`duplicates`](Self::duplicates),
    /// [`BuildError::TooLarge`] when the image would exceed 4 GiB, [`BuildError::Inseparable`] for
    /// names that were made to have the same hashes.
    pub fn build(&self) -> Result<AuthorityTable<Vec<u8>>, BuildError> {
        self.build_with(&mut |_| {})
    }

    /// [`build`](Self::build), telling `progress` how far it is.
    ///
    /// # Errors
    /// Those of [`build`](Self::build).
    pub fn build_with(
        &self,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<AuthorityTable<Vec<u8>>, BuildError> {
        let image = self.index.write_table(self.layout, &self.groups, progress)?;
        let index = NameTrie::built(image, Kind::Table).map_err(|_| BuildError::TooLarge)?;
        Ok(AuthorityTable { index })
    }
}
