//! Reads frames (RFC 9113 §4.1) without the code that is fuzzed.

pub(super) const HEADER_LEN: usize = 9;
/// The length of a client's connection preface (RFC 9113 §3.4).
pub(super) const CLIENT_PREFACE_LEN: usize = 24;

pub(super) const DATA: u8 = 0x0;
pub(super) const HEADERS: u8 = 0x1;
pub(super) const RST_STREAM: u8 = 0x3;
pub(super) const SETTINGS: u8 = 0x4;
pub(super) const PUSH_PROMISE: u8 = 0x5;
pub(super) const WINDOW_UPDATE: u8 = 0x8;
pub(super) const CONTINUATION: u8 = 0x9;
/// RFC 8336 §2.1.
pub(super) const ORIGIN: u8 = 0xc;

pub(super) const END_HEADERS: u8 = 0x4;
/// RFC 9113 §6.2.
const PADDED: u8 = 0x8;
const PRIORITY_FIELDS: u8 = 0x20;
/// How long these fields are.
const PRIORITY_LEN: usize = 5;

/// A frame of a connection, with all its octets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream_id: u32,
    pub(super) bytes: Vec<u8>,
}

impl Frame {
    /// Returns the window that the frame grants to the connection (RFC 9113 §6.9).
    pub(super) fn grant(&self) -> Option<u64> {
        let payload: [u8; 4] = self.bytes.get(HEADER_LEN..)?.try_into().ok()?;
        let grants = self.kind == WINDOW_UPDATE && self.stream_id == 0;
        grants.then(|| u64::from(u32::from_be_bytes(payload) & (u32::MAX >> 1)))
    }
}

impl Frame {
    /// Returns the fragment of a header block in the frame; `None` if its type has none.
    pub(super) fn fragment(&self) -> Option<&[u8]> {
        let payload = self.bytes.get(HEADER_LEN..)?;
        if self.kind != HEADERS {
            return (self.kind == CONTINUATION).then_some(payload);
        }
        let (padding, payload) = match payload.split_first() {
            Some((padding, payload)) if self.flags & PADDED != 0 => {
                (usize::from(*padding), payload)
            }
            _ => (0, payload),
        };
        let payload = payload.get(..payload.len().checked_sub(padding)?)?;
        let start = if self.flags & PRIORITY_FIELDS == 0 { 0 } else { PRIORITY_LEN };
        payload.get(start..)
    }
}

/// Returns the complete frames at the start of `bytes`, and the rest.
pub(super) fn frames(mut bytes: &[u8]) -> (Vec<Frame>, &[u8]) {
    let mut frames = Vec::new();
    while let [l0, l1, l2, kind, flags, s0, s1, s2, s3, ..] = *bytes {
        let len = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let Some((whole, after)) = bytes.split_at_checked(HEADER_LEN + len) else { break };
        let stream_id = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
        frames.push(Frame { kind, flags, stream_id, bytes: whole.to_vec() });
        bytes = after;
    }
    (frames, bytes)
}
