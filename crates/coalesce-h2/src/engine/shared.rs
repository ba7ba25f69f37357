//! The handle through which both halves of a connection reach their engine.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A value shared by the transport below `h2` and the server half above it.
///
/// Both run on one task and never at the same time: `h2` calls the transport while the server half
/// calls `h2`. But `h2::server::Connection` owns its transport and gives no access to it, so
/// neither half can borrow the value from the other. The lock is therefore never contended: each
/// half takes it once per call, and the server half never holds it while it calls `h2`.
#[derive(Debug)]
pub(crate) struct Shared<T>(Arc<Mutex<T>>);

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        // Only the user's code can panic under the lock: a `Decide`, or the byte stream. The engine
        // is consistent whenever it calls either, so its state is valid after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
