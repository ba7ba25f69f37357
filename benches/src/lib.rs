//! What is measured here: `benches/` with criterion (the adapter, choosing by server name, lookups
//! and the decision), and the program `peers`, which measures lookups beside those of others.
