//! Which fields `h2` takes, told by the types of `http` alone.

use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::frames::{CLIENT_PREFACE_LEN, END_HEADERS, frames};

/// Asserts that `h2` takes each field of a connection for one, if another decoder reads its blocks.
pub(super) fn check_fields(bytes: &[u8]) {
    let (frames, _) = frames(bytes.get(CLIENT_PREFACE_LEN..).unwrap_or_default());
    let mut decoder = loona_hpack::Decoder::new();
    let mut block = Vec::new();
    for frame in frames {
        let Some(fragment) = frame.fragment() else { continue };
        block.extend_from_slice(fragment);
        if frame.flags & END_HEADERS == 0 {
            continue;
        }
        // That decoder refuses a block of size updates alone, so one field follows.
        block.push(0x82);
        let Ok(list) = decoder.decode(&block) else { return };
        for (name, value) in list {
            let (shown, value_shown) = (name.escape_ascii(), value.escape_ascii());
            assert!(is_taken(&name, &value), "h2 ends the connection for {shown}: {value_shown}");
        }
        block.clear();
    }
}

/// True if `h2` does not end the connection for a field.
fn is_taken(name: &[u8], value: &[u8]) -> bool {
    match name {
        b":authority" | b":scheme" | b":path" | b":protocol" => str::from_utf8(value).is_ok(),
        b":method" => Method::from_bytes(value).is_ok(),
        b":status" => StatusCode::from_bytes(value).is_ok(),
        _ => HeaderName::from_lowercase(name).is_ok() && HeaderValue::from_bytes(value).is_ok(),
    }
}
