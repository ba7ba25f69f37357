//! One HTTP/2 connection as a client sees it, without IO: octets in, octets out.

use std::collections::BTreeMap;

use crate::wire::frame::{self, ErrorCode, Frame};
use crate::wire::hpack::{Encoder, Field};

/// What each window holds at first (RFC 9113 §6.9.2).
const WINDOW: i64 = 65_535;

/// The longest payload until the server says otherwise (RFC 9113 §6.5.2). The client never sends
/// longer DATA frames, whatever the server would take.
const FRAME_SIZE: usize = 16_384;

/// The client grants new window in steps of this size. Servers count small steps as abuse.
const WINDOW_STEP: u32 = 16_384;

/// How much of each answer's content is kept.
const CONTENT_KEPT: usize = 4096;

/// What came on one stream.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) status: Option<u16>,
    /// The field `x-vhost` of the answer.
    mark: Option<Vec<u8>>,
    content: Vec<u8>,
    ended: bool,
    pub(crate) reset: Option<ErrorCode>,
    /// What the client may still send on it.
    window: i64,
    /// What came and was not granted again.
    debt: u32,
    /// The octets of content that were sent.
    pub(crate) sent: usize,
}

impl Stream {
    /// True once nothing more comes.
    pub(crate) fn is_over(&self) -> bool {
        self.ended || self.reset.is_some()
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.is_over() || self.status.is_some()
    }

    /// True if the answer came to its end.
    pub(crate) fn is_whole(&self) -> bool {
        self.ended
    }

    /// Returns the virtual host that the answer names: in a field, or at the start of its content.
    pub(crate) fn virtual_host(&self) -> Option<String> {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        if let Some(mark) = &self.mark {
            return Some(text(mark));
        }
        let rest = self.content.strip_prefix(b"vhost=")?;
        let is_name = |octet: &&u8| octet.is_ascii_alphanumeric() || b"-._".contains(octet);
        let name: Vec<u8> = rest.iter().take_while(is_name).copied().collect();
        (!name.is_empty()).then(|| text(&name))
    }
}

/// A header block that is not whole yet.
#[derive(Debug)]
struct Block {
    stream: u32,
    ends_stream: bool,
    octets: Vec<u8>,
}

/// The state of a connection.
pub(crate) struct Exchange {
    streams: BTreeMap<u32, Stream>,
    next_stream: u32,
    window: i64,
    initial_window: i64,
    frame_size: usize,
    max_streams: Option<u32>,
    has_settings: bool,
    goaway: Option<ErrorCode>,
    /// The last stream that the server may process, once it says that it takes no more.
    last_stream: Option<u32>,
    pongs: usize,
    debt: u32,
    block: Option<Block>,
    encoder: Encoder,
    decoder: loona_hpack::Decoder<'static>,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

/// The server sent a header block that cannot be decoded.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Undecodable;

impl Exchange {
    /// Begins with the preface and the client's settings.
    pub(crate) fn new(huffman: bool) -> Self {
        let mut outgoing = frame::PREFACE.to_vec();
        frame::push_settings(&mut outgoing, &[(frame::ENABLE_PUSH, 0)]);
        Self {
            streams: BTreeMap::new(),
            next_stream: 1,
            window: WINDOW,
            initial_window: WINDOW,
            frame_size: FRAME_SIZE,
            max_streams: None,
            has_settings: false,
            goaway: None,
            last_stream: None,
            pongs: 0,
            debt: 0,
            block: None,
            encoder: Encoder::new(huffman),
            decoder: loona_hpack::Decoder::new(),
            incoming: Vec::new(),
            outgoing,
        }
    }

    /// Returns the octets to write.
    pub(crate) fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.outgoing
    }

    pub(crate) fn stream(&self, id: u32) -> Option<&Stream> {
        self.streams.get(&id)
    }

    /// Returns how many streams are not over, without those that the server does not process.
    pub(crate) fn open(&self) -> usize {
        let is_open =
            |(id, stream): &(&u32, &Stream)| !stream.is_over() && !self.is_unprocessed(Some(**id));
        self.streams.iter().filter(is_open).count()
    }

    pub(crate) fn all(&self, holds: impl Fn(&Stream) -> bool) -> bool {
        self.streams.values().all(holds)
    }

    pub(crate) fn has_settings(&self) -> bool {
        self.has_settings
    }

    /// Returns how many streams the server allows at a time.
    pub(crate) fn max_streams(&self) -> usize {
        self.max_streams.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX)
    }

    /// Returns the error code of the server's GOAWAY, the first one that names an error.
    pub(crate) fn goaway(&self) -> Option<ErrorCode> {
        self.goaway
    }

    /// True if the server ends the connection by GOAWAY, without an error.
    pub(crate) fn is_leaving(&self) -> bool {
        self.goaway == Some(ErrorCode::NO_ERROR)
    }

    /// True if the server said by GOAWAY that it does not process the request on a stream, or any
    /// request after it, so the client may send the request again (RFC 9113 §6.8).
    pub(crate) fn is_unprocessed(&self, id: Option<u32>) -> bool {
        self.last_stream.is_some_and(|last| id.is_none_or(|id| id > last))
    }

    pub(crate) fn pongs(&self) -> usize {
        self.pongs
    }

    /// Returns how much content the windows allow on a stream.
    pub(crate) fn room(&self, id: u32) -> usize {
        let stream = self.streams.get(&id).map_or(0, |stream| stream.window);
        usize::try_from(stream.min(self.window)).unwrap_or(0)
    }

    /// Sends a header block, in as many frames as it needs, and returns the number of its stream.
    pub(crate) fn request(&mut self, fields: &[Field], ends_stream: bool) -> u32 {
        let id = self.next_stream;
        self.next_stream += 2;
        let stream = Stream { window: self.initial_window, ..Stream::default() };
        self.streams.insert(id, stream);
        let block = self.encoder.encode(fields);
        let mut kind = frame::HEADERS;
        let mut flags = if ends_stream { frame::END_STREAM } else { 0 };
        let mut rest = block.as_slice();
        loop {
            let (piece, more) = rest.split_at(rest.len().min(self.frame_size));
            if more.is_empty() {
                flags |= frame::END_HEADERS;
            }
            frame::push(&mut self.outgoing, kind, flags, id, piece);
            if more.is_empty() {
                return id;
            }
            (kind, flags, rest) = (frame::CONTINUATION, 0, more);
        }
    }

    /// Sends content, whatever the windows allow.
    pub(crate) fn content(&mut self, id: u32, octets: usize, ends_stream: bool) {
        let mut left = octets;
        loop {
            let piece = left.min(FRAME_SIZE);
            left -= piece;
            let flags = if ends_stream && left == 0 { frame::END_STREAM } else { 0 };
            frame::push(&mut self.outgoing, frame::DATA, flags, id, &vec![b'x'; piece]);
            if left == 0 {
                break;
            }
        }
        let counted = i64::try_from(octets).unwrap_or(i64::MAX);
        self.window -= counted;
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.window -= counted;
            stream.sent += octets;
        }
    }

    pub(crate) fn ping(&mut self) {
        frame::push(&mut self.outgoing, frame::PING, 0, 0, b"the lab.");
    }

    pub(crate) fn goodbye(&mut self) {
        frame::push(&mut self.outgoing, frame::GOAWAY, 0, 0, &[0; 8]);
    }

    /// Takes what the server sent.
    pub(crate) fn receive(&mut self, octets: &[u8]) -> Result<(), Undecodable> {
        self.incoming.extend_from_slice(octets);
        while let Some(frame) = frame::take(&mut self.incoming) {
            self.frame(&frame)?;
        }
        Ok(())
    }

    fn frame(&mut self, frame: &Frame) -> Result<(), Undecodable> {
        let id = frame.stream;
        match frame.kind {
            frame::DATA => self.data(frame),
            frame::HEADERS | frame::CONTINUATION => return self.headers(frame),
            frame::RST_STREAM => {
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.reset = Some(ErrorCode(frame::number(&frame.payload, 0)));
                }
            }
            frame::SETTINGS if !frame.has(frame::ACK) => self.settings(&frame.payload),
            frame::PING if frame.has(frame::ACK) => self.pongs += 1,
            frame::PING => {
                frame::push(&mut self.outgoing, frame::PING, frame::ACK, 0, &frame.payload);
            }
            frame::GOAWAY => {
                let code = ErrorCode(frame::number(&frame.payload, 4));
                if self.goaway.is_none_or(|before| before == ErrorCode::NO_ERROR) {
                    self.goaway = Some(code);
                }
                self.last_stream = Some(frame::number(&frame.payload, 0) & (u32::MAX >> 1));
            }
            frame::WINDOW_UPDATE => {
                let step = i64::from(frame::number(&frame.payload, 0) & (u32::MAX >> 1));
                if id == 0 {
                    self.window += step;
                } else if let Some(stream) = self.streams.get_mut(&id) {
                    stream.window += step;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn data(&mut self, frame: &Frame) {
        let length = u32::try_from(frame.payload.len()).unwrap_or(u32::MAX);
        self.debt += length;
        if self.debt >= WINDOW_STEP {
            let step = std::mem::take(&mut self.debt);
            frame::push_window_update(&mut self.outgoing, 0, step);
        }
        let Some(stream) = self.streams.get_mut(&frame.stream) else { return };
        let room = CONTENT_KEPT.saturating_sub(stream.content.len());
        stream.content.extend(frame.content().iter().take(room));
        stream.ended |= frame.has(frame::END_STREAM);
        stream.debt += length;
        if stream.debt >= WINDOW_STEP && !stream.is_over() {
            let step = std::mem::take(&mut stream.debt);
            frame::push_window_update(&mut self.outgoing, frame.stream, step);
        }
    }

    fn settings(&mut self, payload: &[u8]) {
        self.has_settings = true;
        for setting in payload.chunks_exact(6) {
            let (id, value) = setting.split_at(2);
            let id = id.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
            let value = frame::number(value, 0);
            match id {
                frame::HEADER_TABLE_SIZE => self.encoder.set_limit(value),
                frame::MAX_CONCURRENT_STREAMS => self.max_streams = Some(value),
                frame::MAX_FRAME_SIZE => {
                    self.frame_size = usize::try_from(value).unwrap_or(FRAME_SIZE).max(1);
                }
                frame::INITIAL_WINDOW_SIZE => {
                    let change = i64::from(value) - self.initial_window;
                    self.initial_window += change;
                    self.streams.values_mut().for_each(|stream| stream.window += change);
                }
                _ => {}
            }
        }
        frame::push(&mut self.outgoing, frame::SETTINGS, frame::ACK, 0, &[]);
    }

    fn headers(&mut self, frame: &Frame) -> Result<(), Undecodable> {
        let ends_stream = frame.kind == frame::HEADERS && frame.has(frame::END_STREAM);
        let mut block = self.block.take().unwrap_or_else(|| Block {
            stream: frame.stream,
            ends_stream,
            octets: Vec::new(),
        });
        block.octets.extend_from_slice(frame.content());
        if !frame.has(frame::END_HEADERS) {
            self.block = Some(block);
            return Ok(());
        }
        // Even on an unknown stream, because the block changes the dynamic table.
        let fields = self.decoder.decode(&block.octets).map_err(|_| Undecodable)?;
        let Some(stream) = self.streams.get_mut(&block.stream) else { return Ok(()) };
        let value = |wanted: &[u8]| {
            fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_slice())
        };
        let status = value(b":status").and_then(|status| std::str::from_utf8(status).ok());
        // A status of 1xx is no answer yet (RFC 9110 §15.2), and trailers have none.
        if let Some(status) = status.and_then(|status| status.parse().ok())
            && (status >= 200 || block.ends_stream)
        {
            stream.status = Some(status);
            stream.mark = value(b"x-vhost").map(<[u8]>::to_vec);
        }
        stream.ended |= block.ends_stream;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str) -> Field {
        (name.into(), value.into())
    }

    fn answered(frames: &[(u8, u8, u32, &[u8])]) -> Exchange {
        let mut exchange = Exchange::new(false);
        exchange.request(&[field(":method", "GET")], true);
        let mut octets = Vec::new();
        for (kind, flags, stream, payload) in frames {
            frame::push(&mut octets, *kind, *flags, *stream, payload);
        }
        // Octet by octet, because a server may write so.
        for octet in octets {
            exchange.receive(&[octet]).unwrap();
        }
        exchange
    }

    const END: u8 = frame::END_STREAM;
    const WHOLE: u8 = frame::END_HEADERS;

    #[test]
    fn answer_over_several_frames_is_read() {
        let exchange = answered(&[
            (frame::HEADERS, WHOLE, 1, &[0x08, 3, b'1', b'0', b'3']),
            (frame::HEADERS, 0, 1, &[0x88]),
            (frame::CONTINUATION, WHOLE, 1, &[]),
            (frame::DATA, 0, 1, b"vhost="),
            (frame::DATA, END, 1, b"wild\nmore"),
        ]);
        let stream = exchange.stream(1).unwrap();
        assert_eq!((stream.status, stream.is_over()), (Some(200), true));
        assert_eq!(stream.virtual_host().as_deref(), Some("wild"));
        assert_eq!(exchange.open(), 0);
    }

    #[test]
    fn windows_follow_the_server_and_may_be_ignored() {
        let window = [[0, 4], [0, 0], [0, 10]].concat();
        let mut exchange = answered(&[(frame::SETTINGS, 0, 0, &window)]);
        assert!(exchange.has_settings());
        assert_eq!(exchange.room(1), 10);
        exchange.content(1, 30, false);
        assert_eq!(exchange.room(1), 0);
        assert_eq!(exchange.stream(1).unwrap().sent, 30);
        let mut update = Vec::new();
        frame::push_window_update(&mut update, 1, 25);
        exchange.receive(&update).unwrap();
        assert_eq!(exchange.room(1), 5);
    }

    #[test]
    fn goaway_with_an_error_outranks_one_without() {
        let first = [[0; 4], [0, 0, 0, 0]].concat();
        let second = [[0; 4], [0, 0, 0, 11]].concat();
        let exchange = answered(&[(frame::GOAWAY, 0, 0, &first), (frame::GOAWAY, 0, 0, &second)]);
        assert_eq!(exchange.goaway(), Some(ErrorCode(11)));
    }

    #[test]
    fn request_after_the_last_stream_is_unprocessed() {
        let all = [[0x7f, 0xff, 0xff, 0xff], [0; 4]].concat();
        let one = [[0, 0, 0, 1], [0; 4]].concat();
        let mut exchange = answered(&[(frame::GOAWAY, 0, 0, &all)]);
        assert!(exchange.is_unprocessed(None), "it was not sent");
        assert!(!exchange.is_unprocessed(Some(3)));
        let mut octets = Vec::new();
        frame::push(&mut octets, frame::GOAWAY, 0, 0, &one);
        exchange.receive(&octets).unwrap();
        assert!(!exchange.is_unprocessed(Some(1)) && exchange.is_unprocessed(Some(3)));
        assert!(exchange.is_leaving());
        exchange.request(&[field(":method", "GET")], true);
        assert_eq!(exchange.open(), 1, "the second request is not processed");
        assert!(!answered(&[]).is_unprocessed(None));
    }

    #[test]
    fn long_header_block_is_continued() {
        let mut exchange = Exchange::new(false);
        exchange.outgoing().clear();
        exchange.request(&[(vec![b'x'], vec![b'y'; 20_000])], true);
        let first = frame::take(exchange.outgoing()).unwrap();
        assert_eq!((first.kind, first.flags, first.payload.len()), (frame::HEADERS, END, 16_384));
        let second = frame::take(exchange.outgoing()).unwrap();
        assert_eq!((second.kind, second.flags), (frame::CONTINUATION, WHOLE));
        assert!(exchange.outgoing().is_empty());
    }

    #[test]
    fn undecodable_block_is_an_error() {
        let mut octets = Vec::new();
        frame::push(&mut octets, frame::HEADERS, WHOLE, 1, &[0xff, 0xff, 0xff]);
        assert_eq!(Exchange::new(false).receive(&octets), Err(Undecodable));
    }
}
