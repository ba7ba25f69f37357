//! Whole frames that go out between those of `h2`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::frame::FrameHeader;
use crate::origin::SendFrames;

/// Frames on their way from the adapter to the transport of one connection; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interjected(Arc<Shared>);

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

impl Interjected {
    /// Whether there is a frame to be sent.
    #[inline]
    pub(super) fn is_waiting(&self) -> bool {
        self.0.waiting.load(Ordering::Acquire)
    }

    /// The next frame.
    #[cold]
    pub(super) fn next(&self) -> Option<Bytes> {
        let mut queue = self.queue();
        let frame = queue.frames.front_mut().map(|frames| {
            let len = FrameHeader::at(frames, 0).map_or(0, |header| header.len());
            if len == 0 || len > frames.len() {
                debug_assert!(false, "what was to be sent is no frame");
                return std::mem::take(frames);
            }
            frames.split_to(len)
        });
        if queue.frames.front().is_some_and(Bytes::is_empty) {
            queue.frames.pop_front();
        }
        self.0.waiting.store(!queue.frames.is_empty(), Ordering::Release);
        frame
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // It is whole at any moment.
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SendFrames for Interjected {
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
