//! The Huffman code of HPACK (RFC 7541 §5.2 and Appendix B).
//!
//! The code is canonical: codes ascend with length, then with symbol. So the lengths alone define
//! the code, and all tables here are computed from them at compile time.

use super::integer::push_integer;

/// The number of symbols: 256 octets and EOS.
const SYMBOLS: usize = 257;

/// Code length in bits of each symbol (RFC 7541 Appendix B), EOS last.
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, // 0x00
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, // 0x10
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, // 0x20
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, // 0x30
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, // 0x40
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, // 0x50
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, // 0x60
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, // 0x70
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, // 0x80
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, // 0x90
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, // 0xa0
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, // 0xb0
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, // 0xc0
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, // 0xd0
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, // 0xe0
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, // 0xf0
    30, // EOS
];

/// The bits that the direct table resolves: enough for nearly all octets of header fields.
const DIRECT_BITS: u32 = 10;

/// The length of the longest codes, EOS among them.
const CODE_LEN_MAX: u32 = 30;

/// One row for each length, zero included.
const ROWS: usize = CODE_LEN_MAX as usize + 1;

/// One direct lookup: the code length in the high octet, the symbol in the low one, or zero when
/// the code is longer than [`DIRECT_BITS`].
const DIRECT: [u16; 1 << DIRECT_BITS] = direct();

/// The codes of one length, left-aligned in 32 bits.
#[derive(Clone, Copy)]
struct Row {
    /// The length in bits.
    length: u32,
    /// The first code of this length.
    first: u32,
    /// The last bit pattern that starts with a code of this length or of a shorter one.
    last: u32,
    /// The position in [`BY_CODE`] of the first symbol with this length.
    offset: usize,
}

/// The rows of codes too long for the direct table.
const LONG: [Row; (CODE_LEN_MAX - DIRECT_BITS) as usize] = long();

/// All symbols in the order of their codes.
const BY_CODE: [u16; SYMBOLS] = by_code();

#[allow(clippy::indexing_slicing, reason = "runs at compile time only")]
#[allow(clippy::cast_possible_truncation, reason = "symbols are at most 256")]
const fn by_code() -> [u16; SYMBOLS] {
    let mut sorted = [0; SYMBOLS];
    let mut filled = 0;
    let mut length = 0;
    while length < ROWS {
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                sorted[filled] = symbol as u16;
                filled += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    sorted
}

#[allow(clippy::indexing_slicing, reason = "runs at compile time only")]
#[allow(clippy::cast_possible_truncation, reason = "codes are at most 30 bits long")]
const fn rows() -> [Row; ROWS] {
    let empty = Row { length: 0, first: 0, last: 0, offset: 0 };
    let mut rows = [empty; ROWS];
    let mut code = 0_u64;
    let mut offset = 0;
    let mut length = 1;
    while length < ROWS {
        let mut count = 0;
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                count += 1;
            }
            symbol += 1;
        }
        let align = 32 - length;
        let end = (code + count) << align;
        rows[length] = Row {
            length: length as u32,
            first: (code << align) as u32,
            last: end.saturating_sub(1) as u32,
            offset,
        };
        code = (code + count) << 1;
        offset += count as usize;
        length += 1;
    }
    // A complete code uses every bit pattern; with a wrong length in the table it would not.
    assert!(code == 2 << CODE_LEN_MAX, "the code lengths do not define a complete code");
    rows
}

#[allow(clippy::indexing_slicing, reason = "runs at compile time only")]
const fn long() -> [Row; (CODE_LEN_MAX - DIRECT_BITS) as usize] {
    let rows = rows();
    let mut long = [rows[ROWS - 1]; (CODE_LEN_MAX - DIRECT_BITS) as usize];
    let mut at = 0;
    while at < long.len() {
        long[at] = rows[DIRECT_BITS as usize + 1 + at];
        at += 1;
    }
    long
}

#[allow(clippy::indexing_slicing, reason = "runs at compile time only")]
#[allow(clippy::cast_possible_truncation, reason = "lengths and short symbols fit an octet")]
const fn direct() -> [u16; 1 << DIRECT_BITS] {
    let rows = rows();
    let symbols = by_code();
    let mut table = [0; 1 << DIRECT_BITS];
    let mut pattern = 0;
    while pattern < table.len() {
        let window = (pattern as u32) << (32 - DIRECT_BITS);
        let mut length = 1;
        while length <= DIRECT_BITS as usize {
            let row = rows[length];
            if row.last != 0 && window <= row.last {
                let nth = (window - row.first) >> (32 - row.length);
                table[pattern] = (row.length as u16) << 8 | symbols[row.offset + nth as usize];
                break;
            }
            length += 1;
        }
        pattern += 1;
    }
    table
}

/// The error of an invalid string: an incomplete or unknown code, EOS, or wrong padding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Invalid;

/// Decodes `input`, and passes each octet to `emit`.
///
/// As strict as RFC 7541 §5.2 requires: padding is shorter than an octet and consists of ones, and
/// EOS is an error.
pub(super) fn decode(mut input: &[u8], mut emit: impl FnMut(u8)) -> Result<(), Invalid> {
    // The bits not yet decoded, left-aligned; zeros follow them.
    let mut window = 0_u64;
    let mut bits = 0_u32;
    loop {
        // The window must hold the longest code, or all that is left.
        if bits < CODE_LEN_MAX {
            if let Some((four, rest)) = input.split_first_chunk() {
                window |= u64::from(u32::from_be_bytes(*four)) << (32 - bits);
                bits += 32;
                input = rest;
            } else {
                for &octet in std::mem::take(&mut input) {
                    window |= u64::from(octet) << (56 - bits);
                    bits += 8;
                }
            }
        }
        let (symbol, length) = lookup(window)?;
        if length > bits {
            // The rest is shorter than any code, so it can only be padding.
            let padded = bits < 8 && window.leading_ones() >= bits;
            return if padded { Ok(()) } else { Err(Invalid) };
        }
        emit(symbol);
        window <<= length;
        bits -= length;
    }
}

/// Returns the symbol whose code starts `window`, and the length of the code in bits.
#[inline]
fn lookup(window: u64) -> Result<(u8, u32), Invalid> {
    let [high, low, ..] = window.to_be_bytes();
    let pattern = usize::from(u16::from_be_bytes([high, low])) >> (16 - DIRECT_BITS);
    match DIRECT.get(pattern) {
        Some(&entry) if entry != 0 => {
            let [length, symbol] = entry.to_be_bytes();
            Ok((symbol, u32::from(length)))
        }
        _ => lookup_long(window),
    }
}

/// Looks up the long codes of rare octets.
#[cold]
fn lookup_long(window: u64) -> Result<(u8, u32), Invalid> {
    let window = u32::try_from(window >> 32).map_err(|_| Invalid)?;
    let row = LONG.iter().find(|row| window <= row.last).ok_or(Invalid)?;
    let nth = window.checked_sub(row.first).ok_or(Invalid)? >> (32 - row.length);
    let symbol = *BY_CODE.get(row.offset + nth as usize).ok_or(Invalid)?;
    // EOS is the only symbol above 255, and no string may contain it (RFC 7541 §5.2).
    let octet = u8::try_from(symbol).map_err(|_| Invalid)?;
    Ok((octet, row.length))
}

/// Eight times `a` (five bits, `00011`), which is a whole number of octets.
const EIGHT_LETTERS: [u8; 5] = [0x18, 0xc6, 0x31, 0x8c, 0x63];

/// Appends a string literal (RFC 7541 §5.2) that decodes to `len` times the letter `a`.
///
/// No encoding of a string of `len` octets is shorter: no code has fewer bits, and the length is in
/// its shortest form.
pub(super) fn push_placeholder(len: usize, out: &mut Vec<u8>) {
    let bits = len * 5;
    let octets = bits.div_ceil(8);
    push_integer(octets, 0x7f, 0x80, out);
    out.extend(EIGHT_LETTERS.iter().cycle().take(octets));
    // Fill the bits after the last letter with ones (RFC 7541 §5.2).
    let padding = octets * 8 - bits;
    if let Some(last) = out.last_mut().filter(|_| padding > 0) {
        *last |= (1 << padding) - 1;
    }
}

/// Encodes `input`, for tests.
#[cfg(test)]
pub(super) fn encode(input: &[u8]) -> Vec<u8> {
    let rows = rows();
    let mut out = Vec::new();
    let (mut window, mut bits) = (0_u64, 0);
    for &octet in input {
        let row = rows[usize::from(LENGTHS[usize::from(octet)])];
        let nth = BY_CODE[row.offset..].iter().position(|&s| s == u16::from(octet)).unwrap();
        let code = (row.first >> (32 - row.length)) + u32::try_from(nth).unwrap();
        window = window << row.length | u64::from(code);
        bits += row.length;
        while bits >= 8 {
            bits -= 8;
            out.push(u8::try_from(window >> bits & 0xff).unwrap());
        }
    }
    if bits > 0 {
        let padded = window << (8 - bits) | ((1 << (8 - bits)) - 1);
        out.push(u8::try_from(padded & 0xff).unwrap());
    }
    out
}
