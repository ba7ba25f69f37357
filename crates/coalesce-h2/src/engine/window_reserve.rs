//! The part of the connection's flow-control window that early answers are paid with.

/// What the window of a connection holds at first, all of it for `h2` (RFC 9113 §6.9.2).
const WINDOW_INITIAL: u32 = 65_535;

/// What it may hold (RFC 9113 §6.9.1).
const WINDOW_MAX: u32 = (1 << 31) - 1;

/// Flow-control window of the connection that `h2` was not told of, and so cannot spend.
///
/// RFC 9113 §6.9.1: a sender must not send more than the window that the receiver granted. `h2`
/// counts what it sends itself and knows nothing of early answers. So the engine lowers the grants
/// (`WINDOW_UPDATE` on stream 0) that `h2` reads, and pays early answers with the difference: what
/// `h2` was told of, what answers took and what is held are together what the client granted.
///
/// From each grant, the reserve takes back what was spent, and keeps a [share](Share) until it
/// holds the share of the largest grant. `h2` gets the rest. `h2` also gets all that is held as
/// soon as its own part is used up, because many clients grant nothing while some window is left.
#[derive(Debug)]
pub(super) struct WindowReserve {
    held: u32,
    max: u32,
    /// What was spent and is not back yet.
    spent: u32,
    share: Share,
    /// What `h2` may still send.
    left: u32,
}

/// How much of a grant is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Share {
    /// An eighth: the connection was never refused anything, and never needed all of its window.
    Small,
    /// Three quarters: it was refused something, and most of what it takes in may be refusals.
    Large,
    /// Nothing, and what is held goes back: it needed all of its window, and was not refused
    /// anything since.
    Nothing,
}

impl Default for WindowReserve {
    fn default() -> Self {
        Self { held: 0, max: 0, spent: 0, share: Share::Small, left: WINDOW_INITIAL }
    }
}

impl WindowReserve {
    /// What an answer may take.
    pub(super) const fn held(&self) -> u32 {
        self.held
    }

    /// Takes its part of a grant, and returns the part for `h2`, which is non-zero whenever `grant`
    /// is: an increment of 0 is an error (RFC 9113 §6.9).
    pub(super) fn take(&mut self, grant: u32) -> u32 {
        let rest = if self.left.saturating_add(self.held).saturating_add(grant) > WINDOW_MAX {
            // Too much, which `h2` can see only if it is shown all of it.
            grant.saturating_add(std::mem::take(&mut self.held)).min(WINDOW_MAX)
        } else {
            grant.saturating_sub(self.keep(grant))
        };
        self.left = self.left.saturating_add(rest);
        rest
    }

    fn keep(&mut self, grant: u32) -> u32 {
        let share = match self.share {
            Share::Small => grant / 8,
            Share::Large => grant / 4 * 3,
            Share::Nothing => 0,
        };
        self.max = self.max.max(share);
        let back = self.spent.min(grant.saturating_sub(1));
        self.spent = self.spent.saturating_sub(back);
        self.held = self.held.saturating_add(back);
        let rest = grant.saturating_sub(back);
        let kept = share.min(self.max.saturating_sub(self.held)).min(rest.saturating_sub(1));
        self.held = self.held.saturating_add(kept);
        back.saturating_add(kept)
    }

    /// Pays an answer.
    pub(super) fn spend(&mut self, bytes: u32) {
        debug_assert!(self.held >= bytes, "an answer costs more than the reserve holds");
        self.held = self.held.saturating_sub(bytes);
        self.spent = self.spent.saturating_add(bytes);
        self.share = Share::Large;
    }

    /// Takes back what an answer cost that will not be sent.
    pub(super) fn refund(&mut self, bytes: u32) {
        self.spent = self.spent.saturating_sub(bytes);
        self.held = self.held.saturating_add(bytes);
    }

    /// The connection was refused something by `h2`.
    pub(super) fn want(&mut self) {
        self.share = Share::Large;
    }

    /// Early answers are over.
    pub(super) fn close(&mut self) {
        self.share = Share::Nothing;
    }

    /// Takes note of content that `h2` wrote.
    #[inline]
    pub(super) fn h2_wrote(&mut self, content_len: usize) {
        self.left = self.left.saturating_sub(u32::try_from(content_len).unwrap_or(u32::MAX));
    }

    /// Whether `h2` is to get what is held.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.held > 0 && (self.left == 0 || self.share == Share::Nothing)
    }

    /// Gives up what is held, to be granted to `h2`.
    pub(super) fn give_back(&mut self) -> u32 {
        let back = std::mem::take(&mut self.held);
        self.left = self.left.saturating_add(back);
        self.max = 0;
        self.spent = 0;
        self.share = Share::Nothing;
        back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_was_refused_nothing_keeps_seven_eighths() {
        let mut reserve = WindowReserve::default();
        let (mut granted, mut left) = (0_u64, 0_u64);
        for grant in (0..2_000).chain([1 << 20, 7, 1 << 24]) {
            let rest = reserve.take(grant);
            assert!(rest >= grant - grant / 8);
            assert!(rest > 0 || grant == 0);
            granted += u64::from(grant);
            left += u64::from(rest);
            assert_eq!(granted, left + u64::from(reserve.held()));
        }
        // Not an eighth of everything, but of one grant.
        assert_eq!(reserve.held(), 1 << 21);
    }

    #[test]
    fn what_was_spent_comes_back() {
        let mut reserve = WindowReserve::default();
        assert_eq!(reserve.take(800), 700);
        reserve.spend(100);
        assert_eq!((reserve.take(100), reserve.held()), (1, 99));
        assert_eq!((reserve.take(400), reserve.held()), (199, 300));
    }

    #[test]
    fn what_is_held_is_due_when_the_rest_is_used() {
        let mut reserve = WindowReserve::default();
        assert_eq!(reserve.take(8), 7);
        reserve.h2_wrote(65_541);
        assert!(!reserve.is_due());
        reserve.h2_wrote(1);
        assert!(reserve.is_due());
        assert_eq!((reserve.give_back(), reserve.held(), reserve.is_due()), (1, 0, false));
        // From now on all is left to h2, until it is wanted.
        assert_eq!(reserve.take(8), 8);
        reserve.want();
        assert_eq!(reserve.take(8), 2);
    }
}
