//! HTTP/2 frames as bytes.
#![allow(clippy::missing_panics_doc, reason = "test frames are shorter than the longest frame")]

/// A frame type (RFC 9113 §6.1).
pub const DATA: u8 = 0x0;
/// A frame type (RFC 9113 §6.2).
pub const HEADERS: u8 = 0x1;
/// A frame type (RFC 9113 §6.4).
pub const RST_STREAM: u8 = 0x3;
/// A frame type (RFC 9113 §6.5).
pub const SETTINGS: u8 = 0x4;
/// A frame type (RFC 9113 §6.7).
pub const PING: u8 = 0x6;
/// A frame type (RFC 9113 §6.8).
pub const GOAWAY: u8 = 0x7;
/// A frame type (RFC 9113 §6.9).
pub const WINDOW_UPDATE: u8 = 0x8;
/// A frame type (RFC 9113 §6.10).
pub const CONTINUATION: u8 = 0x9;

/// A flag of SETTINGS and PING.
pub const ACK: u8 = 0x1;
/// A flag of DATA and HEADERS.
pub const END_STREAM: u8 = 0x1;
/// A flag of HEADERS and CONTINUATION.
pub const END_HEADERS: u8 = 0x4;

/// A setting (RFC 9113 §6.5.2).
pub const INITIAL_WINDOW_SIZE: u16 = 0x4;

/// An error code (RFC 9113 §7).
pub const NO_ERROR: u32 = 0x0;
/// An error code.
pub const PROTOCOL_ERROR: u32 = 0x1;
/// An error code.
pub const REFUSED_STREAM: u32 = 0x7;
/// An error code.
pub const CANCEL: u32 = 0x8;
/// An error code.
pub const ENHANCE_YOUR_CALM: u32 = 0xb;

/// The connection preface of a client (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Makes one frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Makes a SETTINGS frame.
pub fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let setting = |(id, value): &(u16, u32)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
    frame(SETTINGS, 0, 0, &settings.iter().flat_map(setting).collect::<Vec<u8>>())
}

/// Makes a `WINDOW_UPDATE` frame.
pub fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

/// Makes an `RST_STREAM` frame with CANCEL.
pub fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}

/// Makes a literal field without indexing, without Huffman coding (RFC 7541 §6.2.2).
pub fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&[0x00], &*string(name), &*string(value)].concat()
}

/// Makes a literal field without indexing whose name is in the static table.
fn named(name: u8, value: &[u8]) -> Vec<u8> {
    [&[name], &*string(value)].concat()
}

/// Makes a string without Huffman coding (RFC 7541 §5.2). Its length has a prefix of seven bits
/// (§5.1).
pub fn string(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + 4);
    let mut len = octets.len();
    if len < 0x7f {
        out.push(u8::try_from(len).unwrap());
    } else {
        out.push(0x7f);
        len -= 0x7f;
        while len >= 0x80 {
            out.push(u8::try_from(len % 0x80).unwrap() | 0x80);
            len /= 0x80;
        }
        out.push(u8::try_from(len).unwrap());
    }
    [&out, octets].concat()
}

/// Makes the fields of a request from static indices and literals that enter no table.
fn fields(method: u8, host: &str, path: &str) -> Vec<u8> {
    [&[method, 0x87], &*named(0x01, host.as_bytes()), &named(0x04, path.as_bytes())].concat()
}

/// Makes the header block of a `GET`.
pub fn get_fields(host: &str, path: &str) -> Vec<u8> {
    fields(0x82, host, path)
}

/// Makes the header block of a `POST` of `/`.
pub fn post_fields(host: &str) -> Vec<u8> {
    fields(0x83, host, "/")
}

/// Makes a `GET` of `/`.
pub fn get(stream: u32, host: &str) -> Vec<u8> {
    get_path(stream, host, "/")
}

/// Makes a complete `GET`.
pub fn get_path(stream: u32, host: &str, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &get_fields(host, path))
}

/// Makes the header block of a `POST`; its content follows.
pub fn post(stream: u32, host: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &post_fields(host))
}
