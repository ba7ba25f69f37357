//! Frames that `h2` cannot send, on their way to the client.

use std::collections::VecDeque;

use bytes::Bytes;

use super::frame::FrameHeader;

/// Whole frames on stream 0 that wait for a place between the frames of `h2`.
#[derive(Debug, Default)]
pub(super) struct InjectedFrames {
    frames: VecDeque<Bytes>,
    closed: bool,
}

impl InjectedFrames {
    /// Adds whole frames, unless the queue is closed.
    pub(super) fn push(&mut self, frames: Bytes) {
        if !self.closed && !frames.is_empty() {
            self.frames.push_back(frames);
        }
    }

    /// Drops all frames that wait, and every later one.
    pub(super) fn close(&mut self) {
        *self = Self { frames: VecDeque::new(), closed: true };
    }

    /// True if no frame waits.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Takes the next frame.
    #[cold]
    pub(super) fn next(&mut self) -> Option<Bytes> {
        let frames = self.frames.front_mut()?;
        // Bytes that are not a frame would leave at once.
        let len = FrameHeader::at(frames, 0).map_or(frames.len(), |header| header.len());
        let frame = frames.split_to(len.min(frames.len()));
        if frames.is_empty() {
            self.frames.pop_front();
        }
        if self.frames.is_empty() {
            // Most connections never use the memory again.
            self.frames = VecDeque::new();
        }
        Some(frame)
    }
}
