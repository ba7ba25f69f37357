//! Scanning in AVX2: the crate's only `unsafe`.
//!
//! The same masks and codes as the portable path, in about a quarter of its instructions.
//! An [`Avx2`] is the proof that the machine has it.
#![allow(unsafe_code, reason = "a function with a target feature is unsafe to call without it")]

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

use super::scan::{Machine, OnMachine, SUFFIX_MASKS, WINDOW, window};

/// The proof that this machine has AVX2 and BMI; [`detect`](Self::detect) makes the only ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// Asks the machine, once in the life of the process.
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

    /// Calls `work` where the compiler may use what was detected.
    #[inline(always)]
    pub(crate) fn run<I, W: OnMachine<I>>(self, work: W, input: I) -> W::Output {
        // SAFETY: `self` exists, so the features of `with_features` were detected, or the whole
        // crate is compiled for them.
        unsafe { with_features(self, work, input) }
    }
}

impl Machine for Avx2 {
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
fn with_features<I, W: OnMachine<I>>(machine: Avx2, work: W, input: I) -> W::Output {
    work.on(input, machine)
}

/// The last 32 bytes, read in words of four. Names are of all lengths, so no branch may depend on
/// how many they are.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[allow(clippy::cast_possible_wrap, reason = "bits, not numbers")]
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
    // SAFETY: only lanes with a mask are read, which are the `len / 4` up to the end of `bytes`:
    // lane `i` of `whole` is set if and only if `i >= 8 - len / 4`.
    let words = unsafe {
        _mm256_maskload_epi32(bytes.as_ptr().wrapping_add(len).wrapping_sub(WINDOW).cast(), whole)
    };
    // The bytes left of the first whole word are the first of `bytes`, moved to where they belong.
    // SAFETY: `len` is at most 32, of which there are 33.
    let shifts = unsafe { _mm256_loadu_si256(SHIFTS.as_ptr().add(len).cast()) };
    let part = _mm256_sllv_epi32(_mm256_set1_epi32(i32::from_le_bytes(*first)), shifts);
    _mm256_or_si256(words, part)
}

/// Eight lanes from lane `n` on: as many as there are whole words in `4 * n` bytes, right-aligned.
static WHOLE: [i32; 16] = [0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1];

/// By the length of a name, how far its first four bytes are moved left in the word that they do
/// not fill, if there is one; in all others everything is moved out.
static SHIFTS: [[u32; 8]; WINDOW + 1] = shifts();

#[allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "run by the compiler"
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

/// The codes: one, two, then four, then sixteen side by side. What is above
/// them is nobody's.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn codes(window: __m256i) -> __m256i {
    let letter = _mm256_srli_epi16::<1>(_mm256_and_si256(window, _mm256_set1_epi8(0x40)));
    let six = _mm256_and_si256(window, _mm256_set1_epi8(0x3f));
    let codes = _mm256_andnot_si256(letter, six);
    let pairs = _mm256_maddubs_epi16(codes, _mm256_set1_epi16(0x4001));
    let fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x1000_0001));
    let lanes = _mm256_shuffle_epi8(fours, three_of_four());
    _mm256_permutevar8x32_epi32(lanes, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7))
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[allow(clippy::indexing_slicing, reason = "there are as many as the modulus")]
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
#[allow(clippy::cast_sign_loss, reason = "bits, not numbers")]
fn words(codes: __m256i) -> [u64; 3] {
    [
        _mm256_extract_epi64::<0>(codes) as u64,
        _mm256_extract_epi64::<1>(codes) as u64,
        _mm256_extract_epi64::<2>(codes) as u64,
    ]
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[allow(clippy::arithmetic_side_effects, clippy::cast_sign_loss, reason = "four bits")]
fn is_key(codes: __m256i, slot: &[u8; 32]) -> u32 {
    // SAFETY: there are 32 bytes.
    let slot = unsafe { _mm256_loadu_si256(slot.as_ptr().cast()) };
    let equal = _mm256_castsi256_pd(_mm256_cmpeq_epi64(codes, slot));
    // Of the fourth word nobody asks; if the other three are equal, adding one carries beyond them.
    ((_mm256_movemask_pd(equal) as u32 & 0b111) + 1) >> 3
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[allow(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "bits, not numbers")]
fn equal(window: __m256i, byte: u8) -> u32 {
    _mm256_movemask_epi8(_mm256_cmpeq_epi8(window, _mm256_set1_epi8(byte as i8))) as u32
}

/// A bit for each row of the ASCII table that holds bytes of names; a byte is good if its row's bit
/// is among those of its column. A byte from 0x80 on selects no column.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[allow(clippy::cast_sign_loss, reason = "bits, not numbers")]
fn bad(window: __m256i) -> u32 {
    let row = _mm256_and_si256(_mm256_srli_epi16::<4>(window), _mm256_set1_epi8(0x0f));
    let rows = _mm256_shuffle_epi8(twice(ROWS), row);
    let columns = _mm256_shuffle_epi8(twice(COLUMNS), window);
    let none = _mm256_cmpeq_epi8(_mm256_and_si256(rows, columns), _mm256_setzero_si256());
    _mm256_movemask_epi8(none) as u32
}

/// Everything but 0 and 0x20 to 0x7e, which adding moves to -128 to -34.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn is_ambiguous(window: __m256i) -> bool {
    let moved = _mm256_add_epi8(window, _mm256_set1_epi8(0x60));
    let other = _mm256_cmpgt_epi8(moved, _mm256_set1_epi8(-34));
    // Of zeros nothing is left.
    _mm256_testz_si256(window, other) == 0
}

/// Rows 2 (`-`, `.`), 3 (digits), 4 and 6 (`a` to `o`), 5 and 7 (`p` to `z`), and 5 (`_`).
const ROWS: [i8; 16] = [0, 0, 1, 2, 4, 8 | 16, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0];
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

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn twice(table: [i8; 16]) -> __m256i {
    let wide = i128::from_le_bytes(table.map(i8::cast_unsigned));
    let half = _mm_set_epi64x((wide >> 64) as i64, wide as i64);
    _mm256_set_m128i(half, half)
}

/// Drops the fourth byte of every four; what is at the end then, nobody looks at.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn three_of_four() -> __m256i {
    twice([0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15, 15, 15, 15])
}
