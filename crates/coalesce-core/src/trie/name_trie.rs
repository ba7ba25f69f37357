//! The trie over any byte storage.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::fmt;

use super::batch;
#[cfg(feature = "alloc")]
use super::build;
#[cfg(feature = "alloc")]
use super::build_error::{BuildError, Duplicate, Progress};
use super::bytes::long;
#[cfg(feature = "alloc")]
use super::entries::Entries;
use super::error::FormatError;
use super::find::{self, Stored};
use super::format::{CHECKSUM_AT, Kind, Layout};
use super::header::Header;
use super::list::{Patterns, StoredPattern};
use super::lookup::find_authority;
use super::validate;
use crate::host::Host;
use crate::name::DnsName;
use crate::pattern::NamePattern;
use crate::storage::over_bytes;

over_bytes! {
    /// A frozen map from name patterns to numbers: a label trie in one string of bytes.
    ///
    /// A node is a suffix of labels that names share. The trie therefore answers with the most
    /// specific pattern for a name, and lists everything below a suffix in order. A lookup hashes
    /// the path instead of walking it: it reads one place for the name and one for the wildcard
    /// above it, whatever the number of names.
    ///
    /// `S` is the storage: `Vec<u8>` as built, or `&[u8]`, `Arc<[u8]>` or a mapped file with the
    /// same bytes. The format is the same on every machine.
    ///
    /// # Examples
    ///
    #[cfg_attr(feature = "alloc", doc = "```")]
    #[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
    /// use coalesce_core::{DnsName, Host, NamePattern, NameTrie};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut builder = NameTrie::builder();
    /// for (number, pattern) in (1..).zip(["a.example.test", "*.example.test", "**.test", "*"]) {
    ///     builder.insert(&NamePattern::parse(pattern.as_bytes())?, number)?;
    /// }
    /// let trie = builder.build()?;
    ///
    /// // The most specific pattern wins: exact, then the longest wildcard, then the catch-all.
    /// let find = |name: &str| trie.find_authority(name.as_bytes());
    /// assert_eq!(find("A.example.test:443"), Some(1));
    /// assert_eq!(find("b.example.test"), Some(2));
    /// assert_eq!(find("b.b.example.test"), Some(3));
    /// assert_eq!(find("192.0.2.1"), Some(4));
    ///
    /// // List everything below a suffix, in order.
    /// let suffix = DnsName::parse(b"example.test")?;
    /// let below: Vec<String> =
    ///     trie.entries_below(suffix).map(|(pattern, _)| pattern.to_string()).collect();
    /// assert_eq!(below, ["*.example.test", "a.example.test"]);
    ///
    /// // The bytes are the whole trie: on another machine, in a file, or in a `static`.
    /// let read = NameTrie::from_bytes(trie.as_bytes())?;
    /// assert_eq!(read.find(&Host::Name(DnsName::parse(b"x.test")?)), Some(3));
    /// # Ok(()) }
    /// ```
    #[derive(Clone, Copy)]
    pub struct NameTrie<S> {
        image: S,
        header: Header,
    }
}

/// A borrowed trie over any storage, with all that lookups need.
#[derive(Clone, Copy)]
pub(crate) struct TrieRef<'a> {
    header: &'a Header,
    image: &'a [u8],
}

impl<'a> TrieRef<'a> {
    #[inline(always)]
    pub(crate) fn find(&self, host: &Host<'_>) -> Option<u32> {
        find::find(self, host)
    }

    pub(crate) fn get(&self, pattern: &NamePattern<'_>) -> Option<u32> {
        find::find_pattern(self, pattern)
    }

    pub(crate) fn patterns(&self) -> Patterns<'a> {
        Patterns::all(self.header, self.image)
    }
}

impl Stored for TrieRef<'_> {
    #[inline(always)]
    fn header(&self) -> &Header {
        self.header
    }

    #[inline(always)]
    fn image(&self) -> &[u8] {
        self.image
    }
}

impl<S: AsRef<[u8]>> Stored for NameTrie<S> {
    #[inline(always)]
    fn header(&self) -> &Header {
        &self.header
    }

    #[inline(always)]
    fn image(&self) -> &[u8] {
        self.image.as_ref()
    }
}

#[cfg(feature = "alloc")]
impl NameTrie<Vec<u8>> {
    /// Starts an empty trie.
    pub fn builder() -> NameTrieBuilder {
        NameTrieBuilder::default()
    }
}

impl<S: AsRef<[u8]>> NameTrie<S> {
    /// Reads a trie from the bytes of another one and checks all of them.
    ///
    /// # Errors
    /// Returns [`FormatError`] for the first fault. The format may change between versions of this
    /// crate; bytes of another version are refused.
    ///
    /// # Allocation
    /// None.
    pub fn from_bytes(bytes: S) -> Result<Self, FormatError> {
        Self::validated(bytes, Kind::Names)
    }

    /// Reads a trie that [`from_bytes`](Self::from_bytes) accepted before, in this process or
    /// another one. The caller kept its [`checksum`](Self::checksum). The names are not checked.
    ///
    /// # Security
    /// The checksum is not computed again, so the bytes must come from a place where only you can
    /// write. If they were changed all the same, lookups do not panic and stay within the bytes,
    /// but may give wrong answers.
    ///
    /// # Errors
    /// Returns [`FormatError`] if the header does not fit the bytes or has another checksum.
    ///
    /// # Allocation
    /// None.
    pub fn from_trusted_bytes(bytes: S, checksum: u64) -> Result<Self, FormatError> {
        Self::trusted(bytes, Kind::Names, checksum)
    }

    /// Validates an image of this kind, so that later lookups give right answers.
    pub(crate) fn validated(image: S, kind: Kind) -> Result<Self, FormatError> {
        let header = validate::validate(image.as_ref(), kind)?;
        Ok(Self { image, header })
    }

    /// Reads the header of an image of this kind, and does not check the names.
    pub(crate) fn trusted(image: S, kind: Kind, checksum: u64) -> Result<Self, FormatError> {
        let header = Header::read(image.as_ref(), kind)?;
        let trie = Self { image, header };
        let stored = trie.checksum();
        if stored == checksum {
            Ok(trie)
        } else {
            Err(FormatError::Unexpected { stored, expected: checksum })
        }
    }

    /// Wraps an image that a builder wrote.
    #[cfg(feature = "alloc")]
    pub(crate) fn built(image: S, kind: Kind) -> Result<Self, BuildError> {
        debug_assert!(validate::validate(image.as_ref(), kind).is_ok(), "the builder is wrong");
        match Header::read(image.as_ref(), kind) {
            Ok(header) => Ok(Self { image, header }),
            Err(_) => Err(BuildError::TooLarge),
        }
    }

    /// Returns the trie as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.image.as_ref()
    }

    /// Returns the same trie over borrowed bytes.
    pub fn as_ref(&self) -> NameTrie<&[u8]> {
        NameTrie { image: self.image.as_ref(), header: self.header }
    }

    #[inline(always)]
    pub(crate) fn borrowed(&self) -> TrieRef<'_> {
        TrieRef { header: &self.header, image: self.image.as_ref() }
    }

    /// Returns the header. Lookups need only the header and the bytes.
    #[inline(always)]
    pub(crate) const fn header(&self) -> &Header {
        &self.header
    }

    /// Finds the number of the most specific pattern for `host`: exact, then the longest wildcard,
    /// then the catch-all. A [`Host::Other`] has no number.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// For a name, linear in its length, whatever the size of the trie. That is multiplied by the
    /// number of lengths above 30 bytes that any-depth wildcards have and suffixes of the name have
    /// too. For an address, a binary search.
    #[inline(always)]
    pub fn find(&self, host: &Host<'_>) -> Option<u32> {
        find::find(self, host)
    }

    /// Finds the number for the host of an authority field, in one pass over its bytes. A field
    /// that [`Authority::parse`](crate::Authority::parse) refuses has no number.
    ///
    /// # Allocation
    /// None.
    #[inline(always)]
    pub fn find_authority(&self, authority: &[u8]) -> Option<u32> {
        find_authority(self, authority)
    }

    /// Finds the number for each of `authorities`, and calls `found` with the index and the number
    /// of each, in order. In a trie larger than the caches this takes a fraction of the time,
    /// because the lookups wait for memory together. [`Layout`] names the exceptions.
    ///
    /// # Allocation
    /// None.
    #[inline(always)]
    pub fn find_authorities(
        &self,
        authorities: &[&[u8]],
        mut found: impl FnMut(usize, Option<u32>),
    ) {
        let mut number = 0_usize;
        for together in authorities.chunks(batch::BATCH_LEN) {
            batch::prefetch(&self.header, self.image.as_ref(), together);
            for authority in together {
                found(number, self.find_authority(authority));
                number = number.saturating_add(1);
            }
        }
    }

    /// Returns the number of exactly this pattern, even if another pattern matches the same hosts.
    ///
    /// # Allocation
    /// None.
    pub fn get(&self, pattern: &NamePattern<'_>) -> Option<u32> {
        find::find_pattern(self, pattern)
    }

    /// Lists all patterns with their numbers in canonical order: names label by label from the
    /// right, each before the names below it and before its wildcards; then addresses by family and
    /// octets; then the catch-all.
    ///
    /// # Allocation
    /// None.
    pub fn entries(&self) -> impl Iterator<Item = (StoredPattern<'_>, u32)> {
        self.patterns()
    }

    /// Lists the patterns of `suffix` and below it, in canonical order, wildcards included.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// A binary search, then linear in the number of patterns found.
    pub fn entries_below(
        &self,
        suffix: DnsName<'_>,
    ) -> impl Iterator<Item = (StoredPattern<'_>, u32)> {
        self.patterns_below(suffix)
    }

    pub(crate) fn patterns(&self) -> Patterns<'_> {
        Patterns::all(&self.header, self.image.as_ref())
    }

    pub(crate) fn patterns_below(&self, suffix: DnsName<'_>) -> Patterns<'_> {
        Patterns::below(&self.header, self.image.as_ref(), suffix)
    }

    /// Returns the checksum of the bytes. Tries with the same patterns and numbers in the same
    /// layout have the same checksum; different tries very likely do not, but that is not certain.
    pub fn checksum(&self) -> u64 {
        long(self.image.as_ref(), CHECKSUM_AT).unwrap_or_default()
    }

    /// Returns the layout of the names.
    pub const fn layout(&self) -> Layout {
        self.header.layout
    }

    /// Returns the number of patterns.
    pub fn len(&self) -> usize {
        self.header.len()
    }

    /// Returns whether the trie has no patterns.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Two tries are equal if their bytes are.
impl<S: AsRef<[u8]>, T: AsRef<[u8]>> PartialEq<NameTrie<T>> for NameTrie<S> {
    fn eq(&self, other: &NameTrie<T>) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl<S: AsRef<[u8]>> Eq for NameTrie<S> {}

impl<S: AsRef<[u8]>> fmt::Debug for NameTrie<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameTrie")
            .field("len", &self.len())
            .field("layout", &self.layout())
            .field("bytes", &self.as_bytes().len())
            .finish()
    }
}

/// Collects patterns and their numbers for a [`NameTrie`].
///
/// # Examples
/// ```
/// use coalesce_core::{NamePattern, NameTrie};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut builder = NameTrie::builder();
/// builder.insert(&NamePattern::parse(b"a.test")?, 1)?.insert(&NamePattern::parse(b"*")?, 2)?;
/// assert_eq!(builder.build()?.len(), 2);
/// # Ok(()) }
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, Default)]
pub struct NameTrieBuilder {
    entries: Entries,
    layout: Layout,
}

#[cfg(feature = "alloc")]
impl NameTrieBuilder {
    /// Chooses a layout. The default is [`Layout::Fast`].
    pub fn layout(&mut self, layout: Layout) -> &mut Self {
        self.layout = layout;
        self
    }

    /// Reserves memory for `names` more patterns with `bytes` bytes in total, if you know them in
    /// advance.
    pub fn reserve(&mut self, names: usize, bytes: usize) -> &mut Self {
        self.entries.reserve(names, bytes);
        self
    }

    /// Adds a pattern with its `number`. A duplicate pattern is found when the trie is built.
    ///
    /// # Errors
    /// Returns [`BuildError::TooLarge`] beyond [`ENTRIES_MAX`](crate::limits::ENTRIES_MAX). The
    /// builder is then unchanged.
    pub fn insert(
        &mut self,
        pattern: &NamePattern<'_>,
        number: u32,
    ) -> Result<&mut Self, BuildError> {
        self.entries.insert(pattern, number, 0)?;
        Ok(self)
    }

    /// Returns the number of patterns added so far.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether no pattern was added.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lists every pair of entries with the same pattern, by the number of the later one. Three
    /// equal entries make two pairs: the first and second, the second and third.
    pub fn duplicates(&self) -> Vec<Duplicate> {
        self.entries.duplicates()
    }

    /// Builds the trie. The same entries give the same bytes, in any order of adding.
    ///
    /// # Errors
    /// Returns [`BuildError::Duplicate`] for one pair of [`duplicates`](Self::duplicates),
    /// [`BuildError::TooLarge`] for a trie of more than 4 GiB, and [`BuildError::Inseparable`] for
    /// names that were chosen to have the same hashes.
    pub fn build(&self) -> Result<NameTrie, BuildError> {
        self.build_with(&mut |_| {})
    }

    /// Does [`build`](Self::build) and reports its progress to `progress`.
    ///
    /// # Errors
    /// Returns the errors of [`build`](Self::build).
    pub fn build_with(&self, progress: &mut dyn FnMut(Progress)) -> Result<NameTrie, BuildError> {
        let image = build::names(&self.entries, self.layout, progress)?;
        NameTrie::built(image, Kind::Names)
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use crate::AuthorityTable;

    const PATTERNS: [(&str, u32); 6] = [
        ("a.example.test", 0),
        ("*.example.test", u32::MAX),
        ("**.example.test", 7),
        ("a-name-of-more-than-thirty-bytes.example.test", 1 << 31),
        ("192.0.2.1", 5),
        ("*", 9),
    ];

    fn trie(layout: Layout) -> NameTrie {
        let mut builder = NameTrie::builder();
        builder.layout(layout);
        for (pattern, number) in PATTERNS {
            builder.insert(&NamePattern::parse(pattern.as_bytes()).unwrap(), number).unwrap();
        }
        builder.build().unwrap()
    }

    #[test]
    fn every_pattern_is_found_and_listed_with_its_number() {
        for layout in [Layout::Fast, Layout::Compact] {
            let trie = trie(layout);
            for (pattern, number) in PATTERNS {
                let pattern = NamePattern::parse(pattern.as_bytes()).unwrap();
                assert_eq!(trie.get(&pattern), Some(number), "{pattern}, {layout:?}");
            }
            let mut listed: Vec<u32> = trie.entries().map(|(_, number)| number).collect();
            listed.sort_unstable();
            let mut expected = PATTERNS.map(|(_, number)| number);
            expected.sort_unstable();
            assert_eq!(listed, expected, "{layout:?}");
            let find = |name: &str| trie.find_authority(name.as_bytes());
            let asked = ["A.example.test:443", "b.example.test", "b.b.example.test", "192.0.2.1"];
            assert_eq!(asked.map(find), [Some(0), Some(u32::MAX), Some(7), Some(5)], "{layout:?}");
            assert_eq!(find("example.test"), Some(9), "{layout:?}");
            assert_eq!(find("not a name"), None, "{layout:?}");
        }
    }

    #[test]
    fn trie_is_read_only_from_bytes_of_its_kind_and_checksum() {
        for layout in [Layout::Fast, Layout::Compact] {
            let trie = trie(layout);
            let read = NameTrie::from_bytes(trie.as_bytes()).unwrap();
            assert_eq!(read, trie);
            let trusted = NameTrie::from_trusted_bytes(trie.as_bytes(), trie.checksum());
            assert_eq!(trusted.as_ref(), Ok(&trie.as_ref()));
            let other = NameTrie::from_trusted_bytes(trie.as_bytes(), !trie.checksum());
            assert!(matches!(other, Err(FormatError::Unexpected { .. })), "{other:?}");
            // The entries of a table are more than a number, and a trie has no groups.
            let as_table = AuthorityTable::from_bytes(trie.as_bytes());
            assert!(matches!(as_table, Err(FormatError::Version { .. })), "{as_table:?}");
            let table = AuthorityTable::builder().build().unwrap();
            let as_trie = NameTrie::from_bytes(table.as_bytes());
            assert!(matches!(as_trie, Err(FormatError::Version { .. })), "{as_trie:?}");
        }
    }

    #[test]
    fn duplicate_pattern_is_refused() {
        let mut builder = NameTrie::builder();
        let pattern = NamePattern::parse(b"a.test").unwrap();
        builder.insert(&pattern, 1).unwrap().insert(&pattern, 2).unwrap();
        let duplicate = Duplicate { earlier: 0, later: 1, conflicting: true };
        assert_eq!(builder.duplicates(), [duplicate]);
        assert_eq!(builder.build().err(), Some(BuildError::Duplicate { earlier: 0, later: 1 }));
    }
}
