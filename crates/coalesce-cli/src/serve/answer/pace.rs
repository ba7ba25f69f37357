//! The lowest pace at which a client may read or send content.

use std::time::Duration;

use crate::serve::limits::{PACE_BYTES_MIN, PACE_TIME};

/// Measures how much content moves while the server waits for a client. Time in which the server
/// or an upstream is slow does not count.
#[derive(Debug, Default)]
pub(super) struct Pace {
    waited: Duration,
    moved: u64,
}

/// The error of a client that transfers too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooSlow;

impl Pace {
    /// Returns how long the server may still wait for the client.
    pub(super) fn time_left(&self) -> Duration {
        PACE_TIME.saturating_sub(self.waited)
    }

    /// Records time for which the server waited for the client.
    pub(super) fn waited(&mut self, time: Duration) -> Result<(), TooSlow> {
        self.waited = self.waited.saturating_add(time);
        if self.waited < PACE_TIME {
            return Ok(());
        }
        let Self { moved, .. } = std::mem::take(self);
        if moved < PACE_BYTES_MIN { Err(TooSlow) } else { Ok(()) }
    }

    /// Records that content has moved.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Waits for one second and moves `bytes`, again and again; returns the seconds until the
    /// client is too slow.
    fn seconds_at(bytes: usize) -> Option<u64> {
        let mut pace = Pace::default();
        (1..1_000).find(|_| {
            pace.moved(bytes);
            pace.waited(SECOND).is_err()
        })
    }

    #[test]
    fn client_below_the_lowest_rate_is_too_slow_after_the_time() {
        assert_eq!(seconds_at(0), Some(60));
        assert_eq!(seconds_at(1), Some(60));
        assert_eq!(seconds_at(239), Some(60));
        assert_eq!(seconds_at(240), None);
    }

    #[test]
    fn time_of_content_that_moved_before_does_not_excuse_a_later_stall() {
        let mut pace = Pace::default();
        pace.moved(1_000_000);
        assert_eq!(pace.waited(PACE_TIME), Ok(()));
        assert_eq!(pace.waited(SECOND), Ok(()));
        assert_eq!(pace.time_left() + SECOND, PACE_TIME);
        assert_eq!(pace.waited(pace.time_left()), Err(TooSlow));
    }
}
