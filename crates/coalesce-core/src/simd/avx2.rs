//! Reads names with AVX2. This file has the crate's only `unsafe` code.
//!
//! The masks and codes are the same as those of the portable code, in about a quarter of its
//! instructions. An [`Avx2`] value proves that the machine has AVX2, which makes the calls here
//! sound.
#![allow(unsafe_code, reason = "calling a function with a target feature is unsafe without it")]

use core::arch::x86_64::{
    __m256i, _mm_set_epi64x, _mm256_add_epi8, _mm256_and_si256, _mm256_andnot_si256,
    _mm256_castsi128_si256, _mm256_castsi256_pd, _mm256_cmpeq_epi8, _mm256_cmpeq_epi64,
    _mm256_cmpgt_epi8, _mm256_extract_epi64, _mm256_loadu_si256, _mm256_madd_epi16,
    _mm256_maddubs_epi16, _mm256_maskload_epi32, _mm256_movemask_epi8, _mm256_movemask_pd,
    _mm256_or_si256, _mm256_permutevar8x32_epi32, _mm256_set_epi64x, _mm256_set_m128i,
    _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setr_epi32,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_sllv_epi32, _mm256_srli_epi16,
    _mm256_testz_si256,
};

use super::kernel::{Kernel, Simd};
use super::portable::window;
use crate::packed::{SUFFIX_MASKS, WINDOW};

/// The proof that this machine has AVX2 and BMI. Only [`detect`](Self::detect) makes one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// Returns the proof if the machine has the features.
    ///
    /// A program that is compiled for these features runs only on machines that have them, so it
    /// skips the check.
    #[inline(always)]
    pub(crate) fn detect() -> Option<Self> {
        #[cfg(not(all(
            target_feature = "avx2",
            target_feature = "bmi1",
            target_feature = "bmi2"
        )))]
        if !(std::is_x86_feature_detected!("avx2")
            && std::is_x86_feature_detected!("bmi1")
            && std::is_x86_feature_detected!("bmi2"))
        {
            return None;
        }
        Some(Self(()))
    }

    /// Runs `kernel` in a function that is compiled for the features.
    #[inline(always)]
    pub(crate) fn run<I, K: Kernel<I>>(self, kernel: K, input: I) -> K::Output {
        // SAFETY: `self` exists, so the features of `with_features` were detected, or the whole
        // crate is compiled for them.
        unsafe { with_features(self, kernel, input) }
    }
}

impl Simd for Avx2 {
    type Window = __m256i;
    type Codes = __m256i;

    #[inline(always)]
    fn window(self, bytes: &[u8]) -> __m256i {
        // SAFETY: as in `run`, here and below.
        unsafe { load(bytes) }
    }

    #[inline(always)]
    fn codes(self, window: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { codes(window) }
    }

    #[inline(always)]
    fn suffix(self, codes: __m256i, len: usize) -> __m256i {
        // SAFETY: as above.
        unsafe { suffix(codes, len) }
    }

    #[inline(always)]
    fn marked(self, codes: __m256i, mark: u32) -> __m256i {
        // SAFETY: as above.
        unsafe { marked(codes, mark) }
    }

    #[inline(always)]
    fn words(self, codes: __m256i) -> [u64; 3] {
        // SAFETY: as above.
        unsafe { words(codes) }
    }

    #[inline(always)]
    fn is_key(self, codes: __m256i, slot: &[u8; 32]) -> u32 {
        // SAFETY: as above.
        unsafe { is_key(codes, slot) }
    }

    #[inline(always)]
    fn dots(self, window: __m256i) -> u32 {
        // SAFETY: as above.
        unsafe { equal(window, b'.') }
    }

    #[inline(always)]
    fn hyphens(self, window: __m256i) -> u32 {
        // SAFETY: as above.
        unsafe { equal(window, b'-') }
    }

    #[inline(always)]
    fn bad(self, window: __m256i) -> u32 {
        // SAFETY: as above.
        unsafe { bad(window) }
    }

    #[inline(always)]
    fn is_ambiguous(self, window: __m256i) -> bool {
        // SAFETY: as above.
        unsafe { is_ambiguous(window) }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2")]
fn with_features<I, K: Kernel<I>>(avx2: Avx2, kernel: K, input: I) -> K::Output {
    kernel.run(input, avx2)
}

/// Returns the last 32 bytes, read in words of four.
///
/// Names have all lengths, so a branch on the length would often be mispredicted. For names of more
/// than three bytes there is no branch. A masked load reads the whole words at the end. The one to
/// three bytes before them come from the first four bytes, shifted into place.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[allow(clippy::cast_possible_wrap, reason = "the values are bit masks")]
fn load(bytes: &[u8]) -> __m256i {
    let bytes = bytes.last_chunk::<WINDOW>().map_or(bytes, |last| last);
    let Some(first) = bytes.first_chunk::<4>() else {
        let [a, b, c, d] = window(bytes).map(|word| word as i64);
        return _mm256_set_epi64x(d, c, b, a);
    };
    let len = bytes.len();
    // SAFETY: `len` is at most 32 because of `last_chunk`, so 8 lanes from lane `len / 4` on are
    // within the 16 of `WHOLE`.
    let whole = unsafe { _mm256_loadu_si256(WHOLE.as_ptr().add(len / 4).cast()) };
    // SAFETY: only lanes with a set mask are read. Lane `i` of `whole` is set if and only if
    // `i >= 8 - len / 4`, so the `len / 4` words up to the end of `bytes` are read and nothing
    // before them.
    let words = unsafe {
        _mm256_maskload_epi32(bytes.as_ptr().wrapping_add(len).wrapping_sub(WINDOW).cast(), whole)
    };
    // The bytes left of the first whole word are the first bytes of the name. All eight lanes get
    // the first four bytes. The shift keeps these bytes only in the lane that the name fills in
    // part, and there it moves out the bytes that the next lane already has. A shift by 32 clears a
    // lane. SAFETY: `len` is at most 32, and `SHIFTS` has 33 rows.
    let shifts = unsafe { _mm256_loadu_si256(SHIFTS.as_ptr().add(len).cast()) };
    let part = _mm256_sllv_epi32(_mm256_set1_epi32(i32::from_le_bytes(*first)), shifts);
    _mm256_or_si256(words, part)
}

/// Eight lanes that start at lane `n` are a mask of `n` words, right-aligned.
static WHOLE: [i32; 16] = [0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1];

/// The left shift of each lane, by the length of the name. The lane that the name fills in part is
/// shifted by the bytes that the name does not fill, all others by 32 bits, which clears them.
static SHIFTS: [[u32; 8]; WINDOW + 1] = shifts();

#[allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "runs at compile time"
)]
const fn shifts() -> [[u32; 8]; WINDOW + 1] {
    let mut shifts = [[u32::BITS; 8]; WINDOW + 1];
    let mut len = 0;
    while len < WINDOW {
        shifts[len][7 - len / 4] = 8 * (4 - len as u32 % 4);
        len += 1;
    }
    shifts
}

/// Folds and packs a window. The codes fill the lower three words; the fourth word is undefined.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn codes(window: __m256i) -> __m256i {
    // As in `packed::code`, clear bit 5 of each byte whose bit 6 is set. AVX2 cannot shift bytes,
    // but a single bit per byte stays inside its byte in a 16-bit shift.
    let letter = _mm256_srli_epi16::<1>(_mm256_and_si256(window, _mm256_set1_epi8(0x40)));
    let six = _mm256_and_si256(window, _mm256_set1_epi8(0x3f));
    let codes = _mm256_andnot_si256(letter, six);
    // Multiplying and adding pairs works as shift and or. In each pair of bytes, the second is
    // multiplied by 0x40, which moves it 6 bits up. In each pair of those, the second is multiplied
    // by 0x1000, which moves it 12 bits up.
    let pairs = _mm256_maddubs_epi16(codes, _mm256_set1_epi16(0x4001));
    let fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x1000_0001));
    // Four codes now fill 24 bits in each lane of 32. Drop the empty byte of each lane inside both
    // halves. Then move the three lanes of the upper half right after the three of the lower half.
    let lanes = _mm256_shuffle_epi8(fours, three_of_four());
    _mm256_permutevar8x32_epi32(lanes, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7))
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[allow(clippy::indexing_slicing, reason = "the modulus is the number of masks")]
fn suffix(codes: __m256i, len: usize) -> __m256i {
    let mask = &SUFFIX_MASKS[len % WINDOW];
    // SAFETY: four words are 32 bytes.
    _mm256_and_si256(codes, unsafe { _mm256_loadu_si256(mask.as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn marked(codes: __m256i, mark: u32) -> __m256i {
    let mark = _mm256_castsi128_si256(_mm_set_epi64x(0, i64::from(mark)));
    _mm256_or_si256(codes, mark)
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[allow(clippy::cast_sign_loss, reason = "the values are bit masks")]
fn words(codes: __m256i) -> [u64; 3] {
    [
        _mm256_extract_epi64::<0>(codes) as u64,
        _mm256_extract_epi64::<1>(codes) as u64,
        _mm256_extract_epi64::<2>(codes) as u64,
    ]
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::cast_sign_loss,
    reason = "the value has four bits"
)]
fn is_key(codes: __m256i, slot: &[u8; 32]) -> u32 {
    // SAFETY: the slot has 32 bytes.
    let slot = unsafe { _mm256_loadu_si256(slot.as_ptr().cast()) };
    let equal = _mm256_castsi256_pd(_mm256_cmpeq_epi64(codes, slot));
    // The fourth word is ignored. If the low three words are equal the mask is 0b111, and adding 1
    // carries into bit 3.
    ((_mm256_movemask_pd(equal) as u32 & 0b111) + 1) >> 3
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[allow(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "the values are bit masks")]
fn equal(window: __m256i, byte: u8) -> u32 {
    _mm256_movemask_epi8(_mm256_cmpeq_epi8(window, _mm256_set1_epi8(byte as i8))) as u32
}

/// Marks the bytes that are not allowed in a name.
///
/// The ASCII table has rows (the upper four bits of a byte) and columns (the lower four bits). Each
/// kind of row has a bit. Each column has a list of the rows in which its byte is allowed in a
/// name. A byte is good if its row's bit is in its column's list. A byte from 0x80 on gets an empty
/// list, because a shuffle gives 0 for an index whose bit 7 is set.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[allow(clippy::cast_sign_loss, reason = "the values are bit masks")]
fn bad(window: __m256i) -> u32 {
    // A 16-bit shift moves in bits of the next byte, which the mask removes.
    let row = _mm256_and_si256(_mm256_srli_epi16::<4>(window), _mm256_set1_epi8(0x0f));
    let rows = _mm256_shuffle_epi8(twice(ROWS), row);
    let columns = _mm256_shuffle_epi8(twice(COLUMNS), window);
    let none = _mm256_cmpeq_epi8(_mm256_and_si256(rows, columns), _mm256_setzero_si256());
    _mm256_movemask_epi8(none) as u32
}

/// Returns whether there is a byte other than 0 and 0x20 to 0x7e.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn is_ambiguous(window: __m256i) -> bool {
    // AVX2 compares signed bytes. Adding 0x60 moves 0x20 to 0x7e to the lowest values, -128 to -34.
    let moved = _mm256_add_epi8(window, _mm256_set1_epi8(0x60));
    let other = _mm256_cmpgt_epi8(moved, _mm256_set1_epi8(-34));
    // For a zero byte `other` is all ones too, but `window` has zero bits there.
    _mm256_testz_si256(window, other) == 0
}

/// The kinds of each row as bits: 1 for row 2 (`-`, `.`), 2 for row 3 (digits), 4 for rows 4 and 6
/// (`a` to `o`), 8 for rows 5 and 7 (`p` to `z`), 16 for row 5 (`_`).
const ROWS: [i8; 16] = [0, 0, 1, 2, 4, 8 | 16, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0];
/// For each column, the kinds of row in which its byte is allowed in a name.
const COLUMNS: [i8; 16] = [
    2 | 8,
    2 | 4 | 8,
    2 | 4 | 8,
    2 | 4 | 8,
    2 | 4 | 8,
    2 | 4 | 8,
    2 | 4 | 8,
    2 | 4 | 8,
    2 | 4 | 8,
    2 | 4 | 8,
    4 | 8,
    4,
    4,
    4 | 1,
    4 | 1,
    4 | 16,
];

/// Returns the table in both halves of a vector, because a shuffle looks up within each half.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[allow(clippy::cast_possible_truncation, reason = "the casts cut a word into its halves")]
fn twice(table: [i8; 16]) -> __m256i {
    let wide = i128::from_le_bytes(table.map(i8::cast_unsigned));
    let half = _mm_set_epi64x((wide >> 64) as i64, wide as i64);
    _mm256_set_m128i(half, half)
}

/// Returns the indices that drop every fourth byte. The last four bytes are ignored.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn three_of_four() -> __m256i {
    twice([0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15, 15, 15, 15])
}
