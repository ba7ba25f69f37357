//! The announcement of origin sets (RFC 8336).

mod frame;
mod set;
#[cfg(test)]
mod tests;

use bytes::Bytes;

#[cfg(feature = "client")]
pub(crate) use frame::{ORIGIN, entries};
pub use set::OriginSet;

/// The origins that one connection has announced.
#[derive(Debug, Default)]
pub(crate) struct Announcer {
    /// The newest origin set.
    announced: OriginSet,
}

impl Announcer {
    /// Returns the frames for the origins that are in `origins` and not in the previous set; empty
    /// if there are none.
    pub(crate) fn fresh(&mut self, origins: &OriginSet) -> Bytes {
        let fresh = origins.without(&self.announced);
        self.announced = origins.clone();
        fresh.frames()
    }
}
