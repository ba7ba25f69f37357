//! An accepted connection.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::announcement::Announcement;
use super::heads::Heads;
use crate::connection::ConnectionInfo;
use crate::connections::{Life, Registered, Side};
use crate::limits::LINGER_BYTES_MAX;

/// The byte stream of a connection, and its facts.
///
/// When its listener ends it, it reads like a stream whose client has closed.
///
/// # Examples
/// ```
/// use coalesce_tower::Accepted;
///
/// fn is_http2(accepted: &Accepted) -> bool {
///     accepted.alpn_protocol() == Some(b"h2")
/// }
/// ```
#[derive(Debug)]
pub struct Accepted {
    // Dropped first, so that its descriptor is free when the listener hears of it.
    stream: Stream,
    info: ConnectionInfo,
    heads: Heads,
    announcement: Announcement,
    /// Once the server has closed its side, how many bytes of refused content may still be dropped.
    lingers: Option<usize>,
    registered: Registered,
}

#[derive(Debug)]
enum Stream {
    Tls(Box<TlsStream<TcpStream>>),
    Cleartext(TcpStream),
}

impl Accepted {
    pub(crate) fn tls(
        stream: TlsStream<TcpStream>,
        info: ConnectionInfo,
        registered: Registered,
    ) -> Self {
        Self::new(Stream::Tls(Box::new(stream)), info, registered)
    }

    pub(crate) fn cleartext(
        stream: TcpStream,
        info: ConnectionInfo,
        registered: Registered,
    ) -> Self {
        Self::new(Stream::Cleartext(stream), info, registered)
    }

    fn new(stream: Stream, info: ConnectionInfo, registered: Registered) -> Self {
        registered.established();
        let info = info.with_life(registered.life());
        let (heads, announcement) = (Heads::default(), Announcement::Passes);
        Self { stream, info, heads, announcement, lingers: None, registered }
    }

    /// Takes back the server's announcement of extended `CONNECT`.
    pub(crate) fn hide_extended_connect(&mut self) {
        self.announcement = Announcement::Awaited;
    }

    fn life(&self) -> &Life {
        self.registered.life()
    }

    /// What the connection is.
    pub const fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    /// The protocol that the handshake negotiated (RFC 7301), if it was one over TLS that did.
    pub fn alpn_protocol(&self) -> Option<&[u8]> {
        match &self.stream {
            Stream::Tls(stream) => stream.get_ref().1.alpn_protocol(),
            Stream::Cleartext(_) => None,
        }
    }
}

/// Calls the same method of whichever stream it is.
macro_rules! each {
    ($this:ident, $stream:ident => $call:expr) => {
        match &mut $this.stream {
            Stream::Tls(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
            Stream::Cleartext(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
        }
    };
}

impl AsyncRead for Accepted {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.life().is_ended() {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = each!(this, stream => stream.poll_read(context, buffer));
        match polled {
            Poll::Ready(Ok(())) => {
                let read = buffer.filled().get(before..).unwrap_or_default();
                this.heads.read(read, this.registered.life());
                polled
            }
            Poll::Pending if this.life().ends(Side::Read, context) => Poll::Ready(Ok(())),
            Poll::Ready(Err(_)) | Poll::Pending => polled,
        }
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().write(context, |this, context| {
            let bytes = this.announcement.replace(bytes).unwrap_or(bytes);
            let polled = each!(this, stream => stream.poll_write(context, bytes));
            if let Poll::Ready(Ok(len)) = polled {
                this.announcement.advance(len);
            }
            polled
        })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.announcement.passes() {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return self.poll_write(context, first.map_or(&[], |slice| &**slice));
        }
        self.get_mut().write(
            context,
            |this, context| each!(this, stream => stream.poll_write_vectored(context, slices)),
        )
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Tls(stream) => stream.is_write_vectored(),
            Stream::Cleartext(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.life().is_ended() {
            return Poll::Ready(Err(ended()));
        }
        let polled = each!(this, stream => stream.poll_flush(context));
        this.life().set_write_blocked(polled.is_pending());
        if polled.is_pending() && this.life().ends(Side::Write, context) {
            return Poll::Ready(Err(ended()));
        }
        polled
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.lingers.is_none() {
            let polled = each!(this, stream => stream.poll_shutdown(context));
            // A client that takes no bytes does not hold up the end.
            if polled.is_pending() && this.life().ends(Side::Write, context) {
                return Poll::Ready(Err(ended()));
            }
            if !matches!(polled, Poll::Ready(Ok(()))) || !this.life().leaves_content() {
                return polled;
            }
            this.lingers = Some(LINGER_BYTES_MAX);
            // Which bounds the time.
            this.life().head_begins();
        }
        this.poll_linger(context).map(Ok)
    }
}

impl Accepted {
    /// Drops what the client still sends, so that it reads the answer before the connection is
    /// reset (RFC 9112 §9.6).
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let socket = match &mut self.stream {
            Stream::Tls(stream) => stream.get_mut().0,
            Stream::Cleartext(stream) => stream,
        };
        let life = self.registered.life();
        let left = self.lingers.get_or_insert(0);
        let mut dropped = [MaybeUninit::uninit(); 8 * 1024];
        while *left > 0 && !life.is_ended() {
            let mut buffer = ReadBuf::uninit(&mut dropped);
            match Pin::new(&mut *socket).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    *left = left.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if life.ends(Side::Read, context) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }

    fn write(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.life().is_ended() {
            return Poll::Ready(Err(ended()));
        }
        let polled = write(self, context);
        match polled {
            Poll::Ready(Ok(len)) => self.life().was_written(len),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                self.life().set_write_blocked(true);
                if self.life().ends(Side::Write, context) {
                    return Poll::Ready(Err(ended()));
                }
            }
        }
        polled
    }
}

/// The error of writing to a connection that the listener has ended.
fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the connection was silent for too long")
}
