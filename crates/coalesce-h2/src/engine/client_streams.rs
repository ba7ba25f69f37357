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
    /// Returns true if a header block on this stream opens it: the identifier must be odd and above
    /// all others (RFC 9113 §5.1.1). Any other block is trailers, or an error that `h2` handles.
    pub(super) const fn opens(&self, stream_id: u32) -> bool {
        stream_id % 2 == 1 && stream_id > self.highest
    }

    /// Returns true if no header block so far was on this stream or above it.
    pub(super) const fn is_new(&self, stream_id: u32) -> bool {
        stream_id > self.highest
    }

    /// Records a new stream that `h2` is not shown.
    pub(super) const fn open_hidden(&mut self, stream_id: u32) {
        self.highest = stream_id;
    }

    /// Records a new stream that `h2` is shown.
    pub(super) const fn open_shown(&mut self, stream_id: u32) {
        self.highest = stream_id;
        self.shown = stream_id;
    }

    /// Returns true if `h2` would take an ended stream for one that can still open: the stream was
    /// answered early or skipped (RFC 9113 §5.1.1), and `h2` was shown none above it.
    #[inline]
    pub(super) const fn hides(&self, stream_id: u32) -> bool {
        stream_id > self.shown && stream_id <= self.highest
    }

    /// Returns true if any stream is [hidden](Self::hides).
    pub(super) const fn hides_any(&self) -> bool {
        self.hides(self.highest)
    }

    /// Returns the first stream that `h2` was not shown.
    pub(super) const fn first_not_shown(&self) -> u32 {
        self.shown.saturating_add(1)
    }
}
