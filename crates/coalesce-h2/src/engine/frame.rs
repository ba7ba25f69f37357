//! Frames (RFC 9113 §4.1) and the header blocks they carry (§6.2, §6.10).

use std::ops::Range;

/// The length of a frame header.
pub(crate) const HEADER_LEN: usize = 9;

/// The position of the flags in a frame header.
const FLAGS_AT: usize = 4;
/// The position of the stream identifier in a frame header.
const STREAM_AT: usize = 5;

/// The length of the payload of `RST_STREAM` (RFC 9113 §6.4) and of `WINDOW_UPDATE` (§6.9).
pub(super) const WORD_LEN: usize = 4;

/// The longest payload that every peer accepts (RFC 9113 §4.2), and that `h2` accepts by default.
pub(crate) const PAYLOAD_LEN_MAX: usize = 16_384;

/// The length of one setting (RFC 9113 §6.5.1).
pub(crate) const SETTING_LEN: usize = 6;

/// DATA, RFC 9113 §6.1.
pub(crate) const DATA: u8 = 0x0;
/// HEADERS, RFC 9113 §6.2.
pub(crate) const HEADERS: u8 = 0x1;
/// `RST_STREAM`, RFC 9113 §6.4.
pub(super) const RST_STREAM: u8 = 0x3;
/// SETTINGS, RFC 9113 §6.5.
pub(crate) const SETTINGS: u8 = 0x4;
/// `PUSH_PROMISE`, RFC 9113 §6.6.
pub(super) const PUSH_PROMISE: u8 = 0x5;
/// GOAWAY, RFC 9113 §6.8.
#[cfg(feature = "client")]
pub(crate) const GOAWAY: u8 = 0x7;
/// `WINDOW_UPDATE`, RFC 9113 §6.9.
pub(super) const WINDOW_UPDATE: u8 = 0x8;
/// CONTINUATION, RFC 9113 §6.10.
pub(super) const CONTINUATION: u8 = 0x9;

/// The flag of SETTINGS that acknowledges.
pub(crate) const ACK: u8 = 0x1;
/// The flag of the last frame of a stream.
pub(crate) const END_STREAM: u8 = 0x1;
/// The flag of the last frame of a header block.
pub(crate) const END_HEADERS: u8 = 0x4;
/// The flag of HEADERS with padding.
pub(super) const PADDED: u8 = 0x8;
/// The flag of HEADERS with a stream dependency.
pub(super) const PRIORITY: u8 = 0x20;

/// A frame header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameHeader {
    pub(crate) payload_len: usize,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream_id: u32,
}

impl FrameHeader {
    /// Reads the header at `at`; `None` if it is incomplete.
    #[inline]
    pub(crate) fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let &[l0, l1, l2, kind, flags, s0, s1, s2, s3] = bytes.get(at..)?.first_chunk()?;
        Some(Self {
            payload_len: u32::from_be_bytes([0, l0, l1, l2]) as usize,
            kind,
            flags,
            // The first bit is reserved and ignored (RFC 9113 §4.1).
            stream_id: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
        })
    }

    /// Returns the length of header and payload.
    pub(crate) fn len(&self) -> usize {
        HEADER_LEN + self.payload_len
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Returns true if this frame is the last one of its stream.
    pub(super) fn ends_stream(&self) -> bool {
        self.has(END_STREAM)
    }

    /// Returns true if this frame ends its header block.
    pub(super) fn ends_headers(&self) -> bool {
        self.has(END_HEADERS)
    }

    /// Returns the bytes of flow-control window that the frame uses (RFC 9113 §6.9.1).
    pub(super) fn content_len(&self) -> usize {
        if self.kind == DATA { self.payload_len } else { 0 }
    }

    /// Returns true if CONTINUATION must follow (RFC 9113 §4.3).
    pub(super) fn leaves_block_open(&self) -> bool {
        matches!(self.kind, HEADERS | PUSH_PROMISE | CONTINUATION) && !self.ends_headers()
    }
}

/// The reason why a frame of a header block carries no fragment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Error {
    /// The padding or the priority fields exceed the payload; `h2` ends the connection.
    Overrun,
    /// The stream depends on itself, so `h2` loses sync with the client:
    /// `headers_that_depend_on_their_own_stream_are_reset_without_decoding`.
    SelfDependency,
}

/// Appends a frame header. The caller fills in a length or a stream that it does not know yet.
pub(crate) fn push_header(payload_len: usize, kind: u8, flags: u8, out: &mut Vec<u8>) {
    let [.., l0, l1, l2] = payload_len.to_be_bytes();
    out.extend_from_slice(&[l0, l1, l2, kind, flags, 0, 0, 0, 0]);
}

/// Writes the stream of a frame into its header.
pub(crate) fn set_stream(stream_id: u32, frame: &mut [u8]) {
    if let Some(field) = frame.get_mut(STREAM_AT..).and_then(<[u8]>::first_chunk_mut) {
        *field = stream_id.to_be_bytes();
    }
}

/// Removes the `END_STREAM` flag of a frame.
pub(super) fn clear_end_stream(frame: &mut [u8]) {
    if let Some(flags) = frame.get_mut(FLAGS_AT) {
        *flags &= !END_STREAM;
    }
}

/// Returns the increment of a whole `WINDOW_UPDATE` frame; its first bit is reserved (RFC 9113
/// §6.9).
pub(super) fn increment(frame: &[u8]) -> Option<u32> {
    let field = frame.get(HEADER_LEN..)?.first_chunk()?;
    Some(u32::from_be_bytes(*field) & (u32::MAX >> 1))
}

/// Returns the range of the fragment in a whole HEADERS or CONTINUATION `frame`.
pub(super) fn fragment(header: &FrameHeader, frame: &[u8]) -> Result<Range<usize>, Error> {
    if header.kind != HEADERS || !(header.has(PADDED) || header.has(PRIORITY)) {
        return Ok(HEADER_LEN..header.len());
    }
    let mut start = HEADER_LEN;
    let mut padding = 0;
    if header.has(PADDED) {
        padding = usize::from(*frame.get(start).ok_or(Error::Overrun)?);
        start += 1;
    }
    if header.has(PRIORITY) {
        let priority = frame.get(start..).and_then(<[u8]>::first_chunk);
        let &[d0, d1, d2, d3, _weight] = priority.ok_or(Error::Overrun)?;
        // The first bit is the exclusive flag (RFC 9113 §6.2).
        if u32::from_be_bytes([d0 & 0x7f, d1, d2, d3]) == header.stream_id {
            return Err(Error::SelfDependency);
        }
        start += 5;
    }
    let end = header.len().checked_sub(padding).ok_or(Error::Overrun)?;
    if start > end { Err(Error::Overrun) } else { Ok(start..end) }
}

/// Iterates over the frames of one header block, each with the range of its fragment.
///
/// `bytes` must hold the frames whole; the iterator ends at the first incomplete one.
pub(super) fn fragments(
    bytes: &[u8],
) -> impl Iterator<Item = Result<(Range<usize>, Range<usize>), Error>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let header = FrameHeader::at(bytes, at)?;
        let whole = at..at + header.len();
        let found = fragment(&header, bytes.get(whole.clone())?);
        at = whole.end;
        Some(found.map(|inner| (whole.clone(), whole.start + inner.start..whole.start + inner.end)))
    })
}

/// Lays a block out into `out`: in one frame if it fits, otherwise in the frames of the original.
///
/// The first frame keeps its flags, its padding and its priority fields. Each of several frames
/// gets at most the bytes that it had. So neither the number of frames nor the block grows, and the
/// limits of `h2` on either hold.
pub(super) fn lay_out(original: &[u8], block: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    let mut rest = block;
    for item in fragments(original) {
        let (whole, inner) = item.ok()?;
        let around = whole.len() - HEADER_LEN - inner.len();
        let fits = out.is_empty() && around + rest.len() <= PAYLOAD_LEN_MAX;
        let part_len = if fits { rest.len() } else { inner.len().min(rest.len()) };
        let (part, later) = rest.split_at(part_len);
        let [.., l0, l1, l2] = u32::try_from(around + part.len()).ok()?.to_be_bytes();
        let &[kind, flags, ..] = original.get(whole.start + 3..)?.first_chunk::<2>()?;
        let flags = if fits { flags | END_HEADERS } else { flags };
        out.extend_from_slice(&[l0, l1, l2, kind, flags]);
        out.extend_from_slice(original.get(whole.start + STREAM_AT..inner.start)?);
        out.extend_from_slice(part);
        out.extend_from_slice(original.get(inner.end..whole.end)?);
        rest = later;
        if fits {
            break;
        }
    }
    rest.is_empty().then_some(())
}
