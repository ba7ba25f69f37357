//! The byte stream under `h2`, watched and where necessary mended.
//!
//! `h2` judges some header fields before the adapter can: it resets a stream whose `:authority`
//! is no [`http::uri::Authority`], ends the connection when that value is not UTF-8, and forgets
//! `:scheme` when there is no `:authority`. The decision needs those facts, so [`Transport`] sits
//! between `h2` and the socket, decodes every header block a second time, and tells what `h2`
//! cannot through [`StreamNotes`].
//!
//! ```text
//!   socket ──► Transport::poll_read ──► Observer ──► h2 ──► the adapter
//!                                        │    │                ▲
//!                                      Early  └─► StreamNotes ──┘
//!                                        │
//!   socket ◄── Transport::poll_flush ◄── BatchedBytes ◄── Preface ◄── h2
//!                                        │
//!                                   InjectedFrames ◄── the adapter
//! ```
//!
//! What it answers itself are misdirected requests that [`early_answer`] is sure of. Every other byte that
//! `h2` can digest passes unchanged, but for window that answers are paid with; and whatever breaks
//! the rules of framing or of HPACK is passed on as it came, for `h2` to answer.
//!
//! | file | is |
//! | --- | --- |
//! | `transport.rs` | the wrapper: reading, holding back, writing |
//! | `observer.rs` | frames and header blocks of the client; decides what to rewrite |
//! | `fields.rs` | what one header block says about its target |
//! | `frame.rs` | frame headers, the fragments of a block, laying out a rewritten block |
//! | `hpack.rs`, `table.rs`, `huffman.rs` | HPACK as far as the target needs it |
//! | `early_answer.rs`, `header_check.rs` | answering a misdirected request before `h2` sees it |
//! | `window_reserve.rs`, `answers_out.rs` | the window that such answers take, and their way to the client |
//! | `stream_notes.rs` | what the adapter is told: records, and how many streams were reset |
//! | `write_batch.rs` | what is written waits while there is more to come |
//! | `preface.rs` | the first frame `h2` writes: SETTINGS |
//! | `injected_frames.rs` | frames that `h2` cannot send |
//!
//! # Rewriting
//!
//! A refused value becomes the letter `a`, repeated to the same decoded length and Huffman-coded.
//! The length keeps the dynamic tables of client, observer and `h2` in step (RFC 7541 §4.1), and
//! five bits per octet, the shortest code there is, keep the frame from growing. The observer's
//! table holds the true value, `h2`'s the placeholder, so that a later reference is recognised.
//!
//! # Losing sync
//!
//! On an HPACK error, a stray frame, or a header block beyond [`observer::BLOCK_LEN_MAX`], the
//! observer releases what it holds, unmodified, and stays off for the rest of the connection.
//! `h2` ends the connection for most of these; for the others the adapter asks
//! [`StreamNotes::sync_state`] and fails closed.

mod answers_out;
mod early_answer;
mod fields;
mod frame;
#[cfg(any(test, fuzzing))]
mod fuzzing;
#[cfg(any(test, fuzzing))]
mod fuzzing_early;
#[cfg(any(test, fuzzing))]
mod fuzzing_origin;
mod header_check;
mod hpack;
mod huffman;
mod injected_frames;
mod observer;
mod preface;
mod stream_notes;
mod table;
#[cfg(test)]
mod tests;
mod transport;
mod window_reserve;
mod write_batch;

pub(crate) use early_answer::{AUTHORITY_LEN_MAX, Refuse};
pub(crate) use frame::{
    DATA, END_HEADERS, END_STREAM, HEADER_LEN, HEADERS, push_header, set_stream,
};
#[cfg(fuzzing)]
pub(crate) use fuzzing::fuzz_inspect;
#[cfg(fuzzing)]
pub(crate) use fuzzing_early::fuzz_early;
#[cfg(fuzzing)]
pub(crate) use fuzzing_origin::fuzz_origin;
pub(crate) use hpack::push_integer;
pub(crate) use injected_frames::InjectedFrames;
pub(crate) use stream_notes::{StreamNotes, SyncState, Target};
pub(crate) use transport::{ExtendedConnect, Transport};
pub(crate) use write_batch::WriteBatch;
