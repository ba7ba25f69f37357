//! Tests of the wire, by what they look at. `client.rs` and `encoder.rs` are a client of our own:
//! one that can say all that a well-behaved client never would.

mod client;
mod early;
mod encoder;
mod exceptions;
mod fields;
mod hpack;
mod huffman;
mod inspect;
mod limits;
mod opening;
mod origin;
mod server;
