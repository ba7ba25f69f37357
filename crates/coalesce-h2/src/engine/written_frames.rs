//! The frames that `h2` wrote: their content, and whether an injected frame may follow.

use super::frame::{FrameHeader, HEADER_LEN};

/// Follows the frames of `h2` from header to header, independently of the sizes of its writes.
#[derive(Debug, Default)]
pub(super) struct WrittenFrames {
    /// The bytes of the current payload that are not yet written.
    rest: usize,
    /// The first `header_len` bytes of an unfinished frame header.
    header: [u8; HEADER_LEN],
    header_len: usize,
    /// True if the last frame leaves its header block open.
    block_is_open: bool,
}

impl WrittenFrames {
    /// Counts `bytes`, and returns the payloads of the DATA frames that begin in them, padding
    /// included (RFC 9113 §6.9.1).
    #[inline]
    pub(super) fn count(&mut self, bytes: &[u8]) -> usize {
        let mut content = 0;
        let mut at = self.rest;
        if self.header_len > 0 {
            let Some((header, len)) = self.complete(bytes) else { return 0 };
            content += header.content_len();
            self.block_is_open = header.leaves_block_open();
            at = len + header.payload_len;
        }
        while let Some(header) = FrameHeader::at(bytes, at) {
            content += header.content_len();
            self.block_is_open = header.leaves_block_open();
            at += header.len();
        }
        self.rest = at.saturating_sub(bytes.len());
        if let Some(part) = bytes.get(at..).filter(|part| !part.is_empty()) {
            self.complete(part);
        }
        content
    }

    /// Returns true if the last frame and its header block are whole. Only then may another frame
    /// follow (RFC 9113 §4.1, §4.3).
    pub(super) const fn is_whole(&self) -> bool {
        self.rest == 0 && self.header_len == 0 && !self.block_is_open
    }

    /// Completes the frame header. Returns it and the number of bytes that it took, when it is
    /// whole.
    #[cold]
    fn complete(&mut self, bytes: &[u8]) -> Option<(FrameHeader, usize)> {
        let space = self.header.get_mut(self.header_len..)?;
        let len = bytes.len().min(space.len());
        space.get_mut(..len)?.copy_from_slice(bytes.get(..len)?);
        self.header_len += len;
        if self.header_len < HEADER_LEN {
            return None;
        }
        self.header_len = 0;
        Some((FrameHeader::at(&self.header, 0)?, len))
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{DATA, HEADERS, push_header};
    use super::*;

    fn frame(kind: u8, payload_len: usize) -> Vec<u8> {
        let mut frame = Vec::new();
        push_header(payload_len, kind, 0, &mut frame);
        frame.resize(frame.len() + payload_len, 0);
        frame
    }

    #[test]
    fn content_is_counted_for_writes_of_any_size() {
        let lens = [0, 1, 8, 9, 10, 300, 70_000];
        let frames: Vec<u8> =
            lens.iter().flat_map(|&len| [frame(DATA, len), frame(HEADERS, len)].concat()).collect();
        for len in (1..40).chain([1_000, frames.len()]) {
            let mut content = WrittenFrames::default();
            let counted: usize = frames.chunks(len).map(|part| content.count(part)).sum();
            assert_eq!(counted, lens.iter().sum(), "{len}");
        }
    }
}
