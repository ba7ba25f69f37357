//! The byte image of a name trie: its format, version 4.
//!
//! An image holds a trie of numbers, an authority table or a set of presented identifiers. All
//! numbers are little-endian and nothing needs alignment, so an image works on every machine.
//! Offsets are not stored: each section starts after the sections before it, whose lengths follow
//! from the counts.
//!
//! # Header
//!
//! | at | bytes | contents |
//! | --- | --- | --- |
//! | 0 | 4 | `COAL` |
//! | 4 | 4 | version 4; kind (1 identifiers, 2 table, 3 numbers); layout (1 fast, 2 compact); 0 |
//! | 8 | 8 | checksum of everything from byte 16 on, see [`checksum`](super::checksum) |
//! | 16 | 4 × 10 | names, slots, buckets, seed, addresses, pairs, groups, bytes of long names, blocks, bytes of blocks |
//! | 56 | 4 | value of the catch-all, or 0 |
//! | 60 | 4 × 1 | bits of a number or of a virtual host in a value; longest exact name; longest one-label parent; 1 with a catch-all |
//! | 64 | 32 | bit `n`: some any-depth suffix has `n` bytes |
//!
//! # Sections, in their order
//!
//! | section | one item | number and order of items |
//! | --- | --- | --- |
//! | rows | id of a group, policy bits (4 + 4) | sorted |
//! | pairs | virtual host, index of the row (4 + 4) | sorted; only if values cannot hold both |
//! | addresses | family 4 or 6, octets, value (4 + 16 + 4) | sorted |
//! | pilots | a byte | one for each bucket; the number of buckets is a power of two, at least 2 |
//! | tags (fast) | a byte | one for each slot |
//! | order (fast) | a slot, in as few bytes as every slot number needs | one for each name, in canonical order |
//! | slots (fast) | three words of key, value (24 + 4) | zeros where vacant, then 4 zeros |
//! | places (compact) | a block number and bits of a tag, see [`compact`](super::compact) | one for each slot |
//! | block starts (compact) | an offset among the blocks (4) | one for each block |
//! | blocks (compact) | up to 16 names, then 40 zeros | in canonical order |
//! | long names | lower-case bytes | names of more than 30 bytes, in canonical order |
//!
//! # Keys and values
//!
//! A name of at most 30 bytes is its own key. Its codes of six bits a byte, packed as
//! [`packed`](crate::packed) describes, fill the upper 180 bits of three words. Bits 0–4 of the
//! first word hold the length, bits 5 and 6 the shape (0 the name itself, 1 one label below it, 2
//! one or more). A longer name has length 0 there, its true length from bit 12 on, and its offset
//! among the long names in the second word.
//!
//! The value of an identifier is its number in canonical order: label by label from the right, in
//! ASCII order, a name before those below it and before its wildcards; then addresses. The value of
//! a table's entry is `virtual host | index of the row << bits of a virtual host`, if 32 bits hold
//! that for all entries; otherwise it is the number of a pair. The value in a trie of numbers is
//! the number.
//!
//! The bits of a row are, from the lowest: 0–1 coalescing (0 by certificate and group, 1 by server
//! name, 2 never), 2–3 unknown authorities (0 misdirected, 1 to the application), 4–5 `CONNECT` (0
//! refused, 1 extended, 2 any), 6 observed, 7 no client certificates asked for. Bits 8–9 are the
//! coalescing policy of the row's entries plus 1, or 0 if they have the group's. The first row of
//! each group has 0 there.
//!
//! # How a lookup finds a name
//!
//! A [hash](super::hash) of the key chooses a bucket, and the bucket's pilot chooses the slot. The
//! tag of the slot rejects nearly every name that is not in the image, and the key in the slot
//! confirms a match. A lookup of a key thus reads a pilot, a tag and a slot, whatever the number of
//! names; if there are few slots, it skips the tag. It looks for the name and for the wildcard
//! above it, and further up only for lengths that some any-depth suffix has.
//!
//! An image of at most one name and one one-label wildcard needs no hash. Their slots are found
//! when it is opened, and a lookup compares the keys there.
//!
//! # Worked example: a certificate for `*.a.test`
//!
#![cfg_attr(feature = "alloc", doc = "```")]
#![cfg_attr(not(feature = "alloc"), doc = "```ignore")]
//! use coalesce_core::{DnsName, Host, IdentifierSet, PresentedIdentifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! const IMAGE: [u8; 161] = [
//!     b'C', b'O', b'A', b'L', 4, 1, 1, 0, // version 4, identifiers, fast
//!     0x90, 0x6d, 0xbc, 0xd2, 0x3e, 0xa5, 0xd1, 0xe5, // checksum
//!     1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, // one name, two slots, two buckets, seed 0
//!     0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // no addresses, pairs and groups
//!     0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // no long names and blocks
//!     0, 0, 0, 0, 0, 0, 6, 0, // the longest parent of a one-label wildcard has six bytes
//!     0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // no any-depth
//!     0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // suffixes
//!     0, 0, // the pilots of the buckets
//!     0, 0xcc, // the tags of the two slots
//!     1, // in order, the names are in: slot 1
//!     0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // slot 0 is vacant
//!     0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
//!     0x26, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // six bytes, 1 << 5 for one label below
//!     0, 0, 0, 0x10, 0xb8, 0x54, 0x31, 0x51, // a = 1, . = 46, t = 20, e = 5, s = 19, t = 20
//!     0, 0, 0, 0, // identifier 0
//!     0, 0, 0, 0, // after the slots
//! ];
//! let built = IdentifierSet::build([PresentedIdentifier::parse_dns(b"*.a.test")?])?;
//! assert_eq!(built.as_bytes(), IMAGE);
//!
//! static STORED: [u8; 161] = IMAGE;
//! let set = IdentifierSet::from_bytes(&STORED)?;
//! assert_eq!(set.find(&Host::Name(DnsName::parse(b"www.a.test")?)), Some(0));
//! assert_eq!(set.find_authority(b"WWW.a.test.:443"), Some(0));
//! assert_eq!(set.find_authority(b"a.test"), None);
//! # Ok(()) }
//! ```
//!
//! # Worked example: a compact table
//!
#![cfg_attr(feature = "alloc", doc = "```")]
#![cfg_attr(not(feature = "alloc"), doc = "```ignore")]
//! use coalesce_core::{AuthorityTable, GroupId, GroupPolicy, Layout, NamePattern, VirtualHostId};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut table = AuthorityTable::builder();
//! table.layout(Layout::Compact).group(GroupId::new(7), GroupPolicy::default())?;
//! for (pattern, host) in [("**.b.test", 6), ("a.test", 5)] {
//!     let pattern = NamePattern::parse(pattern.as_bytes())?;
//!     table.entry(pattern, VirtualHostId::new(host), GroupId::new(7))?;
//! }
//! let table = table.build()?;
//! let image = table.as_bytes();
//! assert_eq!(image[4..8], [4, 2, 2, 0]); // version 4, table, compact
//! assert_eq!(image[60..64], [3, 6, 0, 0]); // hosts of three bits, an exact name of six bytes
//! assert_eq!(image[64], 1 << 6); // an any-depth suffix of six bytes
//! assert_eq!(image[96..104], [7, 0, 0, 0, 0, 0, 0, 0]); // group 7, default policies
//! let blocks = &image[image.len() - 49..][..9];
//! let bit = |at: usize| u64::from(blocks[at / 8] >> (at % 8) & 1);
//! let number = |at: usize, bits: usize| (at..at + bits).rev().fold(0, |n, at| n << 1 | bit(at));
//! // `test.a`: nothing shared, six new codes, exact, virtual host 5.
//! assert_eq!((number(0, 5), number(5, 5), number(10, 2), number(12, 3)), (0, 6, 0, 5));
//! let codes = |at: usize, len: usize| (0..len).map(|n| number(at + 6 * n, 6)).collect::<Vec<_>>();
//! assert_eq!(codes(15, 6), [20, 5, 19, 20, 46, 1]);
//! // `test.b`: five codes shared, one new code, any depth, virtual host 6.
//! assert_eq!((number(51, 5), number(56, 5), number(61, 2), number(63, 3)), (5, 1, 2, 6));
//! assert_eq!(codes(66, 1), [2]);
//! # Ok(()) }
//! ```
//!
//! # What validation promises
//!
//! [`AuthorityTable::from_bytes`](crate::AuthorityTable::from_bytes) accepts only images that the
//! builder could have written, as far as lookups and listing can observe;
//! [`validate`](super::validate) lists the checks in order. Lookups on bytes without validation do
//! not panic either: each read is checked, and an unreadable name counts as not found.

use core::net::IpAddr;

use super::bytes::{bits, long, width, word};

pub(crate) const MAGIC: [u8; 4] = *b"COAL";
pub(crate) const VERSION: u8 = 4;

pub(crate) const HEADER_LEN: usize = 96;
pub(crate) const GROUP_LEN: usize = 8;
pub(crate) const ADDRESS_LEN: usize = 24;
pub(crate) const PAIR_LEN: usize = 8;

/// Fast: the length of a slot, three words of key and a value.
pub(crate) const SLOT_LEN: usize = 28;
/// Fast: the zeros after the last slot, so that each slot can be read as four words.
pub(crate) const PADDING_LEN: usize = 4;

/// The offset of the checksum, which covers everything after it.
pub(crate) const CHECKSUM_AT: usize = 8;
pub(crate) const CHECKED_FROM: usize = 16;

/// The kind of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Identifiers = 1,
    Table = 2,
    Names = 3,
}

/// The layout of the names in a trie. Both layouts give the same answers.
///
/// | layout | bytes per name | a lookup reads |
/// | --- | --- | --- |
/// | [`Fast`](Self::Fast) | 32 to 34 | a pilot, a tag and one slot, whatever the size |
/// | [`Compact`](Self::Compact) | 10 to 16 | a pilot, a place and half a block of names on average |
///
/// The figures are for names of 12 to 30 bytes; `benches/RESULTS.md` has the measurements. In a
/// compact table, and in a fast table with both `*.` and `**.` patterns, a lookup reads one place
/// after another instead of two at once, and batches gain nothing.
///
/// # Examples
///
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// use coalesce_core::{Layout, NamePattern, NameTrie};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut builder = NameTrie::builder();
/// for number in 0..1000 {
///     let name = format!("host-{number}.example.test");
///     builder.insert(&NamePattern::parse(name.as_bytes())?, number)?;
/// }
/// let fast = builder.build()?;
/// let compact = builder.layout(Layout::Compact).build()?;
/// assert!(compact.as_bytes().len() < fast.as_bytes().len());
/// assert_eq!(compact.find_authority(b"host-7.example.test"), Some(7));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layout {
    /// Optimised for speed.
    #[default]
    Fast = 1,
    /// Optimised for size.
    Compact = 2,
}

/// Returns the most slots that an image with this many names may have.
pub(crate) const fn slots_max(names: u32) -> usize {
    (names as usize).saturating_mul(2).saturating_add(2)
}

/// The least number of tag bits in a place.
const TAG_BITS_MIN: u32 = 3;

/// Returns the bytes of a place: the number of a block, and above it as many bits of the tag as
/// fit.
pub(crate) const fn place_width(blocks: u32) -> usize {
    bits(blocks.saturating_sub(1)).saturating_add(TAG_BITS_MIN).div_ceil(8) as usize
}

/// The numbers in the header of an image, in their order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) names: u32,
    pub(crate) slots: u32,
    pub(crate) buckets: u32,
    pub(crate) seed: u32,
    pub(crate) addresses: u32,
    pub(crate) pairs: u32,
    pub(crate) groups: u32,
    pub(crate) long_bytes: u32,
    pub(crate) blocks: u32,
    pub(crate) block_bytes: u32,
    pub(crate) catch_all: u32,
    /// `host_bits`, longest exact name, longest one-label parent, flags.
    pub(crate) shape: [u8; 4],
    /// Bit `n`: some any-depth suffix has `n` bytes.
    pub(crate) any_depth: [u64; 4],
}

/// Flags in [`Counts::shape`].
pub(crate) const HAS_CATCH_ALL: u8 = 1;

impl Counts {
    /// Returns the header after its checksum.
    #[cfg(feature = "alloc")]
    pub(crate) fn to_bytes(self) -> [u8; HEADER_LEN - CHECKED_FROM] {
        let mut bytes = [0; HEADER_LEN - CHECKED_FROM];
        let words = [
            self.names,
            self.slots,
            self.buckets,
            self.seed,
            self.addresses,
            self.pairs,
            self.groups,
            self.long_bytes,
            self.blocks,
            self.block_bytes,
            self.catch_all,
            u32::from_le_bytes(self.shape),
        ];
        let parts = words.map(u32::to_le_bytes);
        let masks = self.any_depth.map(u64::to_le_bytes);
        let all = parts.as_flattened().iter().chain(masks.as_flattened());
        for (byte, value) in bytes.iter_mut().zip(all) {
            *byte = *value;
        }
        bytes
    }

    pub(crate) fn read(image: &[u8]) -> Option<Self> {
        let at = |index: usize| word(image, CHECKED_FROM.checked_add(index.checked_mul(4)?)?);
        let mask = |index: usize| long(image, 64_usize.checked_add(index.checked_mul(8)?)?);
        Some(Self {
            names: at(0)?,
            slots: at(1)?,
            buckets: at(2)?,
            seed: at(3)?,
            addresses: at(4)?,
            pairs: at(5)?,
            groups: at(6)?,
            long_bytes: at(7)?,
            blocks: at(8)?,
            block_bytes: at(9)?,
            catch_all: at(10)?,
            shape: at(11)?.to_le_bytes(),
            any_depth: [mask(0)?, mask(1)?, mask(2)?, mask(3)?],
        })
    }

    pub(crate) const fn has_catch_all(&self) -> bool {
        self.shape[3] & HAS_CATCH_ALL != 0
    }
}

/// The start of each section, in the order of the image.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sections {
    pub(crate) groups: u32,
    pub(crate) pairs: u32,
    pub(crate) addresses: u32,
    pub(crate) pilots: u32,
    /// Fast: a tag for each slot.
    pub(crate) tags: u32,
    /// Fast: the slot of each name, in canonical order.
    pub(crate) order: u32,
    pub(crate) slots: u32,
    /// Compact: a block number and tag bits for each slot.
    pub(crate) places: u32,
    pub(crate) block_starts: u32,
    pub(crate) blocks: u32,
    pub(crate) long: u32,
    pub(crate) end: u32,
}

impl Sections {
    /// Computes the sections. Returns `None` if they do not fit a `u32`.
    pub(crate) fn from_counts(counts: &Counts, layout: Layout) -> Option<Self> {
        let mut at = Self::default();
        let mut end = HEADER_LEN;
        let mut section = |count: u32, size: usize| {
            let start = end;
            end = start.checked_add((count as usize).checked_mul(size)?)?;
            u32::try_from(end).ok()?;
            u32::try_from(start).ok()
        };
        at.groups = section(counts.groups, GROUP_LEN)?;
        at.pairs = section(counts.pairs, PAIR_LEN)?;
        at.addresses = section(counts.addresses, ADDRESS_LEN)?;
        at.pilots = section(counts.buckets, 1)?;
        match layout {
            Layout::Fast => {
                at.tags = section(counts.slots, 1)?;
                at.order = section(counts.names, width(counts.slots))?;
                at.slots = section(counts.slots, SLOT_LEN)?;
                section(1, PADDING_LEN)?;
            }
            Layout::Compact => {
                at.places = section(counts.slots, place_width(counts.blocks))?;
                at.block_starts = section(counts.blocks, 4)?;
                at.blocks = section(counts.block_bytes, 1)?;
            }
        }
        at.long = section(counts.long_bytes, 1)?;
        at.end = u32::try_from(end).ok()?;
        Some(at)
    }
}

/// Returns how many bits a value has: the whole value, or the number of its pair.
pub(crate) const fn value_bits(counts: &Counts, kind: Kind) -> u32 {
    match kind {
        Kind::Identifiers => bits(counts.names),
        Kind::Names => counts.shape[0] as u32,
        Kind::Table if counts.pairs > 0 => bits(counts.pairs),
        Kind::Table => {
            (counts.shape[0] as u32).saturating_add(bits(counts.groups.saturating_sub(1)))
        }
    }
}

/// An address as its section is sorted.
pub(crate) type AddressKey = (u32, [u8; 16]);

pub(crate) fn address_key(address: IpAddr) -> AddressKey {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            (4, [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        }
        IpAddr::V6(v6) => (6, v6.octets()),
    }
}

/// Returns the address of a key, or `None` if the key is not an address.
pub(crate) fn address_of((family, octets): AddressKey) -> Option<IpAddr> {
    let ([a, b, c, d], rest) = octets.split_first_chunk()?;
    match family {
        4 if rest.iter().all(|octet| *octet == 0) => Some(IpAddr::from([*a, *b, *c, *d])),
        6 => Some(IpAddr::from(octets)),
        _ => None,
    }
}
