//! The order of written frames, and which requests are decided, how often, and on which table.

use std::io;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll};

use coalesce_h2::Builder;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

use super::client::{
    ACK, Answer, END_HEADERS, HEADERS, PING, Raw, SETTINGS, frame, get, get_path, request,
};
use super::server::{BODY_421, PLENTY, Server, client, connect, table};

/// A stream that transfers one octet at a time, and is pending before each.
struct Slow {
    io: DuplexStream,
    reads: bool,
    writes: bool,
}

/// Returns true at every second call.
fn is_ready(turn: &mut bool, context: &Context<'_>) -> bool {
    *turn = !*turn;
    if !*turn {
        context.waker().wake_by_ref();
    }
    *turn
}

impl AsyncRead for Slow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !is_ready(&mut self.reads, context) {
            return Poll::Pending;
        }
        let mut octet = [0];
        let mut one = ReadBuf::new(&mut octet);
        let read = Pin::new(&mut self.io).poll_read(context, &mut one);
        buf.put_slice(one.filled());
        read
    }
}

impl AsyncWrite for Slow {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !is_ready(&mut self.writes, context) {
            return Poll::Pending;
        }
        let first = bytes.get(..1).unwrap_or_default();
        Pin::new(&mut self.io).poll_write(context, first)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

/// Requests bodies and refusals in turn, and counts the early refusals.
async fn in_turn(raw: &mut Raw) -> usize {
    let mut bytes = Vec::new();
    for stream in (1..80).step_by(4) {
        bytes.extend(request(stream, &get_path("api.test", "/1000")));
        bytes.extend(request(stream + 2, &get("cdn.test")));
    }
    raw.send(&bytes).await;
    let mut early = 0;
    for stream in (1..80).step_by(4) {
        assert_eq!(raw.answer(stream).await.content.len(), 1_000);
        let refused = raw.answer(stream + 2).await;
        assert_eq!(refused.content, BODY_421);
        early += usize::from(refused.is_early());
    }
    early
}

/// Frames of `h2` and of the transport never mix, wherever a write or a read ends.
#[tokio::test]
async fn transfers_of_single_octets_change_nothing() {
    let (near, far) = duplex(64);
    let _server = Server::new(Builder::new(), Slow { io: near, reads: false, writes: false });
    let mut raw = client(far, PLENTY).await;
    assert_eq!(in_turn(&mut raw).await, 20);
}

/// RFC 9113 §3.4: the server's first frame is SETTINGS, however early the first request.
#[tokio::test]
async fn settings_come_before_all_other_frames() {
    for builder in [Builder::new(), Builder::new().announce_extended_connect()] {
        let (near, far) = duplex(64 * 1024);
        // Preface, grant and request arrive before the server starts.
        let mut raw = Raw::new(far, &[]).await;
        let grant = raw.grant(0, PLENTY);
        raw.send(&[grant, request(1, &get("cdn.test"))].concat()).await;
        let _server = Server::new(builder, near);
        let first = raw.next().await.unwrap();
        assert_eq!((first.kind, first.flags), (SETTINGS, 0));
        assert!(raw.answer(1).await.is_early());
    }
}

/// RFC 9113 §4.3: no frame comes between HEADERS and CONTINUATION, even through a pipe narrower
/// than either.
#[tokio::test]
async fn no_frame_comes_within_a_header_block() {
    let (near, far) = duplex(100);
    let _server = Server::new(Builder::new(), near);
    let mut raw = client(far, PLENTY).await;
    raw.send(&request(1, &get_path("api.test", "/fields"))).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    // The block is being written, and waits for room in the pipe.
    for stream in (3..40).step_by(2) {
        raw.send(&request(stream, &get("cdn.test"))).await;
    }
    let answer = raw.answer(1).await;
    assert!(answer.block.len() > 2 * 16_384, "{}", answer.block.len());
    for stream in (3..40).step_by(2) {
        assert!(raw.answer(stream).await.is_early());
    }
}

/// Attack: a client sends requests and does not read. The waiting answers are bounded: beyond the
/// bound `h2` answers, which limits the streams.
#[tokio::test]
async fn client_that_does_not_read_gets_no_memory() {
    let (near, far) = duplex(1024 * 1024);
    let server = Server::new(Builder::new().concurrent_streams(10), Narrow(near));
    let mut raw = Raw::new(far, &[]).await;
    let grant = raw.grant(0, PLENTY);
    raw.send(&grant).await;
    for stream in (1..8_000).step_by(2) {
        raw.send(&request(stream, &get("cdn.test"))).await;
    }
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    // 64 KiB of answers, one that crosses the bound, and the streams of `h2`.
    let decided = server.decided().len();
    assert!(decided < 64 * 1024 / 100 + 300, "{decided}");
}

/// A stream that accepts only the SETTINGS and then no more bytes.
struct Narrow(DuplexStream);

impl AsyncRead for Narrow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buf)
    }
}

impl AsyncWrite for Narrow {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // The server's SETTINGS and the frames with them are short.
        if bytes.len() < 100 { Poll::Ready(Ok(bytes.len())) } else { Poll::Pending }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Attack: the client closes its sending direction within a request or after one. It gets no other
/// answer than before, and the server processes no partial request.
#[tokio::test]
async fn end_within_a_frame_makes_no_request() {
    let bytes = [request(1, &get("cdn.test")), request(3, &get("api.test"))].concat();
    let one = request(1, &get("cdn.test")).len();
    for len in 0..=bytes.len() {
        let (server, mut raw) = connect(Builder::new(), PLENTY).await;
        raw.send(&bytes[..len]).await;
        raw.end().await;
        raw.until(|_| false).await;
        let whole = len % one == 0;
        assert_eq!(server.decided().len(), len / one);
        assert_eq!(raw.answers.get(&1).is_some_and(|answer| answer.ended), len >= one && whole);
        assert_eq!(server.task.await.unwrap().is_none(), whole);
    }
}

/// Each request is decided once, on the table of that moment, early or late.
#[tokio::test]
async fn each_request_is_decided_once_on_the_newest_table() {
    let (server, mut raw) = connect(Builder::new(), PLENTY).await;
    let tables = [&["api.test", "cov.test"][..], &["cov.test"], &["api.test"], &[]];
    let hosts = ["api.test", "api.test", "cov.test", "cdn.test", "cov.test", "api.test"];
    let (mut stream, mut asked) = (1, Vec::new());
    for names in tables.iter().cycle().take(12) {
        *server.table.write().unwrap() = table(names);
        // Sent at once, so that verdicts wait for their streams.
        let first = stream;
        let mut bytes = Vec::new();
        for host in hosts {
            bytes.extend(request(stream, &get(host)));
            asked.push(host);
            stream += 2;
        }
        raw.send(&bytes).await;
        for (host, stream) in hosts.iter().zip((first..).step_by(2)) {
            let expected = if names.contains(host) { "200" } else { "421" };
            assert_eq!(raw.answer(stream).await.status(), Some(expected), "{host} of {names:?}");
        }
    }
    let mut decided = server.decided();
    decided.sort();
    asked.sort_unstable();
    assert_eq!(decided, asked);
    assert!(raw.answers.values().any(Answer::is_early));
}

/// Requests for the authority that was served last are left to `h2`, until one is refused.
#[tokio::test]
async fn served_authority_is_decided_early_again_once_refused() {
    let (server, mut raw) = connect(Builder::new(), PLENTY).await;
    let mut ask = async |stream| {
        raw.send(&request(stream, &get("api.test"))).await;
        let answer = raw.answer(stream).await;
        (answer.status().unwrap().to_owned(), answer.is_early())
    };
    assert_eq!(ask(1).await, ("200".into(), false));
    *server.table.write().unwrap() = table(&["cov.test"]);
    assert_eq!(ask(3).await, ("421".into(), false));
    assert_eq!(ask(5).await, ("421".into(), true));
    *server.table.write().unwrap() = table(&["api.test"]);
    assert_eq!(ask(7).await, ("200".into(), false));
    assert_eq!(server.decided().len(), 4);
}

/// Attack: a request tries to use the verdict on another target, which the transport judged before.
#[tokio::test]
async fn verdict_holds_for_its_own_stream_only() {
    let (server, mut raw) = connect(Builder::new().concurrent_streams(1), PLENTY).await;
    // The first request is judged and waits. `h2` refuses the streams beyond one at a time, so
    // verdicts of streams that never come wait as well.
    let upload = frame(HEADERS, END_HEADERS, 1, &get("api.test"));
    raw.send(&upload).await;
    raw.send(&request(3, &get("api.test"))).await;
    raw.send(&request(5, &get("cov.test"))).await;
    raw.settle().await;
    assert_eq!(raw.answers[&3].reset, Some(0x7));
    assert_eq!(raw.answers[&5].reset, Some(0x7));
    *server.table.write().unwrap() = table(&["cov.test"]);
    raw.send(&frame(0x0, 0x1, 1, b"")).await;
    raw.settle().await;
    raw.send(&request(7, &get("api.test"))).await;
    assert_eq!(raw.answer(7).await.status(), Some("421"));
    raw.send(&request(9, &get("cov.test"))).await;
    assert_eq!(raw.answer(9).await.status(), Some("200"));
    assert_eq!(server.served(), [1, 9]);
}

/// Early and late refusals count towards one limit, in any order; the last one ends the connection.
#[tokio::test]
async fn early_and_late_refusals_count_towards_one_limit() {
    /// A field that leaves the block to `h2`.
    const LATE: &[u8] = &[0x40, 1, b'x', 1, b'y'];
    for is_late in [|_| false, |nth| nth % 2 == 0, |nth| nth > 10, |nth| nth < 10, |_| true] {
        let builder = Builder::new().refused_in_a_row(NonZeroU32::new(20));
        let (server, mut raw) = connect(builder, PLENTY).await;
        let mut stream = 1;
        for round in 0..2 {
            for nth in 0..19 {
                let extra = if is_late(nth) { LATE } else { &[] };
                raw.send(&request(stream, &[&get("cdn.test"), extra].concat())).await;
                let answer = raw.answer(stream).await;
                assert_eq!(answer.status(), Some("421"));
                assert_eq!(answer.is_early(), !is_late(nth));
                stream += 2;
            }
            // One served request resets the count.
            let host = if round == 0 { "api.test" } else { "cdn.test" };
            raw.send(&request(stream, &get(host))).await;
            if round == 0 {
                assert_eq!(raw.answer(stream).await.status(), Some("200"));
                stream += 2;
            }
        }
        assert_eq!(raw.goaway().await, 0xb, "ENHANCE_YOUR_CALM");
        assert!(server.task.await.unwrap().unwrap().is_refusal_limit());
    }
}

/// RFC 9113 §6.8: GOAWAY names the streams that count, so `h2` sees all of them from then on.
#[tokio::test]
async fn no_answer_is_early_after_shutdown_begins() {
    let (server, mut raw) = connect(Builder::new(), PLENTY).await;
    raw.send(&request(1, &get("cdn.test"))).await;
    assert!(raw.answer(1).await.is_early());
    raw.send(&request(3, &get_path("api.test", "/shutdown"))).await;
    assert_eq!(raw.answer(3).await.status(), Some("200"));
    // The first GOAWAY refuses no stream yet, and waits for a PING.
    raw.send(&request(5, &get("cdn.test"))).await;
    let answer = raw.answer(5).await;
    assert_eq!((answer.status(), answer.is_early()), (Some("421"), false));
    raw.until(|raw| !raw.pings.is_empty()).await;
    let pong = frame(PING, ACK, 0, &raw.pings[0]);
    raw.send(&[pong, request(7, &get("cdn.test"))].concat()).await;
    raw.until(|_| false).await;
    assert_eq!(raw.gone, Some(0));
    assert!(raw.answers.get(&7).is_none_or(|answer| !answer.is_early()));
    assert!(server.task.await.unwrap().is_none());
}
