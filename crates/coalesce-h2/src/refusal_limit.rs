//! The refusal limit of one connection.

use std::num::NonZeroU32;

/// Counts refusals in a row. A served request resets the count.
#[derive(Debug)]
pub(crate) struct RefusalLimit {
    limit: Option<NonZeroU32>,
    in_a_row: u32,
}

/// The remainder of the limit after a refusal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Some,
    Nothing,
}

impl RefusalLimit {
    /// Makes a counter; `None` means no limit.
    pub(crate) const fn new(limit: Option<NonZeroU32>) -> Self {
        Self { limit, in_a_row: 0 }
    }

    pub(crate) const fn served(&mut self) {
        self.in_a_row = 0;
    }

    /// Returns true if the next refusal reaches the limit.
    pub(crate) fn is_almost_reached(&self) -> bool {
        self.limit.is_some_and(|limit| self.in_a_row.saturating_add(1) >= limit.get())
    }

    pub(crate) fn refused(&mut self) -> Left {
        self.in_a_row = self.in_a_row.saturating_add(1);
        match self.limit {
            Some(limit) if self.in_a_row >= limit.get() => Left::Nothing,
            _ => Left::Some,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_in_a_row_reach_the_limit_unless_a_request_is_served() {
        let mut refusal_limit = RefusalLimit::new(NonZeroU32::new(3));
        assert_eq!([refusal_limit.refused(), refusal_limit.refused()], [Left::Some, Left::Some]);
        refusal_limit.served();
        assert_eq!([refusal_limit.refused(), refusal_limit.refused()], [Left::Some, Left::Some]);
        assert_eq!(refusal_limit.refused(), Left::Nothing);
    }

    #[test]
    fn counter_without_limit_is_never_reached() {
        let mut refusal_limit = RefusalLimit::new(None);
        assert!((0..100_000).all(|_| refusal_limit.refused() == Left::Some));
    }
}
