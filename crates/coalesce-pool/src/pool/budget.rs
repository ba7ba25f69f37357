//! The budget of retries: a share of the requests of the last seconds.

use core::time::Duration;

use crate::limits::RETRY_WINDOW_SECONDS;
use crate::pool::config::PoolConfig;

const SLOTS: usize = RETRY_WINDOW_SECONDS as usize;

/// Counts requests and retries by the second.
#[derive(Debug, Default)]
pub(super) struct RetryBudget {
    /// The second `n` has the slot `n` modulo their number.
    slots: [Slot; SLOTS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    second: u64,
    requests: u64,
    retries: u64,
}

impl RetryBudget {
    /// Counts a request.
    pub(super) fn add_request(&mut self, now: Duration) {
        if let Some(slot) = self.slot(now) {
            slot.requests = slot.requests.saturating_add(1);
        }
    }

    /// Counts a retry and returns true, if one more is allowed.
    pub(super) fn spend(&mut self, config: &PoolConfig, now: Duration) -> bool {
        let others = RETRY_WINDOW_SECONDS.saturating_sub(1);
        let oldest = now.as_secs().saturating_sub(others.into());
        let (mut requests, mut retries) = (0_u64, 0_u64);
        for slot in self.slots.iter().filter(|slot| slot.second >= oldest) {
            requests = requests.saturating_add(slot.requests);
            retries = retries.saturating_add(slot.retries);
        }
        let share = requests.saturating_mul(config.retry_percent.into()) / 100;
        let allowed = retries < share.saturating_add(config.retries_min.into());
        if allowed && let Some(slot) = self.slot(now) {
            slot.retries = slot.retries.saturating_add(1);
        }
        allowed
    }

    fn slot(&mut self, now: Duration) -> Option<&mut Slot> {
        let second = now.as_secs();
        let at = usize::try_from(second.checked_rem(RETRY_WINDOW_SECONDS.into())?).ok()?;
        let slot = self.slots.get_mut(at)?;
        if slot.second != second {
            *slot = Slot { second, ..Slot::default() };
        }
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(budget: &mut RetryBudget, config: &PoolConfig, now: u64) -> usize {
        (0..1_000).take_while(|_| budget.spend(config, Duration::from_secs(now))).count()
    }

    #[test]
    fn retries_are_a_share_of_the_requests_of_ten_seconds_above_a_floor() {
        let config = PoolConfig { retry_percent: 20, retries_min: 3, ..PoolConfig::default() };
        let mut budget = RetryBudget::default();
        assert_eq!(spent(&mut budget, &config, 0), 3, "the floor");
        for second in 0..5 {
            (0..10).for_each(|_| budget.add_request(Duration::from_secs(second)));
        }
        assert_eq!(spent(&mut budget, &config, 5), 10, "a fifth of 50");
        assert_eq!(spent(&mut budget, &config, 9), 0);
        // The 3 retries and 10 requests of second 0 leave the window.
        assert_eq!(spent(&mut budget, &config, 10), 1);
        assert_eq!(spent(&mut budget, &config, 100), 3, "the floor again");
    }
}
