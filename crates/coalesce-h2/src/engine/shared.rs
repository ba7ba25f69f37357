//! The one handle that both halves of a connection have on their engine.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A value that the transport under `h2` and the server half above it share.
///
/// Both run on one task, and never at the same time: `h2` calls the transport while the server half
/// calls `h2`. But `h2::server::Connection` owns its transport and gives no access to it, so
/// neither half can borrow the value from the other. The lock is therefore never contended; each
/// half takes it once for a call, and the server half never holds it while it calls `h2`.
#[derive(Debug)]
pub(crate) struct Shared<T>(Arc<Mutex<T>>);

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        // Under the lock only code of the user can panic: a `Decide`, or the byte stream. The
        // engine is consistent whenever it calls either, so a poisoned lock holds a consistent
        // engine.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
