//! What must hold for the engine under `h2`, whatever bytes come and however they are cut. The unit
//! tests of `coalesce-h2` share this.

mod early;
mod frames;
mod inspect;
mod origin;
pub(crate) mod script;

pub use early::answer;
pub use inspect::inspect;
pub use origin::announce;
