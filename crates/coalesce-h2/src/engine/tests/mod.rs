//! Tests of the engine, by what they look at. `client.rs` and `encoder.rs` are a client of our own:
//! one that can say all that a well-behaved client never would.

mod client;
mod early_answer;
mod encoder;
mod fields;
// What the fuzz targets check as well.
#[expect(unreachable_pub, reason = "public for the fuzz targets")]
#[path = "../../../../../fuzz/src/wire/mod.rs"]
mod harness;
mod hpack;
mod huffman;
mod inspect;
mod limits;
mod model;
mod origin;
mod preface;
mod server;
mod stream_notes;
mod support;
