//! The header of an image, as lookups read it.

use core::net::IpAddr;

use super::bytes::{binary_search, bits, long, pair, word};
use super::error::FormatError;
use super::format::{
    ADDRESS_LEN, AddressKey, CHECKED_FROM, Counts, Kind, Layout, MAGIC, SLOT_LEN, Sections,
    VERSION, address_key, slots_max, value_bits,
};
use super::hash::{Hasher, SHAPE_SHIFT, Shape, bucket_shift, mark};
use crate::limits::{
    ENTRIES_MAX, GROUPS_MAX, IDENTIFIERS_MAX, LABEL_LEN_MAX, LONG_NAME_BYTES_MAX, NAME_LEN_MAX,
};
use crate::packed::TAIL_CODES;
use crate::simd::Detected;

/// The most slots that count as cached: together they take 56 KiB.
const CACHED_SLOTS_MAX: usize = 2_048;

/// The slots of an image that has at most one exact name, at most one one-label wildcard and
/// nothing else that matches names, as most certificates do. A lookup compares these keys without a
/// hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Only {
    pub(crate) exact: Option<u32>,
    pub(crate) one_label: Option<u32>,
}

/// The header of an image, and the start of each section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) layout: Layout,
    pub(crate) counts: Counts,
    pub(crate) hasher: Hasher,
    /// Bit `i`: an any-depth pattern may begin after a dot at window byte `i`. Bit 0, which no
    /// short name needs: the image has a catch-all.
    pub(crate) further: u32,
    /// The shape of all wildcards, if the layout is fast and they have only one. Then a lookup
    /// starts with just two places: the name and the wildcard above it.
    pub(crate) wildcard: Option<Shape>,
    /// That shape as it is in a key.
    pub(crate) wildcard_mark: u32,
    /// The length of the longest name that a pattern can match, without a trailing dot. A longer
    /// host has no value, so a lookup reads only its length and its last byte.
    pub(crate) longest_host: usize,
    /// The slots of the names, if there are hardly any: see [`Only`].
    pub(crate) only: Option<Only>,
    /// Whether the slots are so few that reading one costs no more than reading its tag.
    pub(crate) cached: bool,
    /// The shift for [`Hash::bucket`](super::hash::Hash::bucket).
    pub(crate) bucket_shift: u32,
    /// The length of a slot. It is a variable, so that the compiler uses one multiplication and
    /// not the four additions that it makes of the constant 28.
    pub(crate) slot_len: u32,
    pub(crate) at: Sections,
    /// The id of the first group, if there is one.
    pub(crate) first_group: u32,
    /// The instruction set that reads the names of queries.
    pub(crate) simd: Detected,
}

impl Header {
    /// Reads the header and checks the lengths, so that lookups find every section.
    pub(crate) fn read(image: &[u8], kind: Kind) -> Result<Self, FormatError> {
        let too_short = FormatError::Length { len: image.len() };
        if image.get(..4).ok_or(too_short)? != MAGIC {
            return Err(FormatError::Magic);
        }
        let found = word(image, 4).ok_or(too_short)?;
        let tag = |layout: Layout| u32::from_le_bytes([VERSION, kind as u8, layout as u8, 0]);
        let layout = match found {
            found if found == tag(Layout::Fast) => Layout::Fast,
            found if found == tag(Layout::Compact) => Layout::Compact,
            _ => return Err(FormatError::Version { found, expected: tag(Layout::Fast) }),
        };
        let counts = Counts::read(image).ok_or(too_short)?;
        check_limits(&counts, kind)?;
        let at = Sections::from_counts(&counts, layout).ok_or(too_short)?;
        if at.end as usize != image.len() || counts.slots < counts.names.max(1) {
            return Err(too_short);
        }
        let bucket_shift = bucket_shift(counts.buckets)
            .ok_or(FormatError::Header { at: CHECKED_FROM.saturating_add(8) })?;
        let [short, _, _, _] = counts.any_depth;
        let any_depth = counts.any_depth != [0; 4];
        let one_label = counts.shape[2] != 0;
        let wildcard = match (layout, one_label, any_depth) {
            (Layout::Fast, _, false) => Some(Shape::OneLabel),
            (Layout::Fast, false, true) => Some(Shape::AnyDepth),
            (Layout::Fast, true, true) | (Layout::Compact, ..) => None,
        };
        let longest_host = longest_host(&counts, any_depth);
        Ok(Self {
            kind,
            layout,
            hasher: Hasher::new(counts.seed),
            // A suffix of n bytes begins after a dot at byte 31 - n.
            further: ((short as u32).reverse_bits() & !1) | u32::from(counts.has_catch_all()),
            wildcard,
            wildcard_mark: wildcard.map_or(0, |shape| mark(0, shape)),
            longest_host,
            only: if layout == Layout::Fast { only(image, &counts, &at) } else { None },
            cached: counts.slots as usize <= CACHED_SLOTS_MAX,
            bucket_shift,
            slot_len: SLOT_LEN as u32,
            first_group: word(image, at.groups as usize).unwrap_or_default(),
            counts,
            at,
            simd: Detected::detect(),
        })
    }

    /// Returns the number of values: entries of a table, identifiers of a set.
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

    /// Returns whether some name is longer than a key can be.
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

    /// Returns the bits of a value: the whole value, or the number of its pair.
    pub(crate) const fn value_bits(&self) -> u32 {
        value_bits(&self.counts, self.kind)
    }

    /// Returns whether `value` is valid in this image.
    pub(crate) fn value_fits(&self, image: &[u8], value: u32) -> bool {
        match self.kind {
            Kind::Identifiers => (value as usize) < self.len(),
            Kind::Table => self.entry(image, value).is_some(),
            Kind::Names => bits(value) <= self.value_bits(),
        }
    }

    /// Returns the virtual host, the group's id and the policy bits of a table's value. The bits
    /// are those of the entry's row; the first row has no entry's policy.
    #[inline(always)]
    pub(crate) fn entry(&self, image: &[u8], value: u32) -> Option<(u32, u32, u32)> {
        let (host, group) = if self.counts.pairs == 0 {
            let [bits, ..] = self.counts.shape;
            // Shift in 64 bits, because the virtual host may take all 32.
            let above = u64::from(value) >> (bits % 64);
            (value ^ ((above << (bits % 64)) as u32), above as u32)
        } else {
            self.pair(image, value)?
        };
        // Most tables have few groups, and many have only one.
        if group == 0 && self.counts.groups > 0 {
            return Some((host, self.first_group, 0));
        }
        self.group(image, group).map(|(id, bits)| (host, id, bits))
    }

    pub(crate) fn pair(&self, image: &[u8], index: u32) -> Option<(u32, u32)> {
        pair(image, self.at.pairs as usize, index, self.counts.pairs)
    }

    pub(crate) fn group(&self, image: &[u8], index: u32) -> Option<(u32, u32)> {
        pair(image, self.at.groups as usize, index, self.counts.groups)
    }

    /// Returns the policy bits of group `id`, by binary search.
    pub(crate) fn find_group(&self, image: &[u8], id: u32) -> Option<u32> {
        // Most tables have few groups, and many have only one.
        if id == self.first_group {
            return self.group(image, 0).map(|(_, bits)| bits);
        }
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

    /// Returns the value of `address`, by binary search.
    pub(crate) fn find_address(&self, image: &[u8], address: IpAddr) -> Option<u32> {
        let wanted = address_key(address);
        let found = binary_search(self.counts.addresses as usize, |index| {
            self.address(image, index).map(|(key, _)| key.cmp(&wanted))
        })?;
        self.address(image, found).map(|(_, value)| value)
    }

    /// Returns the bytes of a name that is longer than a key.
    pub(crate) fn long_name<'a>(&self, image: &'a [u8], at: usize, len: usize) -> Option<&'a [u8]> {
        let pool = image.get(self.at.long as usize..self.at.end as usize)?;
        if len <= TAIL_CODES {
            return None;
        }
        pool.get(at..at.checked_add(len)?)
    }
}

/// Returns the length of the longest name that a pattern of the image can match.
fn longest_host(counts: &Counts, any_depth: bool) -> usize {
    if any_depth || counts.has_catch_all() {
        return NAME_LEN_MAX;
    }
    let [_, exact, parent, _] = counts.shape.map(usize::from);
    // A wildcard adds one label and a dot to its parent.
    let below =
        if parent == 0 { 0 } else { parent.saturating_add(LABEL_LEN_MAX).saturating_add(1) };
    exact.max(below).min(NAME_LEN_MAX)
}

/// Finds the slots of an image for [`Only`]. Reads at most six slots.
fn only(image: &[u8], counts: &Counts, at: &Sections) -> Option<Only> {
    if counts.names > 2 || counts.has_catch_all() {
        return None;
    }
    let mut found = Only { exact: None, one_label: None };
    for slot in 0..counts.slots {
        let start = (slot as usize).checked_mul(SLOT_LEN)?;
        let first = long(image, (at.slots as usize).checked_add(start)?)?;
        // Only a vacant slot starts with a word of zero, because a key has its length there.
        if first == 0 {
            continue;
        }
        let place = match Shape::from_bits(first >> SHAPE_SHIFT & 3)? {
            Shape::Exact => &mut found.exact,
            Shape::OneLabel => &mut found.one_label,
            Shape::AnyDepth => return None,
        };
        if place.replace(slot).is_some() {
            return None;
        }
    }
    Some(found)
}

/// Refuses counts above the limits, before they are used to locate any section.
fn check_limits(counts: &Counts, kind: Kind) -> Result<(), FormatError> {
    let limits = match kind {
        Kind::Table => [ENTRIES_MAX, ENTRIES_MAX, GROUPS_MAX],
        Kind::Identifiers => [IDENTIFIERS_MAX, 0, 0],
        Kind::Names => [ENTRIES_MAX, 0, 0],
    };
    let limited = [
        (CHECKED_FROM, counts.names, limits[0]),
        (CHECKED_FROM + 4, counts.slots, slots_max(counts.names)),
        (CHECKED_FROM + 8, counts.buckets, slots_max(counts.names)),
        (CHECKED_FROM + 16, counts.addresses, limits[0]),
        (CHECKED_FROM + 20, counts.pairs, limits[1]),
        (CHECKED_FROM + 24, counts.groups, limits[2]),
        (CHECKED_FROM + 28, counts.long_bytes, LONG_NAME_BYTES_MAX),
    ];
    for (at, count, max) in limited {
        if count as usize > max {
            return Err(FormatError::Count { at, count: count as usize, max });
        }
    }
    Ok(())
}
