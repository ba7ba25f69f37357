//! What must hold for any bytes of any client, as functions that fuzzers and tests share.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::early_answer::Refuse;
use super::{ExtendedConnect, StreamNotes, Target, Transport, WriteBatch};

/// A client that sends what it was told to, in the given pieces, and then nothing more.
///
/// Between any two pieces it keeps the reader waiting once.
#[derive(Debug)]
pub(super) struct Script {
    chunks: VecDeque<Vec<u8>>,
    ready: bool,
    written: Vec<u8>,
}

impl Script {
    pub(super) fn new<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let chunks = chunks.into_iter().filter(|chunk| !chunk.is_empty());
        Self { chunks: chunks.map(<[u8]>::to_vec).collect(), ready: true, written: Vec::new() }
    }

    /// What the server has written.
    pub(super) fn written(&self) -> &[u8] {
        &self.written
    }
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.ready = !self.ready;
        if self.ready {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(mut chunk) = self.chunks.pop_front() else { return Poll::Ready(Ok(())) };
        let rest = chunk.split_off(chunk.len().min(buf.remaining()));
        buf.put_slice(&chunk);
        if !rest.is_empty() {
            self.chunks.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What `h2` and the adapter get of a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Outcome {
    pub(super) bytes: Vec<u8>,
    pub(super) targets: Vec<Target>,
    pub(super) lost_sync: bool,
}

/// Reads a whole connection through a [`Transport`], `buf_len` bytes at a time.
pub(super) fn read_all<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
    buf_len: usize,
) -> (Outcome, StreamNotes) {
    let (mut transport, stream_notes) =
        Transport::new(Script::new(chunks), ExtendedConnect::default(), (), WriteBatch::default());
    let mut bytes = Vec::new();
    read_to_end(&mut transport, buf_len, |_, part| bytes.extend_from_slice(part));
    let targets = stream_notes.drain();
    (Outcome { bytes, targets, lost_sync: stream_notes.has_lost_sync() }, stream_notes)
}

/// Reads to the end, showing each part that `h2` gets.
pub(super) fn read_to_end<R: Refuse + Unpin>(
    transport: &mut Transport<Script, R>,
    buf_len: usize,
    mut show: impl FnMut(&mut Transport<Script, R>, &[u8]),
) {
    let mut context = Context::from_waker(Waker::noop());
    let mut space = vec![0; buf_len];
    loop {
        let mut buf = ReadBuf::new(&mut space);
        match Pin::new(&mut *transport).poll_read(&mut context, &mut buf) {
            Poll::Pending => show(transport, &[]),
            Poll::Ready(Ok(())) if buf.filled().is_empty() => break,
            Poll::Ready(Ok(())) => show(transport, buf.filled()),
            Poll::Ready(Err(error)) => {
                unreachable!("the script has no errors, but the transport says: {error}")
            }
        }
    }
}

/// Reads a connection in pieces, and asserts what must hold whatever the client sends:
///
/// - the outcome does not depend on the pieces, nor on the buffers `h2` offers;
/// - nothing grows;
/// - what `h2` sees needs no further rewriting;
/// - records come in the order of their streams.
pub(crate) fn fuzz_inspect(chunks: &[&[u8]]) {
    let whole = chunks.concat();
    let (outcome, _) = read_all(chunks.iter().copied(), 8192);
    let (at_once, _) = read_all([&*whole], whole.len().max(1));
    let (by_octets, _) = read_all(whole.chunks(1), 7);
    assert_eq!(outcome, at_once, "the pieces of the client matter");
    assert_eq!(outcome, by_octets, "single octets matter");

    assert!(outcome.bytes.len() <= whole.len(), "the bytes for h2 grew");
    let (again, _) = read_all([&*outcome.bytes], 8192);
    assert_eq!(again.bytes, outcome.bytes, "rewritten bytes are rewritten again");
    assert_eq!(again.lost_sync, outcome.lost_sync, "rewriting hides what turns the observer off");
    let ordered = outcome.targets.is_sorted_by(|a, b| a.stream_id < b.stream_id);
    assert!(ordered, "records are out of order");
}
