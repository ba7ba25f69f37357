//! The authority table: name → virtual host → coalescing group.

#[cfg(feature = "alloc")]
use alloc::{collections::BTreeMap, vec::Vec};
use core::fmt;

use crate::host::Host;
#[cfg(feature = "alloc")]
use crate::limits::GROUPS_MAX;
use crate::name::DnsName;
use crate::pattern::NamePattern;
use crate::policy::{GroupId, GroupPolicy, VirtualHostId};
use crate::storage::over_bytes;
#[cfg(feature = "alloc")]
use crate::trie::{BuildError, Duplicate, Entries, Progress, write_table};
use crate::trie::{FormatError, Kind, Layout, NameTrie, StoredPattern};

over_bytes! {
    /// Which names a server answers for, as which virtual host, in which coalescing group: a
    /// [`NameTrie`] whose entries say more than a number, frozen once built.
    ///
    /// `S` is the storage: a `Vec<u8>` as built, or a `&[u8]`, an `Arc<[u8]>` or a mapped file with
    /// the same bytes. A field of a struct names none of that: `table: AuthorityTable`.
    ///
    /// # Examples
    ///
    #[cfg_attr(feature = "alloc", doc = "```")]
    #[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
    /// use std::sync::Arc;
    ///
    /// use coalesce_core::{AuthorityTable, GroupId, GroupPolicy, NamePattern, VirtualHostId};
    ///
    /// struct Server {
    ///     table: Arc<AuthorityTable>,
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (group, blog) = (GroupId::new(1), VirtualHostId::new(7));
    /// let mut table = AuthorityTable::builder();
    /// table.group(group, GroupPolicy::default())?;
    /// table.entry(NamePattern::parse(b"*.blog.test")?, blog, group)?;
    /// let server = Server { table: Arc::new(table.build()?) };
    ///
    /// let found = server.table.lookup_authority(b"a.Blog.test:443");
    /// assert_eq!(found.map(|entry| entry.virtual_host), Some(blog));
    /// assert_eq!(server.table.lookup_authority(b"blog.test"), None);
    /// # Ok(()) }
    /// ```
    #[derive(Clone, Copy)]
    pub struct AuthorityTable<S> {
        trie: NameTrie<S>,
    }
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
    pub pattern: StoredPattern<'a>,
    /// Its virtual host.
    pub virtual_host: VirtualHostId,
    /// Its coalescing group.
    pub group: GroupId,
}

impl<S: AsRef<[u8]>> AuthorityTable<S> {
    /// Reads a compiled table, the bytes of another, checking all of them.
    ///
    /// # Errors
    /// [`FormatError`] for the first thing found wrong. The format may change between versions of
    /// this crate; a table of another version is refused.
    ///
    /// # Allocation
    /// None.
    pub fn from_bytes(bytes: S) -> Result<Self, FormatError> {
        NameTrie::validated(bytes, Kind::Table).map(|trie| Self { trie })
    }

    /// Takes a table that [`from_bytes`](Self::from_bytes) has accepted before, in this process or
    /// another, and whose [`checksum`](Self::checksum) the caller kept: opening a table of ten
    /// million names takes microseconds then.
    ///
    /// # Security
    /// Only the header is looked at. The checksum in it says which table this claims to be, and
    /// nothing computes it anew, so the bytes must come from where nobody else can write. Lookups
    /// in bytes that were changed for all that are as total as any, without panics and within the
    /// table, and may give wrong answers.
    ///
    /// # Errors
    /// [`FormatError`] for a header that does not fit the bytes, or that has another checksum.
    ///
    /// # Allocation
    /// None.
    pub fn from_trusted_bytes(bytes: S, checksum: u64) -> Result<Self, FormatError> {
        NameTrie::trusted(bytes, Kind::Table, checksum).map(|trie| Self { trie })
    }

    /// The table as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.trie.as_bytes()
    }

    /// The same table, borrowed.
    pub fn as_ref(&self) -> AuthorityTable<&[u8]> {
        AuthorityTable { trie: self.trie.as_ref() }
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
        self.matched(self.trie.find(host)?)
    }

    /// [`lookup`](Self::lookup) for the host of an authority field, in one pass over its bytes.
    /// What [`Authority::parse`](crate::Authority::parse) refuses has no entry.
    ///
    /// # Allocation
    /// None.
    pub fn lookup_authority(&self, authority: &[u8]) -> Option<TableMatch> {
        let found = self.trie.find_authority(authority);
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
        self.trie.find_authorities(authorities, |number, value| {
            found(number, value.and_then(|value| self.matched(value)));
        });
    }

    #[inline(always)]
    fn matched(&self, value: u32) -> Option<TableMatch> {
        let (virtual_host, group) = self.trie.header().entry(self.trie.as_bytes(), value)?;
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
        self.trie.get(pattern).and_then(|value| self.matched(value))
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
        self.trie.patterns().filter_map(|(pattern, value)| self.entry(pattern, value))
    }

    /// The entries for `suffix` and for what is below it, in canonical order, wildcards included.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// A binary search, then linear in what is found.
    pub fn entries_below(&self, suffix: DnsName<'_>) -> impl Iterator<Item = TableEntry<'_>> {
        self.trie.patterns_below(suffix).filter_map(|(pattern, value)| self.entry(pattern, value))
    }

    /// The entries for names of exactly one label more than `suffix`, in canonical order, wildcards
    /// included; `None` where something else was passed over, which takes a binary search.
    pub(crate) fn children(
        &self,
        suffix: DnsName<'_>,
    ) -> impl Iterator<Item = Option<TableEntry<'_>>> {
        let children = self.trie.patterns_below(suffix).children();
        children.map(|found| found.and_then(|(pattern, value)| self.entry(pattern, value)))
    }

    fn entry<'a>(&self, pattern: StoredPattern<'a>, value: u32) -> Option<TableEntry<'a>> {
        let TableMatch { virtual_host, group } = self.matched(value)?;
        Some(TableEntry { pattern, virtual_host, group })
    }

    /// Every group with its policies, by id.
    pub fn groups(&self) -> impl Iterator<Item = (GroupId, GroupPolicy)> {
        let (header, image) = (self.trie.header(), self.trie.as_bytes());
        let rows = (0..header.counts.groups).filter_map(move |row| header.group(image, row));
        rows.filter_map(|(id, bits)| Some((GroupId::new(id), GroupPolicy::from_bits(bits)?)))
    }

    /// The checksum of the table. Tables with the same groups and entries in the same layout have
    /// the same; that others differ is likely and no more.
    pub fn checksum(&self) -> u64 {
        self.trie.checksum()
    }

    /// How the names are kept.
    pub const fn layout(&self) -> Layout {
        self.trie.layout()
    }

    /// The policies of `group`, or `None` when this table has no such group.
    pub fn group_policy(&self, group: GroupId) -> Option<GroupPolicy> {
        let bits = self.trie.header().find_group(self.trie.as_bytes(), group.get())?;
        GroupPolicy::from_bits(bits)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.trie.len()
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

/// Tables are equal if their bytes are: the same groups and entries in the same layout.
impl<S: AsRef<[u8]>, T: AsRef<[u8]>> PartialEq<AuthorityTable<T>> for AuthorityTable<S> {
    fn eq(&self, other: &AuthorityTable<T>) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl<S: AsRef<[u8]>> Eq for AuthorityTable<S> {}

impl<S: AsRef<[u8]>> fmt::Debug for AuthorityTable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorityTable")
            .field("len", &self.len())
            .field("groups", &self.groups().count())
            .field("layout", &self.layout())
            .field("bytes", &self.as_bytes().len())
            .finish()
    }
}

/// Collects groups and entries for an [`AuthorityTable`].
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, Default)]
pub struct AuthorityTableBuilder {
    entries: Entries,
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
        self.entries.reserve(names, bytes);
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
        self.entries.insert(&pattern, virtual_host.get(), group)?;
        Ok(self)
    }

    /// How many entries were added.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every pair of entries with the same pattern, by the number of the later one. Of three equal
    /// entries the first and the second are a pair, and the second and the third.
    pub fn duplicates(&self) -> Vec<Duplicate> {
        self.entries.duplicates()
    }

    /// Freezes the table. The same groups and entries in any order give the same bytes.
    ///
    /// # Errors
    /// [`BuildError::Duplicate`] for one pair of [`duplicates`](Self::duplicates),
    /// [`BuildError::TooLarge`] when the table would exceed 4 GiB, [`BuildError::Inseparable`] for
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
        let image = write_table(&self.entries, self.layout, &self.groups, progress)?;
        NameTrie::built(image, Kind::Table).map(|trie| AuthorityTable { trie })
    }
}
