//! The connections of a listener while they are open: how many there are, since when each is
//! silent, and which is ended to make room.

mod life;
mod limits;
mod register;

pub(crate) use life::{Life, Side};
pub use limits::ConnectionLimits;
pub(crate) use register::{Register, Registered};
