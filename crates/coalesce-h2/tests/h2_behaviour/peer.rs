//! A bare `h2` server over an in-memory pipe, and a client that sends raw frames. No test waits: it
//! sends bytes, polls the server until the server is idle, and reads the written frames.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(crate) const DATA: u8 = 0x0;
pub(crate) const HEADERS: u8 = 0x1;
pub(crate) const RST_STREAM: u8 = 0x3;
pub(crate) const SETTINGS: u8 = 0x4;
pub(crate) const PING: u8 = 0x6;
pub(crate) const GOAWAY: u8 = 0x7;
pub(crate) const WINDOW_UPDATE: u8 = 0x8;
pub(crate) const CONTINUATION: u8 = 0x9;

pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
pub(crate) const PADDED: u8 = 0x8;
pub(crate) const PRIORITY: u8 = 0x20;

pub(crate) const HEADER_TABLE_SIZE: u16 = 0x1;
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 0x4;
pub(crate) const ENABLE_CONNECT_PROTOCOL: u16 = 0x8;

/// The length of a frame header (RFC 9113 §4.1).
const HEADER_LEN: usize = 9;

/// One frame of the client.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A request without content.
pub(crate) fn request(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, block)
}

/// Makes a request whose content is still to come.
pub(crate) fn upload(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &post("a.test"))
}

pub(crate) fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &u32::from(Reason::CANCEL).to_be_bytes())
}

pub(crate) fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

pub(crate) fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let settings = settings
        .iter()
        .flat_map(|(setting, value)| setting.to_be_bytes().into_iter().chain(value.to_be_bytes()));
    frame(SETTINGS, 0, 0, &settings.collect::<Vec<_>>())
}

/// A literal that enters no table (RFC 7541 §6.2.2), without Huffman coding.
pub(crate) fn literal(name: &str, value: &[u8]) -> Vec<u8> {
    let string = |octets: &[u8]| {
        let octet = |length: usize| u8::try_from(length).unwrap();
        let length = match octets.len().checked_sub(0x7f) {
            None => vec![octet(octets.len())],
            // Two more octets are enough for these tests.
            Some(rest) => vec![0x7f, 0x80 | octet(rest % 0x80), octet(rest / 0x80)],
        };
        [length, octets.to_vec()].concat()
    };
    [&[0x00], &*string(name.as_bytes()), &*string(value)].concat()
}

/// Makes a literal that enters the dynamic table (RFC 7541 §6.2.1).
pub(crate) fn inserted(name: &str, value: &[u8]) -> Vec<u8> {
    let mut literal = literal(name, value);
    literal[0] = 0x40;
    literal
}

/// A block of literals that enter no table.
pub(crate) fn block(fields: &[(&str, &[u8])]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| literal(name, value)).collect()
}

/// `GET https://AUTHORITY/`.
pub(crate) fn get(authority: &[u8]) -> Vec<u8> {
    block(&[(":method", b"GET"), (":scheme", b"https"), (":authority", authority), (":path", b"/")])
}

/// `POST https://AUTHORITY/`.
pub(crate) fn post(authority: &str) -> Vec<u8> {
    let authority = authority.as_bytes();
    block(&[
        (":method", b"POST"),
        (":scheme", b"https"),
        (":authority", authority),
        (":path", b"/"),
    ])
}

/// A frame of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    fn word(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    /// The settings of a SETTINGS frame.
    pub(crate) fn settings(&self) -> Vec<(u16, u32)> {
        let settings = self.payload.chunks_exact(6);
        settings
            .map(|it| {
                let [i0, i1, v0, v1, v2, v3] = *it else { unreachable!() };
                (u16::from_be_bytes([i0, i1]), u32::from_be_bytes([v0, v1, v2, v3]))
            })
            .collect()
    }
}

/// Parses the whole frames in `bytes`, each with the position of its end.
pub(crate) fn parse(mut bytes: &[u8]) -> Vec<(Frame, usize)> {
    let (mut frames, mut end) = (Vec::new(), 0);
    while let Some((header, rest)) = bytes.split_at_checked(HEADER_LEN) {
        let &[l0, l1, l2, kind, flags, s0, s1, s2, s3] = header else { unreachable!() };
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        end += HEADER_LEN + length;
        let (stream, payload) = (u32::from_be_bytes([s0, s1, s2, s3]), payload.to_vec());
        frames.push((Frame { kind, flags, stream, payload }, end));
        bytes = rest;
    }
    frames
}

/// Questions about the frames that the server wrote.
pub(crate) trait Frames {
    /// Returns the error code with which a stream was reset.
    fn reset_of(&self, stream: u32) -> Option<Reason>;
    /// Returns the last stream and the error code of the last GOAWAY.
    fn goaway(&self) -> Option<(u32, Reason)>;
    /// Returns the sum of the windows granted to a stream, or to the connection.
    fn granted(&self, stream: u32) -> u32;
    /// Returns the content on a stream.
    fn content_of(&self, stream: u32) -> Vec<u8>;
    /// Returns true if a stream was answered.
    fn has_answer(&self, stream: u32) -> bool;
}

impl Frames for [Frame] {
    fn reset_of(&self, stream: u32) -> Option<Reason> {
        let reset = self.iter().find(|it| it.kind == RST_STREAM && it.stream == stream)?;
        Some(reset.word(0).into())
    }

    fn goaway(&self) -> Option<(u32, Reason)> {
        let goaway = self.iter().rfind(|it| it.kind == GOAWAY)?;
        Some((goaway.word(0), goaway.word(4).into()))
    }

    fn granted(&self, stream: u32) -> u32 {
        let grants = self.iter().filter(|it| it.kind == WINDOW_UPDATE && it.stream == stream);
        grants.map(|it| it.word(0)).sum()
    }

    fn content_of(&self, stream: u32) -> Vec<u8> {
        let data = self.iter().filter(|it| it.kind == DATA && it.stream == stream);
        data.flat_map(|it| it.payload.iter().copied()).collect()
    }

    fn has_answer(&self, stream: u32) -> bool {
        self.iter().any(|it| it.kind == HEADERS && it.stream == stream)
    }
}

/// The server's end of the pipe.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pipe(Arc<Mutex<Ends>>);

#[derive(Debug, Default)]
pub(crate) struct Ends {
    to_server: VecDeque<u8>,
    client_ended: bool,
    pub(crate) from_server: Vec<u8>,
    /// The number of bytes written before each flush.
    pub(crate) flushes: Vec<usize>,
    /// The most bytes of a single write, and only every other one takes any; `None` is no limit.
    pub(crate) narrow: Option<usize>,
    stalled: bool,
}

impl Pipe {
    pub(crate) fn ends(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().unwrap()
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut ends = self.ends();
        if ends.to_server.is_empty() && !ends.client_ended {
            return Poll::Pending;
        }
        let len = buf.remaining().min(ends.to_server.len());
        let bytes: Vec<u8> = ends.to_server.drain(..len).collect();
        buf.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut ends = self.ends();
        ends.stalled = !ends.stalled && ends.narrow.is_some();
        if ends.stalled {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let len = ends.narrow.unwrap_or(usize::MAX).min(bytes.len());
        ends.from_server.extend_from_slice(&bytes[..len]);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut ends = self.ends();
        let written = ends.from_server.len();
        ends.flushes.push(written);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A request that the server handed out.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) id: u32,
    pub(crate) request: Request<RecvStream>,
    pub(crate) respond: SendResponse<Bytes>,
}

/// The end of a connection: without an error, or with an error code if there is one.
pub(crate) type End = Result<(), Option<Reason>>;

/// The server, and the frames that its client read.
pub(crate) struct Server {
    pub(crate) pipe: Pipe,
    pub(crate) connection: Connection<Pipe, Bytes>,
    woken: Arc<Woken>,
    /// The number of frames that were read.
    read: usize,
    pub(crate) ended: Option<End>,
}

impl Server {
    /// Makes a server with the default settings of `h2`, after the handshake.
    pub(crate) fn new() -> Self {
        Self::with(&Builder::new(), &[])
    }

    /// Makes a server with these settings, whose client sends those.
    pub(crate) fn with(builder: &Builder, client: &[(u16, u32)]) -> Self {
        let pipe = Pipe::default();
        let woken = Arc::new(Woken::default());
        pipe.ends().to_server.extend(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        pipe.ends().to_server.extend(settings(client));
        let waker = Waker::from(Arc::clone(&woken));
        let mut handshake = pin!(builder.handshake::<_, Bytes>(pipe.clone()));
        let connection = loop {
            if let Poll::Ready(done) = handshake.as_mut().poll(&mut Context::from_waker(&waker)) {
                break done.expect("a preface and SETTINGS complete the handshake");
            }
        };
        let mut server = Self { pipe, connection, woken, read: 0, ended: None };
        assert_eq!(server.run().len(), 0);
        server
    }

    /// Sends bytes of the client, polls until the server is idle, and returns the accepted
    /// requests.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Vec<Accepted> {
        self.pipe.ends().to_server.extend(bytes);
        self.run()
    }

    /// Sends bytes, and polls for the first request.
    pub(crate) fn send_and_poll(&mut self, bytes: &[u8]) -> Accepted {
        self.pipe.ends().to_server.extend(bytes);
        self.poll().expect("a request")
    }

    /// Closes the client's sending direction.
    pub(crate) fn end(&mut self) {
        self.pipe.ends().client_ended = true;
        self.run();
    }

    /// Polls until the server is idle.
    pub(crate) fn run(&mut self) -> Vec<Accepted> {
        let mut accepted = Vec::new();
        loop {
            self.woken.0.store(false, Ordering::Relaxed);
            match self.poll() {
                Some(request) => accepted.push(request),
                None if self.woken.0.load(Ordering::Relaxed) && self.ended.is_none() => {}
                None => return accepted,
            }
        }
    }

    /// Polls for one request.
    pub(crate) fn poll(&mut self) -> Option<Accepted> {
        if self.ended.is_some() {
            return None;
        }
        let waker = Waker::from(Arc::clone(&self.woken));
        match self.connection.poll_accept(&mut Context::from_waker(&waker)) {
            Poll::Ready(Some(Ok((request, respond)))) => {
                let id = respond.stream_id().as_u32();
                return Some(Accepted { id, request, respond });
            }
            Poll::Ready(Some(Err(error))) => self.ended = Some(Err(error.reason())),
            Poll::Ready(None) => self.ended = Some(Ok(())),
            Poll::Pending => {}
        }
        None
    }

    /// Returns the frames that the server wrote since the last call.
    pub(crate) fn frames(&mut self) -> Vec<Frame> {
        let frames = parse(&self.pipe.ends().from_server);
        let new = frames[self.read..].iter().map(|(frame, _)| frame.clone()).collect();
        self.read = frames.len();
        new
    }

    /// Sends bytes, and returns the frames that the server wrote in answer.
    pub(crate) fn answer_to(&mut self, bytes: &[u8]) -> Vec<Frame> {
        self.frames();
        self.send(bytes);
        self.frames()
    }

    /// Asserts that the connection still serves requests.
    pub(crate) fn assert_alive(&mut self, stream: u32) {
        let ids: Vec<_> =
            self.send(&request(stream, &get(b"alive.test"))).iter().map(|it| it.id).collect();
        // Let `h2` reset the dropped request.
        self.run();
        assert_eq!((ids, self.ended), (vec![stream], None));
    }
}
