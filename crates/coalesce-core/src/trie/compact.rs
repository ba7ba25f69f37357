//! The compact layout: names in canonical order, each written as what it does not share with the
//! name before it, in blocks of [`BLOCK`]; a hash leads to the block.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use super::fast::long_key;
use super::format::{Header, bits, narrow, word};
use super::hash::{Hash, Shape, key};
use super::stored::{Stored, StoredName};
use crate::name::scan::{self, TAIL_CODES, TAIL_MASK};

/// Names to a block: what a lookup reads through, half of them on average.
pub(crate) const BLOCK: usize = 16;

/// Zeros after the last block, so that reading ahead stays inside the section.
const PADDING: usize = 40;

/// Bits of the shared bytes, of the bytes that follow, and of the shape.
const SHARED_BITS: u32 = 5;
const OWN_BITS: u32 = 5;
const SHAPE_BITS: u32 = 2;
const HEAD_BITS: u32 = SHARED_BITS + OWN_BITS + SHAPE_BITS;

/// In place of the number of own bytes: a long name follows, its length and place.
const LONG: u64 = 31;
const LONG_LEN_BITS: u32 = 8;
const LONG_AT_BITS: u32 = 32;

/// Tag bits that a place has at least.
const TAG_BITS_MIN: u32 = 3;

/// The bytes of a place: the number of a block, and above it as many bits of the tag as fit.
pub(crate) const fn place_width(blocks: u32) -> usize {
    (bits(blocks.saturating_sub(1)) + TAG_BITS_MIN).div_ceil(8) as usize
}

/// What the slot of a name holds.
pub(crate) const fn place(hash: Hash, rank: u32, blocks: u32) -> u32 {
    let block_bits = bits(blocks.saturating_sub(1));
    (rank / BLOCK as u32) | (hash.tag() as u32) << block_bits
}

/// Which block `hash` leads to, if the tag there is the hash's.
#[inline]
fn locate(header: &Header, image: &[u8], hash: Hash) -> Option<u32> {
    let counts = &header.counts;
    let pilot_at = (header.at.pilots as usize).checked_add(hash.bucket(counts.buckets) as usize)?;
    let slot = hash.slot(*image.get(pilot_at)?, counts.slots);
    let width = place_width(counts.blocks);
    let found = narrow(
        image,
        (header.at.places as usize).checked_add((slot as usize).checked_mul(width)?)?,
        width,
    )?;
    let block_bits = bits(counts.blocks.saturating_sub(1));
    let block = found & !u32::MAX.checked_shl(block_bits)?;
    let expected = place(hash, 0, counts.blocks) | block;
    let mask = u32::MAX.checked_shr(u32::BITS.checked_sub(8_u32.checked_mul(width as u32)?)?)?;
    (found == expected & mask).then_some(block)
}

/// The value of a short name.
#[inline]
pub(crate) fn find_key(header: &Header, image: &[u8], hash: Hash, wanted: [u64; 3]) -> Option<u32> {
    let mut reader = Reader::at_block(header, image, locate(header, image, hash)?)?;
    while let Some(stored) = reader.next() {
        if stored.key == wanted {
            return Some(stored.value);
        }
    }
    None
}

/// The value of a name that is longer than a key.
pub(crate) fn find_long(header: &Header, image: &[u8], name: &[u8], shape: Shape) -> Option<u32> {
    let block = locate(header, image, header.hasher.hash_long(name, shape))?;
    let mut reader = Reader::at_block(header, image, block)?;
    while let Some(stored) = reader.next() {
        let StoredName::Long(found) = stored.name(header, image)? else { continue };
        if stored.shape()? == shape && found.eq_ignore_ascii_case(name) {
            return Some(stored.value);
        }
    }
    None
}

/// Whether a lookup for a name that stands in `block` would look there.
pub(crate) fn leads_to(
    header: &Header,
    image: &[u8],
    name: &[u8],
    shape: Shape,
    block: u32,
) -> bool {
    let hash = if name.len() <= TAIL_CODES {
        let [a, b, c] = scan::scan(name).words;
        header.hasher.hash(key([a & TAIL_MASK, b, c], name.len(), shape))
    } else {
        header.hasher.hash_long(name, shape)
    };
    locate(header, image, hash) == Some(block)
}

/// Reads the names of one block.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    /// From the block's first byte on.
    bytes: &'a [u8],
    value_bits: u32,
    /// In bits.
    position: usize,
    left: usize,
    /// The codes of the name before.
    tail: [u64; 3],
}

impl<'a> Reader<'a> {
    pub(crate) fn at_block(header: &Header, image: &'a [u8], block: u32) -> Option<Self> {
        let counts = &header.counts;
        if block >= counts.blocks {
            return None;
        }
        let at = (header.at.block_starts as usize).checked_add((block as usize).checked_mul(4)?)?;
        let start = (header.at.blocks as usize).checked_add(word(image, at)? as usize)?;
        let first = (block as usize).checked_mul(BLOCK)?;
        Some(Self {
            bytes: image.get(start..header.at.long as usize)?,
            value_bits: header.value_bits(),
            position: 0,
            left: (counts.names as usize).checked_sub(first)?.min(BLOCK),
            tail: [0; 3],
        })
    }

    /// The bytes that were read.
    pub(crate) const fn consumed(&self) -> usize {
        self.position.div_ceil(8)
    }

    /// The next name; `None` at the end of the block, or where the bytes end.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Stored> {
        self.left = self.left.checked_sub(1)?;
        let head = self.take(HEAD_BITS)?;
        let shared = (head & 0x1f) as usize;
        let own = head >> SHARED_BITS & 0x1f;
        let shape = Shape::from_bits(head >> (SHARED_BITS + OWN_BITS) & 3)?;
        let value = self.take(self.value_bits)? as u32;
        if own == LONG {
            let len = self.take(LONG_LEN_BITS)?;
            let at = self.take(LONG_AT_BITS)?;
            self.tail = [0; 3];
            let key = long_key(at as usize, len as usize, shape);
            return Some(Stored { key, value });
        }
        let own = own as usize;
        let len = shared.checked_add(own).filter(|len| (1..=TAIL_CODES).contains(len))?;
        let [a, b, c] = self.window(own)?;
        let [x, y, z] = scan::suffix(self.tail, shared);
        let [a, b, c] = shift_left([a, b, c], 192_usize.checked_sub(len.checked_mul(6)?)?);
        self.tail = [a | x, b | y, c | z];
        Some(Stored { key: key(self.tail, len, shape), value })
    }

    /// The next `count` bits, at most 32.
    #[inline]
    fn take(&mut self, count: u32) -> Option<u64> {
        let bytes: &[u8; 8] = self.bytes.get(self.position / 8..)?.first_chunk()?;
        let word = u64::from_le_bytes(*bytes) >> (self.position % 8);
        self.position = self.position.checked_add(count as usize)?;
        Some(word & !u64::MAX.checked_shl(count)?)
    }

    /// The next `codes` codes, lowest bits first.
    #[inline]
    fn window(&mut self, codes: usize) -> Option<[u64; 3]> {
        let bytes: &[u8; 32] = self.bytes.get(self.position / 8..)?.first_chunk()?;
        let (words, _) = bytes.as_chunks::<8>();
        let &[a, b, c, d] = words else { return None };
        let [a, b, c, d] = [a, b, c, d].map(u64::from_le_bytes);
        let shift = self.position % 8;
        let join = |low: u64, high: u64| {
            if shift == 0 { low } else { low >> shift | high << (64_usize.wrapping_sub(shift)) }
        };
        let read = [join(a, b), join(b, c), join(c, d)];
        let count = codes.checked_mul(6)?;
        self.position = self.position.checked_add(count)?;
        Some(low_bits(read, count))
    }
}

/// The lowest `count` bits.
#[inline(always)]
fn low_bits(words: [u64; 3], count: usize) -> [u64; 3] {
    let mask = |below: usize| match count.saturating_sub(below) {
        0 => 0,
        bits @ 1..64 => !(u64::MAX << bits),
        _ => u64::MAX,
    };
    let [a, b, c] = words;
    [a & mask(0), b & mask(64), c & mask(128)]
}

/// Shifts 192 bits by fewer than 192.
#[inline(always)]
fn shift_left(words: [u64; 3], by: usize) -> [u64; 3] {
    let [a, b, c] = words;
    let [a, b, c] = match by / 64 {
        0 => [a, b, c],
        1 => [0, a, b],
        _ => [0, 0, a],
    };
    let by = by % 64;
    if by == 0 {
        return [a, b, c];
    }
    let back = 64_usize.wrapping_sub(by);
    [a << by, b << by | a >> back, c << by | b >> back]
}

/// Writes blocks.
#[cfg(feature = "alloc")]
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) starts: Vec<[u8; 4]>,
    pub(crate) bytes: Vec<u8>,
    value_bits: u32,
    names: usize,
    /// Bits that do not fill a byte yet.
    open: u128,
    open_bits: u32,
    previous: Vec<u8>,
}

#[cfg(feature = "alloc")]
#[allow(clippy::arithmetic_side_effects, reason = "of lengths that limits bound")]
impl Writer {
    pub(crate) fn new(value_bits: u32) -> Self {
        let (starts, bytes, previous) = (Vec::new(), Vec::new(), Vec::new());
        Self { starts, bytes, value_bits, names: 0, open: 0, open_bits: 0, previous }
    }

    /// Adds the next name in canonical order. A long one stands at `long_at` among those.
    pub(crate) fn push(&mut self, name: &[u8], shape: Shape, value: u32, long_at: usize) {
        if self.names % BLOCK == 0 {
            self.align();
            self.starts.push((self.bytes.len() as u32).to_le_bytes());
            self.previous.clear();
        }
        self.names += 1;
        let long = name.len() > TAIL_CODES;
        let same = self.previous.iter().rev().zip(name.iter().rev());
        let shared = if long { 0 } else { same.take_while(|(a, b)| a == b).count() };
        let own = if long { LONG } else { (name.len() - shared) as u64 };
        self.put(shared as u64, SHARED_BITS);
        self.put(own, OWN_BITS);
        self.put(shape as u64, SHAPE_BITS);
        self.put(u64::from(value), self.value_bits);
        self.previous.clear();
        if long {
            self.put(name.len() as u64, LONG_LEN_BITS);
            self.put(long_at as u64, LONG_AT_BITS);
            return;
        }
        self.previous.extend_from_slice(name);
        for byte in name.iter().take(name.len() - shared) {
            self.put(u64::from(scan::code(*byte)), scan::CODE_BITS);
        }
    }

    /// The blocks; `None` when they are too large.
    pub(crate) fn finish(mut self) -> Option<Self> {
        self.align();
        self.bytes.extend([0; PADDING]);
        u32::try_from(self.bytes.len()).ok()?;
        Some(self)
    }

    fn put(&mut self, number: u64, bits: u32) {
        self.open |= u128::from(number) << self.open_bits;
        self.open_bits += bits;
        while self.open_bits >= 8 {
            self.bytes.push(self.open as u8);
            self.open >>= 8;
            self.open_bits -= 8;
        }
    }

    fn align(&mut self) {
        let missing = (8 - self.open_bits % 8) % 8;
        self.put(0, missing);
    }
}
