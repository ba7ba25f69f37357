//! The stream between the two: what the client sends is given, what it is told is kept.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A client that sends its pieces, and takes what it is sent, when it is [told to](Self::go_on).
#[derive(Clone, Debug)]
pub(super) struct Stream(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    to_come: VecDeque<Vec<u8>>,
    /// What the server has not read yet.
    sent: VecDeque<u8>,
    closed: bool,
    reader: Option<Waker>,
    /// How much the client takes in one go, and that one of so many has to wait.
    taken_at_once: usize,
    pause: usize,
    writer: Option<Waker>,
    written: Vec<u8>,
    writes: usize,
}

impl Stream {
    pub(super) fn new(pieces: &[Vec<u8>], taken_at_once: usize, pause: usize) -> Self {
        Self(Rc::new(RefCell::new(State {
            to_come: pieces.iter().cloned().collect(),
            sent: VecDeque::new(),
            closed: false,
            reader: None,
            taken_at_once,
            pause,
            writer: None,
            written: Vec::new(),
            writes: 0,
        })))
    }

    /// Does what the client does next: takes what waits for it, or sends a piece, or closes when
    /// there is none. Wakes who waits for that; `false` when the client has closed before.
    pub(super) fn go_on(&self) -> bool {
        let mut state = self.0.borrow_mut();
        let waiting = if state.writer.is_some() {
            state.writer.take()
        } else if let Some(piece) = state.to_come.pop_front() {
            state.sent.extend(piece);
            state.reader.take()
        } else if state.closed {
            return false;
        } else {
            state.closed = true;
            state.reader.take()
        };
        if let Some(waker) = waiting {
            waker.wake();
        }
        true
    }

    /// How often the server has written.
    pub(super) fn writes(&self) -> usize {
        self.0.borrow().writes
    }

    /// All that was written.
    pub(super) fn take_written(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.borrow_mut().written)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.borrow_mut();
        if state.sent.is_empty() && !state.closed {
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let len = state.sent.len().min(buf.remaining());
        let octets: Vec<u8> = state.sent.drain(..len).collect();
        buf.put_slice(&octets);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.borrow_mut();
        state.writes += 1;
        if state.writes.is_multiple_of(state.pause) {
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let taken = octets.len().min(state.taken_at_once);
        state.written.extend_from_slice(&octets[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
