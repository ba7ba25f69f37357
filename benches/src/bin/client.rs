//! Makes requests with an `h2` client to a server in memory, with or without the stream that
//! reports the server's frames, so that callgrind can count the client's instructions. The script
//! `count-client.sh` runs it.
//!
//! The server is a script: it answers the HEADERS of each request with prepared frames.

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Waker};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use coalesce_benches::servers::on_this_thread;
use coalesce_h2::client::Observed;
use h2::client::SendRequest;
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The client's connection preface (RFC 9113 §3.4).
const PREFACE_LEN: usize = 24;
const HEADER_LEN: usize = 9;
const HEADERS: u8 = 1;
/// SETTINGS without a setting.
const SETTINGS: [u8; HEADER_LEN] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// Acknowledged SETTINGS.
const ACK: [u8; HEADER_LEN] = [0, 0, 0, 4, 1, 0, 0, 0, 0];
/// `:status 200` in the static table (RFC 7541 Appendix A).
const STATUS_200: u8 = 0x88;
/// The requests in flight.
const BURST: usize = 100;
/// The window of a connection and of a stream: room for a burst of the longest contents, because
/// the server does not wait for more.
const WINDOW_BYTES: u32 = 16 << 20;

/// The server's end of a connection.
struct Server {
    /// Octets of the client whose frame is incomplete.
    received: Vec<u8>,
    preface: bool,
    /// Octets for the client, of which it has read `read`.
    answers: Vec<u8>,
    read: usize,
    content_len: usize,
    reader: Option<Waker>,
}

impl Server {
    fn new(content_len: usize) -> Self {
        let answers = [SETTINGS, ACK].concat();
        let (received, read) = (Vec::new(), 0);
        Self { received, preface: false, answers, read, content_len, reader: None }
    }

    fn receive(&mut self, octets: &[u8]) {
        self.received.extend_from_slice(octets);
        let mut rest = &self.received[..];
        if !self.preface && rest.len() >= PREFACE_LEN {
            rest = &rest[PREFACE_LEN..];
            self.preface = true;
        }
        while let Some((&[l0, l1, l2, kind, _, stream @ ..], after)) =
            rest.split_first_chunk::<HEADER_LEN>()
        {
            let len = u32::from_be_bytes([0, l0, l1, l2]) as usize;
            if !self.preface || after.len() < len {
                break;
            }
            rest = &after[len..];
            if kind == HEADERS {
                answer(stream, self.content_len, &mut self.answers);
            }
        }
        self.received = rest.to_vec();
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// Appends HEADERS, and DATA if there is content.
fn answer(stream: [u8; 4], content_len: usize, out: &mut Vec<u8>) {
    let ends_stream = u8::from(content_len == 0);
    out.extend_from_slice(&[0, 0, 1, HEADERS, 4 | ends_stream]);
    out.extend_from_slice(&stream);
    out.push(STATUS_200);
    if content_len > 0 {
        let [.., l0, l1, l2] = content_len.to_be_bytes();
        out.extend_from_slice(&[l0, l1, l2, 0, 1]);
        out.extend_from_slice(&stream);
        out.resize(out.len() + content_len, b'x');
    }
}

impl AsyncRead for Server {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let waiting = &self.answers[self.read..];
        if waiting.is_empty() {
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let len = buf.remaining().min(waiting.len());
        buf.put_slice(&waiting[..len]);
        self.read += len;
        if self.read == self.answers.len() {
            self.answers.clear();
            self.read = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Server {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.receive(octets);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn burst(requests: &mut SendRequest<Bytes>, content_len: usize) -> anyhow::Result<()> {
    let mut responses = Vec::with_capacity(BURST);
    for _ in 0..BURST {
        let request = Request::get("https://a.example.test/").body(())?;
        responses.push(requests.send_request(request, true)?.0);
    }
    for response in responses {
        let response = response.await?;
        ensure!(response.status() == 200, "{response:?}");
        let mut content = response.into_body();
        let mut len = 0;
        while let Some(part) = content.data().await {
            let part = part?;
            content.flow_control().release_capacity(part.len())?;
            len += part.len();
        }
        ensure!(len == content_len, "{len} octets of content");
    }
    Ok(())
}

async fn run<T>(stream: T, bursts: usize, content_len: usize) -> anyhow::Result<()>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut settings = h2::client::Builder::new();
    settings.initial_window_size(WINDOW_BYTES).initial_connection_window_size(WINDOW_BYTES);
    let (mut requests, connection) = settings.handshake(stream).await?;
    tokio::spawn(connection);
    for _ in 0..bursts {
        burst(&mut requests, content_len).await?;
    }
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [stream, content_len, bursts] = &words[..] else {
        bail!("usage: client bare|observed CONTENT-LENGTH BURSTS");
    };
    let content_len = content_len.parse().context("a number of octets, at most 16384")?;
    let bursts = bursts.parse().context("a number of bursts of 100 requests")?;
    let server = Server::new(content_len);
    match stream.as_str() {
        "bare" => on_this_thread(run(server, bursts, content_len)),
        "observed" => {
            let (server, _reports) = Observed::new(server);
            on_this_thread(run(server, bursts, content_len))
        }
        other => bail!("bare or observed expected, '{other}' found"),
    }
}
