//! Dialogues with a pool in virtual time: events in, outputs out.

mod client;
mod cold_start;
mod ends;
mod misdirected;
mod policies;
mod stale;
mod streams;
