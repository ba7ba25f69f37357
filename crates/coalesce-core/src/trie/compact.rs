//! The compact layout: names in canonical order, in blocks of [`BLOCK`]. Each name is written
//! without the part that it shares with the name before it. A hash finds the block.
//!
//! A name is written in the order in which names are compared, label by label from the right and
//! each label from the left: `www.example.com` becomes `com.example.www`. Neighbours therefore
//! share their beginnings, and a [`Sequence`] is compared while it is read.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use super::bytes::{bits, narrow, word};
use super::format::place_width;
use super::hash::{Hash, SHAPE_SHIFT, Shape, key};
use super::header::Header;
use super::steps::step;
use super::stored::{Stored, long_key};
use crate::packed::{CODE_BITS, TAIL_CODES, TAIL_MASK, WINDOW, code, unpack};
use crate::simd;

/// The number of names in a block. A lookup reads half of them on average.
pub(crate) const BLOCK: usize = 16;

/// The number of zeros after the last block, so that reading ahead stays inside the section.
pub(crate) const PADDING: usize = 40;

/// The bits for the number of shared bytes, the number of own bytes, and the shape.
const SHARED_BITS: u32 = 5;
const OWN_BITS: u32 = 5;
const SHAPE_BITS: u32 = 2;
const HEAD_BITS: u32 = SHARED_BITS + OWN_BITS + SHAPE_BITS;

/// In place of the number of own bytes: the entry is a long name, and its length and offset follow.
const LONG: usize = 31;
const LONG_LEN_BITS: u32 = 8;
const LONG_AT_BITS: u32 = 32;

/// Returns the place of a name: the content of its slot.
#[allow(clippy::arithmetic_side_effects, reason = "a block number and eight bits fit into 32")]
pub(crate) const fn place(hash: Hash, rank: u32, blocks: u32) -> u32 {
    let block_bits = bits(blocks.saturating_sub(1));
    (rank / BLOCK as u32) | (hash.tag() as u32) << block_bits
}

/// Returns the block of `hash`, if the tag in the place is that of the hash.
#[inline]
fn locate(header: &Header, image: &[u8], hash: Hash) -> Option<u32> {
    step();
    let counts = &header.counts;
    let pilot_at =
        (header.at.pilots as usize).checked_add(hash.bucket(header.bucket_shift) as usize)?;
    let slot = hash.slot(*image.get(pilot_at)?, counts.slots);
    let width = place_width(counts.blocks);
    let found = narrow(
        image,
        (header.at.places as usize).checked_add((slot as usize).checked_mul(width)?)?,
        width,
    )?;
    let block_bits = bits(counts.blocks.saturating_sub(1));
    let block = found & !u32::MAX.checked_shl(block_bits)?;
    // A place may be too narrow for all eight bits of the tag, so compare only its own bits.
    let expected = place(hash, 0, counts.blocks) | block;
    let mask = u32::MAX.checked_shr(u32::BITS.checked_sub(8_u32.checked_mul(width as u32)?)?)?;
    (found == expected & mask).then_some(block)
}

/// Returns the value of a short name. `dots` must contain its dots.
#[inline]
pub(crate) fn find_key(
    header: &Header,
    image: &[u8],
    hash: Hash,
    key: [u64; 3],
    dots: u32,
) -> Option<u32> {
    let mut reader = Reader::at_block(header, image, locate(header, image, hash)?)?;
    reader.find(&Sequence::from_key(key, dots)?)
}

/// A short name in the order of comparison, six bits a byte from the lowest bits on, with its
/// length and shape. For a long name only its length and offset are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sequence {
    codes: [u64; 3],
    len: usize,
    shape: Shape,
    long_at: Option<usize>,
}

impl Sequence {
    const NONE: Self = Self { codes: [0; 3], len: 0, shape: Shape::Exact, long_at: None };

    /// Converts a key to a sequence. It moves label by label, from the last label to the first.
    #[inline]
    fn from_key(key: [u64; 3], dots: u32) -> Option<Self> {
        let [low, middle, high] = key;
        let len = (low & 0x1f) as usize;
        let shape = Shape::from_bits(low >> SHAPE_SHIFT & 3)?;
        let name = [low & TAIL_MASK, middle, high];
        let start = WINDOW.checked_sub(len)?;
        let mut dots = dots & u32::MAX.checked_shl(u32::try_from(start).ok()?)?;
        let (mut codes, mut count, mut end) = ([0; 3], 0_usize, WINDOW);
        loop {
            let dot = 31_u32.checked_sub(dots.leading_zeros());
            let label = dot.map_or(start, |dot| (dot as usize).saturating_add(1));
            let bytes = end.checked_sub(label)?;
            append(&mut codes, count, low_bits(shift_right(name, label), bytes));
            count = count.saturating_add(bytes);
            let Some(dot) = dot else { break };
            append(&mut codes, count, [u64::from(code(b'.')), 0, 0]);
            count = count.saturating_add(1);
            dots ^= 1_u32.checked_shl(dot)?;
            end = dot as usize;
        }
        Some(Self { codes, len, shape, long_at: None })
    }

    /// Converts the sequence to a key.
    fn to_key(self) -> Option<[u64; 3]> {
        if let Some(at) = self.long_at {
            return Some(long_key(at, self.len, self.shape));
        }
        let sequence = unpack(self.codes);
        let sequence = sequence.get(..self.len)?;
        let mut bytes = [0; WINDOW];
        let mut end = WINDOW;
        for label in sequence.split(|byte| *byte == b'.') {
            let start = end.checked_sub(label.len())?;
            bytes.get_mut(start..end)?.copy_from_slice(label);
            end = start;
            if let Some(dot) = start.checked_sub(1)
                && WINDOW.saturating_sub(start) < self.len
            {
                *bytes.get_mut(dot)? = b'.';
                end = dot;
            }
        }
        Some(key(simd::scan(&bytes).tail(), self.len, self.shape))
    }
}

/// Returns the value of a name that is longer than a key.
pub(crate) fn find_long(header: &Header, image: &[u8], name: &[u8], shape: Shape) -> Option<u32> {
    let block = locate(header, image, header.hasher.hash_long(name, shape))?;
    let mut reader = Reader::at_block(header, image, block)?;
    while let Some(Entry { sequence, value }) = reader.next() {
        let Some(at) = sequence.long_at else { continue };
        let found = header.long_name(image, at, sequence.len)?;
        if sequence.shape == shape && found.eq_ignore_ascii_case(name) {
            return Some(value);
        }
    }
    None
}

/// Returns whether a lookup of the name reads `block`.
pub(crate) fn is_found_in(
    header: &Header,
    image: &[u8],
    name: &[u8],
    shape: Shape,
    block: u32,
) -> bool {
    locate(header, image, header.hasher.hash_name(name, shape)) == Some(block)
}

/// The fixed part before the codes of every name.
struct Head {
    shared: usize,
    own: usize,
    shape: Shape,
    value: u32,
}

/// One name of a block.
struct Entry {
    sequence: Sequence,
    value: u32,
}

/// Reads the names of one block.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    /// The bytes from the start of the block on.
    bytes: &'a [u8],
    value_bits: u32,
    /// The position in `bytes`, in bits.
    position: usize,
    left: usize,
    /// The name read before.
    last: Sequence,
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
            last: Sequence::NONE,
        })
    }

    /// Returns the number of bytes read.
    pub(crate) const fn consumed(&self) -> usize {
        self.position.div_ceil(8)
    }

    /// Returns the next name in the form of a slot, or `None` at the end of the block and for
    /// unreadable bytes.
    pub(crate) fn next_stored(&mut self) -> Option<Stored> {
        let Entry { sequence, value } = self.next()?;
        Some(Stored { key: sequence.to_key()?, value })
    }

    /// Finds a short name in the rest of the block.
    ///
    /// Names are sorted, so a name shares more with `wanted` than its predecessor only if it shares
    /// exactly `common` codes with that predecessor. Codes of other names are skipped, and the
    /// search ends at the first name that sorts after `wanted`.
    #[inline]
    fn find(&mut self, wanted: &Sequence) -> Option<u32> {
        // The number of codes that the name before has in common with `wanted`.
        let mut common = 0_usize;
        loop {
            let Head { shared, own, shape, value } = self.head()?;
            if own == LONG {
                self.position =
                    self.position.checked_add((LONG_LEN_BITS + LONG_AT_BITS) as usize)?;
                // A long name is written in full, outside the block, so the next name shares
                // nothing with it.
                common = 0;
                continue;
            }
            // The name changes within the common prefix. Names are sorted, so this name and all
            // later ones sort after `wanted`.
            if shared < common {
                return None;
            }
            // The name agrees with its predecessor up to a place where that differs from `wanted`.
            if shared > common {
                self.position = self.position.checked_add(own.checked_mul(CODE_BITS as usize)?)?;
                continue;
            }
            let [a, b, c] = self.codes(own)?;
            let [x, y, z] = low_bits(shift_right(wanted.codes, common), own);
            let same = first_difference([a ^ x, b ^ y, c ^ z]).min(own);
            common = common.checked_add(same)?;
            if same == own && common == wanted.len && shape == wanted.shape {
                return Some(value);
            }
        }
    }

    /// Reads the fixed part of the next name.
    #[inline(always)]
    fn head(&mut self) -> Option<Head> {
        step();
        self.left = self.left.checked_sub(1)?;
        let bits = self.take(HEAD_BITS.checked_add(self.value_bits)?)?;
        Some(Head {
            shared: (bits & 0x1f) as usize,
            own: (bits >> SHARED_BITS & 0x1f) as usize,
            shape: Shape::from_bits(bits >> (SHARED_BITS + OWN_BITS) & 3)?,
            value: (bits >> HEAD_BITS) as u32,
        })
    }

    fn next(&mut self) -> Option<Entry> {
        let Head { shared, own, shape, value } = self.head()?;
        if own == LONG {
            let len = self.take(LONG_LEN_BITS)? as usize;
            let long_at = Some(self.take(LONG_AT_BITS)? as usize);
            let sequence = Sequence { codes: [0; 3], len, shape, long_at };
            self.last = Sequence::NONE;
            return Some(Entry { sequence, value });
        }
        let len = shared.checked_add(own).filter(|len| (1..=TAIL_CODES).contains(len))?;
        let mut codes = low_bits(self.last.codes, shared);
        append(&mut codes, shared, self.codes(own)?);
        // The builder shares as much as possible, and `find` depends on that.
        let ([a, b, c], [x, y, z]) = (codes, self.last.codes);
        let same = first_difference([a ^ x, b ^ y, c ^ z]);
        if same.min(len).min(self.last.len) != shared {
            return None;
        }
        self.last = Sequence { codes, len, shape, long_at: None };
        Some(Entry { sequence: self.last, value })
    }

    /// Reads the next `count` bits, at most 57.
    #[inline(always)]
    fn take(&mut self, count: u32) -> Option<u64> {
        let bytes: &[u8; 8] = self.bytes.get(self.position / 8..)?.first_chunk()?;
        let word = u64::from_le_bytes(*bytes) >> (self.position % 8);
        self.position = self.position.checked_add(count as usize)?;
        Some(word & !u64::MAX.checked_shl(count)?)
    }

    /// Reads the next `count` codes, at most [`TAIL_CODES`].
    #[inline]
    #[allow(clippy::arithmetic_side_effects, reason = "the shift is less than eight")]
    fn codes(&mut self, count: usize) -> Option<[u64; 3]> {
        let bytes: &[u8; 32] = self.bytes.get(self.position / 8..)?.first_chunk()?;
        let (words, _) = bytes.as_chunks::<8>();
        let &[a, b, c, d] = words else { return None };
        let [a, b, c, d] = [a, b, c, d].map(u64::from_le_bytes);
        let shift = self.position % 8;
        // Shifts twice, because Rust does not shift a word by its whole width.
        let join = |low: u64, high: u64| (low >> shift) | (high << (63 - shift) << 1);
        self.position = self.position.checked_add(count.checked_mul(CODE_BITS as usize)?)?;
        Some(low_bits([join(a, b), join(b, c), join(c, d)], count))
    }
}

/// Returns the number of zero codes before the first other code.
#[inline(always)]
const fn first_difference(words: [u64; 3]) -> usize {
    let [a, b, c] = words;
    let bits = if a != 0 {
        a.trailing_zeros()
    } else if b != 0 {
        b.trailing_zeros() | 64
    } else if c != 0 {
        c.trailing_zeros() | 128
    } else {
        192
    };
    (bits / CODE_BITS) as usize
}

/// Returns the lowest `count` codes.
#[inline(always)]
fn low_bits(words: [u64; 3], count: usize) -> [u64; 3] {
    #[allow(clippy::indexing_slicing, reason = "the modulus is the number of masks")]
    let ([a, b, c], [x, y, z, _]) = (words, LOW_MASKS[count % WINDOW]);
    [a & x, b & y, c & z]
}

/// The bits of a number of codes.
static LOW_MASKS: [[u64; 4]; WINDOW] = low_masks();

#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "runs at compile time")]
const fn low_masks() -> [[u64; 4]; WINDOW] {
    let mut masks = [[0; 4]; WINDOW];
    let mut count = 0;
    while count < WINDOW {
        let mut bit = 0;
        while bit < CODE_BITS as usize * count {
            masks[count][bit / 64] |= 1 << (bit % 64);
            bit += 1;
        }
        count += 1;
    }
    masks
}

/// Puts codes after the first `count`. The bits there must be zero.
#[inline(always)]
#[allow(clippy::arithmetic_side_effects, reason = "shifts are below the width of a word")]
fn append(codes: &mut [u64; 3], count: usize, more: [u64; 3]) {
    let bits = (count % WINDOW) * CODE_BITS as usize;
    let ([a, b, c], shift) = (more, bits % 64);
    // Shifts twice, because Rust does not shift a word by its whole width.
    let over = |low: u64| low >> 1 >> (63 - shift);
    let [a, b, c] = [a << shift, b << shift | over(a), c << shift | over(b)];
    let [a, b, c] = match bits / 64 {
        0 => [a, b, c],
        1 => [0, a, b],
        _ => [0, 0, a],
    };
    let [x, y, z] = *codes;
    *codes = [x | a, y | b, z | c];
}

/// Drops the lowest `count` codes.
#[inline(always)]
#[allow(clippy::arithmetic_side_effects, reason = "shifts are below the width of a word")]
fn shift_right(words: [u64; 3], count: usize) -> [u64; 3] {
    let bits = (count % WINDOW) * CODE_BITS as usize;
    let ([a, b, c], shift) = (words, bits % 64);
    let under = |high: u64| high << 1 << (63 - shift);
    let [a, b, c] = [a >> shift | under(b), b >> shift | under(c), c >> shift];
    match bits / 64 {
        0 => [a, b, c],
        1 => [b, c, 0],
        _ => [c, 0, 0],
    }
}

/// Writes the blocks.
#[cfg(feature = "alloc")]
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) starts: Vec<[u8; 4]>,
    pub(crate) bytes: Vec<u8>,
    value_bits: u32,
    names: usize,
    /// The bits that do not fill a byte yet.
    open: u128,
    open_bits: u32,
    previous: Vec<u8>,
}

#[cfg(feature = "alloc")]
#[allow(clippy::arithmetic_side_effects, reason = "limits bound the lengths")]
impl Writer {
    pub(crate) fn new(value_bits: u32) -> Self {
        let (starts, bytes, previous) = (Vec::new(), Vec::new(), Vec::new());
        Self { starts, bytes, value_bits, names: 0, open: 0, open_bits: 0, previous }
    }

    /// Adds the next name in canonical order. `long_at` is the offset of a long name among those.
    pub(crate) fn push(&mut self, name: &[u8], shape: Shape, value: u32, long_at: usize) {
        if self.names.is_multiple_of(BLOCK) {
            self.align();
            self.starts.push((self.bytes.len() as u32).to_le_bytes());
            self.previous.clear();
        }
        self.names += 1;
        let long = name.len() > TAIL_CODES;
        let sequence: Vec<u8> = if long {
            Vec::new()
        } else {
            let labels: Vec<&[u8]> = name.rsplit(|byte| *byte == b'.').collect();
            labels.join(&b'.')
        };
        let same = self.previous.iter().zip(&sequence);
        let shared = same.take_while(|(a, b)| a == b).count();
        let own = if long { LONG } else { sequence.len() - shared };
        self.put(shared as u64, SHARED_BITS);
        self.put(own as u64, OWN_BITS);
        self.put(shape as u64, SHAPE_BITS);
        self.put(u64::from(value), self.value_bits);
        if long {
            self.put(name.len() as u64, LONG_LEN_BITS);
            self.put(long_at as u64, LONG_AT_BITS);
        }
        for byte in sequence.iter().skip(shared) {
            self.put(u64::from(code(*byte)), CODE_BITS);
        }
        self.previous = sequence;
    }

    /// Returns the writer with all blocks, or `None` if they are too large.
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
