//! The reports of a server, which two tasks read.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use coalesce_h2::client::{ServerReport, ServerReports};

/// The reports of a server. A task waits for them, and each request looks before its answer: the
/// caller of an answer may rely on the frames that came before it.
#[derive(Clone, Debug)]
pub(crate) struct Reports(Arc<Mutex<ServerReports>>);

impl Reports {
    pub(super) fn new(reports: ServerReports) -> Self {
        Self(Arc::new(Mutex::new(reports)))
    }

    /// Takes the reports that have come, in their order. With a context, returns `Ready` at the
    /// end of the connection, and otherwise wakes the task when more come.
    pub(crate) fn each(
        &self,
        mut context: Option<&mut Context<'_>>,
        mut take: impl FnMut(ServerReport),
    ) -> Poll<()> {
        // Held while a report is taken, so that no later one overtakes it.
        let mut reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let next = match context.as_deref_mut() {
                Some(context) => reports.poll_next(context),
                None => reports.try_next().map_or(Poll::Pending, |it| Poll::Ready(Some(it))),
            };
            match next {
                Poll::Ready(Some(report)) => take(report),
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
