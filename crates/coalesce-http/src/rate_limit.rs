//! Limits how many lines of one kind are logged in a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Whether one event is logged.
///
/// # Examples
/// ```
/// use coalesce_http::log::LogDecision;
///
/// /// Writes one line, and the number of lines that were left out before it.
/// fn write(decision: LogDecision, line: &str) -> Option<String> {
///     match decision {
///         LogDecision::Log { unlogged_before: 0 } => Some(line.to_owned()),
///         LogDecision::Log { unlogged_before } => {
///             Some(format!("{line} ({unlogged_before} not logged before)"))
///         }
///         LogDecision::Skip => None,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "an event is either logged or not")]
pub enum LogDecision {
    /// The event is logged.
    Log {
        /// The number of events before it that were not logged.
        unlogged_before: u64,
    },
    /// The event is only counted, because enough of its kind were logged in this second.
    Skip,
}

/// A limit on the log lines of one kind of event in a second, so that a flood of requests does not
/// flood the log.
///
/// ```
/// use std::time::Instant;
///
/// use coalesce_http::log::{LogDecision, RateLimit};
///
/// let (limit, now) = (RateLimit::per_second(10), Instant::now());
/// let events = (0..1_000).map(|_| limit.decide(now));
/// let logged = events.filter(|event| matches!(event, LogDecision::Log { .. })).count();
/// assert_eq!(logged, 10);
/// ```
///
/// # Allocation
/// None. Threads share a limit without a lock.
#[derive(Debug)]
pub struct RateLimit {
    begun: Instant,
    lines: u64,
    /// The upper half counts the seconds since `begun`, the lower half the events in this second.
    window: AtomicU64,
    unlogged: AtomicU64,
}

/// The lower half of a window.
const COUNT: u64 = u32::MAX as u64;

impl RateLimit {
    /// Makes a limit of this many lines a second.
    pub fn per_second(lines: u64) -> Self {
        let (window, unlogged) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { begun: Instant::now(), lines, window, unlogged }
    }

    /// Decides whether an event that happens `now` is logged.
    pub fn decide(&self, now: Instant) -> LogDecision {
        let second = now.saturating_duration_since(self.begun).as_secs() << 32;
        let window = self.window.load(Ordering::Relaxed);
        if window & !COUNT != second {
            // The first thread in a new second resets the count; the exchange of the others fails.
            let _ =
                self.window.compare_exchange(window, second, Ordering::Relaxed, Ordering::Relaxed);
        }
        // The count cannot overflow: no machine refuses 2^32 requests in a second.
        let window = self.window.fetch_add(1, Ordering::Relaxed);
        if window & COUNT < self.lines {
            LogDecision::Log { unlogged_before: self.unlogged.swap(0, Ordering::Relaxed) }
        } else {
            self.unlogged.fetch_add(1, Ordering::Relaxed);
            LogDecision::Skip
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LINES: u64 = 10;

    #[test]
    fn rate_limit_logs_n_per_second_then_reports_suppressed() {
        let limit = RateLimit::per_second(LINES);
        let first = limit.begun + Duration::from_secs(7);
        for _ in 0..LINES {
            assert_eq!(limit.decide(first), LogDecision::Log { unlogged_before: 0 });
        }
        for _ in 0..1_000 {
            assert_eq!(limit.decide(first), LogDecision::Skip);
        }
        let next = first + Duration::from_secs(1);
        assert_eq!(limit.decide(next), LogDecision::Log { unlogged_before: 1_000 });
        assert_eq!(limit.decide(next), LogDecision::Log { unlogged_before: 0 });
        // A thread may read the clock late.
        assert!(matches!(limit.decide(first), LogDecision::Log { .. }));
    }

    #[test]
    fn rate_limit_holds_for_all_threads_together() {
        let limit = RateLimit::per_second(LINES);
        let logged = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let lines = (0..10_000).map(|_| limit.decide(limit.begun));
                        lines.filter(|log| *log != LogDecision::Skip).count() as u64
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
        });
        assert_eq!(logged, LINES);
    }
}
