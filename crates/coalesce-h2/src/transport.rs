//! The byte stream under `h2`: the socket, with the engine between them.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use coalesce_core::RequestTarget;
use coalesce_http::Decide;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::engine::{Engine, NextRead, STASH_READ_LEN, Shared};

/// A byte stream under an `h2` server. It moves the bytes that the [`Engine`] selects.
#[derive(Debug)]
pub(crate) struct Transport<T, D> {
    io: T,
    engine: Shared<Engine<D>>,
}

impl<T, D> Transport<T, D> {
    /// Wraps a connection before its first byte.
    pub(crate) const fn new(io: T, engine: Shared<Engine<D>>) -> Self {
        Self { io, engine }
    }

    /// The stream below, for tests.
    #[cfg(test)]
    pub(crate) const fn io(&self) -> &T {
        &self.io
    }

    /// The stream below, without its wrapper, for tests.
    #[cfg(test)]
    pub(crate) fn into_io(self) -> T {
        self.io
    }
}

impl<T: AsyncRead + Unpin, D: for<'a> Decide<RequestTarget<'a>>> AsyncRead for Transport<T, D> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { io, engine } = self.get_mut();
        if buf.remaining() == 0 {
            // A read of zero bytes from the socket would look like its end.
            return Poll::Ready(Ok(()));
        }
        let mut engine = engine.lock();
        loop {
            match engine.poll_read() {
                NextRead::Direct => {
                    let before = buf.filled().len();
                    ready!(Pin::new(&mut *io).poll_read(context, buf))?;
                    let fresh = buf.filled_mut().get_mut(before..).unwrap_or_default();
                    if fresh.is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                    let kept = engine.handle_read(fresh);
                    buf.set_filled(before + kept);
                    if kept > 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                NextRead::Missing(missing) => {
                    if ready!(poll_missing(io, &mut engine, context, missing))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                NextRead::Released => {
                    let released = engine.released();
                    let part = released.get(..buf.remaining()).unwrap_or(released);
                    buf.put_slice(part);
                    let len = part.len();
                    engine.handle_released(len);
                    return Poll::Ready(Ok(()));
                }
                NextRead::Unobserved => return Pin::new(io).poll_read(context, buf),
            }
        }
    }
}

/// Reads at most `missing` bytes for the engine. Returns true at the end of the stream, if `h2` has
/// nothing left to read.
fn poll_missing<T: AsyncRead + Unpin, D: for<'a> Decide<RequestTarget<'a>>>(
    io: &mut T,
    engine: &mut Engine<D>,
    context: &mut Context<'_>,
    missing: usize,
) -> Poll<io::Result<bool>> {
    let mut space = [const { MaybeUninit::uninit() }; STASH_READ_LEN];
    let mut buf = ReadBuf::uninit(space.get_mut(..missing).unwrap_or_default());
    ready!(Pin::new(io).poll_read(context, &mut buf))?;
    if buf.filled().is_empty() {
        return Poll::Ready(Ok(engine.handle_end()));
    }
    engine.handle_missing(buf.filled());
    Poll::Ready(Ok(false))
}

/// Sends all bytes that wait in the engine.
#[inline]
fn poll_send<T: AsyncWrite + Unpin, D>(
    io: &mut T,
    engine: &mut Engine<D>,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !engine.waiting().is_empty() {
        match ready!(Pin::new(&mut *io).poll_write(context, engine.waiting()))? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            sent => engine.handle_sent(sent),
        }
    }
    Poll::Ready(Ok(()))
}

/// Wakes the task if the engine has bytes for `h2` that the socket does not announce.
#[inline]
fn wake_if_due<D>(engine: &Engine<D>, context: &Context<'_>) {
    if engine.grant_is_due() {
        context.waker().wake_by_ref();
    }
}

impl<T: AsyncWrite + Unpin, D> AsyncWrite for Transport<T, D> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { io, engine } = self.get_mut();
        let mut engine = engine.lock();
        let slices = [IoSlice::new(bytes)];
        let written = if let Some(taken) = engine.handle_write(&slices) {
            taken
        } else {
            ready!(poll_send(io, &mut engine, context))?;
            let written = ready!(Pin::new(io).poll_write(context, bytes))?;
            engine.handle_passed(&slices, written);
            written
        };
        wake_if_due(&engine, context);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { io, engine } = self.get_mut();
        let mut engine = engine.lock();
        let written = if let Some(taken) = engine.handle_write(slices) {
            taken
        } else {
            ready!(poll_send(io, &mut engine, context))?;
            let written = ready!(Pin::new(io).poll_write_vectored(context, slices))?;
            engine.handle_passed(slices, written);
            written
        };
        wake_if_due(&engine, context);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { io, engine } = self.get_mut();
        let mut engine = engine.lock();
        if engine.is_batching() {
            return Poll::Ready(Ok(()));
        }
        loop {
            let more = engine.poll_output();
            ready!(poll_send(io, &mut engine, context))?;
            if !more {
                return Pin::new(io).poll_flush(context);
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { io, engine } = self.get_mut();
        let mut engine = engine.lock();
        engine.handle_shutdown();
        ready!(poll_send(io, &mut engine, context))?;
        Pin::new(io).poll_shutdown(context)
    }
}
