//! The stream between client and server, in memory.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A client that sends its pieces and reads the answers at each call of [`advance`](Self::advance).
#[derive(Clone, Debug)]
pub(super) struct Stream(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    to_come: VecDeque<Vec<u8>>,
    /// The octets that the server has not read yet.
    sent: VecDeque<u8>,
    closed: bool,
    reader: Option<Waker>,
    /// The most octets that the client reads at once. One of `pause` reads has to wait.
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

    /// Does the client's next action: reads the octets that wait for it, or sends a piece, or
    /// closes if there is none. Wakes the task that waits for it. Returns `false` if the client has
    /// closed before.
    pub(super) fn advance(&self) -> bool {
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

    /// Returns the number of writes by the server.
    pub(super) fn writes(&self) -> usize {
        self.0.borrow().writes
    }

    /// Returns all octets written.
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
