//! So many lines of one kind in a second, and no more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::serve::limits::REFUSALS_LOGGED_PER_SECOND;
use crate::serve::meters::Log;

/// Bounds how often something is logged. Whoever floods the server does not flood its log.
#[derive(Debug)]
pub(super) struct RateBound {
    begun: Instant,
    /// The second since then in the upper half, and in the lower how many came in it.
    window: AtomicU64,
    unlogged: AtomicU64,
}

impl Default for RateBound {
    fn default() -> Self {
        Self { begun: Instant::now(), window: AtomicU64::new(0), unlogged: AtomicU64::new(0) }
    }
}

/// The lower half of a window.
const COUNT: u64 = u32::MAX as u64;

impl RateBound {
    /// Whether one that comes `now` is logged.
    pub(super) fn allow(&self, now: Instant) -> Log {
        let second = now.saturating_duration_since(self.begun).as_secs() << 32;
        let window = self.window.load(Ordering::Relaxed);
        if window & !COUNT != second {
            // One of those who come first in a second begins it; the others count in it.
            let _ =
                self.window.compare_exchange(window, second, Ordering::Relaxed, Ordering::Relaxed);
        }
        // No machine refuses so many in a second that the count would spill over.
        let window = self.window.fetch_add(1, Ordering::Relaxed);
        if window & COUNT < REFUSALS_LOGGED_PER_SECOND {
            Log::This { unlogged_before: self.unlogged.swap(0, Ordering::Relaxed) }
        } else {
            self.unlogged.fetch_add(1, Ordering::Relaxed);
            Log::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_has_so_many_lines_and_the_next_says_how_many_were_left_out() {
        let bound = RateBound::default();
        let first = bound.begun + Duration::from_secs(7);
        for _ in 0..REFUSALS_LOGGED_PER_SECOND {
            assert_eq!(bound.allow(first), Log::This { unlogged_before: 0 });
        }
        for _ in 0..1_000 {
            assert_eq!(bound.allow(first), Log::Nothing);
        }
        let next = first + Duration::from_secs(1);
        assert_eq!(bound.allow(next), Log::This { unlogged_before: 1_000 });
        assert_eq!(bound.allow(next), Log::This { unlogged_before: 0 });
        // A clock that is read late.
        assert!(matches!(bound.allow(first), Log::This { .. }));
    }

    #[test]
    fn threads_together_have_no_more() {
        let bound = RateBound::default();
        let logged = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let lines = (0..10_000).map(|_| bound.allow(bound.begun));
                        lines.filter(|log| *log != Log::Nothing).count() as u64
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
        });
        assert_eq!(logged, REFUSALS_LOGGED_PER_SECOND);
    }
}
