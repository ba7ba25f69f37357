//! Hashes packed names, and computes bucket, slot and tag from a hash.
//!
//! The scheme is a perfect hash like `PTHash` and `PtrHash`: the hash chooses a bucket, and the
//! bucket's one-byte pilot chooses the slot. The builder searches pilots with which no two names of
//! the image share a slot, so a lookup reads one slot. Only speed depends on the hash: a name is
//! found only if its bytes are stored there.

use crate::packed::TAIL_CODES;
use crate::simd;

/// The set of names that a stored name matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    /// The name itself.
    Exact = 0,
    /// Every name with one more label.
    OneLabel = 1,
    /// Every name with one or more further labels.
    AnyDepth = 2,
}

impl Shape {
    pub(crate) const fn from_bits(bits: u64) -> Option<Self> {
        match bits {
            0 => Some(Self::Exact),
            1 => Some(Self::OneLabel),
            2 => Some(Self::AnyDepth),
            _ => None,
        }
    }
}

/// The position of the shape in the first word of a key. The length is below it.
pub(crate) const SHAPE_SHIFT: u32 = 5;

/// Returns the key of a name of at most [`TAIL_CODES`] bytes with its shape: the codes, with length
/// and shape in the low twelve bits of the first word. Keys are equal only if names and shapes are.
#[inline(always)]
pub(crate) const fn key(tail: [u64; 3], len: usize, shape: Shape) -> [u64; 3] {
    let [a, b, c] = tail;
    [a | mark(len, shape) as u64, b, c]
}

/// Returns the length and the shape as they are in a key.
#[inline(always)]
pub(crate) const fn mark(len: usize, shape: Shape) -> u32 {
    len as u32 | ((shape as u32) << SHAPE_SHIFT)
}

/// Returns the key of a name of at most [`TAIL_CODES`] bytes.
pub(crate) fn key_of(name: &[u8], shape: Shape) -> [u64; 3] {
    key(simd::scan(name).tail(), name.len(), shape)
}

/// A hash function, chosen by a seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hasher {
    seeds: [u64; 3],
}

impl Hasher {
    pub(crate) const fn new(seed: u32) -> Self {
        let state = seed as u64;
        Self {
            seeds: [
                scramble(state.wrapping_add(0x9e37_79b9_7f4a_7c15)),
                scramble(state.wrapping_add(0x3c6e_f372_fe94_f82a)),
                scramble(state.wrapping_add(0xdaa6_6d2c_7ddf_743f)) | 1,
            ],
        }
    }

    /// Hashes a key.
    #[inline(always)]
    pub(crate) const fn hash(self, key: [u64; 3]) -> Hash {
        let ([a, b, c], [x, y, z]) = (key, self.seeds);
        Hash(fold(a.wrapping_add(b.wrapping_mul(z)) ^ x, c ^ y))
    }

    /// Hashes a name of any length.
    pub(crate) fn hash_name(self, name: &[u8], shape: Shape) -> Hash {
        if name.len() <= TAIL_CODES {
            self.hash(key_of(name, shape))
        } else {
            self.hash_long(name, shape)
        }
    }

    /// Hashes a name of more than [`TAIL_CODES`] bytes, piece by piece from the right and the
    /// length last.
    pub(crate) fn hash_long(self, name: &[u8], shape: Shape) -> Hash {
        let [x, _, _] = self.seeds;
        let mut state = 0;
        let pieces = name.rchunks(TAIL_CODES);
        for piece in pieces {
            let Hash(next) = self.hash(key(simd::scan(piece).tail(), 0, shape));
            state = fold(state ^ x, SPREAD) ^ next;
        }
        Hash(fold(state ^ x, SPREAD ^ name.len() as u64))
    }
}

/// A hash. Its upper half chooses the bucket, its lower half the slot, and its last byte is the
/// tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hash(pub(crate) u64);

impl Hash {
    /// Returns the bucket: the highest bits, which remain after a shift by `shift`, see
    /// [`bucket_shift`].
    #[inline(always)]
    pub(crate) const fn bucket(self, shift: u32) -> u32 {
        self.0.wrapping_shr(shift) as u32
    }

    /// Returns the slot. It multiplies the lower half with an odd number made from the pilot, and
    /// scales the product to the number of slots.
    #[inline(always)]
    pub(crate) const fn slot(self, pilot: u8, slots: u32) -> u32 {
        let odd = (pilot as u32) << 1 | 1;
        let bits = (self.0 as u32).wrapping_mul(odd);
        ((bits as u64).wrapping_mul(slots as u64) >> 32) as u32
    }

    /// Returns the tag. Two names have the same tag once in 256 times. In a table of more than 2^24
    /// names that happens a little more often for the same slot, because the slot depends on some
    /// of the same bits.
    #[inline(always)]
    pub(crate) const fn tag(self) -> u8 {
        self.0 as u8
    }
}

/// Returns the shift for this number of buckets, which must be a power of two from 2 on. Returns
/// `None` for other numbers.
pub(crate) const fn bucket_shift(buckets: u32) -> Option<u32> {
    if buckets >= 2 && buckets.is_power_of_two() {
        Some(u64::BITS.wrapping_sub(buckets.trailing_zeros()))
    } else {
        None
    }
}

const SPREAD: u64 = 0xd6e8_feb8_6659_fd93;

/// Multiplies and combines both halves of the product.
#[inline(always)]
pub(crate) const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    (product as u64) ^ (product >> 64) as u64
}

/// Applies the finaliser of `SplitMix64`.
const fn scramble(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}
