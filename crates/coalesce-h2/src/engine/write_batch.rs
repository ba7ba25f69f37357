//! Holding back what is written while there is more to come.
//!
//! `h2` writes whenever it is polled, and it is polled for every request that is accepted. In a
//! burst of a hundred each answer would leave in a TLS record and a system call of its own. So
//! while streams wait to be accepted, what `h2` writes is collected, and leaves with the last.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

/// What is held back at most: the content of one TLS record (RFC 8446 §5.1).
const BATCH_LEN_MAX: usize = 16 * 1024;

/// Room that a connection keeps when nothing is held.
const BATCH_LEN_KEPT: usize = 4 * 1024;

/// The adapter's hold on the write_batch; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct WriteBatch(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Whether it is in.
    closed: AtomicBool,
    /// The streams that `h2` was shown so far.
    shown: AtomicU32,
}

impl WriteBatch {
    /// Puts it in, or takes it out.
    pub(crate) fn set(&self, closed: bool) {
        self.0.closed.store(closed, Ordering::Relaxed);
    }

    fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Relaxed)
    }

    /// The streams that `h2` was shown so far, modulo 2^32.
    pub(crate) fn shown(&self) -> u32 {
        self.0.shown.load(Ordering::Relaxed)
    }

    /// Counts a stream that `h2` is shown. Only the transport counts.
    pub(super) fn show(&self) {
        self.0.shown.store(self.shown().wrapping_add(1), Ordering::Relaxed);
    }
}

/// What goes out before anything else.
#[derive(Debug)]
pub(super) struct BatchedBytes {
    write_batch: WriteBatch,
    bytes: Vec<u8>,
    written: usize,
}

impl BatchedBytes {
    pub(super) fn new(write_batch: WriteBatch) -> Self {
        Self { write_batch, bytes: Vec::new(), written: 0 }
    }

    /// Takes `slices`, of so many bytes, if they are to wait: while the write_batch is in, and behind what
    /// waits already; unless they are too many.
    pub(super) fn takes(&mut self, len: usize, slices: &[IoSlice<'_>]) -> bool {
        let waits = self.write_batch.is_closed() || !self.bytes.is_empty();
        let fits = self.bytes.len().saturating_add(len) <= BATCH_LEN_MAX;
        if waits && fits {
            for slice in slices {
                self.bytes.extend_from_slice(slice);
            }
        }
        waits && fits
    }

    /// Whether a flush has to wait for others.
    pub(super) fn waits(&self) -> bool {
        self.write_batch.is_closed()
    }

    /// Whether answers may be moved behind what is held: not when that is much already, or a client
    /// that does not read would get memory for each answer.
    pub(super) const fn has_room(&self) -> bool {
        self.written == 0 && self.bytes.len() < BATCH_LEN_MAX
    }

    /// Adds `bytes` to what is held.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Moves `bytes` behind what is held.
    pub(super) fn append(&mut self, bytes: &mut Vec<u8>) {
        self.bytes.append(bytes);
    }

    /// Writes what is held.
    #[inline]
    pub(super) fn poll_write<T: AsyncWrite + Unpin>(
        &mut self,
        io: &mut T,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.bytes.is_empty() { Poll::Ready(Ok(())) } else { self.poll_some(io, context) }
    }

    fn poll_some<T: AsyncWrite + Unpin>(
        &mut self,
        io: &mut T,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = self.bytes.get(self.written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut *io).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
        }
        self.written = 0;
        self.bytes.clear();
        self.bytes.shrink_to(BATCH_LEN_KEPT);
        Poll::Ready(Ok(()))
    }
}
