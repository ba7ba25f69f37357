//! What is measured here: `benches/` with criterion (the adapter, the layer, choosing by server
//! name, lookups and the decision), and two programs: `peers` measures lookups beside those of
//! others, `layer` makes requests for callgrind to count the instructions of.

pub mod client;
pub mod servers;
