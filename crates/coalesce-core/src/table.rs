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
    /// A frozen map from name patterns to virtual hosts and coalescing groups: a [`NameTrie`] whose
    /// entries hold more than a number.
    ///
    /// `S` is the storage: `Vec<u8>` as built, or `&[u8]`, `Arc<[u8]>` or a mapped file with the
    /// same bytes. A struct field needs no parameter: `table: AuthorityTable`.
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

/// An entry in a table's list.
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
    /// The pattern of the entry.
    pub pattern: StoredPattern<'a>,
    /// The virtual host.
    pub virtual_host: VirtualHostId,
    /// The coalescing group.
    pub group: GroupId,
    /// The entry's coalescing policy, if it overrides the group's.
    pub coalesce: Option<CoalescePolicy>,
}

impl<S: AsRef<[u8]>> AuthorityTable<S> {
    /// Reads a compiled table and checks all of its bytes.
    ///
    /// # Errors
    /// Returns [`FormatError`] for the first fault. The format may change between versions of this
    /// crate; a table of another version is refused.
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

    /// Opens a table that [`from_bytes`](Self::from_bytes) accepted before, in this process or
    /// another one. The caller kept its [`checksum`](Self::checksum). Opening ten million names
    /// takes microseconds, because only the header is checked.
    ///
    /// # Security
    /// The checksum in the header says which table this claims to be, but it is not computed again.
    /// The bytes must therefore come from a place where only you can write. If they were changed
    /// all the same, lookups do not panic and stay within the bytes, but may give wrong answers.
    ///
    /// # Errors
    /// Returns [`FormatError`] if the header does not fit the bytes or has another checksum.
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
    /// // Keep the checksum beside the bytes, where only you can write.
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

    /// Returns the table as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.trie.as_bytes()
    }

    /// Returns the same table, borrowed.
    pub fn as_ref(&self) -> AuthorityTable<&[u8]> {
        AuthorityTable { trie: self.trie.as_ref() }
    }

    /// Returns the most specific entry for `host`: exact, then the longest wildcard, then the
    /// catch-all. A [`Host::Other`] has no entry.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// For a name, linear in its length, whatever the size of the table. That is multiplied by the
    /// number of lengths above 30 bytes that any-depth wildcards have and suffixes of the name have
    /// too. For an address, a binary search.
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

    /// Does [`lookup`](Self::lookup) for the host of an authority field, in one pass over its
    /// bytes. A field that [`Authority::parse`](crate::Authority::parse) refuses has no entry.
    ///
    /// # Allocation
    /// None.
    #[inline]
    pub fn lookup_authority(&self, authority: &[u8]) -> Option<Entry> {
        let found = self.trie.find_authority(authority);
        found.and_then(|value| self.matched(value))
    }

    /// Does [`lookup_authority`](Self::lookup_authority) for each of `authorities`, and calls
    /// `found` with the index and the entry of each, in order. In a table larger than the caches
    /// this takes a fraction of the time, because the lookups wait for memory together. [`Layout`]
    /// names the exceptions.
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

    /// Returns the entry with exactly this pattern, even if another entry matches the same hosts.
    ///
    /// # Allocation
    /// None.
    pub fn get(&self, pattern: &NamePattern<'_>) -> Option<Entry> {
        self.trie.get(pattern).and_then(|value| self.matched(value))
    }

    /// Does [`lookup`](Self::lookup) and returns the matching pattern too.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// One lookup for each label of the name.
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

    /// Lists all entries in canonical order: names label by label from the right, each before the
    /// names below it and before its wildcards; then addresses by family and octets; then the
    /// catch-all.
    ///
    /// # Allocation
    /// None.
    pub fn entries(&self) -> impl Iterator<Item = TableEntry<'_>> {
        self.trie.patterns().filter_map(|(pattern, value)| self.entry(pattern, value))
    }

    /// Lists the entries for `suffix` and below it, in canonical order, wildcards included.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// A binary search, then linear in the number of entries found.
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

    /// Lists the entries for names one label below `suffix`, in canonical order, wildcards
    /// included. `None` takes the place of deeper names, which a binary search skips.
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

    /// Lists all groups and their policies, by id.
    pub fn groups(&self) -> impl Iterator<Item = (GroupId, GroupPolicy)> {
        let (header, image) = (self.trie.header(), self.trie.as_bytes());
        let rows = (0..header.counts.groups).filter_map(move |row| header.group(image, row));
        // The row without an entry's policy is the group itself.
        let groups = rows.filter(|(_, bits)| own_coalesce(*bits).is_none());
        groups.filter_map(|(id, bits)| Some((GroupId::new(id), GroupPolicy::from_bits(bits)?)))
    }

    /// Returns the checksum of the table. Tables with the same groups and entries in the same
    /// layout have the same checksum; different tables very likely do not, but that is not certain.
    pub fn checksum(&self) -> u64 {
        self.trie.checksum()
    }

    /// Returns the layout of the names.
    pub const fn layout(&self) -> Layout {
        self.trie.layout()
    }

    /// Returns the policies of `group`, or `None` if the table does not have the group.
    #[inline]
    pub fn group_policy(&self, group: GroupId) -> Option<GroupPolicy> {
        let bits = self.trie.header().find_group(self.trie.as_bytes(), group.get())?;
        GroupPolicy::from_bits(bits)
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.trie.len()
    }

    /// Returns whether the table has no entries.
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

/// Two tables are equal if their bytes are: the same groups and entries in the same layout.
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
    /// The ids of groups and their policy bits, in the order of adding. Entries of a group that
    /// have the same policy, other than the group's, share one more row.
    rows: Vec<(u32, u32)>,
    /// The index of each row, by the group and the bits of the entries' policy.
    places: BTreeMap<(u32, u32), u16>,
}

#[cfg(feature = "alloc")]
impl AuthorityTableBuilder {
    /// Chooses a layout. The default is [`Layout::Fast`].
    pub fn layout(&mut self, layout: Layout) -> &mut Self {
        self.layout = layout;
        self
    }

    /// Reserves memory for `names` more entries with `bytes` bytes in total, if you know them in
    /// advance.
    pub fn reserve(&mut self, names: usize, bytes: usize) -> &mut Self {
        self.entries.reserve(names, bytes);
        self
    }

    /// Adds a coalescing group. You can add a group twice with the same policies.
    ///
    /// # Errors
    /// Returns [`BuildError::GroupConflict`] for other policies, and [`BuildError::TooLarge`]
    /// beyond [`GROUPS_MAX`].
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

    /// Adds an entry that follows its group's policies. Entries are numbered in the order of
    /// adding. A duplicate pattern is found when the table is built.
    ///
    /// # Errors
    /// Returns [`BuildError::UnknownGroup`] if the group was not added before, and
    /// [`BuildError::TooLarge`] beyond [`ENTRIES_MAX`](crate::limits::ENTRIES_MAX). The builder is
    /// then unchanged.
    pub fn entry(
        &mut self,
        pattern: NamePattern<'_>,
        virtual_host: VirtualHostId,
        group: GroupId,
    ) -> Result<&mut Self, BuildError> {
        self.insert(pattern, Entry::new(virtual_host, group))
    }

    /// Adds an entry that may have its own coalescing policy.
    ///
    /// # Errors
    /// Returns the errors of [`entry`](Self::entry), and [`BuildError::TooLarge`] if the groups and
    /// the separate policies of their entries together exceed [`GROUPS_MAX`].
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

    /// Returns the number of entries added so far.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether no entry was added.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns every pair of entries with the same pattern, by the number of the later one. Three
    /// equal entries make two pairs: the first and second, the second and third.
    pub fn duplicates(&self) -> Vec<Duplicate> {
        self.entries.duplicates()
    }

    /// Builds the table. The same groups and entries give the same bytes, in any order of adding.
    ///
    /// # Errors
    /// Returns [`BuildError::Duplicate`] for one pair of [`duplicates`](Self::duplicates),
    /// [`BuildError::TooLarge`] for a table of more than 4 GiB, and [`BuildError::Inseparable`] for
    /// names that were chosen to have the same hashes.
    pub fn build(&self) -> Result<AuthorityTable, BuildError> {
        self.build_with(&mut |_| {})
    }

    /// Does [`build`](Self::build) and reports its progress to `progress`.
    ///
    /// # Errors
    /// Returns the errors of [`build`](Self::build).
    pub fn build_with(
        &self,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<AuthorityTable, BuildError> {
        let image = write_table(&self.entries, self.layout, &self.rows, progress)?;
        NameTrie::built(image, Kind::Table).map(|trie| AuthorityTable { trie })
    }
}
