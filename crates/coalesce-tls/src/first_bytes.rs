//! A stream that keeps a copy of the first bytes that it reads.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits::FIRST_BYTES_MAX;

/// A stream that passes everything through and keeps the first bytes read. It exists because rustls
/// does not return the bytes of a ClientHello that it refuses.
pub(crate) struct FirstBytes<T> {
    io: T,
    bytes: Vec<u8>,
}

impl<T> FirstBytes<T> {
    pub(crate) fn new(io: T) -> Self {
        Self { io, bytes: Vec::new() }
    }

    /// Returns the first bytes that were read.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn into_inner(self) -> T {
        self.io
    }

    fn keep(&mut self, read: &[u8]) {
        let free = FIRST_BYTES_MAX.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(read.get(..free).unwrap_or(read));
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for FirstBytes<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(context, buffer))?;
        this.keep(buffer.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for FirstBytes<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn first_bytes_are_kept_over_several_reads() {
        let sent: Vec<u8> = (0..=u8::MAX).cycle().take(FIRST_BYTES_MAX + 1_000).collect();
        let mut io = FirstBytes::new(&sent[..]);
        let mut all = Vec::new();
        for len in [3, FIRST_BYTES_MAX - 10, 1_007] {
            let mut buffer = vec![0; len];
            io.read_exact(&mut buffer).await.unwrap();
            all.extend(buffer);
        }
        assert_eq!(all, sent);
        assert_eq!(io.bytes(), &sent[..FIRST_BYTES_MAX]);
    }
}
