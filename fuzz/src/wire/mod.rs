//! Checks of the engine under `h2`, for any bytes and any pieces. The unit tests of `coalesce-h2`
//! use them too.

mod early;
mod fields;
mod frames;
mod inspect;
mod origin;
pub(crate) mod script;

pub use early::answer;
pub use inspect::inspect;
pub use origin::announce;
