//! Checks frames that are written between those of `h2`, for writes cut at any place.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use coalesce_core::{Malformed, RequestTarget, Verdict};
use coalesce_h2::fuzz_bridge::{self, Probe};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::{
    CONTINUATION, END_HEADERS, Frame, HEADERS, ORIGIN, PUSH_PROMISE, SETTINGS, frames,
};

/// A peer that accepts `at_once` octets, and sometimes none.
#[derive(Debug)]
struct Peer {
    taken: Rc<RefCell<Vec<u8>>>,
    at_once: usize,
    pause: usize,
    turn: usize,
}

impl Peer {
    fn take(&mut self, slices: &[&[u8]]) -> Poll<io::Result<usize>> {
        self.turn += 1;
        if self.turn.is_multiple_of(self.pause) {
            return Poll::Pending;
        }
        let octets = slices.iter().flat_map(|slice| slice.iter()).take(self.at_once);
        let mut taken = self.taken.borrow_mut();
        let before = taken.len();
        taken.extend(octets);
        Poll::Ready(Ok(taken.len() - before))
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.take(&[bytes])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.take(&slices.iter().map(|slice| &**slice).collect::<Vec<_>>())
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let [.., l0, l1, l2] = payload.len().to_be_bytes();
    [&[l0, l1, l2, kind, flags, 0, 0, 0, u8::from(kind != SETTINGS)], payload].concat()
}

/// Returns whether this is a frame of a header block (RFC 9113 §4.3).
fn begins_or_continues(kind: u8) -> bool {
    matches!(kind, HEADERS | PUSH_PROMISE | CONTINUATION)
}

/// The writing side of a server's connection.
struct Writing<T, D> {
    transport: T,
    probe: Probe<D>,
    /// The octets that `h2` wrote, and the frames that were announced.
    wrote: Vec<u8>,
    announced: Vec<Vec<u8>>,
    closed: bool,
}

impl<T: AsyncWrite + Unpin, D> Writing<T, D> {
    /// Writes part of a frame, in two slices or in one.
    fn write(&mut self, mut bytes: &[u8], vectored: bool) {
        let mut context = Context::from_waker(Waker::noop());
        while !bytes.is_empty() {
            let (first, second) = bytes.split_at(bytes.len() / 3);
            let slices = [IoSlice::new(first), IoSlice::new(second)];
            let transport = Pin::new(&mut self.transport);
            let polled = if vectored {
                transport.poll_write_vectored(&mut context, &slices)
            } else {
                transport.poll_write(&mut context, bytes)
            };
            let Poll::Ready(written) = polled else { continue };
            let written = written.expect("the peer takes everything");
            assert!(0 < written && written <= bytes.len(), "{written} octets are written");
            self.wrote.extend(bytes.iter().take(written));
            bytes = bytes.get(written..).unwrap_or_default();
        }
    }

    /// Flushes to the end, or as long as the peer accepts octets.
    fn flush(&mut self, to_the_end: bool) {
        let mut context = Context::from_waker(Waker::noop());
        while Pin::new(&mut self.transport).poll_flush(&mut context).is_pending() && to_the_end {}
    }

    fn announce(&mut self, lens: &[u8]) {
        let number = self.announced.len();
        let named = |len: &u8| {
            frame(ORIGIN, 0, &vec![u8::try_from(number % 251).unwrap_or(0); usize::from(*len) * 70])
        };
        let announced: Vec<Vec<u8>> = lens.iter().map(named).collect();
        self.probe.announce(Bytes::from(announced.concat()));
        if !self.closed {
            self.announced.extend(announced);
        }
    }
}

/// Writes the frames of `script` with announced frames in between, and asserts, for writes cut at
/// any place:
///
/// - without the announced frames, the peer gets exactly the octets that were written;
/// - announced frames are complete, in order, after the first frame and not within a header block;
/// - no announced frame is lost, unless no more are wanted.
pub fn announce(script: &[u8]) {
    let mut script = script.iter().copied();
    let mut next = || script.next().unwrap_or(0);
    let (at_once, pause) = (usize::from(next()) * usize::from(next()) + 1, usize::from(next()) + 2);
    let taken = Rc::new(RefCell::new(Vec::new()));
    let peer = Peer { taken: Rc::clone(&taken), at_once, pause, turn: 0 };
    let decide = |_: &RequestTarget<'_>| -> Verdict { Verdict::Malformed(Malformed::NoAuthority) };
    let (transport, probe) = fuzz_bridge::transport(peer, decide, false);
    let (wrote, announced) = (Vec::new(), Vec::new());
    let mut writing = Writing { transport, probe, wrote, announced, closed: false };
    if next() % 2 == 0 {
        writing.announce(&[next(), next()]);
    }
    let whole = play(&mut writing, next);
    writing.probe.set_batching(false);
    writing.flush(true);
    check(&writing, &taken.borrow(), whole);
}

/// Writes, flushes and announces according to the script. Returns whether `h2` wrote complete
/// frames and complete header blocks.
fn play<T: AsyncWrite + Unpin, D>(
    writing: &mut Writing<T, D>,
    mut next: impl FnMut() -> u8,
) -> bool {
    // The rest of the frame that is being written, and whether its header block is open.
    let mut rest = frame(SETTINGS, 0, &vec![0; usize::from(next() % 9) * 6]);
    let mut open = false;
    for _ in 0..200 {
        match next() {
            0 => break,
            1..=40 => writing.flush(true),
            41..=60 => writing.flush(false),
            61..=80 => writing.announce(&[next()]),
            81..=90 => writing.announce(&[next(), next(), next()]),
            91..=100 => writing.probe.set_batching(true),
            101..=115 => writing.probe.set_batching(false),
            116..=118 => {
                writing.probe.close();
                writing.closed = true;
            }
            action => {
                if rest.is_empty() {
                    let (kind, flags) = match (open, next() % 8) {
                        (true, how) => (CONTINUATION, if how < 4 { END_HEADERS } else { 0 }),
                        (false, how @ 0..3) => (HEADERS, if how == 0 { END_HEADERS } else { 0 }),
                        (false, kind) => (if kind == 4 { 0 } else { kind }, 0),
                    };
                    open = begins_or_continues(kind) && flags == 0;
                    rest = frame(
                        kind,
                        flags,
                        &vec![action; usize::from(next()) * usize::from(next() % 80)],
                    );
                }
                let later = rest.split_off(rest.len().min(usize::from(next()) * 10 + 1));
                writing.write(&rest, action % 2 == 0);
                rest = later;
            }
        }
    }
    rest.is_empty() && !open
}

fn check<T, D>(writing: &Writing<T, D>, taken: &[u8], whole: bool) {
    let (got, cut) = frames(taken);
    let mut own = Vec::new();
    let (mut of_h2, mut open) = (Vec::new(), false);
    for (number, Frame { kind, flags, bytes, .. }) in got.into_iter().enumerate() {
        if kind == ORIGIN {
            assert!(number > 0, "the first frame is not SETTINGS");
            assert!(!open, "a frame within a header block");
            own.push(bytes);
        } else {
            if begins_or_continues(kind) {
                open = flags & END_HEADERS == 0;
            }
            of_h2.extend(bytes);
        }
    }
    of_h2.extend(cut);
    assert!(writing.wrote.starts_with(&of_h2), "the bytes of h2 were changed");
    // Only the first frame waits until it is complete.
    let (first, _) = frames(&writing.wrote);
    assert!(first.is_empty() || of_h2 == writing.wrote, "the bytes of h2 were not sent");
    assert!(writing.announced.starts_with(&own), "frames are changed, or out of order");
    if whole && !writing.closed {
        assert_eq!(own.len(), writing.announced.len(), "frames are forgotten");
    }
}
