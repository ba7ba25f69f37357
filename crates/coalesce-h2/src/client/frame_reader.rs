//! Finds the frames to report in the bytes of a server.

use crate::engine::frame::{
    ACK, FrameHeader, GOAWAY, HEADER_LEN, PAYLOAD_LEN_MAX, SETTING_LEN, SETTINGS,
};
use crate::origin::ORIGIN;

/// `SETTINGS_MAX_CONCURRENT_STREAMS`, RFC 9113 §6.5.2.
const MAX_CONCURRENT_STREAMS: u16 = 0x3;
/// `SETTINGS_ENABLE_CONNECT_PROTOCOL`, RFC 8441 §3.
const ENABLE_CONNECT_PROTOCOL: u16 = 0x8;

/// The flags with which an ORIGIN frame must be ignored (RFC 8336 §2.1).
const ORIGIN_RESERVED_FLAGS: u8 = 0xf;

/// The settings of a server that concern a client which shares the connection.
///
/// # Examples
/// ```
/// use coalesce_h2::client::ServerSettings;
///
/// let initial = ServerSettings::default();
/// assert_eq!(initial.max_concurrent_streams(), None);
/// assert!(!initial.extended_connect());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerSettings {
    max_concurrent_streams: Option<u32>,
    extended_connect: bool,
}

impl ServerSettings {
    /// Returns the number of streams that the client may have open at a time (RFC 9113 §6.5.2).
    /// `None` if the server has set no limit.
    pub const fn max_concurrent_streams(&self) -> Option<u32> {
        self.max_concurrent_streams
    }

    /// Returns whether the server accepts extended `CONNECT` (RFC 8441 §3).
    pub const fn extended_connect(&self) -> bool {
        self.extended_connect
    }

    /// Applies the payload of a SETTINGS frame, which changes only the settings in it (RFC 9113
    /// §6.5.3).
    fn apply(&mut self, payload: &[u8]) {
        for setting in payload.chunks_exact(SETTING_LEN) {
            let &[i0, i1, v0, v1, v2, v3] = setting else { continue };
            let value = u32::from_be_bytes([v0, v1, v2, v3]);
            match u16::from_be_bytes([i0, i1]) {
                MAX_CONCURRENT_STREAMS => self.max_concurrent_streams = Some(value),
                ENABLE_CONNECT_PROTOCOL => self.extended_connect = value == 1,
                _ => {}
            }
        }
    }
}

/// A GOAWAY frame (RFC 9113 §6.8).
///
/// # Examples
/// ```
/// use coalesce_h2::client::GoAway;
///
/// /// Returns whether a request may be sent again on another connection, whatever its method is.
/// fn was_not_processed(goaway: &GoAway, stream: u32) -> bool {
///     stream > goaway.last_stream()
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoAway {
    last_stream: u32,
    error_code: u32,
}

impl GoAway {
    /// Returns the highest stream that the server has processed, or may have. It has not processed
    /// any higher stream of the client.
    pub const fn last_stream(&self) -> u32 {
        self.last_stream
    }

    /// Returns the error code (RFC 9113 §7); 0 for a graceful end.
    pub const fn error_code(&self) -> u32 {
        self.error_code
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let &[s0, s1, s2, s3, e0, e1, e2, e3] = payload.first_chunk()?;
        Some(Self {
            // The first bit is reserved.
            last_stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
            error_code: u32::from_be_bytes([e0, e1, e2, e3]),
        })
    }
}

/// A frame to report.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ServerFrame<'a> {
    /// All settings so far.
    Settings(ServerSettings),
    GoAway(GoAway),
    /// The payload of an ORIGIN frame.
    Origins(&'a [u8]),
}

/// The place of the reader in the bytes of the server.
#[derive(Debug)]
enum Place {
    /// In a frame header, whose first bytes were read.
    Header { bytes: [u8; HEADER_LEN], len: usize },
    /// In the payload of a frame to report.
    Payload { kind: u8, missing: usize },
    /// In the payload of another frame.
    Skipping { missing: usize },
    /// The bytes are not HTTP/2. The client's HTTP/2 implementation ends the connection.
    LostSync,
}

const NEXT_HEADER: Place = Place::Header { bytes: [0; HEADER_LEN], len: 0 };

/// Finds the frames to report, however reads divide the bytes.
///
/// # Allocation
/// Only for a payload to report that comes in several reads, at most [`PAYLOAD_LEN_MAX`] bytes.
#[derive(Debug)]
pub(super) struct FrameReader {
    place: Place,
    /// The first part of a payload to report.
    collected: Vec<u8>,
    /// False until the first frame, which must be SETTINGS (RFC 9113 §3.4).
    started: bool,
    settings: ServerSettings,
}

impl FrameReader {
    pub(super) const fn new() -> Self {
        let settings = ServerSettings { max_concurrent_streams: None, extended_connect: false };
        Self { place: NEXT_HEADER, collected: Vec::new(), started: false, settings }
    }

    /// Reads the next bytes of the server.
    pub(super) fn read(&mut self, mut bytes: &[u8], mut report: impl FnMut(ServerFrame<'_>)) {
        while !bytes.is_empty() {
            match &mut self.place {
                Place::LostSync => return,
                Place::Skipping { missing } => {
                    let (_, rest) = split(bytes, *missing);
                    *missing -= bytes.len() - rest.len();
                    if *missing == 0 {
                        self.place = NEXT_HEADER;
                    }
                    bytes = rest;
                }
                Place::Header { len, .. } => {
                    if *len == 0 && self.started {
                        bytes = self.skip_frames(bytes);
                    }
                    bytes = self.read_header(bytes, &mut report);
                }
                Place::Payload { kind, missing } => {
                    let (kind, whole) = (*kind, *missing);
                    let (part, rest) = split(bytes, whole);
                    *missing -= part.len();
                    let complete = *missing == 0;
                    bytes = rest;
                    if complete && self.collected.is_empty() {
                        self.place = NEXT_HEADER;
                        self.handle(kind, part, &mut report);
                    } else {
                        self.collected.extend_from_slice(part);
                        if complete {
                            self.place = NEXT_HEADER;
                            let collected = std::mem::take(&mut self.collected);
                            self.handle(kind, &collected, &mut report);
                        }
                    }
                }
            }
        }
    }

    /// Skips whole frames that are not reported: nearly all frames of a connection. Returns the
    /// rest, from a frame to report or an incomplete header on.
    fn skip_frames<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        while let Some(header) = FrameHeader::at(bytes, 0) {
            if matches!(header.kind, SETTINGS | GOAWAY | ORIGIN) {
                break;
            }
            let Some((_, rest)) = bytes.split_at_checked(header.len()) else {
                self.place = Place::Skipping { missing: header.len() - bytes.len() };
                return &[];
            };
            bytes = rest;
        }
        bytes
    }

    /// Reads the rest of a frame header, or a part of it. Returns the bytes after it.
    fn read_header<'a>(
        &mut self,
        bytes: &'a [u8],
        report: &mut impl FnMut(ServerFrame<'_>),
    ) -> &'a [u8] {
        let Place::Header { bytes: before, len } = &mut self.place else { return bytes };
        let (part, rest) = split(bytes, HEADER_LEN - *len);
        if let Some(space) = before.get_mut(*len..*len + part.len()) {
            space.copy_from_slice(part);
        }
        *len += part.len();
        if *len == HEADER_LEN
            && let Some(header) = FrameHeader::at(before, 0)
        {
            self.place = self.after(&header);
            if header.payload_len == 0 {
                // No byte follows that would complete the frame.
                self.complete(&header, report);
            }
        }
        rest
    }

    /// Returns the place after a frame header.
    fn after(&mut self, header: &FrameHeader) -> Place {
        let settings = header.kind == SETTINGS && header.flags & ACK == 0;
        if !std::mem::replace(&mut self.started, true) && !settings {
            return Place::LostSync;
        }
        let missing = header.payload_len;
        let reported = match header.kind {
            SETTINGS => settings,
            GOAWAY => true,
            ORIGIN => header.flags & ORIGIN_RESERVED_FLAGS == 0,
            _ => false,
        };
        // A longer frame is an error for the client's HTTP/2 implementation (RFC 9113 §4.2).
        if reported && header.stream_id == 0 && missing <= PAYLOAD_LEN_MAX {
            Place::Payload { kind: header.kind, missing }
        } else {
            Place::Skipping { missing }
        }
    }

    /// Handles a frame without payload.
    fn complete(&mut self, header: &FrameHeader, report: &mut impl FnMut(ServerFrame<'_>)) {
        if let Place::LostSync = self.place {
            return;
        }
        if let Place::Payload { .. } = std::mem::replace(&mut self.place, NEXT_HEADER) {
            self.handle(header.kind, &[], report);
        }
    }

    fn handle(&mut self, kind: u8, payload: &[u8], report: &mut impl FnMut(ServerFrame<'_>)) {
        match kind {
            SETTINGS => {
                self.settings.apply(payload);
                report(ServerFrame::Settings(self.settings));
            }
            GOAWAY => {
                if let Some(goaway) = GoAway::read(payload) {
                    report(ServerFrame::GoAway(goaway));
                }
            }
            _ => report(ServerFrame::Origins(payload)),
        }
    }
}

/// Splits after at most `len` bytes.
fn split(bytes: &[u8], len: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(len).unwrap_or((bytes, &[]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const END: GoAway = GoAway { last_stream: 5, error_code: 11 };

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    fn goaway() -> Vec<u8> {
        frame(GOAWAY, 0, 0, &[0x80, 0, 0, 5, 0, 0, 0, 11, b'd', b'e', b'b', b'u', b'g'])
    }

    /// A frame in the form of a test's expectation.
    fn owned(frame: &ServerFrame<'_>) -> String {
        format!("{frame:?}")
    }

    /// Reads `bytes` in pieces of `piece` bytes.
    fn reported(bytes: &[u8], piece: usize) -> Vec<String> {
        let mut reader = FrameReader::new();
        let mut found = Vec::new();
        for part in bytes.chunks(piece) {
            reader.read(part, |frame| found.push(owned(&frame)));
        }
        found
    }

    fn settings(max_concurrent_streams: Option<u32>, extended_connect: bool) -> String {
        let settings = ServerSettings { max_concurrent_streams, extended_connect };
        owned(&ServerFrame::Settings(settings))
    }

    #[test]
    fn frames_are_found_however_reads_divide_them() {
        let bytes = [
            frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9, 0, 4, 0, 0, 0, 1]),
            frame(SETTINGS, ACK, 0, &[]),
            frame(1, 4, 1, b"block"),
            frame(0, 0, 1, &[ORIGIN; 700]),
            frame(ORIGIN, 0, 0, b"\0\x05https"),
            frame(ORIGIN, 0, 0, b""),
            frame(SETTINGS, 0, 0, &[0, 8, 0, 0, 0, 1]),
            frame(SETTINGS, 0, 0, &[]),
            goaway(),
        ]
        .concat();
        let expected = [
            settings(Some(9), false),
            owned(&ServerFrame::Origins(b"\0\x05https")),
            owned(&ServerFrame::Origins(b"")),
            settings(Some(9), true),
            settings(Some(9), true),
            owned(&ServerFrame::GoAway(END)),
        ];
        for piece in [1, 2, 8, 9, 10, 64, bytes.len()] {
            assert_eq!(reported(&bytes, piece), expected, "{piece}");
        }
    }

    #[test]
    fn origin_frame_off_stream_0_or_with_reserved_flags_is_ignored() {
        for (flags, stream, count) in
            [(0, 0, 1), (0, 1, 0), (1, 0, 0), (2, 0, 0), (4, 0, 0), (8, 0, 0), (0x10, 0, 1)]
        {
            let bytes = [frame(SETTINGS, 0, 0, &[]), frame(ORIGIN, flags, stream, b"")].concat();
            assert_eq!(reported(&bytes, bytes.len()).len(), 1 + count, "{flags:#x} on {stream}");
        }
    }

    #[test]
    fn nothing_is_reported_if_the_first_frame_is_not_settings() {
        for first in [goaway(), frame(SETTINGS, ACK, 0, &[]), b"HTTP/1.1 400 Bad\r\n".to_vec()] {
            let bytes = [first, frame(SETTINGS, 0, 0, &[]), goaway()].concat();
            assert_eq!(reported(&bytes, 5), Vec::<String>::new());
        }
    }

    #[test]
    fn oversized_frame_is_skipped_by_its_length() {
        let long = vec![0; PAYLOAD_LEN_MAX + 1];
        let frames = [frame(SETTINGS, 0, 0, &[]), frame(ORIGIN, 0, 0, &long), goaway()];
        let expected = [settings(None, false), owned(&ServerFrame::GoAway(END))];
        assert_eq!(reported(&frames.concat(), 1_000), expected);
    }

    proptest! {
        #[test]
        fn any_bytes_give_the_same_reports_in_any_pieces(
            bytes in prop::collection::vec(any::<u8>(), 0..200), piece in 1_usize..20,
        ) {
            let bytes = [frame(SETTINGS, 0, 0, &[]), bytes].concat();
            prop_assert_eq!(reported(&bytes, piece), reported(&bytes, bytes.len()));
        }
    }
}
