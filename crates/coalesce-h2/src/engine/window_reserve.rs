//! The part of the connection's flow-control window that early answers are paid with.

use super::frame::{CONTINUATION, DATA, FrameHeader, HEADER_LEN, HEADERS, PUSH_PROMISE};

/// What the window of a connection holds at first, all of it for `h2` (RFC 9113 §6.9.2).
const WINDOW_INITIAL: u32 = 65_535;

/// What it may hold (RFC 9113 §6.9.1).
const WINDOW_MAX: u32 = (1 << 31) - 1;

/// Window of the connection that `h2` was not told of, and so cannot spend.
///
/// Of each grant, what was spent from here comes back; and a [share](Share) of it is kept, until
/// the window_reserve holds the share of the largest grant. `h2` gets the rest, and all that is held as soon
/// as its own part is used up: many a client grants nothing while there is something left.
#[derive(Debug)]
pub(super) struct WindowReserve {
    held: u32,
    max: u32,
    /// What was spent and is not back yet.
    spent: u32,
    share: Share,
    /// What `h2` may still send, and how that is counted.
    left: u32,
    content: Content,
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
        Self {
            held: 0,
            max: 0,
            spent: 0,
            share: Share::Small,
            left: WINDOW_INITIAL,
            content: Content::default(),
        }
    }
}

impl WindowReserve {
    /// What an answer may take.
    pub(super) const fn held(&self) -> u32 {
        self.held
    }

    /// Takes its part of a grant, and says what is left of it: never nothing of something.
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
        debug_assert!(self.held >= bytes, "an answer that nobody can pay for");
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

    /// Counts what `h2` wrote.
    #[inline]
    pub(super) fn count(&mut self, written: &[u8]) {
        let content = self.content.count(written);
        self.left = self.left.saturating_sub(u32::try_from(content).unwrap_or(u32::MAX));
    }

    /// Whether what was counted are whole frames and whole header blocks.
    pub(super) fn counted_whole_blocks(&self) -> bool {
        self.content.is_whole()
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

/// Counts the content in a stream of frames, whichever way it is cut.
#[derive(Debug, Default)]
struct Content {
    /// What is to come of a payload.
    rest: usize,
    /// What has come of a frame header.
    header: [u8; HEADER_LEN],
    header_len: usize,
    /// Whether the last frame leaves its header block open.
    block_is_open: bool,
}

impl Content {
    /// The payloads of the DATA frames that begin here, padding included (RFC 9113 §6.9.1).
    #[inline]
    fn count(&mut self, bytes: &[u8]) -> usize {
        let mut content = 0;
        let mut at = self.rest;
        if self.header_len > 0 {
            let Some((header, len)) = self.complete(bytes) else { return 0 };
            content += header.content_len();
            self.block_is_open = header.leaves_block_open();
            at = len + header.payload_len;
        }
        while let Some(header) = FrameHeader::at(bytes, at) {
            content += header.content_len();
            self.block_is_open = header.leaves_block_open();
            at += header.len();
        }
        self.rest = at.saturating_sub(bytes.len());
        if let Some(part) = bytes.get(at..).filter(|part| !part.is_empty()) {
            self.complete(part);
        }
        content
    }

    /// Whether nothing is to come of a frame, nor of a header block.
    const fn is_whole(&self) -> bool {
        self.rest == 0 && self.header_len == 0 && !self.block_is_open
    }

    /// Adds to the header; once it is whole, says how many bytes that took.
    #[cold]
    fn complete(&mut self, bytes: &[u8]) -> Option<(FrameHeader, usize)> {
        let space = self.header.get_mut(self.header_len..)?;
        let len = bytes.len().min(space.len());
        space.get_mut(..len)?.copy_from_slice(bytes.get(..len)?);
        self.header_len += len;
        if self.header_len < HEADER_LEN {
            return None;
        }
        self.header_len = 0;
        Some((FrameHeader::at(&self.header, 0)?, len))
    }
}

impl FrameHeader {
    /// What the frame takes of windows.
    fn content_len(&self) -> usize {
        if self.kind == DATA { self.payload_len } else { 0 }
    }

    /// Whether CONTINUATION must follow (RFC 9113 §4.3).
    fn leaves_block_open(&self) -> bool {
        matches!(self.kind, HEADERS | PUSH_PROMISE | CONTINUATION) && !self.ends_headers()
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{HEADERS, push_header};
    use super::*;

    fn frame(kind: u8, payload_len: usize) -> Vec<u8> {
        let mut frame = Vec::new();
        push_header(payload_len, kind, 0, &mut frame);
        frame.resize(frame.len() + payload_len, 0);
        frame
    }

    #[test]
    fn a_client_that_was_refused_nothing_keeps_seven_eighths() {
        let mut window_reserve = WindowReserve::default();
        let (mut granted, mut left) = (0_u64, 0_u64);
        for grant in (0..2_000).chain([1 << 20, 7, 1 << 24]) {
            let rest = window_reserve.take(grant);
            assert!(rest >= grant - grant / 8);
            assert!(rest > 0 || grant == 0);
            granted += u64::from(grant);
            left += u64::from(rest);
            assert_eq!(granted, left + u64::from(window_reserve.held()));
        }
        // Not an eighth of everything, but of one grant.
        assert_eq!(window_reserve.held(), 1 << 21);
    }

    #[test]
    fn what_was_spent_comes_back() {
        let mut window_reserve = WindowReserve::default();
        assert_eq!(window_reserve.take(800), 700);
        window_reserve.spend(100);
        assert_eq!((window_reserve.take(100), window_reserve.held()), (1, 99));
        assert_eq!((window_reserve.take(400), window_reserve.held()), (199, 300));
    }

    #[test]
    fn what_is_held_is_due_when_the_rest_is_used() {
        let mut window_reserve = WindowReserve::default();
        assert_eq!(window_reserve.take(8), 7);
        window_reserve.count(&frame(HEADERS, 70_000));
        window_reserve.count(&frame(DATA, 65_541));
        assert!(!window_reserve.is_due());
        window_reserve.count(&frame(DATA, 1));
        assert!(window_reserve.is_due());
        assert_eq!(
            (window_reserve.give_back(), window_reserve.held(), window_reserve.is_due()),
            (1, 0, false)
        );
        // From now on all is left to h2, until it is wanted.
        assert_eq!(window_reserve.take(8), 8);
        window_reserve.want();
        assert_eq!(window_reserve.take(8), 2);
    }

    #[test]
    fn content_is_counted_however_it_is_cut() {
        let lens = [0, 1, 8, 9, 10, 300, 70_000];
        let frames: Vec<u8> =
            lens.iter().flat_map(|&len| [frame(DATA, len), frame(HEADERS, len)].concat()).collect();
        for len in (1..40).chain([1_000, frames.len()]) {
            let mut content = Content::default();
            let counted: usize = frames.chunks(len).map(|part| content.count(part)).sum();
            assert_eq!(counted, lens.iter().sum(), "{len}");
        }
    }
}
