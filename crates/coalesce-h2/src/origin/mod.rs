//! Announcing origin sets (RFC 8336).

mod frame;
mod set;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use set::OriginSet;

/// What one connection has announced.
#[derive(Debug, Default)]
pub(crate) struct Announcer {
    /// The newest origin set.
    announced: OriginSet,
}

impl Announcer {
    /// Returns as frames what `origins` has and the set before it had not; empty if that is
    /// nothing.
    pub(crate) fn fresh(&mut self, origins: &OriginSet) -> Bytes {
        let fresh = origins.without(&self.announced);
        self.announced = origins.clone();
        fresh.frames()
    }
}
