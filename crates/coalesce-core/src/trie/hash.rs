//! Hashing of packed names, and the places that a hash leads to.
//!
//! A perfect hash in the manner of `PTHash` and `PtrHash`: a hash chooses a bucket, the
//! bucket's one-byte pilot chooses the slot. The builder finds pilots under which no two names of
//! the image meet, so a lookup looks in one place. Nothing rests on the hash but speed: a name is
//! found only if its bytes are there.

use crate::packed::TAIL_CODES;
use crate::simd;

/// What a stored name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    /// Itself.
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

/// Where the shape stands in the first word of a key; the length stands below it.
pub(crate) const SHAPE_SHIFT: u32 = 5;

/// A name of at most [`TAIL_CODES`] bytes with its shape: its codes, and in the first word's low
/// twelve bits length and shape. Equal keys are equal names of equal shape.
#[inline(always)]
pub(crate) const fn key(tail: [u64; 3], len: usize, shape: Shape) -> [u64; 3] {
    let [a, b, c] = tail;
    [a | mark(len, shape) as u64, b, c]
}

/// The length and the shape as they stand in a key.
#[inline(always)]
pub(crate) const fn mark(len: usize, shape: Shape) -> u32 {
    len as u32 | ((shape as u32) << SHAPE_SHIFT)
}

/// The key of a name of at most [`TAIL_CODES`] bytes.
pub(crate) fn key_of(name: &[u8], shape: Shape) -> [u64; 3] {
    key(simd::scan(name).tail(), name.len(), shape)
}

/// What a seed makes of the hash.
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

    /// Hashes a name of more than [`TAIL_CODES`] bytes: piece by piece from the right, the length
    /// last.
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

/// A hash. The upper half chooses the bucket, the lower half the slot, and its last byte is the
/// tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hash(pub(crate) u64);

impl Hash {
    /// The highest bits choose the bucket: those that a shift by `shift` leaves, see
    /// [`bucket_shift`].
    #[inline(always)]
    pub(crate) const fn bucket(self, shift: u32) -> u32 {
        self.0.wrapping_shr(shift) as u32
    }

    /// The lower half, times an odd number that the pilot gives, chooses the slot.
    #[inline(always)]
    pub(crate) const fn slot(self, pilot: u8, slots: u32) -> u32 {
        let odd = (pilot as u32) << 1 | 1;
        let bits = (self.0 as u32).wrapping_mul(odd);
        ((bits as u64).wrapping_mul(slots as u64) >> 32) as u32
    }

    /// One byte that two names share by chance once in 256 times; a little more often in one slot
    /// of a table of more than 2^24, where the slot has used some of the same bits.
    #[inline(always)]
    pub(crate) const fn tag(self) -> u8 {
        self.0 as u8
    }
}

/// The shift for so many buckets, a power of two from 2 on; `None` for other numbers.
pub(crate) const fn bucket_shift(buckets: u32) -> Option<u32> {
    if buckets >= 2 && buckets.is_power_of_two() {
        Some(u64::BITS.wrapping_sub(buckets.trailing_zeros()))
    } else {
        None
    }
}

const SPREAD: u64 = 0xd6e8_feb8_6659_fd93;

/// Both halves of a product, folded into one.
#[inline(always)]
pub(crate) const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    (product as u64) ^ (product >> 64) as u64
}

/// The finaliser of `SplitMix64`.
const fn scramble(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}
