//! The byte image of a name index: its format, version 3.
//!
//! One image holds one authority table or one set of presented identifiers. All numbers are
//! little-endian, so that one image serves every machine; nothing in it needs alignment. Offsets
//! are not stored: each section follows from the counts before it.
//!
//! # Header
//!
//! | at | bytes | holds |
//! | --- | --- | --- |
//! | 0 | 4 | `COAL` |
//! | 4 | 4 | version 3; kind (1 identifiers, 2 table); layout (1 fast, 2 compact); 0 |
//! | 8 | 8 | checksum of everything from byte 16 on, see [`checksum`](super::checksum) |
//! | 16 | 4 × 10 | names, slots, buckets, seed, addresses, pairs, groups, bytes of long names, blocks, bytes of blocks |
//! | 56 | 4 | value of the catch-all, or 0 |
//! | 60 | 4 × 1 | bits of a virtual host in a value; longest exact name; longest one-label parent; 1 with a catch-all |
//! | 64 | 32 | bit `n`: some any-depth suffix has `n` bytes |
//!
//! # Sections, in their order
//!
//! | section | an item | items |
//! | --- | --- | --- |
//! | groups | id, policy bits (4 + 4) | by id |
//! | pairs | virtual host, place of the group (4 + 4) | sorted; only if values cannot hold both |
//! | addresses | family 4 or 6, octets, value (4 + 16 + 4) | sorted |
//! | pilots | a byte | one for each bucket, of which there is a power of two from 2 on |
//! | tags (fast) | a byte | one for each slot |
//! | order (fast) | a slot, in as few bytes as hold every slot | one for each name, in canonical order |
//! | slots (fast) | three words of key, value (24 + 4) | zeros where vacant, then 4 zeros |
//! | places (compact) | a block and bits of a tag, see [`compact`](super::compact) | one for each slot |
//! | block starts (compact) | an offset among the blocks (4) | one for each block |
//! | blocks (compact) | up to 16 names, then 40 zeros | in canonical order |
//! | long names | lower-case bytes | those of more than 30 bytes, in canonical order |
//!
//! # Keys and values
//!
//! A name of at most 30 bytes is its own key: six bits a byte as [`packed`](crate::packed) packs
//! them, in the upper 180 bits of three words; in bits 0–4 of the first word its length, in bits 5
//! and 6 what it stands for (0 itself, 1 one label below it, 2 one or more). A longer name has
//! length 0 there, its true length from bit 12 on, and in the second word where it stands among the
//! long names.
//!
//! The value of an identifier is its number in canonical order: label by label from the right, in
//! ASCII order, a name before what is below it and before its wildcards; then addresses. The value
//! of a table's entry is `virtual host | place of the group << bits of a virtual host` if 32 bits
//! hold that for all entries, and otherwise the number of a pair.
//!
//! # How a name is found
//!
//! A [hash](super::hash) of the key chooses a bucket, the bucket's pilot chooses the slot, the tag
//! there says no to nearly all that is not in the image, and the key there says yes. So to look for
//! a key is to read a pilot, a tag and a slot, whatever the number of names; of few slots the tag
//! is left out. A lookup looks for the name and for the wildcard above it, and further up only
//! where some any-depth suffix is as long.
//!
//! # Worked example: a certificate for `*.a.test`
//!
#![cfg_attr(feature = "alloc", doc = "```")]
#![cfg_attr(not(feature = "alloc"), doc = "```ignore")]
//! use coalesce_core::{DnsName, Host, IdentifierSet, PresentedIdentifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! const IMAGE: [u8; 161] = [
//!     b'C', b'O', b'A', b'L', 3, 1, 1, 0, // version 3, identifiers, fast
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
//!     0, 0, 0, 0, // behind the slots
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
//! assert_eq!(image[4..8], [3, 2, 2, 0]); // version 3, table, compact
//! assert_eq!(image[60..64], [3, 6, 0, 0]); // hosts of three bits, an exact name of six bytes
//! assert_eq!(image[64], 1 << 6); // an any-depth suffix of six bytes
//! assert_eq!(image[96..104], [7, 0, 0, 0, 0, 0, 0, 0]); // group 7, default policies
//! let blocks = &image[image.len() - 49..][..9];
//! let bit = |at: usize| u64::from(blocks[at / 8] >> (at % 8) & 1);
//! let number = |at: usize, bits: usize| (at..at + bits).rev().fold(0, |n, at| n << 1 | bit(at));
//! // `test.a`: nothing shared, six codes of its own, exact, virtual host 5.
//! assert_eq!((number(0, 5), number(5, 5), number(10, 2), number(12, 3)), (0, 6, 0, 5));
//! let codes = |at: usize, len: usize| (0..len).map(|n| number(at + 6 * n, 6)).collect::<Vec<_>>();
//! assert_eq!(codes(15, 6), [20, 5, 19, 20, 46, 1]);
//! // `test.b`: five codes shared, one of its own, any depth, virtual host 6.
//! assert_eq!((number(51, 5), number(56, 5), number(61, 2), number(63, 3)), (5, 1, 2, 6));
//! assert_eq!(codes(66, 1), [2]);
//! # Ok(()) }
//! ```
//!
//! # What validation promises
//!
//! [`AuthorityTable::from_bytes`](crate::AuthorityTable::from_bytes) accepts only images that the
//! builder could have written, as far as lookups and listing can tell; see
//! [`validate`](super::validate) for what is checked, in which order. Lookups on bytes that nobody
//! validated are as total: each read of theirs is checked, and what cannot be read is not found.

use core::fmt;
use core::net::IpAddr;

use super::hash::{Hasher, Shape, bucket_shift};
use super::steps::step;
use crate::limits::{ENTRIES_MAX, GROUPS_MAX, IDENTIFIERS_MAX, LONG_NAME_BYTES_MAX, NAME_LEN_MAX};
use crate::packed::TAIL_CODES;
use crate::simd::Detected;

pub(crate) const MAGIC: [u8; 4] = *b"COAL";
pub(crate) const VERSION: u8 = 3;

pub(crate) const HEADER_LEN: usize = 96;
pub(crate) const GROUP_LEN: usize = 8;
pub(crate) const ADDRESS_LEN: usize = 24;
pub(crate) const PAIR_LEN: usize = 8;

/// Where the checksum stands; it covers everything after it.
pub(crate) const CHECKSUM_AT: usize = 8;
pub(crate) const CHECKED_FROM: usize = 16;

/// What an image holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Identifiers = 1,
    Table = 2,
}

/// How an image keeps its names. Answers are the same in both.
///
/// | layout | bytes per name | a lookup |
/// | --- | --- | --- |
/// | [`Fast`](Self::Fast) | 32 to 34 | a pilot, a tag and one slot, whatever the size |
/// | [`Compact`](Self::Compact) | 10 to 16 | a pilot, a place and half a block of names on average |
///
/// Figures are for names of 12 to 30 bytes; `benches/RESULTS.md` has the measurements. In a compact
/// table, and in a fast one that has both `*.` and `**.` patterns, one look is taken after the
/// other instead of two at once, and batches gain nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layout {
    /// For speed.
    #[default]
    Fast = 1,
    /// For size.
    Compact = 2,
}

/// The numbers at the head of an image, in their order.
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
    /// Bit `n`: whether some any-depth pattern's suffix has `n` bytes.
    pub(crate) any_depth: [u64; 4],
}

/// Slots that are taken to be in a near cache: 56 KiB of them.
const NEAR_SLOTS_MAX: usize = 2_048;

/// Flags in [`Counts::shape`].
pub(crate) const HAS_CATCH_ALL: u8 = 1;

impl Counts {
    /// The header after its checksum.
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

    fn read(image: &[u8]) -> Option<Self> {
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

/// The header of an image, and where its sections start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) layout: Layout,
    pub(crate) counts: Counts,
    pub(crate) hasher: Hasher,
    /// Bit `i`: whether some any-depth pattern's suffix may begin behind a dot at window byte `i`.
    /// Bit 0, which no short name needs: whether there is a catch-all.
    pub(crate) further: u32,
    /// In an image of the fast layout, the one shape that its wildcards have: then a name and the
    /// wildcard above it are all there is to look for at first.
    pub(crate) wildcard: Option<Shape>,
    /// Whether the slots are so few that to look into one costs no more than to look at its tag.
    pub(crate) near: bool,
    /// What [`Hash::bucket`](super::hash::Hash::bucket) takes.
    pub(crate) bucket_shift: u32,
    /// The length of a slot, as a number that the compiler does not know: one multiplication is
    /// less than the four additions that it makes of 28.
    pub(crate) slot_len: u32,
    pub(crate) at: Sections,
    /// The id of the first group, if there is one.
    pub(crate) first_group: u32,
    /// The instruction set that reads the names of queries.
    pub(crate) simd: Detected,
}

/// Where each section starts, in the order in which they stand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sections {
    pub(crate) groups: u32,
    pub(crate) pairs: u32,
    pub(crate) addresses: u32,
    pub(crate) pilots: u32,
    /// Fast: a tag for each slot.
    pub(crate) tags: u32,
    /// Fast: the slots of the names in their order.
    pub(crate) order: u32,
    pub(crate) slots: u32,
    /// Compact: a block and a tag for each slot.
    pub(crate) places: u32,
    pub(crate) block_starts: u32,
    pub(crate) blocks: u32,
    pub(crate) long: u32,
    pub(crate) end: u32,
}

/// The bytes that hold every number below `below`.
pub(crate) const fn width(below: u32) -> usize {
    match below {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        0x1_0001..=0x100_0000 => 3,
        _ => 4,
    }
}

/// The bits that hold `number`.
pub(crate) const fn bits(number: u32) -> u32 {
    u32::BITS.saturating_sub(number.leading_zeros())
}

impl Sections {
    /// Lays the sections out; `None` when they would not fit a `u32`.
    pub(crate) fn of(counts: &Counts, layout: Layout) -> Option<Self> {
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
                at.slots = section(counts.slots, super::fast::SLOT_LEN)?;
                section(1, super::fast::PADDING_LEN)?;
            }
            Layout::Compact => {
                at.places = section(counts.slots, super::compact::place_width(counts.blocks))?;
                at.block_starts = section(counts.blocks, 4)?;
                at.blocks = section(counts.block_bytes, 1)?;
            }
        }
        at.long = section(counts.long_bytes, 1)?;
        at.end = u32::try_from(end).ok()?;
        Some(at)
    }
}

impl Header {
    /// Reads the header and checks the lengths: what every lookup needs not to be lost.
    pub(crate) fn read(image: &[u8], kind: Kind) -> Result<Self, ImageError> {
        let too_short = ImageError::Length { len: image.len() };
        if image.get(..4).ok_or(too_short)? != MAGIC {
            return Err(ImageError::Magic);
        }
        let found = word(image, 4).ok_or(too_short)?;
        let tag = |layout: Layout| u32::from_le_bytes([VERSION, kind as u8, layout as u8, 0]);
        let layout = match found {
            found if found == tag(Layout::Fast) => Layout::Fast,
            found if found == tag(Layout::Compact) => Layout::Compact,
            _ => return Err(ImageError::Version { found, expected: tag(Layout::Fast) }),
        };
        let counts = Counts::read(image).ok_or(too_short)?;
        let limits = match kind {
            Kind::Table => [ENTRIES_MAX, ENTRIES_MAX, GROUPS_MAX],
            Kind::Identifiers => [IDENTIFIERS_MAX, 0, 0],
        };
        let limited = [
            (CHECKED_FROM, counts.names, limits[0]),
            (CHECKED_FROM + 4, counts.slots, super::slots_max(counts.names)),
            (CHECKED_FROM + 8, counts.buckets, super::slots_max(counts.names)),
            (CHECKED_FROM + 16, counts.addresses, limits[0]),
            (CHECKED_FROM + 20, counts.pairs, limits[1]),
            (CHECKED_FROM + 24, counts.groups, limits[2]),
            (CHECKED_FROM + 28, counts.long_bytes, LONG_NAME_BYTES_MAX),
        ];
        for (at, count, max) in limited {
            if count as usize > max {
                return Err(ImageError::Count { at, count: count as usize, max });
            }
        }
        let at = Sections::of(&counts, layout).ok_or(too_short)?;
        if at.end as usize != image.len() || counts.slots < counts.names.max(1) {
            return Err(too_short);
        }
        let bucket_shift = bucket_shift(counts.buckets)
            .ok_or(ImageError::Header { at: CHECKED_FROM.saturating_add(8) })?;
        let [short, _, _, _] = counts.any_depth;
        let any_depth = counts.any_depth != [0; 4];
        let one_label = counts.shape[2] != 0;
        Ok(Self {
            kind,
            layout,
            hasher: Hasher::new(counts.seed),
            // A suffix of n bytes begins behind a dot at byte 31 - n.
            further: ((short as u32).reverse_bits() & !1) | u32::from(counts.has_catch_all()),
            wildcard: match (layout, one_label, any_depth) {
                (Layout::Fast, _, false) => Some(Shape::OneLabel),
                (Layout::Fast, false, true) => Some(Shape::AnyDepth),
                (Layout::Fast, true, true) | (Layout::Compact, ..) => None,
            },
            near: counts.slots as usize <= NEAR_SLOTS_MAX,
            bucket_shift,
            slot_len: super::fast::SLOT_LEN as u32,
            first_group: word(image, at.groups as usize).unwrap_or_default(),
            counts,
            at,
            simd: Detected::detect(),
        })
    }

    /// The number of values: entries of a table, identifiers of a set.
    pub(crate) fn len(&self) -> usize {
        let names = (self.counts.names as usize).saturating_add(self.counts.addresses as usize);
        names.saturating_add(usize::from(self.counts.has_catch_all()))
    }

    pub(crate) const fn longest_exact(&self) -> usize {
        self.counts.shape[1] as usize
    }

    pub(crate) const fn longest_one_label(&self) -> usize {
        self.counts.shape[2] as usize
    }

    /// Whether some name is longer than a key can be.
    pub(crate) fn has_long_names(&self) -> bool {
        self.counts.long_bytes != 0
    }

    pub(crate) fn has_long_any_depth(&self) -> bool {
        let [short, rest @ ..] = self.counts.any_depth;
        short >> 31 != 0 || rest != [0; 3]
    }

    pub(crate) fn has_any_depth(&self, len: usize) -> bool {
        let mask = self.counts.any_depth.get(len / 64).copied().unwrap_or(0);
        len <= NAME_LEN_MAX && mask >> (len % 64) & 1 != 0
    }

    /// Bits of a value: all of it, or the number of its pair.
    pub(crate) const fn value_bits(&self) -> u32 {
        value_bits(&self.counts, self.kind)
    }

    /// Whether `value` stands for something in this image.
    pub(crate) fn value_fits(&self, image: &[u8], value: u32) -> bool {
        match self.kind {
            Kind::Identifiers => (value as usize) < self.len(),
            Kind::Table => self.entry(image, value).is_some(),
        }
    }

    /// The virtual host and the group's id behind a table's value.
    #[inline(always)]
    pub(crate) fn entry(&self, image: &[u8], value: u32) -> Option<(u32, u32)> {
        let (host, group) = if self.counts.pairs == 0 {
            let [bits, ..] = self.counts.shape;
            // 32 bits are shifted as 64, so that all of them may belong to the virtual host.
            let above = u64::from(value) >> (bits % 64);
            (value ^ ((above << (bits % 64)) as u32), above as u32)
        } else {
            self.pair(image, value)?
        };
        // Most tables have few groups, and many have one.
        if group == 0 && self.counts.groups > 0 {
            return Some((host, self.first_group));
        }
        self.group(image, group).map(|(id, _)| (host, id))
    }

    pub(crate) fn pair(&self, image: &[u8], index: u32) -> Option<(u32, u32)> {
        pair(image, self.at.pairs as usize, index, self.counts.pairs)
    }

    pub(crate) fn group(&self, image: &[u8], index: u32) -> Option<(u32, u32)> {
        pair(image, self.at.groups as usize, index, self.counts.groups)
    }

    /// The policy bits of group `id`, by binary search.
    pub(crate) fn find_group(&self, image: &[u8], id: u32) -> Option<u32> {
        let found = binary_search(self.counts.groups as usize, |index| {
            self.group(image, index as u32).map(|(found, _)| found.cmp(&id))
        })?;
        self.group(image, found as u32).map(|(_, bits)| bits)
    }

    pub(crate) fn address(&self, image: &[u8], index: usize) -> Option<(AddressKey, u32)> {
        if index >= self.counts.addresses as usize {
            return None;
        }
        let at = (self.at.addresses as usize).checked_add(index.checked_mul(ADDRESS_LEN)?)?;
        let octets: &[u8; 16] = image.get(at.checked_add(4)?..)?.first_chunk()?;
        Some(((word(image, at)?, *octets), word(image, at.checked_add(20)?)?))
    }

    /// The value of `address`, by binary search.
    pub(crate) fn find_address(&self, image: &[u8], address: IpAddr) -> Option<u32> {
        let wanted = address_key(address);
        let found = binary_search(self.counts.addresses as usize, |index| {
            self.address(image, index).map(|(key, _)| key.cmp(&wanted))
        })?;
        self.address(image, found).map(|(_, value)| value)
    }

    /// The bytes of a name that is longer than a key.
    pub(crate) fn long_name<'a>(&self, image: &'a [u8], at: usize, len: usize) -> Option<&'a [u8]> {
        let pool = image.get(self.at.long as usize..self.at.end as usize)?;
        if len <= TAIL_CODES {
            return None;
        }
        pool.get(at..at.checked_add(len)?)
    }
}

/// See [`Header::value_bits`].
pub(crate) const fn value_bits(counts: &Counts, kind: Kind) -> u32 {
    match kind {
        Kind::Identifiers => bits(counts.names),
        Kind::Table if counts.pairs > 0 => bits(counts.pairs),
        Kind::Table => {
            (counts.shape[0] as u32).saturating_add(bits(counts.groups.saturating_sub(1)))
        }
    }
}

/// An address as its section sorts it.
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

/// The address behind a key; `None` for a key that no address has.
pub(crate) fn address_of((family, octets): AddressKey) -> Option<IpAddr> {
    let ([a, b, c, d], rest) = octets.split_first_chunk()?;
    match family {
        4 if rest.iter().all(|octet| *octet == 0) => Some(IpAddr::from([*a, *b, *c, *d])),
        6 => Some(IpAddr::from(octets)),
        _ => None,
    }
}

#[inline(always)]
pub(crate) fn word(image: &[u8], at: usize) -> Option<u32> {
    image.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

pub(crate) fn long(image: &[u8], at: usize) -> Option<u64> {
    image.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// A number of `width` bytes.
pub(crate) fn narrow(image: &[u8], at: usize, width: usize) -> Option<u32> {
    let bytes = image.get(at..at.checked_add(width)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| (number << 8) | u32::from(*byte)))
}

#[inline(always)]
fn pair(image: &[u8], section: usize, index: u32, count: u32) -> Option<(u32, u32)> {
    if index >= count {
        return None;
    }
    let at = section.checked_add((index as usize).checked_mul(8)?)?;
    long(image, at).map(|both| (both as u32, (both >> 32) as u32))
}

/// Finds an index below `len` for which `compare` says `Equal`. `None` from `compare` ends the
/// search without a result, which is how an unreadable place fails closed.
pub(crate) fn binary_search(
    len: usize,
    compare: impl Fn(usize) -> Option<core::cmp::Ordering>,
) -> Option<usize> {
    let (mut low, mut high) = (0, len);
    while low < high {
        step();
        let middle = low.midpoint(high);
        match compare(middle)? {
            core::cmp::Ordering::Less => low = middle.checked_add(1)?,
            core::cmp::Ordering::Equal => return Some(middle),
            core::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

/// Why bytes are no image. Offsets count bytes from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageError {
    /// The first bytes are not `COAL`.
    Magic,
    /// Another version of the format, another kind of image, or no known layout.
    Version {
        /// The header word found.
        found: u32,
        /// The header word expected.
        expected: u32,
    },
    /// Too short for its header, or longer or shorter than its sections.
    Length {
        /// The length found, in bytes.
        len: usize,
    },
    /// The checksum is of other bytes.
    Checksum {
        /// The checksum in the header.
        stored: u64,
        /// The checksum of the bytes.
        computed: u64,
    },
    /// A sound header, of another image than the one that was asked for.
    Unexpected {
        /// The checksum in the header.
        stored: u64,
        /// The checksum that was asked for.
        expected: u64,
    },
    /// More of something than any image may hold.
    Count {
        /// Where the count is.
        at: usize,
        /// The count found.
        count: usize,
        /// The count allowed.
        max: usize,
    },
    /// Something in the header that contradicts the names.
    Header {
        /// Where it is.
        at: usize,
    },
    /// A stored name that is no name, or where no lookup would find it.
    Name {
        /// Where the name is.
        at: usize,
    },
    /// A name out of its order.
    Order {
        /// The number of the name, in the order of the image.
        number: usize,
    },
    /// An address out of order or of no known family.
    Address {
        /// Where the address is.
        at: usize,
    },
    /// A group out of order, or with policies that do not exist.
    Group {
        /// Where the group is.
        at: usize,
    },
    /// A pair of virtual host and group that is out of order or names no group of the image.
    Pair {
        /// Where the pair is.
        at: usize,
    },
    /// A value that stands for nothing.
    Value {
        /// Where the value is.
        at: usize,
        /// The value found.
        value: u32,
    },
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Magic => f.write_str("not a table image: it does not start with COAL"),
            Self::Version { found, expected } => {
                write!(f, "image of version and kind {found:#010x}; {expected:#010x} expected")
            }
            Self::Length { len } => write!(f, "image of {len} bytes does not hold its sections"),
            Self::Checksum { stored, computed } => {
                write!(f, "image with checksum {stored:016x} whose bytes give {computed:016x}")
            }
            Self::Unexpected { stored, expected } => {
                write!(f, "image with checksum {stored:016x}; {expected:016x} expected")
            }
            Self::Count { at, count, max } => {
                write!(f, "count {count} at byte {at}; at most {max} allowed")
            }
            Self::Header { at } => {
                write!(f, "header field at byte {at} contradicts the names of the image")
            }
            Self::Name { at } => write!(f, "name at byte {at} is no name, or is out of place"),
            Self::Order { number } => write!(f, "name {number} is out of order"),
            Self::Address { at } => write!(f, "address at byte {at} is out of place"),
            Self::Group { at } => write!(f, "group at byte {at} is out of place"),
            Self::Pair { at } => write!(f, "pair at byte {at} is out of place"),
            Self::Value { at, value } => write!(f, "value {value} at byte {at} stands for nothing"),
        }
    }
}

impl core::error::Error for ImageError {}

#[cfg(test)]
mod tests {
    use super::width;

    #[test]
    fn numbers_take_as_many_bytes_as_the_largest_needs() {
        for (below, expected) in [(0, 1), (0x100, 1), (0x101, 2), (0x1_0000, 2)] {
            assert_eq!(width(below), expected, "{below:#x}");
        }
        for (below, expected) in [(0x1_0001, 3), (0x100_0000, 3), (0x100_0001, 4), (u32::MAX, 4)] {
            assert_eq!(width(below), expected, "{below:#x}");
        }
    }
}
