//! What is measured here: `benches/` with criterion (the adapter, choosing by server name, lookups
//! and the decision), the program `peers`, which measures lookups beside those of others, and the
//! program `servers`, which measures whole servers. This library is what the programs share.
#![expect(clippy::cast_precision_loss, reason = "figures of measurements are rounded anyway")]

pub mod bare;
pub mod machine;
pub mod progress;
pub mod random;
pub mod statistics;
pub mod table;
