//! The end of an upload that its server does not want.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

/// Ends the body of a request early: its next frame is an error, after which hyper resets the
/// stream with `CANCEL`, and closes an HTTP/1.1 connection.
#[derive(Debug, Default)]
pub(crate) struct Cancel {
    cancelled: AtomicBool,
    /// The task that waits for a frame of the body.
    waker: Mutex<Option<Waker>>,
}

impl Cancel {
    /// Ends the body.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Returns whether the body is to end. Otherwise `waker` is woken when it is.
    pub(super) fn is_cancelled(&self, waker: &Waker) -> bool {
        let mut known = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.as_ref().is_some_and(|it| it.will_wake(waker)) {
            *known = Some(waker.clone());
        }
        drop(known);
        // Read after the waker is stored, so that one of the two sees the other.
        self.cancelled.load(Ordering::SeqCst)
    }
}
