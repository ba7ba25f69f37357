//! A nearly free client: it feeds prepared bytes to a server as fast as the server answers, so
//! measurements show the server's cost.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The version of HTTP that the client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.1: one request at a time on a kept-alive connection.
    Http1,
    /// HTTP/2: a hundred requests at a time.
    Http2,
}

/// The requests in flight at once on HTTP/2.
const BURST: u32 = 100;

/// A connection that makes a number of requests for one host and then closes.
#[derive(Debug)]
pub struct Client {
    protocol: Protocol,
    host: &'static str,
    left: u32,
    in_flight: u32,
    stream: u32,
    unread: Vec<u8>,
    read: usize,
    written: Written,
    waiting: Option<Waker>,
}

/// Counts the HTTP/2 frames that end a stream.
#[derive(Debug, Default)]
struct Written {
    header: Vec<u8>,
    skip: usize,
}

impl Client {
    /// Makes a client that sends `requests` for `host`.
    pub fn new(protocol: Protocol, host: &'static str, requests: u32) -> Self {
        let unread = match protocol {
            Protocol::Http1 => Vec::new(),
            Protocol::Http2 => preface(),
        };
        Self {
            protocol,
            host,
            left: requests,
            in_flight: 0,
            stream: 1,
            unread,
            read: 0,
            written: Written::default(),
            waiting: None,
        }
    }

    fn ask(&mut self) {
        match self.protocol {
            Protocol::Http1 => {
                let request = format!(
                    "GET /index.html HTTP/1.1\r\nHost: {}\r\nUser-Agent: curl/8.5.0\r\n\
                     Accept: */*\r\n\r\n",
                    self.host
                );
                self.unread.extend_from_slice(request.as_bytes());
            }
            Protocol::Http2 => {
                let block = header_block(self.host);
                // HEADERS with END_HEADERS and END_STREAM.
                frame(&mut self.unread, 1, 0x5, self.stream, &block);
                self.stream += 2;
            }
        }
        self.left -= 1;
        self.in_flight += 1;
    }

    fn answered(&mut self, bytes: &[u8]) {
        let ended = match self.protocol {
            // Each answer is one write, with head and content together.
            Protocol::Http1 => u32::from(!bytes.is_empty()),
            Protocol::Http2 => self.written.ended(bytes),
        };
        self.in_flight = self.in_flight.saturating_sub(ended);
        if self.in_flight == 0
            && let Some(waker) = self.waiting.take()
        {
            waker.wake();
        }
    }
}

impl Written {
    /// Returns the number of streams that `bytes` end.
    fn ended(&mut self, mut bytes: &[u8]) -> u32 {
        let mut ended = 0;
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let missing = (9 - self.header.len()).min(bytes.len());
            self.header.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            if let [high, middle, low, kind, flags, ..] = self.header[..]
                && self.header.len() == 9
            {
                self.skip = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                ended += u32::from(kind <= 1 && flags & 1 == 1);
                self.header.clear();
            }
        }
        ended
    }
}

/// Returns the preface, SETTINGS, and a connection window that is never used up.
fn preface() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut bytes, 4, 0, 0, &[]);
    frame(&mut bytes, 8, 0, 0, &0x7fff_0000_u32.to_be_bytes());
    bytes
}

fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    bytes.extend_from_slice(&length[1..]);
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
}

/// Encodes a header block (RFC 7541) without a dynamic table: GET, https, and literals.
fn header_block(host: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x87];
    // Literal fields without indexing, with names of the static table.
    for (name, value) in [(1, host), (4, "/index.html"), (58, "curl/8.5.0"), (19, "*/*")] {
        match name {
            0..=14 => block.push(name),
            _ => block.extend_from_slice(&[0x0f, name - 15]),
        }
        block.push(u8::try_from(value.len()).unwrap_or(0));
        block.extend_from_slice(value.as_bytes());
    }
    block
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let client = &mut *self;
        if client.read == client.unread.len() {
            if client.in_flight > 0 {
                client.waiting = Some(context.waker().clone());
                return Poll::Pending;
            }
            client.unread.clear();
            client.read = 0;
            let burst = if client.protocol == Protocol::Http1 { 1 } else { BURST };
            for _ in 0..burst.min(client.left) {
                client.ask();
            }
        }
        // If nothing is left to read, the connection ends.
        let unread = &client.unread[client.read..];
        let count = unread.len().min(buffer.remaining());
        buffer.put_slice(&unread[..count]);
        client.read += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.answered(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
