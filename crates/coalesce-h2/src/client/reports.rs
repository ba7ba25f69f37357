//! The reports of one connection, from its byte stream to its owner.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::frame_reader::{GoAway, ServerFrame, ServerSettings};
use crate::limits::UNREAD_ORIGIN_BYTES_MAX;
use crate::origin::entries;

/// A report about the server of a connection.
///
/// # Examples
/// ```
/// use coalesce_h2::client::ServerReport;
///
/// fn log(report: &ServerReport) {
///     match report {
///         ServerReport::Settings(settings) => println!("{settings:?}"),
///         ServerReport::GoAway(goaway) => println!("no stream above {}", goaway.last_stream()),
///         ServerReport::Origins(origins) => println!("{} origins", origins.iter().count()),
///         _ => {}
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerReport {
    /// SETTINGS came: all settings so far. The first report of every connection.
    Settings(ServerSettings),
    /// GOAWAY came. A later one may name a lower stream.
    GoAway(GoAway),
    /// An ORIGIN frame came.
    Origins(ReceivedOrigins),
    /// More than [`UNREAD_ORIGIN_BYTES_MAX`] bytes of ORIGIN frames came before a report was read,
    /// and were dropped. The origin set of the connection is incomplete.
    OriginsLost,
}

/// The entries of a received ORIGIN frame (RFC 8336 §2.1).
///
/// # Examples
/// ```
/// use coalesce_h2::client::ReceivedOrigins;
///
/// let origins = ReceivedOrigins::from_payload(b"\0\x0ehttps://a.test\0\xffshort");
/// assert_eq!(origins.iter().collect::<Vec<_>>(), [b"https://a.test"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedOrigins {
    payload: Box<[u8]>,
}

impl ReceivedOrigins {
    /// Reads the payload of an ORIGIN frame. The reader of a connection makes these values; this
    /// function is for tests and for other HTTP/2 implementations.
    pub fn from_payload(payload: &[u8]) -> Self {
        Self { payload: payload.into() }
    }

    /// Returns the entries: octets that may be the ASCII serialisation of an origin (RFC 6454
    /// §6.2). The iterator ends at an entry that is longer than the rest of the frame.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        entries(&self.payload)
    }

    /// Returns the whole payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }
}

/// The reports that wait for the owner of a connection.
#[derive(Debug, Default)]
struct Waiting {
    /// The newest settings.
    settings: Option<ServerSettings>,
    /// The newest GOAWAY.
    goaway: Option<GoAway>,
    origins: VecDeque<ReceivedOrigins>,
    origin_bytes: usize,
    origins_lost: bool,
    /// No more reports come.
    ended: bool,
    waker: Option<Waker>,
}

impl Waiting {
    fn add(&mut self, frame: &ServerFrame<'_>) {
        match frame {
            ServerFrame::Settings(settings) => self.settings = Some(*settings),
            ServerFrame::GoAway(goaway) => self.goaway = Some(*goaway),
            ServerFrame::Origins(payload) => {
                // A frame without entries counts too: it also takes memory.
                let bytes = self.origin_bytes + payload.len().max(size_of::<ReceivedOrigins>());
                if bytes > UNREAD_ORIGIN_BYTES_MAX {
                    self.origins_lost = true;
                } else {
                    self.origin_bytes = bytes;
                    self.origins.push_back(ReceivedOrigins::from_payload(payload));
                }
            }
        }
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn take(&mut self) -> Option<ServerReport> {
        if let Some(settings) = self.settings.take() {
            return Some(ServerReport::Settings(settings));
        }
        if let Some(goaway) = self.goaway.take() {
            return Some(ServerReport::GoAway(goaway));
        }
        if let Some(origins) = self.origins.pop_front() {
            let bytes = origins.payload.len().max(size_of::<ReceivedOrigins>());
            self.origin_bytes = self.origin_bytes.saturating_sub(bytes);
            return Some(ServerReport::Origins(origins));
        }
        std::mem::take(&mut self.origins_lost).then_some(ServerReport::OriginsLost)
    }
}

/// The two ends of the reports of one connection share this.
type Shared = Arc<Mutex<Waiting>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Waiting> {
    // No code panics while it holds the lock.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The reports of one connection. [`Observed::new`](super::Observed::new) makes it.
///
/// Several SETTINGS or GOAWAY frames that came since the last report are one report. Memory is
/// bounded by [`UNREAD_ORIGIN_BYTES_MAX`].
///
/// # Examples
/// ```
/// use coalesce_h2::client::{GoAway, ServerReport, ServerReports};
///
/// /// Waits until the server ends the connection gracefully, or the connection ends.
/// async fn goaway(mut reports: ServerReports) -> Option<GoAway> {
///     loop {
///         if let ServerReport::GoAway(goaway) = reports.next().await? {
///             return Some(goaway);
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct ServerReports(Shared);

impl ServerReports {
    /// Waits for the next report. Returns `None` when the connection has ended.
    ///
    /// # Cancellation
    /// No report is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<ServerReport> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Returns a report that has come already.
    ///
    /// h2 gives an answer to its caller after this stream has read the answer, so the reports of
    /// all frames before it are here by then.
    pub fn try_next(&mut self) -> Option<ServerReport> {
        lock(&self.0).take()
    }

    /// Polls for the next report.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<ServerReport>> {
        let mut waiting = lock(&self.0);
        if let Some(report) = waiting.take() {
            return Poll::Ready(Some(report));
        }
        if waiting.ended {
            return Poll::Ready(None);
        }
        waiting.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// The end of the byte stream. The reports end when it is dropped.
#[derive(Debug)]
pub(super) struct Reporter(Shared);

impl Reporter {
    pub(super) fn report(&self, frame: &ServerFrame<'_>) {
        lock(&self.0).add(frame);
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        let mut waiting = lock(&self.0);
        waiting.ended = true;
        waiting.wake();
    }
}

pub(super) fn channel() -> (Reporter, ServerReports) {
    let shared = Shared::default();
    (Reporter(Arc::clone(&shared)), ServerReports(shared))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(reports: &mut ServerReports) -> Poll<Option<ServerReport>> {
        reports.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn unread_origins_are_bounded_and_the_loss_is_reported_last() {
        let (reporter, mut reports) = channel();
        let payload = vec![0; 16_384];
        for _ in 0..100 {
            reporter.report(&ServerFrame::Origins(&payload));
        }
        for _ in 0..4 {
            let expected = ServerReport::Origins(ReceivedOrigins::from_payload(&payload));
            assert_eq!(next(&mut reports), Poll::Ready(Some(expected)));
        }
        assert_eq!(next(&mut reports), Poll::Ready(Some(ServerReport::OriginsLost)));
        assert_eq!(next(&mut reports), Poll::Pending);
        // The limit counts unread frames, so a reader that keeps up loses none.
        reporter.report(&ServerFrame::Origins(&payload));
        assert!(matches!(next(&mut reports), Poll::Ready(Some(ServerReport::Origins(_)))));
    }

    #[test]
    fn unread_empty_frames_are_bounded() {
        let (reporter, mut reports) = channel();
        for _ in 0..1_000_000 {
            reporter.report(&ServerFrame::Origins(&[]));
        }
        let mut count = 0;
        while let Poll::Ready(Some(ServerReport::Origins(_))) = next(&mut reports) {
            count += 1;
        }
        assert_eq!(count, UNREAD_ORIGIN_BYTES_MAX / size_of::<ReceivedOrigins>());
    }

    #[test]
    fn report_that_has_come_is_taken_without_waiting_and_keeps_the_waker() {
        let (reporter, mut reports) = channel();
        assert_eq!(next(&mut reports), Poll::Pending);
        assert_eq!(reports.try_next(), None);
        assert!(lock(&reports.0).waker.is_some());
        let expected = ServerReport::Settings(ServerSettings::default());
        reporter.report(&ServerFrame::Settings(ServerSettings::default()));
        assert_eq!(reports.try_next(), Some(expected));
        assert_eq!(reports.try_next(), None);
    }

    #[test]
    fn reports_end_with_the_stream_after_the_last_report() {
        let (reporter, mut reports) = channel();
        reporter.report(&ServerFrame::Settings(ServerSettings::default()));
        drop(reporter);
        assert!(matches!(next(&mut reports), Poll::Ready(Some(ServerReport::Settings(_)))));
        assert_eq!(next(&mut reports), Poll::Ready(None));
    }
}
