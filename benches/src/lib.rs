//! What is measured here: `benches/` with criterion (the adapter, the layer, choosing by server
//! name, lookups and the decision), the program `peers`, which measures lookups beside those of
//! others, the program `servers`, which measures whole servers, and the program `layer`, which
//! makes requests for callgrind to count the instructions of. This library is what they share.
#![expect(clippy::cast_precision_loss, reason = "figures of measurements are rounded anyway")]
#![allow(clippy::exhaustive_structs, reason = "the crate is not published")]

pub mod bare;
pub mod client;
pub mod machine;
pub mod progress;
pub mod random;
pub mod records;
pub mod servers;
pub mod statistics;
pub mod table;
