//! Frames (RFC 9113 §4.1 and §6) and error codes (§7).

use std::fmt;

pub(crate) const DATA: u8 = 0x0;
pub(crate) const HEADERS: u8 = 0x1;
pub(crate) const RST_STREAM: u8 = 0x3;
pub(crate) const SETTINGS: u8 = 0x4;
pub(crate) const PING: u8 = 0x6;
pub(crate) const GOAWAY: u8 = 0x7;
pub(crate) const WINDOW_UPDATE: u8 = 0x8;
pub(crate) const CONTINUATION: u8 = 0x9;

/// Flag of SETTINGS and PING.
pub(crate) const ACK: u8 = 0x1;
/// Flag of DATA and HEADERS.
pub(crate) const END_STREAM: u8 = 0x1;
/// Flag of HEADERS and CONTINUATION.
pub(crate) const END_HEADERS: u8 = 0x4;
/// Flag of DATA and HEADERS.
pub(crate) const PADDED: u8 = 0x8;
/// Flag of HEADERS.
pub(crate) const PRIORITY: u8 = 0x20;

/// Settings (RFC 9113 §6.5.2).
pub(crate) const HEADER_TABLE_SIZE: u16 = 0x1;
pub(crate) const ENABLE_PUSH: u16 = 0x2;
pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 0x3;
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 0x4;
pub(crate) const MAX_FRAME_SIZE: u16 = 0x5;

/// What a client sends first (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The octets before a frame's payload.
const HEADER_LEN: usize = 9;

/// A frame that the server sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Returns the payload without padding and without a priority (RFC 9113 §6.1 and §6.2).
    pub(crate) fn content(&self) -> &[u8] {
        let mut content = self.payload.as_slice();
        if self.has(PADDED)
            && let Some((&padding, rest)) = content.split_first()
        {
            content = rest.get(..rest.len().saturating_sub(padding.into())).unwrap_or_default();
        }
        if self.kind == HEADERS && self.has(PRIORITY) {
            content = content.get(5..).unwrap_or_default();
        }
        content
    }
}

/// Takes the first whole frame from `bytes`.
pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Frame> {
    let (header, rest) = bytes.split_first_chunk::<HEADER_LEN>()?;
    let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *header;
    let length = usize::try_from(u32::from_be_bytes([0, l0, l1, l2])).ok()?;
    let payload = rest.get(..length)?.to_vec();
    bytes.drain(..HEADER_LEN + length);
    // The highest bit is reserved.
    let stream = u32::from_be_bytes([s0, s1, s2, s3]) & (u32::MAX >> 1);
    Some(Frame { kind, flags, stream, payload })
}

/// Appends a frame. A length beyond 24 bits loses its highest bits.
pub(crate) fn push(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let [_, length @ ..] = length.to_be_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Appends a SETTINGS frame.
pub(crate) fn push_settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    let setting = |(id, value): &(u16, u32)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
    push(out, SETTINGS, 0, 0, &settings.iter().flat_map(setting).collect::<Vec<u8>>());
}

/// Appends a `WINDOW_UPDATE` frame.
pub(crate) fn push_window_update(out: &mut Vec<u8>, stream: u32, increment: u32) {
    push(out, WINDOW_UPDATE, 0, stream, &increment.to_be_bytes());
}

/// Reads a number of 32 bits at `at`, or 0 where the payload is too short.
pub(crate) fn number(payload: &[u8], at: usize) -> u32 {
    let bytes = payload.get(at..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// An error code of `RST_STREAM` and GOAWAY (RFC 9113 §7).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ErrorCode(pub(crate) u32);

impl ErrorCode {
    pub(crate) const NO_ERROR: Self = Self(0);

    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];

    /// Returns the code of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let at = Self::NAMES.iter().position(|known| *known == name)?;
        u32::try_from(at).ok().map(Self)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = usize::try_from(self.0).ok().and_then(|at| Self::NAMES.get(at));
        match name {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_is_taken_once_it_is_whole() {
        let mut sent = Vec::new();
        push(&mut sent, DATA, END_STREAM | PADDED, 5, &[2, b'a', b'b', 0, 0]);
        let last = sent.pop().unwrap();
        assert_eq!(take(&mut sent), None);
        sent.push(last);
        let frame = take(&mut sent).unwrap();
        assert_eq!((frame.kind, frame.stream, frame.content()), (DATA, 5, &b"ab"[..]));
        assert!(sent.is_empty());
    }

    #[test]
    fn padding_longer_than_the_frame_leaves_no_content() {
        let frame = Frame { kind: DATA, flags: PADDED, stream: 1, payload: vec![9, 1] };
        assert_eq!(frame.content(), b"");
    }

    #[test]
    fn error_code_has_the_name_of_the_rfc() {
        assert_eq!(ErrorCode::from_name("CANCEL"), Some(ErrorCode(8)));
        assert_eq!(ErrorCode(1).to_string(), "PROTOCOL_ERROR");
        assert_eq!(ErrorCode(99).to_string(), "0x63");
    }
}
