//! The part of the connection's flow-control window that early answers use.

/// The initial window of a connection, all of it for `h2` (RFC 9113 §6.9.2).
const WINDOW_INITIAL: u32 = 65_535;

/// The largest window (RFC 9113 §6.9.1).
const WINDOW_MAX: u32 = (1 << 31) - 1;

/// Flow-control window of the connection that `h2` does not know of and therefore cannot spend.
///
/// A sender must not send more than the window that the receiver granted (RFC 9113 §6.9.1). `h2`
/// counts its own content and does not know of early answers. The engine therefore lowers the
/// grants (`WINDOW_UPDATE` on stream 0) that `h2` reads, and spends the difference on early
/// answers. At any time, the client's grants equal the window passed to `h2`, plus the window spent
/// on answers, plus the window held.
///
/// From each grant, the reserve first replaces the window that answers have spent. It then keeps a
/// [share](Share), up to the share of the largest grant, and `h2` gets the rest. As soon as `h2`
/// has used up its part, it also gets all of the held window, because many clients grant nothing
/// while some window is left.
#[derive(Debug)]
pub(super) struct WindowReserve {
    held: u32,
    max: u32,
    /// The window that answers have spent and no grant has replaced.
    spent: u32,
    share: Share,
    /// The window that `h2` has left.
    left: u32,
}

/// The part of a grant that the reserve keeps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Share {
    /// An eighth: no request was refused, and `h2` never used up its window.
    Small,
    /// Three quarters: a request was refused, so most content of the connection may be refusals.
    Large,
    /// Nothing, and the held window goes back: `h2` used up its window, and no request was refused
    /// since.
    Nothing,
}

impl Default for WindowReserve {
    fn default() -> Self {
        Self { held: 0, max: 0, spent: 0, share: Share::Small, left: WINDOW_INITIAL }
    }
}

impl WindowReserve {
    /// Returns the window that an answer may use.
    pub(super) const fn held(&self) -> u32 {
        self.held
    }

    /// Keeps a part of a grant, and returns the part for `h2`. It is non-zero if `grant` is,
    /// because an increment of 0 is an error (RFC 9113 §6.9).
    pub(super) fn take(&mut self, grant: u32) -> u32 {
        let rest = if self.left.saturating_add(self.held).saturating_add(grant) > WINDOW_MAX {
            // The window overflows. `h2` detects the error only if it gets the whole grant.
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

    /// Spends window on an answer.
    pub(super) fn spend(&mut self, bytes: u32) {
        debug_assert!(self.held >= bytes, "an answer costs more than the reserve holds");
        self.held = self.held.saturating_sub(bytes);
        self.spent = self.spent.saturating_add(bytes);
        self.share = Share::Large;
    }

    /// Takes back the window of an answer that will not be sent.
    pub(super) fn refund(&mut self, bytes: u32) {
        self.spent = self.spent.saturating_sub(bytes);
        self.held = self.held.saturating_add(bytes);
    }

    /// Records that the server half refused a request.
    pub(super) fn want(&mut self) {
        self.share = Share::Large;
    }

    /// Stops keeping window, because no more answers are early.
    pub(super) fn close(&mut self) {
        self.share = Share::Nothing;
    }

    /// Records content that `h2` wrote.
    #[inline]
    pub(super) fn h2_wrote(&mut self, content_len: usize) {
        self.left = self.left.saturating_sub(u32::try_from(content_len).unwrap_or(u32::MAX));
    }

    /// Returns true if the held window should go to `h2`.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.held > 0 && (self.left == 0 || self.share == Share::Nothing)
    }

    /// Returns the held window, which the engine then grants to `h2`.
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
    fn connection_without_refusals_keeps_seven_eighths_of_each_grant() {
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
        // An eighth of the largest grant, not of the sum.
        assert_eq!(reserve.held(), 1 << 21);
    }

    #[test]
    fn spent_window_is_replaced_by_the_next_grant() {
        let mut reserve = WindowReserve::default();
        assert_eq!(reserve.take(800), 700);
        reserve.spend(100);
        assert_eq!((reserve.take(100), reserve.held()), (1, 99));
        assert_eq!((reserve.take(400), reserve.held()), (199, 300));
    }

    #[test]
    fn held_window_goes_to_h2_when_its_part_is_used_up() {
        let mut reserve = WindowReserve::default();
        assert_eq!(reserve.take(8), 7);
        reserve.h2_wrote(65_541);
        assert!(!reserve.is_due());
        reserve.h2_wrote(1);
        assert!(reserve.is_due());
        assert_eq!((reserve.give_back(), reserve.held(), reserve.is_due()), (1, 0, false));
        // `h2` gets all grants until the next refusal.
        assert_eq!(reserve.take(8), 8);
        reserve.want();
        assert_eq!(reserve.take(8), 2);
    }
}
