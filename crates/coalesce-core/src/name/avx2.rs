//! Scanning in AVX2: the crate's only `unsafe`.
//!
//! The same masks and codes as the portable path, in about a quarter of its instructions.
//! An [`Avx2`] is the proof that the machine has it.
#![allow(unsafe_code, reason = "a function with a target feature is unsafe to call without it")]

use core::arch::x86_64::{
    __m256i, _mm_set_epi64x, _mm256_add_epi8, _mm256_and_si256, _mm256_andnot_si256,
    _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_extract_epi64, _mm256_madd_epi16,
    _mm256_maddubs_epi16, _mm256_movemask_epi8, _mm256_permutevar8x32_epi32, _mm256_set_epi64x,
    _mm256_set_m128i, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setr_epi32,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_sllv_epi64, _mm256_srli_epi16,
};

use super::scan::{Machine, OnMachine, WINDOW, window};

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
    pub(crate) fn run<W: OnMachine>(self, work: W) -> W::Output {
        // SAFETY: `self` exists, so the features of `with_features` were detected, or the whole
        // crate is compiled for them.
        unsafe { with_features(self, work) }
    }
}

impl Machine for Avx2 {
    type Window = __m256i;

    #[inline(always)]
    fn window(self, bytes: &[u8]) -> __m256i {
        // SAFETY: as in `run`, here and below.
        unsafe { load(bytes) }
    }

    #[inline(always)]
    fn words(self, window: __m256i) -> [u64; 3] {
        // SAFETY: as above.
        unsafe { words(window) }
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
    fn ambiguous(self, window: __m256i) -> u32 {
        // SAFETY: as above.
        unsafe { ambiguous(window) }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2")]
fn with_features<W: OnMachine>(machine: Avx2, work: W) -> W::Output {
    work.on(machine)
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[allow(clippy::cast_possible_wrap, reason = "bits, not numbers")]
fn load(bytes: &[u8]) -> __m256i {
    let word = |from_end: usize| {
        let tail = bytes.get(bytes.len().saturating_sub(from_end)..)?;
        tail.first_chunk().map(|word| i64::from_le_bytes(*word))
    };
    if let (Some(a), Some(b), Some(c), Some(d)) = (word(32), word(24), word(16), word(8)) {
        // Words that begin at the first byte because there are no more are moved right by what the
        // words after them hold as well. Names are of all lengths, so this must not be a branch.
        #[allow(
            clippy::indexing_slicing,
            reason = "one for each of them, from nothing to a whole window"
        )]
        let [w, x, y, z] = OVERLAPS[bytes.len().min(WINDOW)];
        let words = _mm256_set_epi64x(d, c, b, a);
        return _mm256_sllv_epi64(words, _mm256_set_epi64x(z, y, x, w));
    }
    let [a, b, c, d] = window(bytes).map(|word| word as i64);
    _mm256_set_epi64x(d, c, b, a)
}

/// By the length of a name, the bits of each word that the words after it hold as well; a word is
/// shifted out by 64.
static OVERLAPS: [[i64; 4]; WINDOW + 1] = overlaps();

#[allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_wrap,
    clippy::indexing_slicing,
    reason = "run by the compiler"
)]
const fn overlaps() -> [[i64; 4]; WINDOW + 1] {
    let mut overlaps = [[0; 4]; WINDOW + 1];
    let mut len = 0;
    while len <= WINDOW {
        let mut word = 0;
        while word < 4 {
            let end = WINDOW - 8 * word;
            let missing = end.saturating_sub(len);
            overlaps[len][word] = 8 * (if missing > 8 { 8 } else { missing }) as i64;
            word += 1;
        }
        len += 1;
    }
    overlaps
}

/// The codes: one, two, then four, then sixteen side by side.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[allow(clippy::cast_sign_loss, reason = "bits, not numbers")]
fn words(window: __m256i) -> [u64; 3] {
    let letter = _mm256_srli_epi16::<1>(_mm256_and_si256(window, _mm256_set1_epi8(0x40)));
    let six = _mm256_and_si256(window, _mm256_set1_epi8(0x3f));
    let codes = _mm256_andnot_si256(letter, six);
    let pairs = _mm256_maddubs_epi16(codes, _mm256_set1_epi16(0x4001));
    let fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x1000_0001));
    let lanes = _mm256_shuffle_epi8(fours, three_of_four());
    let words = _mm256_permutevar8x32_epi32(lanes, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
    [
        _mm256_extract_epi64::<0>(words) as u64,
        _mm256_extract_epi64::<1>(words) as u64,
        _mm256_extract_epi64::<2>(words) as u64,
    ]
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

/// Everything but 0x20 to 0x7e, which adding moves to -128 to -34.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[allow(clippy::cast_sign_loss, reason = "bits, not numbers")]
fn ambiguous(window: __m256i) -> u32 {
    let moved = _mm256_add_epi8(window, _mm256_set1_epi8(0x60));
    _mm256_movemask_epi8(_mm256_cmpgt_epi8(moved, _mm256_set1_epi8(-34))) as u32
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

/// Drops the fourth byte of every four.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn three_of_four() -> __m256i {
    twice([0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1])
}
