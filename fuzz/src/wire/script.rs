//! A client as a byte stream with fixed content.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A client that sends the given pieces and then nothing more.
///
/// Between any two pieces the reader has to wait once.
#[derive(Debug)]
pub(crate) struct Script {
    chunks: VecDeque<Vec<u8>>,
    ready: bool,
    written: Rc<RefCell<Vec<u8>>>,
}

impl Script {
    pub(crate) fn new<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let chunks = chunks.into_iter().filter(|chunk| !chunk.is_empty());
        Self { chunks: chunks.map(<[u8]>::to_vec).collect(), ready: true, written: Rc::default() }
    }

    /// Returns the octets that the server writes.
    pub(crate) fn written(&self) -> Rc<RefCell<Vec<u8>>> {
        Rc::clone(&self.written)
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
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.borrow_mut().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Reads to the end, `buf_len` bytes at a time, and passes on each part that `h2` gets.
pub(crate) fn read_to_end<T: AsyncRead + Unpin>(
    transport: &mut T,
    buf_len: usize,
    mut show: impl FnMut(&mut T, &[u8]),
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
