//! Tests of the wire, by what they look at. `client.rs` and `encoder.rs` are a client of our own:
//! one that can say all that a well-behaved client never would.

mod client;
mod early_answer;
mod encoder;
mod fields;
mod hpack;
mod huffman;
mod inspect;
mod limits;
mod origin;
mod preface;
mod server;
mod stream_notes;
