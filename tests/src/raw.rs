//! A client that sends raw frames over TLS and counts the flow-control window granted to it. It
//! panics if the server breaks HTTP/2.
#![allow(clippy::missing_panics_doc, reason = "the module's documentation names them")]

mod frames;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};

use crate::{Server, World, tls};

pub use frames::*;

/// The initial size of every window (RFC 9113 §6.9.2), and the largest size (§6.9.1).
const WINDOW: u32 = 65_535;
const WINDOW_MAX: u32 = (1 << 31) - 1;

/// The longest wait for the server's next bytes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A frame that the server sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    /// The frame type.
    pub kind: u8,
    /// The flags.
    pub flags: u8,
    /// The stream identifier.
    pub stream: u32,
    /// The payload.
    pub payload: Vec<u8>,
}

/// The frames received on one stream, put together.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Answer {
    /// The status of the response.
    pub status: Option<u16>,
    /// The content received so far.
    pub content: Vec<u8>,
    /// True if the response is complete.
    pub ended: bool,
    /// The error code of the reset.
    pub reset: Option<u32>,
}

/// A client that sends raw frames.
pub struct Raw {
    tls: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    decoder: loona_hpack::Decoder<'static>,
    /// The answers by stream that no call has taken yet.
    pub answers: BTreeMap<u32, Answer>,
    /// The identifier of the next stream.
    next: u32,
    /// The window left for sending: on the connection, on a new stream, and on each stream that has
    /// sent content.
    window: i64,
    initial: i64,
    windows: BTreeMap<u32, i64>,
    /// The error code of the server's GOAWAY.
    pub gone: Option<u32>,
    /// True if the client acknowledges each PING (RFC 9113 §6.7).
    pub answers_pings: bool,
}

impl Raw {
    /// Connects with HTTP/2 negotiated under this server name, and sends no preface.
    ///
    /// # Panics
    /// If the server does not complete the handshake.
    pub fn silent(world: &World, server: &Server, server_name: &str) -> Self {
        let config = tls::config(world, tls::BOTH, None);
        let socket = server.connect();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self::over(tls::open(config, server_name, socket))
    }

    /// Makes a client from an open TLS connection.
    pub fn over(tls: StreamOwned<ClientConnection, TcpStream>) -> Self {
        Self {
            tls: BufReader::new(tls),
            decoder: loona_hpack::Decoder::new(),
            answers: BTreeMap::new(),
            next: 1,
            window: i64::from(WINDOW),
            initial: i64::from(WINDOW),
            windows: BTreeMap::new(),
            gone: None,
            answers_pings: true,
        }
    }

    /// Connects, sends the preface and grants the largest windows.
    ///
    /// # Panics
    /// If the server does not complete the handshake.
    pub fn connect(world: &World, server: &Server, server_name: &str) -> Self {
        let mut raw = Self::silent(world, server, server_name);
        raw.begin(&[(INITIAL_WINDOW_SIZE, WINDOW_MAX)]);
        raw.send(&window_update(0, WINDOW_MAX - WINDOW));
        raw.settle();
        raw
    }

    /// Sends the preface and these settings.
    pub fn begin(&mut self, own: &[(u16, u32)]) {
        self.send(&[PREFACE, &settings(own)].concat());
    }

    /// Sends these bytes, unless the server has closed the connection.
    pub fn send(&mut self, bytes: &[u8]) {
        // The server's last frames name the reason, and the client reads them later.
        let _ = self.try_send(bytes);
    }

    /// Sends these bytes.
    ///
    /// # Errors
    /// The transport's errors.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tls.get_mut().write_all(bytes)?;
        self.tls.get_mut().flush()
    }

    /// Returns the TCP socket below TLS.
    pub fn socket(&self) -> &TcpStream {
        self.tls.get_ref().get_ref()
    }

    /// Closes the sending direction: of TLS and TCP, or of TCP alone.
    pub fn shut(&mut self, close_notify: bool) {
        if close_notify {
            let tls = self.tls.get_mut();
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
        // Fails if the server has closed the connection.
        let _ = self.socket().shutdown(std::net::Shutdown::Write);
    }

    /// Returns the identifier of a new stream.
    pub fn stream(&mut self) -> u32 {
        self.next += 2;
        self.next - 2
    }

    /// Reads and processes the next frame; `None` once the server has closed the connection.
    pub fn frame(&mut self) -> Option<Frame> {
        let mut header = [0; 9];
        self.take(&mut header)?;
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = header;
        let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
        self.take(&mut payload)?;
        let frame = Frame { kind, flags, stream: u32::from_be_bytes([s0, s1, s2, s3]), payload };
        self.account(&frame);
        Some(frame)
    }

    /// Reads the next bytes; `None` if the connection ends before.
    fn take(&mut self, octets: &mut [u8]) -> Option<()> {
        // The end may be a close_notify, a TCP FIN without one, or a TCP reset.
        self.tls
            .read_exact(octets)
            .map_err(|error| {
                let kind = error.kind();
                assert_ne!(kind, io::ErrorKind::WouldBlock, "the server sends no more bytes");
            })
            .ok()
    }

    fn account(&mut self, frame: &Frame) {
        let word = |at: usize| {
            u32::from_be_bytes(frame.payload[at..at + 4].try_into().expect("four octets"))
        };
        match frame.kind {
            SETTINGS if frame.flags & ACK == 0 => {
                let mut settings = frame.payload.chunks_exact(6);
                let window = settings.find(|setting| setting[..2] == [0, 4]);
                self.initial = window.map_or(self.initial, |it| {
                    i64::from(u32::from_be_bytes(it[2..].try_into().expect("four octets")))
                });
                self.send(&self::frame(SETTINGS, ACK, 0, &[]));
            }
            PING if frame.flags & ACK == 0 && self.answers_pings => {
                self.send(&self::frame(PING, ACK, 0, &frame.payload));
            }
            WINDOW_UPDATE if frame.stream == 0 => self.window += i64::from(word(0)),
            WINDOW_UPDATE => {
                *self.windows.entry(frame.stream).or_insert(self.initial) += i64::from(word(0));
            }
            GOAWAY => self.gone = Some(word(4)),
            HEADERS => {
                assert!(frame.flags & END_HEADERS != 0, "the answer fits in one HEADERS frame");
                let status = self.status(&frame.payload);
                let answer = self.answers.entry(frame.stream).or_default();
                answer.status = answer.status.or(status);
                answer.ended |= frame.flags & END_STREAM != 0;
            }
            DATA => {
                let answer = self.answers.entry(frame.stream).or_default();
                answer.content.extend_from_slice(&frame.payload);
                answer.ended |= frame.flags & END_STREAM != 0;
            }
            // Keep the first error code: a later reset answers frames that crossed the first.
            RST_STREAM => {
                self.answers.entry(frame.stream).or_default().reset.get_or_insert(word(0));
            }
            _ => {}
        }
    }

    /// Returns the status of a response with this header block.
    fn status(&mut self, block: &[u8]) -> Option<u16> {
        let number = |octets: &[u8]| std::str::from_utf8(octets).ok()?.parse().ok();
        // The status is a literal that enters no table, like all other fields of such a block.
        if let Some(status) = block.strip_prefix(&[0x08, 0x03]) {
            return number(status.get(..3)?);
        }
        let fields = self.decoder.decode(block).expect("a header block");
        number(&fields.iter().find(|(name, _)| name == b":status")?.1)
    }

    /// Reads frames until `done` returns true or the connection ends.
    pub fn until(&mut self, mut done: impl FnMut(&Self) -> bool) {
        while !done(self) && self.frame().is_some() {}
    }

    /// Reads until a stream ends, and returns its answer.
    pub fn answer(&mut self, stream: u32) -> Answer {
        self.until(|raw| raw.answers.get(&stream).is_some_and(|it| it.ended || it.reset.is_some()));
        self.answers.remove(&stream).unwrap_or_default()
    }

    /// Sends a `GET` of `/` on a new stream and returns the answer.
    pub fn ask(&mut self, host: &str) -> Answer {
        let stream = self.stream();
        self.send(&get(stream, host));
        self.answer(stream)
    }

    /// Reads all frames that the server has ready, up to the answer of a PING or the end. Pings
    /// twice, because `h2` sends the first acknowledgement ahead of other frames.
    pub fn settle(&mut self) {
        for payload in [b"settle 1", b"settle 2"] {
            self.send(&frame(PING, 0, 0, payload));
            while let Some(frame) = self.frame() {
                if frame.kind == PING && frame.payload == payload {
                    break;
                }
            }
        }
    }

    /// Reads to the end of the connection; returns the error code of the server's GOAWAY, if any.
    pub fn end(&mut self) -> Option<u32> {
        self.until(|_| false);
        self.gone
    }

    /// Sends content on a stream as the windows allow, in frames of at most `len` bytes.
    pub fn upload(&mut self, stream: u32, content: usize, len: usize, end: bool) {
        let mut left = content;
        while left > 0 {
            let piece = left.min(len);
            let octets = i64::try_from(piece).unwrap();
            self.until(|raw| raw.window >= octets && raw.window_of(stream) >= octets);
            *self.windows.entry(stream).or_insert(self.initial) -= octets;
            self.send_data(stream, piece, end && left == piece);
            left -= piece;
        }
    }

    /// Sends one frame of content as the connection's window allows. The stream may be closed.
    pub fn send_data(&mut self, stream: u32, len: usize, end: bool) {
        let octets = i64::try_from(len).unwrap();
        self.until(|raw| raw.window >= octets);
        self.window -= octets;
        self.send(&frame(DATA, if end { END_STREAM } else { 0 }, stream, &vec![b'x'; len]));
    }

    fn window_of(&self, stream: u32) -> i64 {
        self.windows.get(&stream).copied().unwrap_or(self.initial)
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raw").field("next", &self.next).finish_non_exhaustive()
    }
}
