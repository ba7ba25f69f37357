//! Reads names in words of eight bytes, without any instruction set in particular.
//!
//! A word is eight bytes side by side. Wherever bytes are added, each of them has at most seven
//! bits, so nothing carries into the next byte. Bit 7 of each byte then holds the answer for that
//! byte.

use super::kernel::Simd;
use crate::packed::{ONES, suffix};

/// The implementation that runs on every machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

impl Simd for Portable {
    type Window = [u64; 4];
    type Codes = [u64; 3];

    #[inline(always)]
    fn window(self, bytes: &[u8]) -> [u64; 4] {
        window(bytes)
    }

    fn codes(self, window: [u64; 4]) -> [u64; 3] {
        // Four times 48 bits side by side.
        let [a, b, c, d] = window.map(pack);
        [a | (b << 48), (b >> 16) | (c << 32), (c >> 32) | (d << 16)]
    }

    #[inline(always)]
    fn suffix(self, codes: [u64; 3], len: usize) -> [u64; 3] {
        suffix(codes, len)
    }

    #[inline(always)]
    fn marked(self, [a, b, c]: [u64; 3], mark: u32) -> [u64; 3] {
        [a | u64::from(mark), b, c]
    }

    #[inline(always)]
    fn words(self, codes: [u64; 3]) -> [u64; 3] {
        codes
    }

    #[inline(always)]
    fn is_key(self, [a, b, c]: [u64; 3], slot: &[u8; 32]) -> u32 {
        let (words, _) = slot.as_chunks::<8>();
        let &[x, y, z, _] = words else { return 0 };
        let [x, y, z] = [x, y, z].map(u64::from_le_bytes);
        u32::from((a ^ x) | (b ^ y) | (c ^ z) == 0)
    }

    fn dots(self, window: [u64; 4]) -> u32 {
        gather(window.map(|word| equal(word, b'.')))
    }

    fn hyphens(self, window: [u64; 4]) -> u32 {
        gather(window.map(|word| equal(word, b'-')))
    }

    fn bad(self, window: [u64; 4]) -> u32 {
        gather(window.map(|word| !good(word)))
    }

    fn is_ambiguous(self, window: [u64; 4]) -> bool {
        let wrong = window.map(|word| {
            // A byte is ambiguous unless it is 0 or from 0x20 to 0x7e. `at_least` looks at seven
            // bits only, so `!word` excludes the bytes from 0x80 on.
            let other = !(at_least(word, 0x20) & !at_least(word, 0x7f) & !word);
            other & !equal(word, 0) & HIGH
        });
        wrong != [0; 4]
    }
}

/// Returns the last 32 bytes as little-endian words, with zeros to the left of a shorter name.
///
/// A name of 8 to 31 bytes is two reads that overlap. The second read is in place already. The
/// first read is shifted left until the bytes that both reads contain are shifted out.
#[inline(always)]
#[allow(clippy::arithmetic_side_effects, reason = "each shift is bounded by the branch around it")]
#[allow(clippy::cast_possible_truncation, reason = "the casts cut a word into its halves")]
pub(crate) fn window(bytes: &[u8]) -> [u64; 4] {
    let len = bytes.len();
    if let Some(last) = bytes.last_chunk::<32>() {
        let (words, _) = last.as_chunks::<8>();
        return match words {
            &[a, b, c, d] => [a, b, c, d].map(u64::from_le_bytes),
            _ => [0; 4],
        };
    }
    let halves = |wide: u128| [wide as u64, (wide >> 64) as u64];
    if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk::<16>()) {
        // Shifts by 32 - len bytes, in two steps: for a name of 16 bytes, a single shift would be
        // as wide as the word, which Rust does not allow.
        let low = u128::from_le_bytes(*first) << (8 * (31 - len)) << 8;
        let ([a, b], [c, d]) = (halves(low), halves(u128::from_le_bytes(*last)));
        [a, b, c, d]
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        let low = u64::from_le_bytes(*first) << (8 * (15 - len)) << 8;
        [0, 0, low, u64::from_le_bytes(*last)]
    } else {
        let high = bytes.iter().fold(0_u64, |word, byte| (word >> 8) | (u64::from(*byte) << 56));
        [0, 0, 0, high]
    }
}

/// Bit 7 of each byte.
const HIGH: u64 = ONES << 7;

/// Returns the codes of eight bytes in the lower 48 bits.
#[allow(clippy::arithmetic_side_effects, reason = "shifts by constants below the width")]
const fn pack(word: u64) -> u64 {
    // `packed::code` for each byte: where bit 6 is set, bit 5 is cleared.
    let codes = word & ((ONES * 0x3f) ^ ((word & (ONES * 0x40)) >> 1));
    // Close the gaps: two codes in 12 of 16 bits, four in 24 of 32, eight in 48 of 64.
    let pairs = (codes & 0x003f_003f_003f_003f) | ((codes & 0x3f00_3f00_3f00_3f00) >> 2);
    let fours = (pairs & 0x0000_0fff_0000_0fff) | ((pairs & 0x0fff_0000_0fff_0000) >> 4);
    (fours & 0x00ff_ffff) | ((fours & 0x00ff_ffff_0000_0000) >> 8)
}

/// Sets bit 7 of each byte that equals `wanted`, which is below 0x80.
#[allow(clippy::arithmetic_side_effects, reason = "seven-bit bytes do not carry into the next")]
const fn equal(word: u64, wanted: u8) -> u64 {
    // `!HIGH` is 0x7f in each byte. Adding it sets bit 7 unless the seven bits are equal, and
    // `& !word` excludes the bytes from 0x80 on.
    !(((word & !HIGH) ^ (ONES * wanted as u64)) + !HIGH) & !word
}

/// Sets bit 7 of each byte whose lower seven bits are at least `least`.
#[allow(clippy::arithmetic_side_effects, reason = "seven-bit bytes do not carry into the next")]
const fn at_least(word: u64, least: u8) -> u64 {
    (word & !HIGH) + ONES * (0x80 - least as u64)
}

/// Sets bit 7 of each byte that is allowed in a name.
const fn good(word: u64) -> u64 {
    // Setting bit 5 turns `A` to `Z` into `a` to `z`. It changes bytes below 0x40 as well, which
    // are not letters, so `letters` excludes those.
    let folded = word | (ONES << 5);
    let letters = at_least(folded, b'a') & !at_least(folded, b'z' + 1) & at_least(word, 0x40);
    let digits = at_least(word, b'0') & !at_least(word, b'9' + 1);
    let others = equal(word, b'.') | equal(word, b'-') | equal(word, b'_');
    (letters | digits | others) & !word
}

/// Collects bit 7 of each byte into one mask, the first byte's in bit 0.
fn gather(words: [u64; 4]) -> u32 {
    // The multiplication adds up eight copies of the word. Copy `n` is shifted so that the bit of
    // byte `n` arrives at bit `56 + n`; no two bits arrive at the same place, so nothing carries.
    let bytes =
        words.map(|word| (((word & HIGH) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8);
    u32::from_le_bytes(bytes)
}
