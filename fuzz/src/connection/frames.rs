//! Reads requests and answers from frames and header blocks, without code of the adapter.

use std::collections::BTreeMap;

use crate::model::{Method, Request};

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) const DATA: u8 = 0x0;
pub(super) const HEADERS: u8 = 0x1;
pub(super) const PRIORITY: u8 = 0x2;
pub(super) const RST_STREAM: u8 = 0x3;
pub(super) const SETTINGS: u8 = 0x4;
pub(super) const PUSH_PROMISE: u8 = 0x5;
pub(super) const PING: u8 = 0x6;
pub(super) const GOAWAY: u8 = 0x7;
pub(super) const WINDOW_UPDATE: u8 = 0x8;
pub(super) const CONTINUATION: u8 = 0x9;
/// RFC 8336 §2.
const ORIGIN: u8 = 0xc;

pub(super) const END_STREAM: u8 = 0x1;
pub(super) const ACK: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
pub(super) const PADDED: u8 = 0x8;
pub(super) const PRIORITIZED: u8 = 0x20;

pub(super) const HEADER_TABLE_SIZE: u16 = 0x1;
pub(super) const INITIAL_WINDOW_SIZE: u16 = 0x4;
pub(super) const MAX_FRAME_SIZE: u16 = 0x5;

/// The longest frame that every client accepts (RFC 9113 §4.2).
const FRAME_LEN_MAX: u32 = 16_384;

/// The initial size of both windows (RFC 9113 §6.9.2).
const WINDOW: u64 = 65_535;

/// A frame (RFC 9113 §4.1).
#[derive(Clone, Copy, Debug)]
struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'a [u8],
}

impl Frame<'_> {
    const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Returns the payload as a number, if it has exactly four octets.
    fn word(&self) -> Option<u32> {
        Some(u32::from_be_bytes(self.payload.try_into().ok()?))
    }

    /// Returns the settings (RFC 9113 §6.5.1).
    fn settings(&self) -> impl Iterator<Item = (u16, u32)> {
        self.payload.chunks_exact(6).map(|setting| {
            let [k0, k1, v @ ..] = setting else { unreachable!("chunks are exact") };
            let value = v.try_into().expect("four of six are left");
            (u16::from_be_bytes([*k0, *k1]), u32::from_be_bytes(value))
        })
    }

    /// Returns the header block fragment, without padding and priority (RFC 9113 §6.2).
    fn fragment(&self) -> Option<&[u8]> {
        let mut rest = self.payload;
        let mut padding = 0;
        if self.kind == HEADERS && self.has(PADDED) {
            let (len, after) = rest.split_first()?;
            (padding, rest) = (usize::from(*len), after);
        }
        if self.kind == HEADERS && self.has(PRIORITIZED) {
            rest = rest.get(5..)?;
        }
        rest.get(..rest.len().checked_sub(padding)?)
    }
}

/// Splits the octets of one side into frames. Returns the rest too.
fn frames(mut octets: &[u8]) -> (Vec<Frame<'_>>, &[u8]) {
    let mut frames = Vec::new();
    while let [l0, l1, l2, kind, flags, s0, s1, s2, s3, rest @ ..] = octets {
        let len = u32::from_be_bytes([0, *l0, *l1, *l2]) as usize;
        let Some((payload, after)) = rest.split_at_checked(len) else { break };
        let stream = u32::from_be_bytes([s0 & 0x7f, *s1, *s2, *s3]);
        frames.push(Frame { kind: *kind, flags: *flags, stream, payload });
        octets = after;
    }
    (frames, octets)
}

fn of_client(sent: &[u8]) -> Vec<Frame<'_>> {
    frames(sent.strip_prefix(PREFACE).unwrap_or_default()).0
}

/// Returns the longest frame that the client has announced to accept.
pub(super) fn frame_len_max(sent: &[u8]) -> usize {
    let frames = of_client(sent);
    let settings = frames.iter().filter(|frame| frame.kind == SETTINGS).flat_map(Frame::settings);
    let lens = settings.filter(|(id, _)| *id == MAX_FRAME_SIZE).map(|(_, value)| value);
    lens.fold(FRAME_LEN_MAX, u32::max) as usize
}

/// A request, read from its header block.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    /// Whether the request has all required fields (RFC 9113 §8.3.1).
    pub(super) whole: bool,
    pub(super) head: bool,
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn asked(fields: &Fields) -> Asked {
    let all = |name: &str| -> Vec<Vec<u8>> {
        let named = fields.iter().filter(|(other, _)| other == name.as_bytes());
        named.map(|(_, value)| value.clone()).collect()
    };
    let first = |name| all(name).into_iter().next();
    let method = first(":method").unwrap_or_default();
    let request = Request {
        authority: first(":authority"),
        hosts: all("host"),
        scheme: first(":scheme"),
        method: match (&*method, first(":protocol")) {
            (b"CONNECT", None) => Method::Connect,
            (b"CONNECT", Some(_)) => Method::ExtendedConnect,
            _ => Method::Ordinary,
        },
    };
    let named = request.authority.is_some() || !request.hosts.is_empty();
    let whole = named && request.scheme.is_some() && request.method == Method::Ordinary;
    Asked { request, whole, head: method == b"HEAD" }
}

/// The requests that opened each stream.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pub(super) streams: BTreeMap<u32, Asked>,
    /// Whether these are all requests. Reading stops where no connection could continue, and at
    /// header blocks that this reader does not understand.
    pub(super) all: bool,
}

pub(super) fn requests(sent: &[u8]) -> Requests {
    let mut requests = Requests::default();
    let mut decoder = loona_hpack::Decoder::new();
    let mut open: Option<(u32, Vec<u8>)> = None;
    for frame in of_client(sent) {
        let (stream, mut block) = match (frame.kind, open.take()) {
            (HEADERS, None) => (frame.stream, Vec::new()),
            (CONTINUATION, Some(open)) if open.0 == frame.stream => open,
            (HEADERS | CONTINUATION | PUSH_PROMISE, _) | (_, Some(_)) => return requests,
            (_, None) => continue,
        };
        let Some(fragment) = frame.fragment() else { return requests };
        block.extend_from_slice(fragment);
        if !frame.has(END_HEADERS) {
            open = Some((stream, block));
            continue;
        }
        let Ok(fields) = decoder.decode(&block) else { return requests };
        requests.streams.entry(stream).or_insert_with(|| asked(&fields));
    }
    requests.all = true;
    requests
}

/// The octets of window that a client has granted: to the connection, which is stream 0, and to
/// streams.
#[derive(Debug)]
pub(super) struct Windows(BTreeMap<u32, Window>);

/// The largest and the final window. An initial window that shrinks takes some back (RFC 9113
/// §6.9.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    initial_max: u64,
    initial: u64,
    granted: u64,
}

impl Window {
    const fn new(initial: u64) -> Self {
        Self { initial_max: initial, initial, granted: 0 }
    }

    pub(super) const fn most(&self) -> u64 {
        self.initial_max + self.granted
    }

    pub(super) const fn last(&self) -> u64 {
        self.initial + self.granted
    }
}

impl Windows {
    pub(super) fn for_stream(&self, stream: u32) -> Window {
        *self.0.get(&stream).unwrap_or(&Window::new(0))
    }
}

pub(super) fn windows(sent: &[u8]) -> Windows {
    let mut windows = BTreeMap::from([(0, Window::new(WINDOW))]);
    let mut initial = WINDOW;
    for frame in of_client(sent) {
        match frame.kind {
            HEADERS if frame.stream != 0 => {
                windows.entry(frame.stream).or_insert(Window::new(initial));
            }
            WINDOW_UPDATE => {
                let increment = frame.word().unwrap_or_default() & (u32::MAX >> 1);
                if let Some(window) = windows.get_mut(&frame.stream) {
                    window.granted += u64::from(increment);
                }
            }
            SETTINGS => {
                for (_, value) in frame.settings().filter(|(id, _)| *id == INITIAL_WINDOW_SIZE) {
                    initial = u64::from(value);
                    for (_, window) in windows.iter_mut().filter(|(stream, _)| **stream != 0) {
                        window.initial = initial;
                        window.initial_max = window.initial_max.max(initial);
                    }
                }
            }
            _ => {}
        }
    }
    Windows(windows)
}

/// The answer on one stream.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) fields: Vec<(String, String)>,
    pub(super) content: Vec<u8>,
    pub(super) ended: bool,
    pub(super) reset: Option<u32>,
}

impl Answer {
    pub(super) fn status(&self) -> Option<&str> {
        let status = self.fields.iter().find(|(name, _)| name == ":status");
        status.map(|(_, value)| &**value)
    }
}

/// All answers that a client received.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) streams: BTreeMap<u32, Answer>,
    pub(super) origins: Vec<String>,
    /// The error code of the last GOAWAY.
    pub(super) gone: Option<u32>,
}

impl Answers {
    /// Reads all octets written, and asserts the rules of a server: complete frames, header blocks
    /// in one piece, one header block for a stream, and nothing after its end.
    pub(super) fn read(written: &[u8], header_table_max: usize, frame_len_max: usize) -> Self {
        // The connection may have ended before the last frame was complete.
        let (frames, _) = frames(written);
        let mut answers = Self::default();
        let mut decoder = loona_hpack::Decoder::new();
        decoder.set_max_allowed_table_size(header_table_max);
        let mut open: Option<(u32, bool, Vec<u8>)> = None;
        for frame in &frames {
            assert!(frame.payload.len() <= frame_len_max, "a frame is too long for this client");
            let block = match (frame.kind, open.take()) {
                (HEADERS, None) => Some((frame.stream, frame.has(END_STREAM), Vec::new())),
                (CONTINUATION, Some(open)) if open.0 == frame.stream => Some(open),
                (kind, open) => {
                    assert!(open.is_none() && kind != CONTINUATION, "{kind} in a header block");
                    None
                }
            };
            let Some((stream, ends, mut block)) = block else {
                answers.take(frame);
                continue;
            };
            block.extend_from_slice(frame.fragment().expect("padding is in the frame"));
            if frame.has(END_HEADERS) {
                answers.fields(stream, ends, &decoder.decode(&block).expect("the block decodes"));
            } else {
                open = Some((stream, ends, block));
            }
        }
        answers
    }

    fn fields(&mut self, stream: u32, ends: bool, fields: &Fields) {
        let answer = self.streams.entry(stream).or_default();
        assert!(answer.fields.is_empty(), "stream {stream} is answered twice");
        assert!(answer.reset.is_none(), "stream {stream} is answered after its end");
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).expect("fields are ASCII");
        answer.fields = fields.iter().map(|(name, value)| (text(name), text(value))).collect();
        answer.ended = ends;
    }

    fn take(&mut self, frame: &Frame<'_>) {
        match frame.kind {
            DATA => {
                let answer = self.streams.entry(frame.stream).or_default();
                assert!(!answer.fields.is_empty(), "content before fields on {}", frame.stream);
                let over = answer.ended || answer.reset.is_some();
                assert!(!over, "content after the end of stream {}", frame.stream);
                answer.content.extend_from_slice(frame.payload);
                answer.ended = frame.has(END_STREAM);
            }
            RST_STREAM => {
                let code = frame.word().expect("an error has four octets");
                self.streams.entry(frame.stream).or_default().reset = Some(code);
            }
            GOAWAY => {
                let code = frame.payload.get(4..8).expect("an error has four octets");
                self.gone = Some(u32::from_be_bytes(code.try_into().expect("these are four")));
            }
            ORIGIN => self.origins(frame.payload),
            _ => {}
        }
    }

    /// RFC 8336 §2.1.
    fn origins(&mut self, mut payload: &[u8]) {
        while let [l0, l1, rest @ ..] = payload {
            let len = usize::from(u16::from_be_bytes([*l0, *l1]));
            let (origin, after) = rest.split_at_checked(len).expect("entries are whole");
            self.origins.push(String::from_utf8(origin.to_vec()).expect("origins are ASCII"));
            payload = after;
        }
        assert!(payload.is_empty(), "half an entry");
    }
}
