//! Attacks on `coalesce serve` over loopback, and their outcomes.
//!
//! The documentation of each test describes the attack. The test attacks its own server process and
//! checks four things: the answers that the attacker gets, that a [`Bystander`](server::Bystander)
//! on another connection gets all its answers, that the process has no connection left afterwards,
//! and that its memory grew by no more than a bound that the test explains.

mod disclosure;
mod floods;
mod groups;
mod handshakes;
mod headers;
mod preface;
mod readers;
mod refusal_limit;
mod resets;
mod server;
mod server_names;
