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

    /// Takes the reports that have come. With a context, returns `Ready` at the end of the
    /// connection, and otherwise wakes the task when more come.
    ///
    /// Origins are before SETTINGS: servers send ORIGIN right after SETTINGS, and requests that
    /// wait for SETTINGS need to know the origin set.
    pub(crate) fn each(
        &self,
        mut context: Option<&mut Context<'_>>,
        take: impl FnOnce(Vec<ServerReport>),
    ) -> Poll<()> {
        // Held while reports are taken, so that no later one overtakes them.
        let mut reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = Vec::new();
        let end = loop {
            let next = match context.as_deref_mut() {
                Some(context) => reports.poll_next(context),
                None => reports.try_next().map_or(Poll::Pending, |it| Poll::Ready(Some(it))),
            };
            match next {
                Poll::Ready(Some(report)) => batch.push(report),
                Poll::Ready(None) => break Poll::Ready(()),
                Poll::Pending => break Poll::Pending,
            }
        };
        if !batch.is_empty() {
            batch.sort_by_key(|it| !matches!(it, ServerReport::Origins(_)));
            take(batch);
        }
        end
    }
}
