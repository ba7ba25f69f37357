//! The wrapper that `h2` reads from and writes to.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::early_answer::Refuse;
use super::hpack::TABLE_SIZE_DEFAULT;
use super::injected_frames::InjectedFrames;
use super::observer::Observer;
use super::preface::Preface;
use super::stream_notes::StreamNotes;
use super::write_batch::{BatchedBytes, WriteBatch};
use crate::origin::SendFrames;

/// How much is read at once into the stash. A longer frame takes several reads, so that no client
/// gets memory for what it has only announced.
const STASH_READ_LEN: usize = 4096;

/// Whether clients are told that they may send an extended CONNECT (RFC 8441).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum ExtendedConnect {
    /// What `h2` announces goes out.
    Announced,
    /// The setting is taken out of the first SETTINGS frame, whatever `h2` was told.
    #[default]
    Withheld,
}

/// A byte stream under an `h2` server; see the module for what it does.
#[derive(Debug)]
pub(crate) struct Transport<T, R> {
    io: T,
    observer: Observer<R>,
    /// Bytes of the client, held back until their header block is whole. They never reach beyond
    /// that block.
    stash: Vec<u8>,
    /// What the stash waits for, or what has been released of it.
    stashed: Stashed,
    preface: Preface,
    held: BatchedBytes,
    injected_frames: InjectedFrames,
}

/// The state of the stash.
#[derive(Clone, Copy, Debug)]
enum Stashed {
    /// It is empty.
    Nothing,
    /// So many bytes, at least, are missing.
    Missing(usize),
    /// All of it is for `h2`, which has so many bytes already.
    Released(usize),
}

impl<T, R: Refuse> Transport<T, R> {
    /// Wraps a connection before its first byte.
    pub(crate) fn new(
        io: T,
        extended_connect: ExtendedConnect,
        refuse: R,
        write_batch: WriteBatch,
    ) -> (Self, StreamNotes) {
        let stream_notes = StreamNotes::default();
        let transport = Self {
            io,
            observer: Observer::new(
                TABLE_SIZE_DEFAULT,
                stream_notes.clone(),
                write_batch.clone(),
                refuse,
            ),
            stash: Vec::new(),
            stashed: Stashed::Nothing,
            preface: match extended_connect {
                ExtendedConnect::Announced => Preface::Sent,
                ExtendedConnect::Withheld => Preface::Collecting(Vec::new(), extended_connect),
            },
            held: BatchedBytes::new(write_batch),
            injected_frames: InjectedFrames::default(),
        };
        (transport, stream_notes)
    }

    /// The same transport, which sends these frames as well, after the first of `h2`.
    pub(crate) fn with_injected_frames(mut self, frames: InjectedFrames) -> Self {
        self.injected_frames = frames;
        if let Preface::Sent = self.preface {
            self.preface = Preface::Collecting(Vec::new(), ExtendedConnect::Announced);
        }
        self
    }

    /// Hands `h2` what fits of the released stash.
    fn release(&mut self, released: usize, buf: &mut ReadBuf<'_>) {
        let rest = self.stash.get(released..).unwrap_or_default();
        let part = rest.get(..buf.remaining()).unwrap_or(rest);
        buf.put_slice(part);
        let released = released + part.len();
        if released < self.stash.len() {
            self.stashed = Stashed::Released(released);
        } else {
            // Most connections never need the stash again.
            self.stash = Vec::new();
            self.stashed = Stashed::Nothing;
        }
    }

    /// The observer, for tests.
    #[cfg(any(test, fuzzing))]
    pub(super) fn observer(&mut self) -> &mut Observer<R> {
        &mut self.observer
    }

    /// The stream below, for tests.
    #[cfg(any(test, fuzzing))]
    pub(super) fn io(&self) -> &T {
        &self.io
    }

    /// The stream below, without its wrapper, for tests.
    #[cfg(test)]
    pub(super) fn into_inner(self) -> T {
        self.io
    }
}

impl<T: AsyncRead + Unpin, R: Refuse> Transport<T, R> {
    /// Reads straight into the buffer of `h2`; `true` when there is something in it, or nothing
    /// will ever be.
    fn poll_direct(
        &mut self,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<bool>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(context, buf))?;
        let fresh = buf.filled_mut().get_mut(before..).unwrap_or_default();
        if fresh.is_empty() {
            return Poll::Ready(Ok(true));
        }
        let observed = self.observer.observe(fresh);
        let held = fresh.get(observed.held_from..).unwrap_or_default();
        if observed.missing > 0 {
            self.stash.extend_from_slice(held);
            self.stashed = Stashed::Missing(observed.missing);
        } else if let Some(frame) = self.observer.due() {
            self.stash = frame;
            self.stash.extend_from_slice(held);
            self.stashed = Stashed::Released(0);
        }
        buf.set_filled(before + observed.forward);
        Poll::Ready(Ok(observed.forward > 0))
    }

    /// Reads into the stash what is missing there, and nothing beyond; `true` when there will never
    /// be anything for `h2`.
    fn poll_missing(
        &mut self,
        context: &mut Context<'_>,
        missing: usize,
    ) -> Poll<io::Result<bool>> {
        let mut space = [const { MaybeUninit::uninit() }; STASH_READ_LEN];
        let wanted = missing.min(STASH_READ_LEN);
        let mut buf = ReadBuf::uninit(space.get_mut(..wanted).unwrap_or_default());
        ready!(Pin::new(&mut self.io).poll_read(context, &mut buf))?;
        if buf.filled().is_empty() {
            // The client will never complete this block; h2 may see what there is of it.
            self.observer.end();
            self.stashed = Stashed::Released(0);
            return Poll::Ready(Ok(self.stash.is_empty()));
        }
        self.stash.extend_from_slice(buf.filled());
        self.stashed = match missing - buf.filled().len() {
            0 => {
                let observed = self.observer.observe(&mut self.stash);
                if observed.missing > 0 {
                    debug_assert_eq!(observed.forward, 0, "the stash reaches beyond a block");
                    Stashed::Missing(observed.missing)
                } else {
                    let due = self.observer.due().unwrap_or_default();
                    self.stash.splice(observed.forward..observed.held_from, due);
                    Stashed::Released(0)
                }
            }
            missing => Stashed::Missing(missing),
        };
        Poll::Ready(Ok(false))
    }
}

impl<T: AsyncRead + Unpin, R: Refuse + Unpin> AsyncRead for Transport<T, R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            // Nothing can be said here, and reading nothing would look like the end.
            return Poll::Ready(Ok(()));
        }
        loop {
            match this.stashed {
                // Everything in it was answered, and to show `h2` nothing would look like the end.
                Stashed::Released(_) if this.stash.is_empty() => this.stashed = Stashed::Nothing,
                Stashed::Released(released) => {
                    this.release(released, buf);
                    return Poll::Ready(Ok(()));
                }
                Stashed::Missing(missing) => {
                    if ready!(this.poll_missing(context, missing))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                Stashed::Nothing if this.observer.is_off() => {
                    return Pin::new(&mut this.io).poll_read(context, buf);
                }
                Stashed::Nothing => {
                    if let Some(frame) = this.observer.due() {
                        this.stash = frame;
                        this.stashed = Stashed::Released(0);
                    } else if let Some(rest) = this.observer.missing_to_due() {
                        this.stashed = Stashed::Missing(rest.min(STASH_READ_LEN));
                    } else if ready!(this.poll_direct(context, buf))? {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

impl<T: AsyncWrite + Unpin, R: Refuse> Transport<T, R> {
    /// Takes the next part of the first frame. Whether it could be sent shows at the next call:
    /// bytes once taken are ours to send.
    fn poll_preface(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.preface.take(bytes);
        if taken.odd {
            // Where the next frame begins is anybody's guess.
            self.injected_frames.close();
        }
        if let Poll::Ready(Err(error)) = self.preface.poll_send(&mut self.io, context) {
            return Err(error);
        }
        Ok(taken.len)
    }

    /// Takes note of what `h2` wrote.
    #[inline]
    fn wrote<'a>(
        &mut self,
        slices: impl Iterator<Item = &'a [u8]>,
        len: usize,
        context: &Context<'_>,
    ) {
        let mut rest = len;
        let mut due = false;
        for slice in slices {
            let part = slice.get(..rest).unwrap_or(slice);
            due = self.observer.wrote(part);
            rest -= part.len();
        }
        if due {
            // It has read all there was, and would not come back for more by itself.
            context.waker().wake_by_ref();
        }
    }
}

impl<T: AsyncWrite + Unpin, R: Refuse + Unpin> AsyncWrite for Transport<T, R> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.preface {
            Preface::Sent => {}
            Preface::Collecting(..) => return Poll::Ready(this.poll_preface(context, bytes)),
            Preface::Sending(..) => ready!(this.preface.poll_send(&mut this.io, context))?,
        }
        if !this.held.takes(bytes.len(), &[IoSlice::new(bytes)]) {
            ready!(this.held.poll_write(&mut this.io, context))?;
            let written = ready!(Pin::new(&mut this.io).poll_write(context, bytes))?;
            this.wrote(std::iter::once(bytes), written, context);
            return Poll::Ready(Ok(written));
        }
        this.wrote(std::iter::once(bytes), bytes.len(), context);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.preface {
            Preface::Sent => {}
            Preface::Collecting(..) => {
                let first = slices.iter().find(|slice| !slice.is_empty());
                let bytes = first.map(|slice| &**slice).unwrap_or_default();
                return Poll::Ready(this.poll_preface(context, bytes));
            }
            Preface::Sending(..) => ready!(this.preface.poll_send(&mut this.io, context))?,
        }
        let len = slices.iter().map(|slice| slice.len()).sum();
        let each = slices.iter().map(|slice| &**slice);
        if !this.held.takes(len, slices) {
            ready!(this.held.poll_write(&mut this.io, context))?;
            let written = ready!(Pin::new(&mut this.io).poll_write_vectored(context, slices))?;
            this.wrote(each, written, context);
            return Poll::Ready(Ok(written));
        }
        this.wrote(each, len, context);
        Poll::Ready(Ok(len))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.held.waits() {
            return Poll::Ready(Ok(()));
        }
        ready!(this.preface.poll_send(&mut this.io, context))?;
        // `h2` flushes when all it had to write is written, to the last byte of a header block, so
        // here other frames may follow.
        let may_follow = matches!(this.preface, Preface::Sent);
        let may_inject = may_follow && this.observer.wrote_whole_blocks();
        loop {
            if may_inject && this.injected_frames.is_waiting() && this.held.has_room() {
                // One at a time: a client that does not read gets no memory for the others.
                this.held.push(&this.injected_frames.next().unwrap_or_default());
            }
            let answers = this.observer.out().bytes();
            if may_follow && this.held.has_room() {
                this.held.append(answers);
            }
            let all = !may_follow || answers.is_empty();
            let all = all && !(may_inject && this.injected_frames.is_waiting());
            ready!(this.held.poll_write(&mut this.io, context))?;
            if all {
                return Pin::new(&mut this.io).poll_flush(context);
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.preface.give_up();
        ready!(this.preface.poll_send(&mut this.io, context))?;
        ready!(this.held.poll_write(&mut this.io, context))?;
        Pin::new(&mut this.io).poll_shutdown(context)
    }
}
