//! Tests of the engine, by subject. `client.rs` and `encoder.rs` make a client that can send
//! invalid bytes, which no library client does.

mod client;
mod early_answer;
mod encoder;
mod fields;
// Shared with the fuzz targets.
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
