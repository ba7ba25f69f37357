//! A model of the engine's effect on a header list, made of the types of `http` alone.

use http::uri::Authority;
use http::{HeaderName, HeaderValue, Method};

use super::encoder::{Header, Used};

/// Returns true if `h2` would refuse the value of a field that the decision judges.
pub(super) fn is_refused(name: &[u8], value: &[u8]) -> bool {
    match name {
        b":authority" => Authority::try_from(value).is_err(),
        b"host" => HeaderValue::from_bytes(value).is_err(),
        _ => false,
    }
}

/// Returns true if the field makes every message malformed.
pub(super) fn is_malformed_field(name: &[u8], value: &[u8]) -> bool {
    let is_blank = |octet: Option<&u8>| matches!(octet, Some(b' ' | b'\t'));
    match name {
        b":authority" | b"host" => false,
        b":scheme" | b":path" | b":protocol" => str::from_utf8(value).is_err(),
        b":method" => Method::from_bytes(value).is_err(),
        b":status" => true,
        _ => {
            HeaderName::from_lowercase(name).is_err()
                || HeaderValue::from_bytes(value).is_err()
                || is_blank(value.first())
                || is_blank(value.last())
        }
    }
}

/// Returns true if a list is malformed and `h2` does not notice.
pub(super) fn is_malformed(list: &[Header], is_request: bool) -> bool {
    let count = |wanted: &[u8]| list.iter().filter(|(name, _)| name == wanted).count();
    let of_trailers = |(name, value): &Header| {
        let is_pseudo = [&b":authority"[..], b":scheme", b":path", b":method", b":protocol"];
        is_pseudo.contains(&&**name) || is_refused(name, value)
    };
    list.iter().any(|(name, value)| is_malformed_field(name, value))
        || is_request && count(b"content-length") > 1
        || !is_request && list.iter().any(of_trailers)
}

/// Returns the field that `h2` is shown; `None` if it is dropped. `authorities` is the number in
/// the list.
pub(super) fn shown(
    (name, value): &Header,
    used: Used,
    is_request: bool,
    authorities: usize,
) -> Option<Header> {
    let letters = |octets: &[u8]| vec![b'a'; octets.len()];
    if is_malformed_field(name, value) {
        let shown_name = match &**name {
            b":status" => b"expires".to_vec(),
            b":method" if value.is_empty() => b"expires".to_vec(),
            b":scheme" | b":path" | b":protocol" | b":method" => name.clone(),
            _ if HeaderName::from_lowercase(name).is_ok() => name.clone(),
            _ => letters(name),
        };
        return (used != Used::Literal).then(|| (shown_name, letters(value)));
    }
    if !is_refused(name, value) {
        return Some((name.clone(), value.clone()));
    }
    let is_dropped = is_request && value.is_empty() && authorities == 1 && used != Used::Inserted;
    (!is_dropped).then(|| (name.clone(), letters(value)))
}
