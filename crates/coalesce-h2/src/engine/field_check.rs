//! Which fields make a message malformed (RFC 9113 §8.1.1), where `h2` would end the connection or
//! say nothing.
//!
//! | field | RFC 9113 | `h2` |
//! | --- | --- | --- |
//! | a name with an octet that no name has; an unknown pseudo-header field | §8.2.1, §8.3 | ends the connection |
//! | a value with NUL, CR, LF or another control octet; a `:method` that is no token | §8.2.1, §8.3.1 | ends the connection |
//! | a `:scheme`, `:path` or `:protocol` that is not UTF-8 | §8.3.1 | ends the connection |
//! | a value with a blank at an edge | §8.2.1 | takes it |
//! | two `content-length` fields | §8.1.1, RFC 9110 §8.6 | takes the first |
//! | a pseudo-header field in trailers | §8.1 | drops the field |
//!
//! `h2` resets the stream of any other malformed field itself. `malformed_field_ends_the_connection`
//! has what this file has to find.

use http::uri::Authority;
use http::{HeaderName, HeaderValue, Method};

use super::table::{Fault, Kind};

/// True if `h2` takes a name, which is no pseudo-header field, for one (RFC 9113 §8.2.1).
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

/// True if a word has an octet below the space, or DEL. To subtract `n` from an octet below 0x80 sets
/// its highest bit if the octet is below `n`. A borrow from the octet beside it does so only where
/// that octet is below `n` itself.
const fn may_have_control(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    let differs_from_del = word ^ (0x7f * ONES);
    let below_space = word.wrapping_sub(b' ' as u64 * ONES) & !word;
    let is_del = differs_from_del.wrapping_sub(ONES) & !differs_from_del;
    (below_space | is_del) & (0x80 * ONES) != 0
}

/// Says what is wrong with the value of a field of this kind.
pub(super) fn fault(kind: Kind, value: &[u8]) -> Fault {
    let faultless = match kind {
        Kind::Authority if is_plain(value) => true,
        Kind::Authority if Authority::try_from(value).is_err() => return Fault::Refused,
        Kind::Host if HeaderValue::from_bytes(value).is_err() => return Fault::Refused,
        Kind::Authority | Kind::Host => true,
        Kind::Scheme | Kind::Path | Kind::Protocol => str::from_utf8(value).is_ok(),
        Kind::Method => Method::from_bytes(value).is_ok(),
        // Of a response (RFC 9113 §8.3.2).
        Kind::Status => false,
        Kind::ContentLength | Kind::Other => is_value(value),
    };
    if faultless { Fault::None } else { Fault::Malformed }
}

/// True if the code of a Huffman-coded value shows that `fault` finds none, for the kinds whose
/// values [are skipped](Kind::is_skipped). By this, most values need no decoding.
pub(super) fn is_faultless_code(kind: Kind, code: &[u8]) -> bool {
    if matches!(kind, Kind::Path | Kind::Protocol) {
        // ASCII is UTF-8.
        return !any_word(code, has_fifteen_ones);
    }
    !begins_with_space(code)
        && !ends_with_space(code)
        && !any_word(code, |word| has_ten_ones(word) && (has_fifteen_ones(word) || has_nul(word)))
}

/// The code of a space (RFC 7541 Appendix B), of six bits.
const SPACE: u8 = 0b01_0100;

fn begins_with_space(code: &[u8]) -> bool {
    code.first().is_some_and(|octet| octet >> 2 == SPACE)
}

/// True if a value may end with a space: its code ends with that of a space and less than an octet
/// of padding, which is ones (RFC 7541 §5.2). The code of another octet may end so as well.
fn ends_with_space(code: &[u8]) -> bool {
    let end = match *code {
        [.., high, low] => u16::from_be_bytes([high, low]),
        [low] => u16::from(low),
        [] => return false,
    };
    let before_padding = end >> end.trailing_ones().min(7);
    before_padding & 0b11_1111 == u16::from(SPACE)
}

/// True if any word of a code has what `is_found` looks for, of at most [`SOUGHT_BITS`].
fn any_word(code: &[u8], is_found: impl Fn(u64) -> bool) -> bool {
    // Words overlap, so that everything sought is whole in one of them.
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

/// True if a word has fifteen ones in a row. So begins the code of each octet that is not ASCII, and
/// of each that no value may have but NUL. Of other octets, the tab's and the backslash's begin so.
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

/// True if an authority is one of the usual ones, which need no parser: letters, digits, dots and
/// hyphens, then perhaps a port.
fn is_plain(authority: &[u8]) -> bool {
    let is_name = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-');
    let name_len = authority.iter().take_while(|octet| is_name(octet)).count();
    let port = authority.get(name_len..).and_then(<[u8]>::split_first);
    name_len > 0
        && port.is_none_or(|(&colon, port)| colon == b':' && port.iter().all(u8::is_ascii_digit))
}
