//! Early answers on their way to the client.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::frame::{FrameHeader, HEADERS, RST_STREAM, WORD_LEN, push_header, set_stream};

/// Bytes of answers that may wait to be written; beyond them `h2` has the work, and its limits.
pub(super) const OUT_LEN_MAX: usize = 64 * 1024;

/// Room for answers that is kept for the next ones.
const OUT_LEN_KEPT: usize = 4096;

/// `REFUSED_STREAM` (RFC 9113 §7): nothing was done, and the client may ask again.
const REFUSED_STREAM: u32 = 0x7;

/// Whole answers, of which the first ones may be written.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    /// How much is written, once it has begun.
    written: Option<usize>,
}

impl Outgoing {
    /// Whether no more than these may wait.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= OUT_LEN_MAX
    }

    /// Where the next answer goes.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Whether what waits goes before anything else.
    #[inline]
    pub(super) const fn has_begun(&self) -> bool {
        self.written.is_some()
    }

    /// Writes what waits. What has begun has to be finished before anything else.
    pub(super) fn poll_send<T: AsyncWrite + Unpin>(
        &mut self,
        io: &mut T,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut written = self.written.unwrap_or(0);
        while let Some(rest) = self.bytes.get(written..).filter(|rest| !rest.is_empty()) {
            self.written = Some(written);
            written += ready!(Pin::new(&mut *io).poll_write(context, rest))?;
            if self.written == Some(written) {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        self.bytes.clear();
        self.bytes.shrink_to(OUT_LEN_KEPT);
        self.written = None;
        Poll::Ready(Ok(()))
    }

    /// Takes back what has not begun: its streams are reset instead. Says how many they are.
    pub(super) fn take_back(&mut self) -> u32 {
        if self.has_begun() {
            return 0;
        }
        let answers = std::mem::take(&mut self.bytes);
        let mut rest = &*answers;
        let mut count = 0;
        while let Some(header) = FrameHeader::at(rest, 0) {
            let (frame, later) = rest.split_at(header.len().min(rest.len()));
            rest = later;
            match header.kind {
                HEADERS => {
                    let start = self.bytes.len();
                    push_header(WORD_LEN, RST_STREAM, 0, &mut self.bytes);
                    self.bytes.extend_from_slice(&REFUSED_STREAM.to_be_bytes());
                    set_stream(header.stream_id, self.bytes.get_mut(start..).unwrap_or_default());
                    count += 1;
                }
                // Of an answer that was taken back before.
                RST_STREAM => self.bytes.extend_from_slice(frame),
                _ => {}
            }
        }
        count
    }
}
