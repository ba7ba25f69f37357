//! Announcing origin sets (RFC 8336).

mod frame;
mod set;
#[cfg(test)]
mod tests;

use bytes::Bytes;

#[cfg(any(test, fuzzing))]
pub(crate) use frame::ORIGIN;
pub use set::OriginSet;

/// The way of whole frames to the client that `h2` knows nothing of.
///
/// `h2` has none, so the transport under it makes one. A hook in `h2` would be another
/// implementation of this, and the transport's would go.
pub(crate) trait SendFrames {
    /// Has whole frames on stream 0 sent as soon as they may be: after the connection's first frame
    /// (RFC 9113 §3.4), and not within a header block (§4.3).
    fn send_frames(&self, frames: Bytes);

    /// Sends none from here on, not even those that wait.
    fn close(&self);
}

/// What one connection has announced.
#[derive(Debug)]
pub(crate) struct Announcer<F> {
    frames: F,
    /// The newest origin set.
    announced: OriginSet,
}

impl<F: SendFrames> Announcer<F> {
    /// Nothing is announced yet.
    pub(crate) fn new(frames: F) -> Self {
        Self { frames, announced: OriginSet::default() }
    }

    /// Announces what `origins` has and the set before it had not; says whether that is anything.
    pub(crate) fn announce(&mut self, origins: &OriginSet) -> bool {
        let fresh = origins.without(&self.announced);
        self.announced = origins.clone();
        if !fresh.is_empty() {
            self.frames.send_frames(fresh.frames());
        }
        !fresh.is_empty()
    }

    /// Announces nothing more: the client was told to go away, and opens no stream any longer.
    pub(crate) fn close(&self) {
        self.frames.close();
    }
}
