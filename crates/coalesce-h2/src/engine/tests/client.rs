//! Makes the bytes of a client frame by frame, and decodes them to header lists.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::frame::{
    CONTINUATION, END_HEADERS, FrameHeader, HEADER_LEN, HEADERS, PADDED, PRIORITY, SETTINGS,
};
use super::encoder::{Encoder, Headers, Style};

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const END_STREAM: u8 = 0x1;

/// One frame.
pub(super) fn frame(kind: u8, flags: u8, stream_id: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut out = vec![len[1], len[2], len[3], kind, flags];
    out.extend_from_slice(&stream_id.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// The distribution of a header block over frames.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub(super) padding: Option<u8>,
    pub(super) priority: bool,
    /// The lengths of all fragments but the last.
    pub(super) cuts: Vec<usize>,
    pub(super) open: bool,
}

/// Any layout.
pub(super) fn layout() -> impl Strategy<Value = Layout> {
    let padding = prop_oneof![2 => Just(None), 1 => (0_u8..20).prop_map(Some)];
    let cuts = prop_oneof![2 => Just(Vec::new()), 1 => vec(0_usize..40, 1..4)];
    (padding, any::<bool>(), cuts, any::<bool>())
        .prop_map(|(padding, priority, cuts, open)| Layout { padding, priority, cuts, open })
}

/// The frames of one header block.
pub(super) fn block_frames(stream_id: u32, block: &[u8], layout: &Layout) -> Vec<u8> {
    let mut parts = Vec::new();
    let mut rest = block;
    for &cut in &layout.cuts {
        let (part, later) = rest.split_at(cut.min(rest.len()));
        parts.push(part);
        rest = later;
    }
    parts.push(rest);

    let mut out = Vec::new();
    for (nth, part) in parts.iter().enumerate() {
        let mut flags = if nth + 1 == parts.len() { END_HEADERS } else { 0 };
        if nth > 0 {
            out.extend(frame(CONTINUATION, flags, stream_id, part));
            continue;
        }
        flags |= if layout.open { 0 } else { END_STREAM };
        let mut payload = Vec::new();
        if let Some(padding) = layout.padding {
            flags |= PADDED;
            payload.push(padding);
        }
        if layout.priority {
            flags |= PRIORITY;
            payload.extend([0x80, 0, 0, 0, 15]);
        }
        payload.extend_from_slice(part);
        payload.resize(payload.len() + usize::from(layout.padding.unwrap_or(0)), 0);
        out.extend(frame(HEADERS, flags, stream_id, &payload));
    }
    out
}

/// A client that speaks in whole frames.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) bytes: Vec<u8>,
    pub(super) encoder: Encoder,
}

impl Default for Client {
    fn default() -> Self {
        let bytes = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
        Self { bytes, encoder: Encoder::default() }
    }
}

impl Client {
    /// A whole header block in one frame, all of it in one style.
    pub(super) fn headers(&mut self, stream_id: u32, headers: &Headers, style: Style) -> &mut Self {
        let block = self.encoder.block(headers, style);
        self.block(stream_id, &block)
    }

    /// A block that was encoded elsewhere, in one frame that ends the stream.
    pub(super) fn block(&mut self, stream_id: u32, block: &[u8]) -> &mut Self {
        self.bytes.extend(block_frames(stream_id, block, &Layout::default()));
        self
    }

    pub(super) fn frame(&mut self, frame: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(frame);
        self
    }
}

/// A frame as it is in the bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream_id: u32,
    pub(super) payload: Vec<u8>,
}

/// Parses frames; panics if the last one is incomplete.
pub(super) fn parse(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let header = FrameHeader::at(bytes, 0).unwrap();
        let FrameHeader { kind, flags, stream_id, .. } = header;
        let payload = bytes[HEADER_LEN..header.len()].to_vec();
        frames.push(Frame { kind, flags, stream_id, payload });
        bytes = &bytes[header.len()..];
    }
    frames
}

/// Decodes the header lists in the bytes of a client with an independent HPACK decoder.
pub(super) fn decode(bytes: &[u8]) -> Vec<(u32, Headers)> {
    let mut decoder = loona_hpack::Decoder::new();
    let mut block = Vec::new();
    let mut lists = Vec::new();
    for frame in parse(bytes.strip_prefix(PREFACE).unwrap()) {
        let mut payload = &*frame.payload;
        match frame.kind {
            HEADERS => {
                let mut padding = 0;
                if frame.flags & PADDED != 0 {
                    padding = usize::from(payload[0]);
                    payload = &payload[1..];
                }
                if frame.flags & PRIORITY != 0 {
                    payload = &payload[5..];
                }
                block = payload[..payload.len() - padding].to_vec();
            }
            CONTINUATION => block.extend_from_slice(payload),
            _ => continue,
        }
        if frame.flags & END_HEADERS != 0 {
            lists.push((frame.stream_id, reference(&mut decoder, &block)));
        }
    }
    lists
}

/// Decodes a block with an independent decoder.
pub(super) fn reference(decoder: &mut loona_hpack::Decoder<'_>, block: &[u8]) -> Headers {
    // That decoder refuses a block of size updates alone, so append a field.
    let mut list = decoder.decode(&[block, &[0x82]].concat()).unwrap();
    list.pop();
    list
}

/// Cuts bytes into pieces of the given lengths, cyclically.
pub(super) fn chunks<'a>(mut bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut out = Vec::new();
    for &length in lengths.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (chunk, rest) = bytes.split_at(length.clamp(1, bytes.len()));
        out.push(chunk);
        bytes = rest;
    }
    out
}
