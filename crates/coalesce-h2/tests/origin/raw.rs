//! A client that reads raw frames.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

pub(crate) const HEADERS: u8 = 0x1;
pub(crate) const RST_STREAM: u8 = 0x3;
pub(crate) const SETTINGS: u8 = 0x4;
pub(crate) const PING: u8 = 0x6;
pub(crate) const GOAWAY: u8 = 0x7;
pub(crate) const CONTINUATION: u8 = 0x9;
pub(crate) const ORIGIN: u8 = 0xc;

pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;

#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Returns the entries of an ORIGIN frame (RFC 8336 §2.1).
    pub(crate) fn origins(&self) -> Vec<String> {
        assert_eq!((self.kind, self.flags, self.stream), (ORIGIN, 0, 0));
        assert!(self.payload.len() <= 16_384, "{} octets", self.payload.len());
        let (mut origins, mut rest) = (Vec::new(), &self.payload[..]);
        while !rest.is_empty() {
            let len = usize::from(rest[0]) << 8 | usize::from(rest[1]);
            origins.push(String::from_utf8(rest[2..2 + len].to_vec()).unwrap());
            rest = &rest[2 + len..];
        }
        origins
    }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The client, and all frames that it received.
pub(crate) struct Raw {
    io: DuplexStream,
    pub(crate) frames: Vec<Frame>,
    next_stream: u32,
    /// The stream of an unfinished header block.
    open: Option<u32>,
}

impl Raw {
    /// Makes a client that has sent its preface, SETTINGS and acknowledgement.
    pub(crate) async fn new(mut io: DuplexStream) -> Self {
        let settings = frame(SETTINGS, 0, 0, &[]);
        io.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &*settings].concat()).await.unwrap();
        Self { io, frames: Vec::new(), next_stream: 1, open: None }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
    }

    /// Reads the next frame; only CONTINUATION may come within a header block (RFC 9113 §4.3).
    pub(crate) async fn next(&mut self) -> Frame {
        let mut header = [0; 9];
        let read = async {
            self.io.read_exact(&mut header).await.unwrap();
            let [l0, l1, l2, kind, flags, stream @ ..] = header;
            let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
            self.io.read_exact(&mut payload).await.unwrap();
            Frame { kind, flags, stream: u32::from_be_bytes(stream), payload }
        };
        let frame =
            timeout(Duration::from_secs(30), read).await.expect("the server sends no more frames");
        if let Some(stream) = self.open {
            assert_eq!((frame.kind, frame.stream), (CONTINUATION, stream), "within a block");
        }
        if matches!(frame.kind, HEADERS | CONTINUATION) {
            self.open = (frame.flags & END_HEADERS == 0).then_some(frame.stream);
        }
        self.frames.push(frame.clone());
        frame
    }

    /// Requests a path of a host; returns the stream.
    pub(crate) async fn ask(&mut self, host: &str, path: &str) -> u32 {
        let literal = |name: u8, value: &str| {
            [&[name, u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
        };
        // GET, https; `:authority` and `:path` as literals (RFC 7541 §6.2.2).
        let block = [&[0x82, 0x87], &*literal(0x01, host), &literal(0x04, path)].concat();
        let stream = self.next_stream;
        self.next_stream += 2;
        self.send(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)).await;
        stream
    }

    /// Returns the first byte of the answer's header block, which encodes the status.
    pub(crate) async fn answer(&mut self, stream: u32) -> u8 {
        loop {
            let frame = self.next().await;
            assert!(frame.kind != RST_STREAM && frame.kind != GOAWAY, "{frame:?}");
            if frame.kind == HEADERS && frame.stream == stream {
                return frame.payload[0];
            }
        }
    }

    /// Reads all frames that the server has ready, up to the answer of the second PING. The first
    /// answer overtakes frames that the server makes when it reads the PING.
    pub(crate) async fn settle(&mut self) {
        for payload in [b"settle 1", b"settle 2"] {
            self.send(&frame(PING, 0, 0, payload)).await;
            loop {
                let frame = self.next().await;
                if frame.kind == PING && frame.flags == ACK && frame.payload == payload {
                    break;
                }
            }
        }
    }

    /// Returns the next announcement.
    pub(crate) async fn next_announced(&mut self) -> Vec<String> {
        loop {
            let frame = self.next().await;
            if frame.kind == ORIGIN {
                return frame.origins();
            }
        }
    }

    /// Reads the server's bytes until the server closes the connection.
    pub(crate) async fn end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let read = self.io.read_to_end(&mut rest);
        timeout(Duration::from_secs(30), read).await.expect("the connection ends").unwrap();
        rest
    }

    /// Returns the origins announced so far.
    pub(crate) fn announced(&self) -> Vec<String> {
        self.frames.iter().filter(|it| it.kind == ORIGIN).flat_map(Frame::origins).collect()
    }
}

/// `:status: 200` in the static table, as `h2` sends it (RFC 7541 Appendix A).
pub(crate) const STATUS_200: u8 = 0x88;
