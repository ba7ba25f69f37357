//! Attacks on `coalesce serve`, over loopback, and what becomes of each.
//!
//! Every test first says what the attacker does, then does it to a server process of its own, and
//! looks at four things: what the attacker is told, that a [`Bystander`](server::Bystander) on a
//! connection of its own gets every answer, that the process holds no connection afterwards, and
//! that its memory has not grown by more than a bound that the test argues for.

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
