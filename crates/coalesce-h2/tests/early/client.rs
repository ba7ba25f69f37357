//! A client that sends raw frames and counts every flow-control window.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, split};
use tokio::time::timeout;

pub(crate) const DATA: u8 = 0x0;
pub(crate) const HEADERS: u8 = 0x1;
pub(crate) const PRIORITY: u8 = 0x2;
pub(crate) const RST_STREAM: u8 = 0x3;
pub(crate) const SETTINGS: u8 = 0x4;
pub(crate) const PING: u8 = 0x6;
pub(crate) const GOAWAY: u8 = 0x7;
pub(crate) const WINDOW_UPDATE: u8 = 0x8;
pub(crate) const CONTINUATION: u8 = 0x9;

pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
pub(crate) const PRIORITY_FLAG: u8 = 0x20;

pub(crate) const HEADER_TABLE_SIZE: u16 = 0x1;
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 0x4;

/// The initial size of every window (RFC 9113 §6.9.2).
pub(crate) const WINDOW: u32 = 65_535;

/// Makes one frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Makes a request without content, in one frame.
pub(crate) fn request(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, block)
}

pub(crate) fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

pub(crate) fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])
}

/// Makes a literal without indexing, without Huffman coding (RFC 7541 §6.2.2).
pub(crate) fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let len = |octets: &[u8]| u8::try_from(octets.len()).ok().filter(|&len| len < 0x7f).unwrap();
    [&[0x00, len(name)], name, &[len(value)], value].concat()
}

/// Makes a literal without indexing whose name is in the static table.
pub(crate) fn indexed(name: u8, value: &[u8]) -> Vec<u8> {
    let [_, _, value @ ..] = &*literal(b"", value) else { unreachable!() };
    [&[name], value].concat()
}

/// Makes a `GET` of a path from static indices and literals that enter no table.
pub(crate) fn get_path(authority: &str, path: &str) -> Vec<u8> {
    let authority = indexed(0x01, authority.as_bytes());
    [&[0x82, 0x87], &*authority, &indexed(0x04, path.as_bytes())].concat()
}

pub(crate) fn get(authority: &str) -> Vec<u8> {
    get_path(authority, "/")
}

/// Returns the table size update at the start of a block (RFC 7541 §6.3), if any.
fn table_size(block: &[u8]) -> Option<u32> {
    let first = block[0] & 0x1f;
    if block[0] & 0xe0 != 0x20 || first < 0x1f {
        return (block[0] & 0xe0 == 0x20).then_some(first.into());
    }
    let octets = block[1..].iter().zip((0..).step_by(7));
    let len = block[1..].iter().position(|octet| octet & 0x80 == 0)? + 1;
    Some(0x1f + octets.take(len).map(|(octet, bits)| u32::from(octet & 0x7f) << bits).sum::<u32>())
}

/// A frame that the server sent.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// The frames received on one stream, put together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// The first header block, in the bytes of the wire.
    pub(crate) block: Vec<u8>,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) content: Vec<u8>,
    pub(crate) ended: bool,
    pub(crate) reset: Option<u32>,
    window: i64,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.0 == name).map(|field| &*field.1)
    }

    pub(crate) fn status(&self) -> Option<&str> {
        self.field(":status")
    }

    /// Returns true if the transport wrote the answer: its `:status` is a literal without indexing,
    /// which `h2` never uses.
    pub(crate) fn is_early(&self) -> bool {
        self.block.starts_with(&[0x08, 0x03])
    }

    /// Returns the fields sorted, without the date, which must be there.
    pub(crate) fn undated(&self) -> Vec<(String, String)> {
        assert!(self.field("date").is_some(), "{self:?}");
        let mut fields = self.fields.clone();
        fields.retain(|field| field.0 != "date");
        fields.sort();
        fields
    }
}

/// A client that sends raw frames.
pub(crate) struct Raw {
    from: ReadHalf<DuplexStream>,
    to: WriteHalf<DuplexStream>,
    decoder: loona_hpack::Decoder<'static>,
    /// The window left for the server: on the connection, and on a new stream.
    pub(crate) window: i64,
    initial: i64,
    /// Settings that the server has not acknowledged.
    unacknowledged: VecDeque<Vec<(u16, u32)>>,
    /// The size of the server's table, and whether its next block must signal a smaller size.
    table_size: u32,
    shrinks: bool,
    pub(crate) answers: BTreeMap<u32, Answer>,
    /// An unfinished header block, with the flags of its HEADERS.
    open_block: Option<(u32, u8, Vec<u8>)>,
    /// PINGs of the server without an answer.
    pub(crate) pings: Vec<Vec<u8>>,
    /// The error code of the server's GOAWAY.
    pub(crate) gone: Option<u32>,
}

impl Raw {
    /// Makes a client that has sent its preface and these settings.
    pub(crate) async fn new(io: DuplexStream, settings: &[(u16, u32)]) -> Self {
        let (from, to) = split(io);
        let mut raw = Self {
            from,
            to,
            decoder: loona_hpack::Decoder::new(),
            window: i64::from(WINDOW),
            initial: i64::from(WINDOW),
            unacknowledged: VecDeque::new(),
            table_size: 4_096,
            shrinks: false,
            answers: BTreeMap::new(),
            open_block: None,
            pings: Vec::new(),
            gone: None,
        };
        let settings = raw.settings(settings);
        raw.send(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &*settings].concat()).await;
        raw
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // The server's last frames name the reason, and the client reads them later.
        let _ = self.to.write_all(bytes).await;
    }

    /// Closes the sending direction.
    pub(crate) async fn end(&mut self) {
        let _ = self.to.shutdown().await;
    }

    /// Makes a SETTINGS frame; the settings apply once the server acknowledges them.
    pub(crate) fn settings(&mut self, settings: &[(u16, u32)]) -> Vec<u8> {
        let mut payload = Vec::new();
        for &(setting, value) in settings {
            payload.extend_from_slice(&setting.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        self.unacknowledged.push_back(settings.to_vec());
        frame(SETTINGS, 0, 0, &payload)
    }

    /// Grants window to the connection, or to a stream with an answer.
    pub(crate) fn grant(&mut self, stream: u32, increment: u32) -> Vec<u8> {
        if stream == 0 {
            self.window += i64::from(increment);
        } else {
            let initial = self.initial;
            let answer = self.answers.entry(stream);
            answer.or_insert_with(|| Answer { window: initial, ..Answer::default() }).window +=
                i64::from(increment);
        }
        window_update(stream, increment)
    }

    /// Reads and processes the next frame; `None` once the server has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let read = timeout(Duration::from_secs(20), self.read());
        let frame = read.await.expect("the server sends no more bytes")?;
        self.account(&frame);
        Some(frame)
    }

    async fn read(&mut self) -> Option<Frame> {
        let mut header = [0; 9];
        self.from.read_exact(&mut header).await.ok()?;
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = header;
        let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
        self.from.read_exact(&mut payload).await.expect("the server stops within a frame");
        Some(Frame { kind, flags, stream: u32::from_be_bytes([s0, s1, s2, s3]), payload })
    }

    fn account(&mut self, frame: &Frame) {
        let Frame { kind, flags, stream, ref payload } = *frame;
        if let Some((of, ..)) = self.open_block {
            assert!(kind == CONTINUATION && stream == of, "{kind} within a header block");
        }
        let answer = self
            .answers
            .entry(stream)
            .or_insert_with(|| Answer { window: self.initial, ..Answer::default() });
        match kind {
            DATA => {
                let len = i64::try_from(payload.len()).unwrap();
                assert!(!answer.ended, "DATA after the end of stream {stream}");
                answer.window -= len;
                self.window -= len;
                assert!(answer.window >= 0, "stream {stream} has no window for {len} bytes");
                assert!(self.window >= 0, "the connection has no window for {len} bytes");
                answer.content.extend_from_slice(payload);
                answer.ended |= flags & END_STREAM != 0;
            }
            HEADERS => self.open_block = Some((stream, flags, payload.clone())),
            CONTINUATION => self.open_block.as_mut().unwrap().2.extend_from_slice(payload),
            RST_STREAM => answer.reset = Some(u32::from_be_bytes(payload[..].try_into().unwrap())),
            SETTINGS if flags & ACK != 0 => self.apply(),
            PING if flags & ACK == 0 => self.pings.push(payload.clone()),
            GOAWAY => self.gone = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap())),
            _ => {}
        }
        if matches!(kind, HEADERS | CONTINUATION) && flags & END_HEADERS != 0 {
            let (stream, flags, block) = self.open_block.take().unwrap();
            if let Some(size) = table_size(&block) {
                self.table_size = size;
                self.shrinks = false;
            }
            assert!(!self.shrinks, "the block does not signal the smaller table");
            let fields = self.decoder.decode(&block).expect("the block decodes");
            let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
            let answer = self.answers.get_mut(&stream).unwrap();
            answer.fields.extend(fields.into_iter().map(|(name, value)| (text(name), text(value))));
            answer.block = block;
            answer.ended |= flags & END_STREAM != 0;
        }
    }

    /// Applies settings at their acknowledgement (RFC 9113 §6.5.3).
    fn apply(&mut self) {
        for (setting, value) in self.unacknowledged.pop_front().expect("an ACK of nothing") {
            match setting {
                INITIAL_WINDOW_SIZE => {
                    let initial = i64::from(value);
                    for answer in self.answers.values_mut() {
                        answer.window += initial - self.initial;
                    }
                    self.initial = initial;
                }
                HEADER_TABLE_SIZE => {
                    self.shrinks |= value < self.table_size;
                    self.decoder.set_max_allowed_table_size(value as usize);
                }
                _ => {}
            }
        }
    }

    /// Reads frames until `done` returns true or the connection ends.
    pub(crate) async fn until(&mut self, mut done: impl FnMut(&Self) -> bool) {
        while !done(self) && self.next().await.is_some() {}
    }

    /// Reads until a stream ends.
    pub(crate) async fn answer(&mut self, stream: u32) -> Answer {
        let over = |answer: &Answer| answer.ended || answer.reset.is_some();
        self.until(|raw| raw.answers.get(&stream).is_some_and(over)).await;
        self.answers.get(&stream).cloned().unwrap_or_default()
    }

    /// Reads all frames that the server has ready, up to the answer of a PING or the end. Pings
    /// twice, because `h2` sends the first acknowledgement ahead of other frames.
    pub(crate) async fn settle(&mut self) {
        for payload in [b"settle 1", b"settle 2"] {
            self.send(&frame(PING, 0, 0, payload)).await;
            while let Some(frame) = self.next().await {
                if frame.kind == PING && frame.payload == payload {
                    break;
                }
            }
        }
    }

    /// Reads to the end of the connection, and returns the error code of the GOAWAY.
    pub(crate) async fn goaway(&mut self) -> u32 {
        self.until(|_| false).await;
        self.gone.expect("the connection ends without GOAWAY")
    }
}
