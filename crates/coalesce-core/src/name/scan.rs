//! The one pass over a name: case folding, syntax, label ends and packing, 32 bytes at a time.
//!
//! A name's bytes stand right-aligned in a *window* of 32, so that a suffix is a mask away. Each
//! byte becomes a code of six bits, [`code`], in which the two cases of a letter are one; codes
//! stand side by side in three words, the last byte's in the highest bits.
//!
//! | byte | code |
//! | --- | --- |
//! | none, left of the name | 0 |
//! | `a`–`z`, `A`–`Z` | 1–26 |
//! | `_` | 31 |
//! | `-` | 45 |
//! | `.` | 46 |
//! | `0`–`9` | 48–57 |
//!
//! ```text
//! window byte   0 … 9          10              …              31
//! words[0]      bits 0–59, and bits 0–3 of byte 10 above; words[1], words[2] go on from there
//! ```
//!
//! Two bytes that a name may hold have the same code only if they are the two cases of a letter;
//! codes of other bytes mean nothing, and [`Scan::bad`] says which bytes those are.

/// The bytes of a window.
pub(crate) const WINDOW: usize = 32;

/// The codes that [`TAIL_MASK`] leaves: the last 30 bytes of a name.
pub(crate) const TAIL_CODES: usize = 30;

/// Bits per code.
pub(crate) const CODE_BITS: u32 = 6;

/// Leaves the codes of window bytes 2 to 31. The twelve bits below are for whoever stores the
/// words.
pub(crate) const TAIL_MASK: u64 = !0xfff;

/// What one pass finds. Bit `i` of a mask is about window byte `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    /// The codes of the window.
    pub(crate) words: [u64; 3],
    /// Where the dots are.
    pub(crate) dots: u32,
    /// Where the hyphens are.
    pub(crate) hyphens: u32,
    /// Where bytes are that no name holds; every byte left of the name among them.
    pub(crate) bad: u32,
}

impl Scan {
    /// The codes of the last [`TAIL_CODES`] bytes.
    #[inline(always)]
    pub(crate) const fn tail(self) -> [u64; 3] {
        let [low, middle, high] = self.words;
        [low & TAIL_MASK, middle, high]
    }

    /// Whether something is wrong with a name that fills the window from byte `first`, given as its
    /// bit, on: a byte that no name holds, an empty label, a hyphen at the edge of one.
    #[inline(always)]
    pub(crate) const fn is_wrong(self, first: u32) -> bool {
        let Self { dots, hyphens, bad, .. } = self;
        let edges = dots.wrapping_shl(1) | first | LAST;
        let wrong = (bad & first.wrapping_neg())
            | ((dots | hyphens) & edges)
            | (dots & hyphens.wrapping_shl(1));
        wrong != 0
    }
}

/// The last byte of a window.
pub(crate) const LAST: u32 = 1 << 31;

/// What scans: an instruction set, or none in particular.
pub(crate) trait Machine: Copy {
    /// A window, in whatever the machine likes best.
    type Window: Copy;
    /// The codes of a window or of a part of it, in the same manner.
    type Codes: Copy;

    /// The last 32 bytes of `bytes`, or all of them when there are fewer, right-aligned.
    fn window(self, bytes: &[u8]) -> Self::Window;

    /// The codes of the window.
    fn codes(self, window: Self::Window) -> Self::Codes;

    /// The codes of the last `len` bytes, of which there are at most [`TAIL_CODES`]; none for 31.
    fn suffix(self, codes: Self::Codes, len: usize) -> Self::Codes;

    /// The same with the bits of `mark`, which are among the twelve lowest.
    fn marked(self, codes: Self::Codes, mark: u32) -> Self::Codes;

    /// Codes as words.
    fn words(self, codes: Self::Codes) -> [u64; 3];

    /// 1 if these words are the first 24 bytes of `slot`, and otherwise 0.
    fn is_key(self, codes: Self::Codes, slot: &[u8; 32]) -> u32;

    /// Where the dots are.
    fn dots(self, window: Self::Window) -> u32;

    /// Where the hyphens are.
    fn hyphens(self, window: Self::Window) -> u32;

    /// Where bytes are that no name holds; every byte left of the name among them.
    fn bad(self, window: Self::Window) -> u32;

    /// Whether a byte's code is that of another byte as well, the two cases of a letter aside.
    /// Codes of other bytes that no name holds are no code of a byte that a name holds.
    fn is_ambiguous(self, window: Self::Window) -> bool;

    /// Everything about the last 32 bytes of `bytes`.
    #[inline(always)]
    fn scan(self, bytes: &[u8]) -> Scan {
        let window = self.window(bytes);
        Scan {
            words: self.words(self.codes(window)),
            dots: self.dots(window),
            hyphens: self.hyphens(window),
            bad: self.bad(window),
        }
    }
}

/// Any machine: a word at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

impl Machine for Portable {
    type Window = [u64; 4];
    type Codes = [u64; 3];

    #[inline(always)]
    fn window(self, bytes: &[u8]) -> [u64; 4] {
        window(bytes)
    }

    fn codes(self, window: [u64; 4]) -> [u64; 3] {
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
            let other = !(at_least(word, 0x20) & !at_least(word, 0x7f) & !word);
            other & !equal(word, 0) & HIGH
        });
        wrong != [0; 4]
    }
}

/// A piece of work that is compiled anew for each machine. Implementations are inlined whole, so
/// that what they call may use the machine as well. `Input` is what changes from one time to the
/// next; of one or two words, it stays in registers, as does a `self` of one.
pub(crate) trait OnMachine<Input> {
    /// What comes of it.
    type Output;

    /// Does the work.
    fn on(self, input: Input, machine: impl Machine) -> Self::Output;
}

/// The best machine there is, once it was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Best {
    #[cfg(all(
        target_arch = "x86_64",
        any(
            feature = "std",
            all(target_feature = "avx2", target_feature = "bmi1", target_feature = "bmi2")
        )
    ))]
    avx2: Option<super::avx2::Avx2>,
}

impl Best {
    #[inline(always)]
    pub(crate) fn detect() -> Self {
        Self {
            #[cfg(all(
                target_arch = "x86_64",
                any(
                    feature = "std",
                    all(target_feature = "avx2", target_feature = "bmi1", target_feature = "bmi2")
                )
            ))]
            avx2: super::avx2::Avx2::detect(),
        }
    }

    /// Does `work` on it.
    #[inline(always)]
    #[allow(clippy::unused_self, reason = "some machines have nothing to be detected")]
    pub(crate) fn run<I, W: OnMachine<I>>(self, work: W, input: I) -> W::Output {
        #[cfg(all(
            target_arch = "x86_64",
            any(
                feature = "std",
                all(target_feature = "avx2", target_feature = "bmi1", target_feature = "bmi2")
            )
        ))]
        if let Some(machine) = self.avx2 {
            return machine.run(work, input);
        }
        portably(work, input)
    }
}

/// Where there is a better machine, this only stands in the way of the calls to it.
#[cfg_attr(
    all(
        target_arch = "x86_64",
        any(
            feature = "std",
            all(target_feature = "avx2", target_feature = "bmi1", target_feature = "bmi2")
        )
    ),
    inline(never)
)]
fn portably<I, W: OnMachine<I>>(work: W, input: I) -> W::Output {
    work.on(input, Portable)
}

/// Does `work` on the best machine there is.
#[inline(always)]
pub(crate) fn on_this_machine<I, W: OnMachine<I>>(work: W, input: I) -> W::Output {
    Best::detect().run(work, input)
}

/// [`Machine::scan`] on the best machine there is.
pub(crate) fn scan(bytes: &[u8]) -> Scan {
    struct Scanning;
    impl OnMachine<&[u8]> for Scanning {
        type Output = Scan;
        #[inline(always)]
        fn on(self, bytes: &[u8], machine: impl Machine) -> Scan {
            machine.scan(bytes)
        }
    }
    on_this_machine(Scanning, bytes)
}

/// The code of one byte.
pub(crate) const fn code(byte: u8) -> u8 {
    byte & (0x3f ^ ((byte & 0x40) >> 1))
}

/// The lower-case bytes with these codes. A code that no name has becomes a byte that no name has.
pub(crate) fn unpack(words: [u64; 3]) -> [u8; WINDOW] {
    let [a, b, c] = words;
    let mut bytes = [0; WINDOW];
    let (chunks, _) = bytes.as_chunks_mut::<8>();
    for (chunk, codes) in
        chunks.iter_mut().zip([a, (a >> 48) | (b << 16), (b >> 32) | (c << 32), c >> 16])
    {
        *chunk = unpack_word(codes & 0xffff_ffff_ffff).to_le_bytes();
    }
    bytes
}

/// The bytes of 48 bits of codes.
#[allow(clippy::arithmetic_side_effects, reason = "codes have six bits, which carry into no other")]
const fn unpack_word(codes: u64) -> u64 {
    let fours = (codes & 0x00ff_ffff) | ((codes & 0xffff_ff00_0000) << 8);
    let pairs = (fours & 0x0000_0fff_0000_0fff) | ((fours & 0x00ff_f000_00ff_f000) << 4);
    let single = (pairs & 0x003f_003f_003f_003f) | ((pairs & 0x0fc0_0fc0_0fc0_0fc0) << 2);
    // Codes below 32 are letters, 0x60 below their bytes; all but 31, which is 0x40 below, and 0.
    let letter = !single & (ONES * 0x20);
    let underscore = ((single + ONES) >> 5) & letter >> 5 & ONES;
    let some = ((single + ONES * 0x3f) >> 6) & ONES;
    (single | letter | letter << 1) & !(underscore << 5) & (some * 0xff)
}

/// The codes of the last `len` bytes, of which there are at most [`TAIL_CODES`]; none for 31.
#[inline(always)]
pub(crate) fn suffix(tail: [u64; 3], len: usize) -> [u64; 3] {
    let [a, b, c] = tail;
    #[allow(clippy::indexing_slicing, reason = "there are as many as the modulus")]
    let [mask_a, mask_b, mask_c, _] = SUFFIX_MASKS[len % WINDOW];
    [a & mask_a, b & mask_b, c & mask_c]
}

/// By the length of a suffix, which bits of the words are its own.
pub(crate) static SUFFIX_MASKS: [[u64; 4]; WINDOW] = suffix_masks();

#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "run by the compiler")]
const fn suffix_masks() -> [[u64; 4]; WINDOW] {
    let mut masks = [[0; 4]; WINDOW];
    let mut len = 1;
    while len <= TAIL_CODES {
        let mut bit = 192 - 6 * len;
        while bit < 192 {
            masks[len][bit / 64] |= 1 << (bit % 64);
            bit += 1;
        }
        len += 1;
    }
    masks
}

/// The last 32 bytes as little-endian words, zeros to the left of a shorter name.
#[inline(always)]
#[allow(clippy::arithmetic_side_effects, reason = "each shift is bounded by the branch around it")]
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
        // 16 to 31 bytes: the first sixteen, moved left by what the last sixteen hold of them.
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

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = ONES << 7;

/// The codes of eight bytes, in the lower 48 bits.
#[allow(clippy::arithmetic_side_effects, reason = "shifts by constants below the width")]
const fn pack(word: u64) -> u64 {
    let codes = word & ((ONES * 0x3f) ^ ((word & (ONES * 0x40)) >> 1));
    let pairs = (codes & 0x003f_003f_003f_003f) | ((codes & 0x3f00_3f00_3f00_3f00) >> 2);
    let fours = (pairs & 0x0000_0fff_0000_0fff) | ((pairs & 0x0fff_0000_0fff_0000) >> 4);
    (fours & 0x00ff_ffff) | ((fours & 0x00ff_ffff_0000_0000) >> 8)
}

/// In bit 7 of each byte, whether it is `wanted`, a byte below 0x80.
#[allow(clippy::arithmetic_side_effects, reason = "seven-bit bytes carry into no other")]
const fn equal(word: u64, wanted: u8) -> u64 {
    !(((word & !HIGH) ^ (ONES * wanted as u64)) + !HIGH) & !word
}

/// In bit 7 of each byte, whether its lower seven bits are at least `least`.
#[allow(clippy::arithmetic_side_effects, reason = "seven-bit bytes carry into no other")]
const fn at_least(word: u64, least: u8) -> u64 {
    (word & !HIGH) + ONES * (0x80 - least as u64)
}

/// In bit 7 of each byte, whether a name may hold it.
const fn good(word: u64) -> u64 {
    // Folding makes a letter of no other byte from 0x40 on.
    let folded = word | (ONES << 5);
    let letters = at_least(folded, b'a') & !at_least(folded, b'z' + 1) & at_least(word, 0x40);
    let digits = at_least(word, b'0') & !at_least(word, b'9' + 1);
    let others = equal(word, b'.') | equal(word, b'-') | equal(word, b'_');
    (letters | digits | others) & !word
}

/// Bit 7 of each byte, side by side.
fn gather(words: [u64; 4]) -> u32 {
    let bytes =
        words.map(|word| (((word & HIGH) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8);
    u32::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// The codes of a scan, one by one.
    fn codes(words: [u64; 3]) -> Vec<u8> {
        (0..192)
            .step_by(6)
            .map(|at| {
                (0..6)
                    .map(|bit| ((words[(at + bit) / 64] >> ((at + bit) % 64)) as u8 & 1) << bit)
                    .sum()
            })
            .collect()
    }

    /// Asks the machine that the library uses here.
    struct IsAmbiguous;

    impl OnMachine<&[u8]> for IsAmbiguous {
        type Output = bool;

        fn on(self, bytes: &[u8], machine: impl Machine) -> bool {
            machine.is_ambiguous(machine.window(bytes))
        }
    }

    /// Miri is a thousand times slower, and looks for other things.
    const STEP: usize = if cfg!(miri) { 37 } else { 1 };

    #[test]
    fn every_byte_at_every_place_is_what_the_table_says() {
        let places = (0..=u8::MAX).flat_map(|byte| (0..WINDOW).map(move |at| (byte, at)));
        for (byte, at) in places.step_by(STEP) {
            let mut bytes = [b'a'; WINDOW];
            bytes[at] = byte;
            let found = Portable.scan(&bytes);
            let ambiguous = Portable.is_ambiguous(window(&bytes));
            let bit = |set: bool| u32::from(set) << at;
            let good = byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            assert_eq!(found.dots, bit(byte == b'.'), "{byte} at {at}");
            assert_eq!(found.hyphens, bit(byte == b'-'), "{byte} at {at}");
            assert_eq!(found.bad, bit(!good), "{byte} at {at}");
            if good {
                assert_eq!(codes(found.words)[at], code(byte));
            }
            assert_eq!(ambiguous, byte != 0 && !(0x20..0x7f).contains(&byte), "{byte} at {at}");
            assert_eq!(on_this_machine(IsAmbiguous, &bytes), ambiguous, "{byte} at {at}");
            assert_eq!(scan(&bytes), found, "the other implementation: {byte} at {at}");
        }
    }

    #[test]
    fn every_length_is_right_aligned() {
        let bytes: Vec<u8> = (0..70).map(|at| b'a' + at % 26).collect();
        for len in (0..bytes.len()).step_by(STEP.div_ceil(12)) {
            let name = &bytes[..len];
            let found = scan(name);
            let shown = len.min(WINDOW);
            let expected: Vec<u8> = core::iter::repeat_n(0, WINDOW - shown)
                .chain(name[len - shown..].iter().map(|byte| code(*byte)))
                .collect();
            assert_eq!(codes(found.words), expected, "{len}");
            assert_eq!(found.bad.count_ones() as usize, WINDOW - shown, "{len}");
            assert_eq!(found, Portable.scan(name), "{len}");
        }
    }

    #[test]
    fn codes_become_the_lower_case_bytes_again() {
        let bytes: Vec<u8> = (0..=u8::MAX)
            .filter(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
            .collect();
        for window in bytes.windows(WINDOW).step_by(STEP) {
            for len in 0..=WINDOW {
                let name = &window[..len];
                let unpacked = unpack(scan(name).words);
                assert_eq!(unpacked[WINDOW - len..], name.to_ascii_lowercase());
                assert!(unpacked[..WINDOW - len].iter().all(|byte| *byte == 0));
            }
        }
    }

    #[test]
    fn a_code_that_no_name_has_becomes_no_byte_of_a_name() {
        let known: Vec<u8> = (0..=u8::MAX)
            .filter(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
            .map(code)
            .collect();
        for unknown in (1..64).filter(|code| !known.contains(code)) {
            let unpacked = unpack([0, 0, u64::from(unknown) << 58]);
            assert_ne!(Portable.bad(window(&unpacked)) >> 31, 0, "{unknown} is {}", unpacked[31]);
        }
    }
}
