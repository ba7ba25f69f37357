//! Gates: the tests fix the order of events by opening them, never by waiting for a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// The longest wait of any test for an event. A test that needs it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// A gate that opens once. Clones are the same gate.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    pub(crate) fn opened() -> Self {
        Self(Arc::new(watch::Sender::new(true)))
    }

    pub(crate) fn closed() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn passed(&self) {
        // The gate itself keeps the sender, so there is no error.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

/// Waits for an event of a test.
///
/// # Panics
/// If it does not come within [`PATIENCE`].
pub(crate) async fn patiently<F: Future>(what: &str, event: F) -> F::Output {
    let waited = tokio::time::timeout(PATIENCE, event).await;
    waited.unwrap_or_else(|_| panic!("never came: {what}"))
}
