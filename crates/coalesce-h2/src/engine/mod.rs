//! The engine below an `h2` server: one state machine without IO.
//!
//! `h2` judges some header fields before the server half can: it resets a stream whose `:authority`
//! is not a valid [`http::uri::Authority`], ends the connection if that value is not UTF-8, and
//! drops `:scheme` if there is no `:authority`. The decision needs those facts. `h2` also ends the
//! connection for most malformed fields, although each is the error of one stream (RFC 9113
//! §8.1.1). So the [`Engine`] sees every byte between the client and `h2`. It decodes each header
//! block a second time, and notes malformed requests and the targets that `h2` would hide.
//!
//! ```text
//! socket ──► Transport::poll_read ──► Engine::handle_read ──► h2 ──► server half
//!                ▲  │ early answers             │
//!                │  ▼                           ▼
//! socket ◄── Transport::poll_flush ◄── Engine::waiting ◄── h2    Engine::take_note,
//!                                                                verdict, announce
//! ```
//!
//! Bytes pass unchanged, except fields that `h2` would refuse, blocks of several frames, requests
//! that the engine answers itself, and the window that such answers use. Bytes that break the rules
//! of framing or of HPACK pass unchanged, and `h2` answers them.
//!
//! `tests/h2_behaviour` has a test for every property of `h2` on which the engine relies. Comments
//! here name the test instead of describing the property.
//!
//! | file | contents |
//! | --- | --- |
//! | `reading.rs` | the part of the engine that reads the client's bytes |
//! | `frame.rs` | frame headers, the fragments of a block, laying out a rewritten block |
//! | `block_reader.rs`, `fields.rs` | reading and rewriting a header block |
//! | `field_check.rs` | fields that make a message malformed unseen by `h2` |
//! | `hpack.rs`, `table.rs`, `huffman.rs`, `integer.rs` | HPACK as far as the target needs it |
//! | `client_streams.rs`, `stash.rs` | the streams that the client opened; buffered bytes |
//! | `decisions.rs` | the user's decision, and verdicts that wait for their streams |
//! | `early_answer.rs`, `header_check.rs` | the conditions for an answer before `h2` sees a request |
//! | `window_reserve.rs`, `answers_out.rs` | the window that such answers use, and their bytes |
//! | `stream_notes.rs` | notes for the server half: targets, malformed requests, and the trust in `h2` |
//! | `preface.rs`, `written_frames.rs` | the first frame of `h2`, and the ends of its frames |
//! | `write_batch.rs`, `injected_frames.rs` | bytes that go out before, and between, frames of `h2` |
//! | `shared.rs` | the handle that both halves share |

mod answers_out;
mod block_reader;
mod client_streams;
mod decisions;
mod early_answer;
mod field_check;
mod fields;
pub(crate) mod frame;
mod header_check;
mod hpack;
mod huffman;
mod injected_frames;
pub(crate) mod integer;
mod preface;
mod reading;
mod shared;
mod stash;
mod stream_notes;
mod table;
#[cfg(test)]
mod tests;
mod window_reserve;
mod write_batch;
mod written_frames;

use std::fmt;
use std::io::IoSlice;
use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use coalesce_core::{RequestTarget, Verdict};
use coalesce_http::Decide;

use crate::answer::{Answers, EarlyTemplate};
use crate::refusal_limit::{Left, RefusalLimit};

use answers_out::AnswersOut;
use block_reader::BlockReader;
use client_streams::ClientStreams;
use decisions::Decisions;
use early_answer::EarlyAnswers;
use injected_frames::InjectedFrames;
use preface::{FirstFrame, Preface};
use stash::Stash;
use stream_notes::StreamNotes;
use window_reserve::WindowReserve;
use write_batch::WriteBatch;
use written_frames::WrittenFrames;

pub(crate) use preface::ExtendedConnect;
pub(crate) use shared::Shared;
pub(crate) use stash::STASH_READ_LEN;
pub(crate) use stream_notes::{SyncState, Target};

/// The length of a client's connection preface (RFC 9113 §3.4), which `h2` checks.
const CLIENT_PREFACE_LEN: usize = 24;

/// The settings of an engine.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The number of refusals in a row that end the connection; `None` for no limit.
    pub(crate) refused_in_a_row: Option<NonZeroU32>,
    /// The answers, shared by the connections of a server.
    pub(crate) answers: Arc<Answers>,
    /// True if misdirected requests may be answered before `h2` sees them.
    pub(crate) answer_early: bool,
    /// Whether clients learn that the server supports extended CONNECT.
    pub(crate) extended_connect: ExtendedConnect,
}

/// The transport's next step to give `h2` bytes to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextRead {
    /// Hand [`Engine::released`] to `h2`.
    Released,
    /// Read at most this number of bytes from the client, for [`Engine::handle_missing`].
    Missing(usize),
    /// Read from the client into the buffer of `h2`, for [`Engine::handle_read`].
    Direct,
    /// Read from the client into the buffer of `h2` without calling the engine: sync is lost.
    Unobserved,
}

/// The state of one connection, between the socket and `h2`.
///
/// An engine does no IO, owns no task, and uses no clock except for the `date` of its answers. The
/// transport reports the bytes that it read and wrote, the server half the streams that `h2` handed
/// out, and both ask the engine for the next step. Its methods are
///
/// - *getters*: [`streams_wait`](Self::streams_wait), [`resets`](Self::resets),
///   [`sync_state`](Self::sync_state), [`may_have_hosts`](Self::may_have_hosts),
///   [`is_batching`](Self::is_batching), [`grant_is_due`](Self::grant_is_due);
/// - *`handle_*` of the transport*: [`handle_read`](Self::handle_read),
///   [`handle_missing`](Self::handle_missing), [`handle_released`](Self::handle_released) and
///   [`handle_end`](Self::handle_end) for bytes of the client; [`handle_write`](Self::handle_write)
///   and [`handle_passed`](Self::handle_passed) for bytes of `h2`;
///   [`handle_sent`](Self::handle_sent) and [`handle_shutdown`](Self::handle_shutdown) for bytes to
///   the client;
/// - *`poll_*` of the transport*: [`poll_read`](Self::poll_read), then perhaps
///   [`released`](Self::released); [`poll_output`](Self::poll_output), then
///   [`waiting`](Self::waiting);
/// - *of the server half*: [`handle_accepted`](Self::handle_accepted),
///   [`take_note`](Self::take_note), [`verdict`](Self::verdict) and [`refused`](Self::refused) for
///   a request; [`handle_none_accepted`](Self::handle_none_accepted) when `h2` hands out none;
///   [`set_batching`](Self::set_batching), [`announce`](Self::announce) and [`close`](Self::close)
///   for the connection.
///
/// # The order of calls
///
/// To read, the transport calls `poll_read` and follows its result, until there are bytes for `h2`.
/// To write, it offers the bytes of `h2` to `handle_write`. If the engine does not take them, the
/// transport sends all `waiting` bytes, writes the bytes of `h2` itself, and calls `handle_passed`
/// with the written part. After either, if `grant_is_due`, it wakes the task, because the socket
/// does not signal the frame that waits for `h2`. To flush, unless the engine `is_batching`, it
/// calls `poll_output` and sends all `waiting` bytes, and repeats both while `poll_output` returns
/// true.
///
/// For each stream that `h2` hands out, in their order, the server half calls `handle_accepted`,
/// `take_note`, and optionally `verdict`; then `refused` if it refuses the request.
///
/// # Losing sync
///
/// On an HPACK error, a stray frame, or a header block beyond [`block_reader::BLOCK_LEN_MAX`], the
/// engine passes its buffered bytes unmodified, and inspects no more bytes of the connection. `h2`
/// ends the connection for most of these errors. For the others the server half asks `sync_state`
/// and fails closed.
pub(crate) struct Engine<D> {
    // From the client.
    /// The rest of a frame that passes unread, or of the client's preface.
    skip: usize,
    /// True if sync is lost, so all bytes pass unread.
    is_off: bool,
    blocks: BlockReader,
    streams: ClientStreams,
    stash: Stash,
    notes: StreamNotes,
    // Decisions and answers.
    decisions: Decisions<D>,
    answers: Arc<Answers>,
    early: EarlyAnswers,
    reserve: WindowReserve,
    answers_out: AnswersOut,
    // To the client.
    preface: Preface,
    written: WrittenFrames,
    batch: WriteBatch,
    injected: InjectedFrames,
    /// The number of streams that `h2` was shown and has not handed out, as far as known.
    not_accepted: u32,
}

impl<D> Engine<D> {
    /// Makes the engine of a connection before its first byte.
    pub(crate) fn new(decide: D, settings: Settings) -> Self {
        let Settings { refused_in_a_row, answers, answer_early, extended_connect } = settings;
        let early = answers.early.as_ref().filter(|_| answer_early);
        Self {
            skip: CLIENT_PREFACE_LEN,
            is_off: false,
            blocks: BlockReader::new(),
            streams: ClientStreams::default(),
            stash: Stash::default(),
            notes: StreamNotes::default(),
            decisions: Decisions::new(decide, RefusalLimit::new(refused_in_a_row)),
            early: EarlyAnswers::new(early.map(EarlyTemplate::content_len)),
            answers,
            reserve: WindowReserve::default(),
            answers_out: AnswersOut::default(),
            preface: Preface::new(extended_connect),
            written: WrittenFrames::default(),
            batch: WriteBatch::default(),
            injected: InjectedFrames::default(),
            not_accepted: 0,
        }
    }

    // Methods for the server half.

    /// Returns true if `h2` has streams that it has not handed out, as far as known.
    pub(crate) const fn streams_wait(&self) -> bool {
        self.not_accepted > 0
    }

    /// Records that `h2` has no stream to hand out. The streams that it was shown and did not hand
    /// out were refused or reset.
    pub(crate) const fn handle_none_accepted(&mut self) {
        self.not_accepted = 0;
    }

    /// Records that `h2` handed out a stream.
    pub(crate) const fn handle_accepted(&mut self) {
        self.not_accepted = self.not_accepted.saturating_sub(1);
        if self.notes.has_lost_sync() {
            // The engine will not see its reset.
            self.notes.see_reset();
        }
    }

    /// Takes the note of a stream: a target that `h2` cannot show as the client named it, or a
    /// malformed request.
    pub(crate) fn take_note(&mut self, stream_id: u32) -> Option<Target> {
        self.notes.take(stream_id)
    }

    /// Returns how far the target that `h2` shows can be trusted, for a stream without a note.
    pub(crate) const fn sync_state(&self, stream_id: u32) -> SyncState {
        self.notes.sync_state(stream_id)
    }

    /// Returns true if any request so far may have had a `host` field.
    pub(crate) const fn may_have_hosts(&self) -> bool {
        self.notes.may_have_hosts()
    }

    /// Returns the number of streams that the client has reset, or may have reset unseen.
    pub(crate) const fn resets(&self) -> u32 {
        self.notes.resets()
    }

    /// Counts a refusal by the server half.
    pub(crate) fn refused(&mut self) -> Left {
        self.decisions.refused()
    }

    /// Takes all waiting notes, for tests and fuzz targets.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn take_notes(&mut self) -> Vec<Target> {
        self.notes.drain()
    }

    /// Returns true if header blocks are no longer inspected, for tests and fuzz targets.
    #[cfg(any(test, fuzzing))]
    pub(crate) const fn has_lost_sync(&self) -> bool {
        self.notes.has_lost_sync()
    }

    /// Returns the window kept back from `h2`, for tests and fuzz targets.
    #[cfg(any(test, fuzzing))]
    pub(crate) const fn window_reserve(&self) -> u32 {
        self.reserve.held()
    }

    /// Sets whether writes of `h2` are collected and leave together.
    pub(crate) const fn set_batching(&mut self, batching: bool) {
        self.batch.set_collecting(batching);
    }

    /// Queues whole frames on stream 0. They leave at the first permitted place: after the
    /// connection's first frame (RFC 9113 §3.4), and not within a header block (§4.3).
    pub(crate) fn announce(&mut self, frames: Bytes) {
        self.injected.push(frames);
    }

    /// Stops early answers and announcements, because a GOAWAY is on its way.
    pub(crate) fn close(&mut self) {
        self.decisions.close();
        self.injected.close();
    }

    // Methods for the bytes to the client.

    /// Takes bytes of `h2` that must wait: a part of the first frame, or of the batch. Returns
    /// their number; `None` if `h2` may write to the client itself, after everything that is
    /// [waiting](Self::waiting).
    pub(crate) fn handle_write(&mut self, slices: &[IoSlice<'_>]) -> Option<usize> {
        if !self.preface.is_over() {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return Some(self.take_preface(first.map(|slice| &**slice).unwrap_or_default()));
        }
        let len = slices.iter().map(|slice| slice.len()).sum();
        if !self.batch.take(slices, len) {
            return None;
        }
        self.handle_passed(slices, len);
        Some(len)
    }

    #[cold]
    fn take_preface(&mut self, bytes: &[u8]) -> usize {
        let (taken, first_frame) = self.preface.take(bytes);
        match first_frame {
            None => {}
            Some(FirstFrame::Settings(frame)) => self.batch.push(&frame),
            Some(FirstFrame::Other(bytes)) => {
                self.batch.push(&bytes);
                // The start of the next frame is unknown, so an injected frame could split one of
                // `h2`.
                self.injected.close();
            }
        }
        taken
    }

    /// Records that `h2` wrote the first `len` bytes of `slices`.
    #[inline]
    pub(crate) fn handle_passed(&mut self, slices: &[IoSlice<'_>], len: usize) {
        let mut rest = len;
        for slice in slices {
            let part = slice.get(..rest).unwrap_or(slice);
            let content_len = self.written.count(part);
            self.reserve.h2_wrote(content_len);
            rest -= part.len();
        }
    }

    /// Returns true if `h2` has a frame to read that the client did not send: a grant of window
    /// that was kept back. `h2` may have read all other bytes, and would then not read again by
    /// itself.
    #[inline]
    pub(crate) fn grant_is_due(&self) -> bool {
        self.reserve.is_due()
    }

    /// Returns true while writes are collected, so a flush must wait.
    #[inline]
    pub(crate) const fn is_batching(&self) -> bool {
        self.batch.is_collecting()
    }

    /// Returns the bytes to send before all others.
    #[inline]
    pub(crate) fn waiting(&self) -> &[u8] {
        self.batch.waiting()
    }

    /// Records that the first `len` waiting bytes were sent.
    pub(crate) fn handle_sent(&mut self, len: usize) {
        self.batch.handle_written(len);
    }

    /// Adds the bytes that may follow the frames of `h2` to those that are
    /// [waiting](Self::waiting). Returns true if there are more to add after they are sent.
    ///
    /// Call it from a flush only: `flush_comes_after_whole_frames_and_whole_header_blocks_only`.
    pub(crate) fn poll_output(&mut self) -> bool {
        if !self.preface.is_over() {
            return false;
        }
        let may_inject = self.written.is_whole();
        if may_inject && !self.injected.is_empty() && self.batch.has_room() {
            // One frame at a time: a client that does not read gets no memory for the others.
            self.batch.push(&self.injected.next().unwrap_or_default());
        }
        let answers = self.answers_out.bytes();
        if !answers.is_empty() && self.batch.has_room() {
            self.batch.append(answers);
        }
        !answers.is_empty() || may_inject && !self.injected.is_empty()
    }

    /// Moves the incomplete first frame to the waiting bytes, because its rest will not come.
    pub(crate) fn handle_shutdown(&mut self) {
        let bytes = self.preface.give_up();
        self.batch.push(&bytes);
    }
}

impl<D: for<'a> Decide<RequestTarget<'a>>> Engine<D> {
    /// Returns the verdict on a request as `h2` shows it; decides it unless that was done when its
    /// header block was read.
    pub(crate) fn verdict(&mut self, stream_id: u32, target: &RequestTarget<'_>) -> Verdict {
        let verdict = self.decisions.verdict(stream_id, target);
        if let Verdict::Misdirected(_) = verdict {
            self.early.refused_late();
        }
        verdict
    }
}

impl<D> fmt::Debug for Engine<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}
