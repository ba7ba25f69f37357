//! Names packed into six bits a byte, and the result of one pass over a name.
//!
//! The bytes of a name are right-aligned in a *window* of 32, so masking the window leaves a suffix
//! of the name. Each byte becomes a code of six bits, see [`code`]; the two cases of a letter have
//! the same code. The codes are packed side by side into three words; the last byte's code is in
//! the highest bits.
//! | --- | --- |
//! | none, left of the name | 0 |
//! | `a`–`z`, `A`–`Z` | 1–26 |
//! | `_` | 31 |
//! | `-` | 45 |
//! | `.` | 46 |
//! | `0`–`9` | 48–57 |
//!
//! ```text
//! window byte   0 … 9          10                                       … 31
//! bits          0–59 of w[0]   60–63 of w[0] and 0–1 of w[1]            … 58–63 of w[2]
//! ```
//!
//! Two bytes that are allowed in a name share a code only if they are the two cases of a letter.
//! Any other byte has a code without meaning; [`Scan::bad`] marks those bytes.

/// The bytes of a window.
pub(crate) const WINDOW: usize = 32;

/// The codes that [`TAIL_MASK`] leaves: the last 30 bytes of a name.
pub(crate) const TAIL_CODES: usize = 30;

/// Bits per code.
pub(crate) const CODE_BITS: u32 = 6;

/// Keeps the codes of window bytes 2 to 31. The twelve bits below are free for a mark: the trie
/// stores the length and the shape of a name there.
pub(crate) const TAIL_MASK: u64 = !0xfff;

/// The bit of a window's last byte.
pub(crate) const LAST: u32 = 1 << 31;

/// A one in each byte of a word.
pub(crate) const ONES: u64 = 0x0101_0101_0101_0101;

/// The result of one pass over a name. Bit `i` of a mask belongs to window byte `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    /// The codes of the window.
    pub(crate) words: [u64; 3],
    /// The dots.
    pub(crate) dots: u32,
    /// The hyphens.
    pub(crate) hyphens: u32,
    /// The bytes that are not allowed in a name, and every byte left of the name.
    pub(crate) bad: u32,
}

impl Scan {
    /// Returns the codes of the last [`TAIL_CODES`] bytes.
    #[inline(always)]
    pub(crate) const fn tail(self) -> [u64; 3] {
        let [low, middle, high] = self.words;
        [low & TAIL_MASK, middle, high]
    }

    /// Returns whether a name breaks a rule: a byte that is not allowed, an empty label, or a
    /// hyphen at the edge of a label. The name fills the window from the byte whose bit is `first`
    /// to the end.
    #[inline(always)]
    pub(crate) const fn is_wrong(self, first: u32) -> bool {
        let Self { dots, hyphens, bad, .. } = self;
        // A byte that begins a label, and the last byte of the name, must not be a dot or a hyphen.
        // A byte begins a label if it is the first byte or follows a dot.
        let edges = dots.wrapping_shl(1) | first | LAST;
        // `-first` has the bit `first` and all higher ones, because it is `!(first - 1)`.
        let wrong = (bad & first.wrapping_neg())
            | ((dots | hyphens) & edges)
            // A dot after a hyphen: the label ends in a hyphen.
            | (dots & hyphens.wrapping_shl(1));
        wrong != 0
    }
}

/// Returns the code of one byte.
///
/// Bytes from 0x40 to 0x7f keep five bits, which drops the bit that separates the two cases of a
/// letter. Other bytes keep six.
pub(crate) const fn code(byte: u8) -> u8 {
    byte & (0x3f ^ ((byte & 0x40) >> 1))
}

/// Returns the lower-case bytes with these codes. A code that is not the code of a name's byte
/// becomes a byte that is not allowed in a name.
pub(crate) fn unpack(words: [u64; 3]) -> [u8; WINDOW] {
    let [a, b, c] = words;
    let mut bytes = [0; WINDOW];
    let (chunks, _) = bytes.as_chunks_mut::<8>();
    // Eight codes are 48 bits, so the three words hold four groups of eight.
    for (chunk, codes) in
        chunks.iter_mut().zip([a, (a >> 48) | (b << 16), (b >> 32) | (c << 32), c >> 16])
    {
        *chunk = unpack_word(codes & 0xffff_ffff_ffff).to_le_bytes();
    }
    bytes
}

/// Returns the bytes of 48 bits of codes.
#[allow(clippy::arithmetic_side_effects, reason = "six-bit codes do not carry into the next byte")]
const fn unpack_word(codes: u64) -> u64 {
    // Spread the eight codes over eight bytes, in three steps: two groups of four codes, four
    // groups of two, then one code in each byte.
    let fours = (codes & 0x00ff_ffff) | ((codes & 0xffff_ff00_0000) << 8);
    let pairs = (fours & 0x0000_0fff_0000_0fff) | ((fours & 0x00ff_f000_00ff_f000) << 4);
    let single = (pairs & 0x003f_003f_003f_003f) | ((pairs & 0x0fc0_0fc0_0fc0_0fc0) << 2);
    // A code below 32 is a letter, and its byte is 0x60 higher. There are two exceptions: `_`,
    // whose byte is only 0x40 higher than its code 31, and code 0, which stays 0.
    let letter = !single & (ONES * 0x20);
    // Adding 1 carries into bit 5 only from 31; `letter` excludes the codes that had the bit
    // before.
    let underscore = ((single + ONES) >> 5) & letter >> 5 & ONES;
    // Adding 0x3f carries into bit 6 unless the code is 0.
    let some = ((single + ONES * 0x3f) >> 6) & ONES;
    (single | letter | letter << 1) & !(underscore << 5) & (some * 0xff)
}

/// Returns the codes of the last `len` bytes, at most [`TAIL_CODES`]; none for 31.
#[inline(always)]
pub(crate) fn suffix(tail: [u64; 3], len: usize) -> [u64; 3] {
    let [a, b, c] = tail;
    #[allow(clippy::indexing_slicing, reason = "the modulus is the number of masks")]
    let [mask_a, mask_b, mask_c, _] = SUFFIX_MASKS[len % WINDOW];
    [a & mask_a, b & mask_b, c & mask_c]
}

/// The bits of a suffix, by its length. The fourth word makes each mask as wide as an AVX2 vector.
pub(crate) static SUFFIX_MASKS: [[u64; 4]; WINDOW] = suffix_masks();

#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "runs at compile time")]
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
