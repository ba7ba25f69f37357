//! The streams that the client opened, and those of them that `h2` knows.

/// The streams of a client, by their identifiers alone.
#[derive(Debug, Default)]
pub(super) struct ClientStreams {
    /// The highest stream that the client opened.
    highest: u32,
    /// The highest stream that `h2` was shown.
    shown: u32,
}

impl ClientStreams {
    /// True if a header block on this stream opens it: only an odd identifier above all others does
    /// (RFC 9113 §5.1.1). Any other block is trailers, or something that `h2` refuses.
    pub(super) const fn opens(&self, stream_id: u32) -> bool {
        stream_id % 2 == 1 && stream_id > self.highest
    }

    /// True if no header block so far was on this stream or above it.
    pub(super) const fn is_new(&self, stream_id: u32) -> bool {
        stream_id > self.highest
    }

    /// Opens a stream that `h2` is not shown.
    pub(super) const fn open_hidden(&mut self, stream_id: u32) {
        self.highest = stream_id;
    }

    /// Opens a stream that `h2` is shown.
    pub(super) const fn open_shown(&mut self, stream_id: u32) {
        self.highest = stream_id;
        self.shown = stream_id;
    }

    /// True if `h2` would take a stream, which is over, for one that may still be opened: it was
    /// answered early or skipped (RFC 9113 §5.1.1), and `h2` was shown none above it.
    #[inline]
    pub(super) const fn hides(&self, stream_id: u32) -> bool {
        stream_id > self.shown && stream_id <= self.highest
    }

    /// True if any stream is [hidden](Self::hides).
    pub(super) const fn hides_any(&self) -> bool {
        self.hides(self.highest)
    }

    /// The first stream that `h2` was not shown.
    pub(super) const fn first_not_shown(&self) -> u32 {
        self.shown.saturating_add(1)
    }
}
