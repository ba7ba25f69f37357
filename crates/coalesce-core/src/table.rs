//! The authority table: name → virtual host → coalescing group.

#[cfg(feature = "alloc")]
use alloc::{collections::BTreeMap, vec::Vec};
use core::fmt;

use crate::authorities::{Authorities, Entry};
use crate::host::Host;
#[cfg(feature = "alloc")]
use crate::limits::GROUPS_MAX;
use crate::name::DnsName;
use crate::pattern::NamePattern;
#[cfg(feature = "alloc")]
use crate::policy::own_bits;
use crate::policy::{CoalescePolicy, GroupId, GroupPolicy, VirtualHostId, own_coalesce};
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

/// One entry, as a table lists it.
///
/// # Examples
///
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// use coalesce_core::{AuthorityTable, GroupId, GroupPolicy, NamePattern, VirtualHostId};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let group = GroupId::new(1);
/// let mut builder = AuthorityTable::builder();
/// builder.group(group, GroupPolicy::default())?;
/// builder.entry(NamePattern::parse(b"*.test")?, VirtualHostId::new(7), group)?;
/// for entry in builder.build()?.entries() {
///     assert_eq!(format!("{} {}", entry.pattern, entry.virtual_host), "*.test 7");
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TableEntry<'a> {
    /// What it stands for.
    pub pattern: StoredPattern<'a>,
    /// Its virtual host.
    pub virtual_host: VirtualHostId,
    /// Its coalescing group.
    pub group: GroupId,
    /// Its coalescing policy, if it has one of its own.
    pub coalesce: Option<CoalescePolicy>,
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
    ///
    /// # Examples
    ///
    #[cfg_attr(feature = "alloc", doc = "```")]
    #[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
    /// use coalesce_core::AuthorityTable;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let built = AuthorityTable::builder().build()?;
    /// let bytes: &[u8] = built.as_bytes(); // or a file, or a `static`
    /// let table = AuthorityTable::from_bytes(bytes)?;
    /// assert_eq!(table, built);
    /// # Ok(()) }
    /// ```
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
    ///
    /// # Examples
    ///
    #[cfg_attr(feature = "alloc", doc = "```")]
    #[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
    /// use coalesce_core::AuthorityTable;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let built = AuthorityTable::builder().build()?;
    /// let checked = AuthorityTable::from_bytes(built.as_bytes())?;
    /// // Kept beside the bytes, where nobody else can write.
    /// let checksum = checked.checksum();
    ///
    /// let table = AuthorityTable::from_trusted_bytes(built.as_bytes(), checksum)?;
    /// assert_eq!(table, built);
    /// assert!(AuthorityTable::from_trusted_bytes(built.as_bytes(), checksum ^ 1).is_err());
    /// # Ok(()) }
    /// ```
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
    ///
    /// # Examples
    ///
    #[cfg_attr(feature = "alloc", doc = "```")]
    #[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
    /// # use coalesce_core::{AuthorityTable, GroupId, GroupPolicy, NamePattern, VirtualHostId};
    /// use coalesce_core::Host;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let group = GroupId::new(1);
    /// # let mut builder = AuthorityTable::builder();
    /// # builder.group(group, GroupPolicy::default())?;
    /// # for (id, pattern) in (0..).zip(["a.test", "*.test", "b.a.test"]) {
    /// #     let pattern = NamePattern::parse(pattern.as_bytes())?;
    /// #     builder.entry(pattern, VirtualHostId::new(id), group)?;
    /// # }
    /// # let table = builder.build()?;
    /// let entry = table.lookup(&Host::parse(b"x.test")?).ok_or("no entry")?;
    /// assert_eq!(entry.virtual_host, VirtualHostId::new(1));
    /// assert_eq!(table.lookup(&Host::parse(b"x.a.test")?), None);
    /// # Ok(()) }
    /// ```
    #[inline(always)]
    pub fn lookup(&self, host: &Host<'_>) -> Option<Entry> {
        self.matched(self.trie.find(host)?)
    }

    /// [`lookup`](Self::lookup) for the host of an authority field, in one pass over its bytes.
    /// What [`Authority::parse`](crate::Authority::parse) refuses has no entry.
    ///
    /// # Allocation
    /// None.
    #[inline]
    pub fn lookup_authority(&self, authority: &[u8]) -> Option<Entry> {
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
    ///
    /// # Examples
    ///
    #[cfg_attr(feature = "alloc", doc = "```")]
    #[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
    /// # use coalesce_core::{AuthorityTable, GroupId, GroupPolicy, NamePattern, VirtualHostId};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let group = GroupId::new(1);
    /// # let mut builder = AuthorityTable::builder();
    /// # builder.group(group, GroupPolicy::default())?;
    /// # for (id, pattern) in (0..).zip(["a.test", "*.test", "b.a.test"]) {
    /// #     let pattern = NamePattern::parse(pattern.as_bytes())?;
    /// #     builder.entry(pattern, VirtualHostId::new(id), group)?;
    /// # }
    /// # let table = builder.build()?;
    /// let mut found = Vec::new();
    /// table.lookup_authorities(&[b"a.test", b"x.test", b"test"], |number, entry| {
    ///     found.push((number, entry.map(|entry| entry.virtual_host.get())));
    /// });
    /// assert_eq!(found, [(0, Some(0)), (1, Some(1)), (2, None)]);
    /// # Ok(()) }
    /// ```
    pub fn lookup_authorities(
        &self,
        authorities: &[&[u8]],
        mut found: impl FnMut(usize, Option<Entry>),
    ) {
        self.trie.find_authorities(authorities, |number, value| {
            found(number, value.and_then(|value| self.matched(value)));
        });
    }

    #[inline(always)]
    fn matched(&self, value: u32) -> Option<Entry> {
        let (virtual_host, group, bits) = self.trie.header().entry(self.trie.as_bytes(), value)?;
        Some(Entry {
            virtual_host: VirtualHostId::new(virtual_host),
            group: GroupId::new(group),
            coalesce: own_coalesce(bits),
        })
    }

    /// The entry with this very pattern, whatever other entry stands for what it stands for.
    ///
    /// # Allocation
    /// None.
    pub fn get(&self, pattern: &NamePattern<'_>) -> Option<Entry> {
        self.trie.get(pattern).and_then(|value| self.matched(value))
    }

    /// [`lookup`](Self::lookup), and the pattern that was found.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// A lookup for each label of the name.
    ///
    /// # Examples
    ///
    #[cfg_attr(feature = "alloc", doc = "```")]
    #[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
    /// # use coalesce_core::{AuthorityTable, GroupId, GroupPolicy, NamePattern, VirtualHostId};
    /// use coalesce_core::Host;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let group = GroupId::new(1);
    /// # let mut builder = AuthorityTable::builder();
    /// # builder.group(group, GroupPolicy::default())?;
    /// # for (id, pattern) in (0..).zip(["a.test", "*.test", "b.a.test"]) {
    /// #     let pattern = NamePattern::parse(pattern.as_bytes())?;
    /// #     builder.entry(pattern, VirtualHostId::new(id), group)?;
    /// # }
    /// # let table = builder.build()?;
    /// let found = table.lookup_pattern(&Host::parse(b"x.test")?);
    /// let (pattern, entry) = found.ok_or("no entry")?;
    /// assert_eq!((pattern.to_string(), entry.virtual_host.get()), ("*.test".to_owned(), 1));
    /// # Ok(()) }
    /// ```
    pub fn lookup_pattern<'a>(&self, host: &Host<'a>) -> Option<(NamePattern<'a>, Entry)> {
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
    ///
    /// # Examples
    ///
    #[cfg_attr(feature = "alloc", doc = "```")]
    #[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
    /// # use coalesce_core::{AuthorityTable, GroupId, GroupPolicy, NamePattern, VirtualHostId};
    /// use coalesce_core::DnsName;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let group = GroupId::new(1);
    /// # let mut builder = AuthorityTable::builder();
    /// # builder.group(group, GroupPolicy::default())?;
    /// # for (id, pattern) in (0..).zip(["a.test", "*.test", "b.a.test"]) {
    /// #     let pattern = NamePattern::parse(pattern.as_bytes())?;
    /// #     builder.entry(pattern, VirtualHostId::new(id), group)?;
    /// # }
    /// # let table = builder.build()?;
    /// let below = table.entries_below(DnsName::parse(b"a.test")?);
    /// let below: Vec<String> = below.map(|entry| entry.pattern.to_string()).collect();
    /// assert_eq!(below, ["a.test", "b.a.test"]);
    /// # Ok(()) }
    /// ```
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
        let Entry { virtual_host, group, coalesce } = self.matched(value)?;
        Some(TableEntry { pattern, virtual_host, group, coalesce })
    }

    /// Every group with its policies, by id.
    pub fn groups(&self) -> impl Iterator<Item = (GroupId, GroupPolicy)> {
        let (header, image) = (self.trie.header(), self.trie.as_bytes());
        let rows = (0..header.counts.groups).filter_map(move |row| header.group(image, row));
        // The first row of a group is the group itself.
        let groups = rows.filter(|(_, bits)| own_coalesce(*bits).is_none());
        groups.filter_map(|(id, bits)| Some((GroupId::new(id), GroupPolicy::from_bits(bits)?)))
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
    #[inline]
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
impl AuthorityTable {
    /// Starts an empty table.
    pub fn builder() -> AuthorityTableBuilder {
        AuthorityTableBuilder::default()
    }
}

impl<S: AsRef<[u8]>> Authorities for AuthorityTable<S> {
    #[inline(always)]
    fn lookup(&self, host: &Host<'_>) -> Option<Entry> {
        Self::lookup(self, host)
    }

    #[inline(always)]
    fn group_policy(&self, group: GroupId) -> Option<GroupPolicy> {
        Self::group_policy(self, group)
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
///
/// # Examples
/// ```
/// use coalesce_core::{
///     AuthorityTable, CoalescePolicy, Entry, GroupId, GroupPolicy, Layout, NamePattern,
///     VirtualHostId,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let group = GroupId::new(1);
/// let mut builder = AuthorityTable::builder();
/// builder.layout(Layout::Compact).group(group, GroupPolicy::default())?;
/// builder.entry(NamePattern::parse(b"a.test")?, VirtualHostId::new(0), group)?;
/// // This entry is stricter than its group.
/// let strict = Entry::new(VirtualHostId::new(1), group).with_coalesce(CoalescePolicy::Never);
/// builder.insert(NamePattern::parse(b"b.test")?, strict)?;
/// assert_eq!(builder.build()?.len(), 2);
/// # Ok(()) }
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, Default)]
pub struct AuthorityTableBuilder {
    entries: Entries,
    layout: Layout,
    /// Rows: the ids of groups and their policy bits, in the order of adding. Entries of a group
    /// with the same policy of their own share one more row of it.
    rows: Vec<(u32, u32)>,
    /// The places of the rows, by group and the bits of an entry's own policy.
    places: BTreeMap<(u32, u32), u16>,
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
    /// [`BuildError::GroupConflict`], and [`BuildError::TooLarge`] beyond [`GROUPS_MAX`].
    pub fn group(&mut self, id: GroupId, policy: GroupPolicy) -> Result<&mut Self, BuildError> {
        let bits = policy.to_bits();
        match self.row(id.get(), 0) {
            Some((_, known)) if known == bits => {}
            Some(_) => return Err(BuildError::GroupConflict { group: id.get() }),
            None => {
                self.add_row(id.get(), bits, 0)?;
            }
        }
        Ok(self)
    }

    fn row(&self, group: u32, own: u32) -> Option<(u32, u32)> {
        let place = self.places.get(&(group, own))?;
        self.rows.get(usize::from(*place)).copied()
    }

    fn add_row(&mut self, group: u32, bits: u32, own: u32) -> Result<u16, BuildError> {
        if self.rows.len() >= GROUPS_MAX {
            return Err(BuildError::TooLarge);
        }
        let place = u16::try_from(self.rows.len()).map_err(|_| BuildError::TooLarge)?;
        self.places.insert((group, own), place);
        self.rows.push((group, bits | own));
        Ok(place)
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
        self.insert(pattern, Entry::new(virtual_host, group))
    }

    /// Adds an entry that may have a coalescing policy of its own.
    ///
    /// # Errors
    /// Those of [`entry`](Self::entry). The groups of a table, and the policies that entries of
    /// theirs have beside them, are together at most [`GROUPS_MAX`].
    pub fn insert(
        &mut self,
        pattern: NamePattern<'_>,
        entry: Entry,
    ) -> Result<&mut Self, BuildError> {
        let group = entry.group.get();
        let (_, bits) = self.row(group, 0).ok_or(BuildError::UnknownGroup { group })?;
        let own = own_bits(entry.coalesce);
        let place = match self.places.get(&(group, own)) {
            Some(place) => *place,
            None => self.add_row(group, bits, own)?,
        };
        self.entries.insert(&pattern, entry.virtual_host.get(), place)?;
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
    pub fn build(&self) -> Result<AuthorityTable, BuildError> {
        self.build_with(&mut |_| {})
    }

    /// [`build`](Self::build), telling `progress` how far it is.
    ///
    /// # Errors
    /// Those of [`build`](Self::build).
    pub fn build_with(
        &self,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<AuthorityTable, BuildError> {
        let image = write_table(&self.entries, self.layout, &self.rows, progress)?;
        NameTrie::built(image, Kind::Table).map(|trie| AuthorityTable { trie })
    }
}
