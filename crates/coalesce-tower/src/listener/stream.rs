//! An accepted connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::connection::ConnectionInfo;

/// The byte stream of a connection, and its facts.
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
    stream: Stream,
    info: ConnectionInfo,
}

#[derive(Debug)]
enum Stream {
    Tls(Box<TlsStream<TcpStream>>),
    Cleartext(TcpStream),
}

impl Accepted {
    pub(crate) fn tls(stream: TlsStream<TcpStream>, info: ConnectionInfo) -> Self {
        Self { stream: Stream::Tls(Box::new(stream)), info }
    }

    pub(crate) fn cleartext(stream: TcpStream, info: ConnectionInfo) -> Self {
        Self { stream: Stream::Cleartext(stream), info }
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
    ($self:ident, $stream:ident => $call:expr) => {
        match &mut $self.get_mut().stream {
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
        each!(self, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Tls(stream) => stream.is_write_vectored(),
            Stream::Cleartext(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => stream.poll_shutdown(context))
    }
}
