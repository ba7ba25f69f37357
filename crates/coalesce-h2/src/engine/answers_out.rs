//! Early answers on their way to the client.

use super::frame::{FrameHeader, HEADERS, RST_STREAM, WORD_LEN, push_header, set_stream};

/// Bytes of answers that may wait to be written. Beyond them `h2` answers, under its own limits.
pub(super) const OUT_LEN_MAX: usize = 64 * 1024;

/// `REFUSED_STREAM` (RFC 9113 §7): the request was not processed, and the client may repeat it.
const REFUSED_STREAM: u32 = 0x7;

/// Whole answers that wait for a place between the frames of `h2`.
#[derive(Debug, Default)]
pub(super) struct AnswersOut {
    bytes: Vec<u8>,
}

impl AnswersOut {
    /// Returns true if no further answer may wait.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= OUT_LEN_MAX
    }

    /// Returns the answers; append the next one to them.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Replaces the waiting answers by resets of their streams, and returns their number.
    pub(super) fn take_back(&mut self) -> u32 {
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
                // From an earlier call.
                RST_STREAM => self.bytes.extend_from_slice(frame),
                _ => {}
            }
        }
        count
    }
}
