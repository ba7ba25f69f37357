//! Finds the fields that make a message malformed (RFC 9113 §8.1.1) and for which `h2` would end
//! the connection or do nothing.
//!
//! | field | RFC 9113 | `h2` |
//! | --- | --- | --- |
//! | a name with an invalid octet; an unknown pseudo-header field | §8.2.1, §8.3 | ends the connection |
//! | a value with NUL, CR, LF or another control octet; a `:method` that is not a token | §8.2.1, §8.3.1 | ends the connection |
//! | a `:scheme`, `:path` or `:protocol` that is not UTF-8 | §8.3.1 | ends the connection |
//! | a value that begins or ends with a blank | §8.2.1 | accepts it |
//! | two `content-length` fields | §8.1.1, RFC 9110 §8.6 | uses the first |
//! | a pseudo-header field in trailers | §8.1 | drops the field |
//!
//! `h2` resets the stream for every other malformed field. `malformed_field_ends_the_connection`
//! lists the fields that this file must find.

use http::uri::Authority;
use http::{HeaderName, HeaderValue, Method};

use super::table::{Fault, Kind};

/// Returns true if `h2` accepts a name that is not of a pseudo-header field (RFC 9113 §8.2.1).
pub(super) fn is_name(name: &[u8]) -> bool {
    let usual = |octet: &u8| matches!(octet, b'a'..=b'z' | b'-' | b'0'..=b'9' | b'_');
    !name.is_empty() && name.iter().all(usual) || HeaderName::from_lowercase(name).is_ok()
}

/// True if a value is one that a regular field may have (RFC 9113 §8.2.1, RFC 9110 §5.5).
pub(super) fn is_value(value: &[u8]) -> bool {
    let is_blank = |octet: Option<&u8>| matches!(octet, Some(b' ' | b'\t'));
    !has_control(value) && !is_blank(value.first()) && !is_blank(value.last())
}

/// True if a value has a control octet other than the tab, as `http` reads it.
fn has_control(value: &[u8]) -> bool {
    // The last word overlaps the one before.
    let may_have = value.last_chunk().is_none_or(|last| {
        let (words, _) = value.as_chunks();
        let found = |word: &[u8; 8]| may_have_control(u64::from_ne_bytes(*word));
        found(last) || words.iter().any(found)
    });
    may_have && value.iter().any(|octet| octet.is_ascii_control() && *octet != b'\t')
}

/// True if a word has an octet below the space, or DEL. To subtract `n` from an octet below 0x80
/// sets its highest bit if the octet is below `n`. A borrow from the octet beside it does so only
/// where that octet is below `n` itself.
const fn may_have_control(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    let differs_from_del = word ^ (0x7f * ONES);
    let below_space = word.wrapping_sub(b' ' as u64 * ONES) & !word;
    let is_del = differs_from_del.wrapping_sub(ONES) & !differs_from_del;
    (below_space | is_del) & (0x80 * ONES) != 0
}

/// Returns the fault of a value of this kind.
pub(super) fn fault(kind: Kind, value: &[u8]) -> Fault {
    let faultless = match kind {
        Kind::Authority if is_plain(value) => true,
        Kind::Authority if Authority::try_from(value).is_err() => return Fault::Refused,
        Kind::Host if HeaderValue::from_bytes(value).is_err() => return Fault::Refused,
        Kind::Authority | Kind::Host => true,
        Kind::Scheme | Kind::Path | Kind::Protocol => str::from_utf8(value).is_ok(),
        Kind::Method => Method::from_bytes(value).is_ok(),
        // Pseudo-header fields of responses are invalid in requests (RFC 9113 §8.3.2).
        Kind::Status => false,
        Kind::ContentLength | Kind::Other => is_value(value),
    };
    if faultless { Fault::None } else { Fault::Malformed }
}

/// Returns true if the Huffman code of a value proves that `fault` finds none, for the kinds whose
/// values [are skipped](Kind::is_skipped). Most values then need no decoding.
pub(super) fn is_faultless_code(kind: Kind, code: &[u8]) -> bool {
    if matches!(kind, Kind::Path | Kind::Protocol) {
        // ASCII is UTF-8.
        return !any_word(code, has_fifteen_ones);
    }
    !begins_with_space(code)
        && !ends_with_space(code)
        && !any_word(code, |word| has_ten_ones(word) && (has_fifteen_ones(word) || has_nul(word)))
}

/// The Huffman code of a space, six bits (RFC 7541 Appendix B).
const SPACE: u8 = 0b01_0100;

fn begins_with_space(code: &[u8]) -> bool {
    code.first().is_some_and(|octet| octet >> 2 == SPACE)
}

/// Returns true if a value may end with a space: its code ends with the code of a space and less
/// than an octet of padding, all ones (RFC 7541 §5.2). Another octet's code may end in the same
/// bits.
fn ends_with_space(code: &[u8]) -> bool {
    let end = match *code {
        [.., high, low] => u16::from_be_bytes([high, low]),
        [low] => u16::from(low),
        [] => return false,
    };
    let before_padding = end >> end.trailing_ones().min(7);
    before_padding & 0b11_1111 == u16::from(SPACE)
}

/// Returns true if `is_found` holds for any word of a code. `is_found` looks for at most
/// [`SOUGHT_BITS`] bits.
fn any_word(code: &[u8], is_found: impl Fn(u64) -> bool) -> bool {
    // The words overlap, so each pattern of that length lies whole in at least one word.
    const STEP: usize = (u64::BITS - (SOUGHT_BITS - 1)) as usize / 8;
    let mut rest = code;
    while let Some((word, after)) = rest.split_first_chunk()
        && !after.is_empty()
    {
        if is_found(u64::from_be_bytes(*word)) {
            return true;
        }
        rest = rest.get(STEP..).unwrap_or_default();
    }
    is_found(rest.iter().fold(0, |word, &octet| word << 8 | u64::from(octet)))
}

const SOUGHT_BITS: u32 = 15;

/// Returns true if a word has fifteen ones in a row. The codes of all octets outside of ASCII begin
/// so, and those of all octets that a value must not have, except NUL. Tab and backslash begin so
/// too, and go to the exact check.
const fn has_fifteen_ones(word: u64) -> bool {
    let two = word & word << 1;
    let four = two & two << 2;
    let eight = four & four << 4;
    eight & eight << 7 != 0
}

/// Where a word has ten ones in a row.
const fn ten_ones(word: u64) -> u64 {
    let two = word & word << 1;
    let four = two & two << 2;
    four & four << 4 & two << 8
}

/// True if a word has ten ones in a row, as few do.
const fn has_ten_ones(word: u64) -> bool {
    ten_ones(word) != 0
}

/// True if a word may have a NUL, whose code is ten ones and three zeros. The codes of two octets
/// together may look like it.
const fn has_nul(word: u64) -> bool {
    let zeros = !(word << 10 | word << 11 | word << 12);
    ten_ones(word) & zeros & u64::MAX << 12 != 0
}

/// Returns true if an authority is of the usual form, which needs no parser: letters, digits, dots
/// and hyphens, then an optional port.
fn is_plain(authority: &[u8]) -> bool {
    let is_name = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-');
    let name_len = authority.iter().take_while(|octet| is_name(octet)).count();
    let port = authority.get(name_len..).and_then(<[u8]>::split_first);
    name_len > 0
        && port.is_none_or(|(&colon, port)| colon == b':' && port.iter().all(u8::is_ascii_digit))
}
