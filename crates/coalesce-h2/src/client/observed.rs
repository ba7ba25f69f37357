//! The byte stream under an HTTP/2 client.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frame_reader::FrameReader;
use super::reports::{Reporter, ServerReports, channel};

/// A byte stream under an HTTP/2 client, which reads along and reports frames of the server.
///
/// It passes all bytes on unchanged, and looks at frame headers and at the payloads of SETTINGS,
/// GOAWAY and ORIGIN. If the first frame is not SETTINGS, it reports nothing (RFC 9113 §3.4).
///
/// # Allocation
/// For each ORIGIN frame, and for a reported frame that comes in several reads.
///
/// # Complexity
/// A frame costs the reading of its header; contents are skipped by their length.
///
/// # Examples
/// ```
/// use coalesce_h2::client::{Observed, ServerReport};
/// use tokio::io::AsyncReadExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// // A server that allows 100 streams: SETTINGS with one setting.
/// let server: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100];
/// let (mut stream, mut reports) = Observed::new(server);
/// stream.read_to_end(&mut Vec::new()).await?;
/// let Some(ServerReport::Settings(settings)) = reports.next().await else { panic!() };
/// assert_eq!(settings.max_concurrent_streams(), Some(100));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Observed<T> {
    io: T,
    reader: FrameReader,
    reporter: Reporter,
}

impl<T> Observed<T> {
    /// Wraps a connection before its first byte, and returns its reports.
    pub fn new(io: T) -> (Self, ServerReports) {
        let (reporter, reports) = channel();
        (Self { io, reader: FrameReader::new(), reporter }, reports)
    }

    /// Returns the stream below.
    pub const fn get_ref(&self) -> &T {
        &self.io
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Observed<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { io, reader, reporter } = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(io).poll_read(context, buf))?;
        let fresh = buf.filled().get(before..).unwrap_or_default();
        reader.read(fresh, |frame| reporter.report(&frame));
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Observed<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}
