//! The stream between the two: what the client sends is given, what it is told is kept.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How often a client that has said all is asked for more, and told nothing, before it closes.
pub(super) const PATIENCE: usize = 16;

/// What was written, and in how many goes.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) written: Vec<u8>,
    pub(super) writes: usize,
}

/// A client that sends its pieces, each after one more question, and takes what it is sent as
/// slowly as it was told to.
#[derive(Debug)]
pub(super) struct Stream {
    pieces: VecDeque<Vec<u8>>,
    asked_in_vain: usize,
    /// The writes there had been when it was last asked in vain.
    writes: usize,
    keeps_waiting: bool,
    taken_at_once: usize,
    pause: usize,
    log: Rc<RefCell<Log>>,
}

impl Stream {
    pub(super) fn new(pieces: &[Vec<u8>], taken_at_once: usize, pause: usize) -> Self {
        Self {
            pieces: pieces.iter().cloned().collect(),
            asked_in_vain: 0,
            writes: 0,
            keeps_waiting: true,
            taken_at_once,
            pause,
            log: Rc::default(),
        }
    }

    pub(super) fn log(&self) -> Rc<RefCell<Log>> {
        Rc::clone(&self.log)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.keeps_waiting = !self.keeps_waiting;
        if self.keeps_waiting {
            return Poll::Pending;
        }
        let Some(mut piece) = self.pieces.pop_front() else {
            let writes = self.log.borrow().writes;
            self.asked_in_vain = if writes == self.writes { self.asked_in_vain + 1 } else { 0 };
            self.writes = writes;
            let closes = self.asked_in_vain > PATIENCE;
            return if closes { Poll::Ready(Ok(())) } else { Poll::Pending };
        };
        let rest = piece.split_off(piece.len().min(buf.remaining()));
        buf.put_slice(&piece);
        if !rest.is_empty() {
            self.pieces.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut log = self.log.borrow_mut();
        log.writes += 1;
        if log.writes.is_multiple_of(self.pause) {
            return Poll::Pending;
        }
        let taken = octets.len().min(self.taken_at_once);
        log.written.extend_from_slice(&octets[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
