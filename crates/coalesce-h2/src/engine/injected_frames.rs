//! Whole frames that go out between those of `h2`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::frame::FrameHeader;
use crate::origin::SendFrames;

/// Frames on their way from the adapter to the transport of one connection; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct InjectedFrames(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Whether there are any, which is asked at every flush.
    waiting: AtomicBool,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    closed: bool,
}

impl InjectedFrames {
    /// Whether there is a frame to be sent.
    #[inline]
    pub(super) fn is_waiting(&self) -> bool {
        self.0.waiting.load(Ordering::Acquire)
    }

    /// The next frame.
    #[cold]
    pub(super) fn next(&self) -> Option<Bytes> {
        let mut queue = self.queue();
        let frames = queue.frames.front_mut()?;
        // All of it, if there were a part that is no frame.
        let len = FrameHeader::at(frames, 0).map_or(frames.len(), |header| header.len());
        let frame = frames.split_to(len.min(frames.len()));
        if frames.is_empty() {
            queue.frames.pop_front();
        }
        if queue.frames.is_empty() {
            // Most connections never need the room again.
            queue.frames = VecDeque::new();
            self.0.waiting.store(false, Ordering::Release);
        }
        Some(frame)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // It is whole at any moment.
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SendFrames for InjectedFrames {
    fn send_frames(&self, frames: Bytes) {
        let mut queue = self.queue();
        if !queue.closed && !frames.is_empty() {
            queue.frames.push_back(frames);
            self.0.waiting.store(true, Ordering::Release);
        }
    }

    fn close(&self) {
        let mut queue = self.queue();
        *queue = Queue { frames: VecDeque::new(), closed: true };
        self.0.waiting.store(false, Ordering::Release);
    }
}
