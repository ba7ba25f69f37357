//! Dialogues with a pool in virtual time: events in, outputs out.

mod budget;
mod client;
mod cold_start;
mod endpoints;
mod ends;
mod misdirected;
mod policies;
mod stale;
mod streams;
