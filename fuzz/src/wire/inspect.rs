//! Checks connections without early answers.

use coalesce_core::{Malformed, RequestTarget, Verdict};
use coalesce_h2::fuzz_bridge;

use super::fields::check_fields;
use super::script::{Script, read_to_end};

/// The bytes and notes that `h2` and the server half get.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Outcome {
    bytes: Vec<u8>,
    notes: Vec<(u32, String)>,
    lost_sync: bool,
}

/// Reads a whole connection, `buf_len` bytes at a time.
fn read_all<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, buf_len: usize) -> Outcome {
    let decide = |_: &RequestTarget<'_>| -> Verdict { Verdict::Malformed(Malformed::NoAuthority) };
    let (mut transport, probe) = fuzz_bridge::transport(Script::new(chunks), decide, false);
    let mut bytes = Vec::new();
    read_to_end(&mut transport, buf_len, |_, part| bytes.extend_from_slice(part));
    Outcome { bytes, notes: probe.take_notes(), lost_sync: probe.has_lost_sync() }
}

/// Reads a connection in pieces, and asserts, for any bytes of a client:
///
/// - the outcome does not depend on the pieces, nor on the buffers that `h2` offers;
/// - the bytes do not grow;
/// - the bytes for `h2` need no further rewriting;
/// - `h2` ends the connection for no malformed field, unless sync is lost;
/// - notes come in the order of their streams.
pub fn inspect(chunks: &[&[u8]]) {
    let whole = chunks.concat();
    let outcome = read_all(chunks.iter().copied(), 8192);
    let at_once = read_all([&*whole], whole.len().max(1));
    let by_octets = read_all(whole.chunks(1), 7);
    assert_eq!(outcome, at_once, "the pieces of the client matter");
    assert_eq!(outcome, by_octets, "single octets matter");

    assert!(outcome.bytes.len() <= whole.len(), "the bytes for h2 grew");
    let again = read_all([&*outcome.bytes], 8192);
    assert_eq!(again.bytes, outcome.bytes, "rewritten bytes are rewritten again");
    assert_eq!(again.lost_sync, outcome.lost_sync, "rewriting hides the loss of sync");
    if !outcome.lost_sync {
        check_fields(&outcome.bytes);
    }
    let ordered = outcome.notes.is_sorted_by(|a, b| a.0 < b.0);
    assert!(ordered, "notes are out of order");
}
