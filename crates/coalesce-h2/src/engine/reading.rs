//! The part of the engine that reads the client's bytes.

use coalesce_core::{HostField, MethodKind, RequestTarget};
use coalesce_http::Decide;

use super::block_reader::{Extent, LostSync};
use super::frame::{
    self, ACK, CONTINUATION, FrameHeader, HEADER_LEN, HEADERS, PUSH_PROMISE, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, WORD_LEN, fragment, increment, push_header,
};
use super::stash::{STASH_READ_LEN, State};
use super::{Engine, NextRead};

/// The longest SETTINGS frame that is read, far longer than one with all known settings. A longer
/// frame stops early answers.
const SETTINGS_LEN_MAX: usize = 1024;

/// The result of [`Engine::observe`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Observed {
    /// The number of bytes at the start that are for `h2`.
    forward: usize,
    /// The start of the bytes to show again, followed by more. If none are missing, they are for
    /// `h2`, after the [grant](Engine::take_grant) that is due.
    held_from: usize,
    /// The least number of bytes that are missing. They never extend beyond the frame that is held.
    missing: usize,
}

/// The engine's step at a frame boundary.
enum Step {
    /// Pass a frame of this length unread.
    Skip(usize),
    /// Pass a header block, or another frame that was read. Of its `length` bytes, the first `kept`
    /// remain.
    Read { length: usize, kept: usize },
    /// Wait for this number of bytes.
    Missing(usize),
}

impl<D: for<'a> Decide<RequestTarget<'a>>> Engine<D> {
    /// Returns the transport's next step to give `h2` bytes to read.
    #[inline]
    pub(crate) fn poll_read(&mut self) -> NextRead {
        match self.stash.state {
            // All frames were answered early. An empty read would signal the end to `h2`, so read
            // on.
            State::Released(_) if self.stash.bytes.is_empty() => self.stash.state = State::Empty,
            State::Released(_) => return NextRead::Released,
            State::Missing(missing) => return NextRead::Missing(missing.min(STASH_READ_LEN)),
            State::Empty => {}
        }
        if self.is_off {
            return NextRead::Unobserved;
        }
        if !self.grant_is_due() {
            return NextRead::Direct;
        }
        // Insert the grant between two frames of the client.
        if let Some(grant) = self.take_grant() {
            self.stash.release(grant);
            return NextRead::Released;
        }
        let missing = self.skip.min(STASH_READ_LEN);
        self.stash.state = State::Missing(missing);
        NextRead::Missing(missing)
    }

    /// Reads the bytes that came straight into the buffer of `h2`, and rewrites them in place where
    /// necessary. Returns the number of bytes at the start that are for `h2`.
    pub(crate) fn handle_read(&mut self, bytes: &mut [u8]) -> usize {
        let observed = self.observe(bytes);
        let held = bytes.get(observed.held_from..).unwrap_or_default();
        if observed.missing > 0 {
            self.stash.hold(held, observed.missing);
        } else if let Some(mut grant) = self.take_grant() {
            grant.extend_from_slice(held);
            self.stash.release(grant);
        }
        observed.forward
    }

    /// Reads missing bytes, no more than [`poll_read`](Self::poll_read) asked for.
    pub(crate) fn handle_missing(&mut self, bytes: &[u8]) {
        let State::Missing(missing) = self.stash.state else { return };
        self.stash.bytes.extend_from_slice(bytes);
        let missing = missing.saturating_sub(bytes.len());
        if missing > 0 {
            self.stash.state = State::Missing(missing);
            return;
        }
        let mut held = std::mem::take(&mut self.stash.bytes);
        let observed = self.observe(&mut held);
        if observed.missing > 0 {
            debug_assert_eq!(observed.forward, 0, "the stash reaches beyond a block");
            self.stash.bytes = held;
            self.stash.state = State::Missing(observed.missing);
        } else {
            let grant = self.take_grant().unwrap_or_default();
            held.splice(observed.forward..observed.held_from, grant);
            self.stash.release(held);
        }
    }

    /// Records that the client sends no more. Returns true if `h2` has no bytes to read, now or
    /// later.
    pub(crate) fn handle_end(&mut self) -> bool {
        // The block will never be complete, so `h2` may see its beginning.
        if self.skip == 0 {
            self.lose_sync(LostSync::Ended);
        }
        self.stash.state = State::Released(0);
        self.stash.bytes.is_empty()
    }

    /// Returns the bytes that `h2` reads next.
    pub(crate) fn released(&self) -> &[u8] {
        self.stash.released()
    }

    /// Records that `h2` has read `len` of the [released](Self::released) bytes.
    pub(crate) fn handle_released(&mut self, len: usize) {
        self.stash.handle_released(len);
    }

    /// Reads the next bytes of the connection, and rewrites them in place where necessary.
    ///
    /// The bytes must begin with those that the last call held, if any.
    fn observe(&mut self, bytes: &mut [u8]) -> Observed {
        let len = bytes.len();
        let (mut read, mut write) = (0, 0);
        while read < len {
            let length = if self.is_off {
                len - read
            } else if self.skip > 0 {
                let length = self.skip.min(len - read);
                self.skip -= length;
                length
            } else {
                match self.step(bytes.get_mut(read..).unwrap_or_default()) {
                    Ok(Step::Skip(length)) => {
                        self.skip = length;
                        continue;
                    }
                    Ok(Step::Read { length, kept }) => {
                        forward(bytes, read, kept, &mut write);
                        read += length;
                        continue;
                    }
                    Ok(Step::Missing(missing)) => {
                        return Observed { forward: write, held_from: read, missing };
                    }
                    Err(lost) => {
                        self.mark_error(bytes.get_mut(read..).unwrap_or_default());
                        self.lose_sync(lost);
                        if self.grant_is_due() {
                            // The engine does not find frame boundaries from here on, so the grant
                            // must go out now.
                            return Observed { forward: write, held_from: read, missing: 0 };
                        }
                        continue;
                    }
                }
            };
            forward(bytes, read, length, &mut write);
            read += length;
        }
        Observed { forward: write, held_from: len, missing: 0 }
    }

    /// Reads the frame at the start of `bytes`.
    fn step(&mut self, bytes: &mut [u8]) -> Result<Step, LostSync> {
        let Some(header) = FrameHeader::at(bytes, 0) else {
            // Even a partial frame header waits: if the frame is HEADERS, its length may change.
            return Ok(Step::Missing(HEADER_LEN - bytes.len()));
        };
        match header.kind {
            HEADERS => self.headers(&header, bytes),
            // Both end the connection (RFC 9113 §6.10 and §8.4).
            CONTINUATION | PUSH_PROMISE => Err(LostSync::StrayFrame),
            SETTINGS | WINDOW_UPDATE | RST_STREAM => Ok(self.control(&header, bytes)),
            _ => Ok(Step::Skip(header.len())),
        }
    }

    /// Reads a frame that affects early answers.
    fn control(&mut self, header: &FrameHeader, bytes: &mut [u8]) -> Step {
        let length = header.len();
        // For `h2`, a hidden stream is idle (`frame_on_an_idle_stream_ends_the_connection`). A
        // frame of another length is an error on every stream (RFC 9113 §6.4, §6.9).
        let hidden = self.streams.hides(header.stream_id)
            && header.kind != SETTINGS
            && header.payload_len == WORD_LEN;
        if header.kind == RST_STREAM && !hidden {
            self.notes.see_reset();
        }
        if !concerns_early_answers(header) && !hidden {
            return Step::Skip(length);
        }
        if length > SETTINGS_LEN_MAX {
            if header.kind == SETTINGS {
                self.give_up_early_answers();
            }
            return Step::Skip(length);
        }
        let Some(frame) = bytes.get_mut(..length) else {
            return Step::Missing(length - bytes.len());
        };
        let no_increment = header.kind == WINDOW_UPDATE && increment(frame) == Some(0);
        match header.kind {
            // An increment of 0 is an error too, on any stream (RFC 9113 §6.9).
            _ if no_increment => {}
            _ if hidden => return Step::Read { length, kept: 0 },
            SETTINGS => self.settings(header, frame),
            _ => self.grant(frame),
        }
        Step::Read { length, kept: length }
    }

    /// Reads a header block once it is complete.
    fn headers(&mut self, first: &FrameHeader, bytes: &mut [u8]) -> Result<Step, LostSync> {
        if self.streams.hides(first.stream_id) {
            return Err(LostSync::StreamHidden);
        }
        let length = match self.blocks.extent(first, bytes)? {
            Extent::Whole(length) => length,
            Extent::Missing(missing) => return Ok(Step::Missing(missing)),
        };
        let kept = self.block(first, bytes.get_mut(..length).unwrap_or_default())?;
        Ok(Step::Read { length, kept })
    }

    /// Reads a whole header block; returns the number of bytes that remain.
    fn block(&mut self, first: &FrameHeader, frames: &mut [u8]) -> Result<usize, LostSync> {
        let stream_id = first.stream_id;
        let opens = self.streams.opens(stream_id);
        let kept = self.blocks.read(first, frames, opens)?;
        if self.blocks.fields.has_host() {
            self.notes.see_host();
        }
        if opens {
            if self.answers_early(first, frames) {
                self.streams.open_hidden(stream_id);
                return Ok(0);
            }
            if let Some(target) = self.blocks.fields.target_to_note(stream_id) {
                self.notes.push(target);
            }
            self.streams.open_shown(stream_id);
            self.not_accepted = self.not_accepted.saturating_add(1);
        }
        self.blocks.trim_after(frames.len());
        Ok(kept)
    }

    /// Answers the request of the block just read, if the request is misdirected and its block
    /// alone settles it; see [`early_answer`](super::early_answer) for the conditions.
    #[inline]
    fn answers_early(&mut self, first: &FrameHeader, frames: &[u8]) -> bool {
        let is_changed = self.blocks.fields.edited() || self.blocks.fields.is_malformed();
        if is_changed || !first.ends_headers() || !first.ends_stream() {
            return false;
        }
        let Some((authority, scheme)) = self.blocks.fields.named() else { return false };
        if !self.early.is_worth_asking(authority, self.blocks.fields.is_fresh()) {
            return false;
        }
        let can_pay = |content_len| content_len <= self.reserve.held();
        if !self.early.allowed_content_len().is_some_and(can_pay) || self.answers_out.is_full() {
            return false;
        }
        let block = fragment(first, frames).ok().and_then(|block| frames.get(block));
        if !block.is_some_and(|block| self.blocks.decoder.is_well_formed(block)) {
            return false;
        }
        let target = RequestTarget {
            authority: Some(authority),
            host: HostField::Absent,
            scheme: Some(scheme),
            method: MethodKind::Ordinary,
        };
        let refused = self.decisions.refuses_early(first.stream_id, &target);
        self.early.decided(refused);
        if refused && let Some(answer) = &self.answers.early {
            self.reserve.spend(answer.content_len());
            answer.write(first.stream_id, self.answers_out.bytes());
        }
        refused
    }

    /// Reads a whole SETTINGS frame of the client.
    fn settings(&mut self, header: &FrameHeader, frame: &[u8]) {
        if header.flags & ACK != 0 {
            return;
        }
        self.early.handle_settings(frame);
        if self.early.content_len().is_some() && self.early.allowed_content_len().is_none() {
            self.take_back_answers();
        }
    }

    /// Keeps a share of the window that a whole `WINDOW_UPDATE` frame grants to the connection.
    fn grant(&mut self, frame: &mut [u8]) {
        // An answer without content needs no window.
        if self.early.allowed_content_len().is_none_or(|content_len| content_len == 0) {
            return;
        }
        if self.early.take_refused_late() {
            self.reserve.want();
        }
        let Some(granted) = increment(frame) else { return };
        if let Some(field) = frame.get_mut(HEADER_LEN..).and_then(<[u8]>::first_chunk_mut) {
            *field = self.reserve.take(granted).to_be_bytes();
        }
    }

    /// Takes the frame that returns unused reserve to `h2`, if one is due and `h2` has read whole
    /// frames only.
    #[inline]
    fn take_grant(&mut self) -> Option<Vec<u8>> {
        (self.skip == 0 && self.grant_is_due()).then(|| {
            let mut frame = Vec::new();
            push_header(WORD_LEN, WINDOW_UPDATE, 0, &mut frame);
            frame.extend_from_slice(&self.reserve.give_back().to_be_bytes());
            frame
        })
    }

    /// Stops early answers, because a frame could not be interpreted.
    fn give_up_early_answers(&mut self) {
        self.early.give_up();
        self.take_back_answers();
    }

    /// Replaces the waiting answers by resets. The answers would break SETTINGS whose
    /// acknowledgement is sent before them (RFC 9113 §6.5.3).
    fn take_back_answers(&mut self) {
        let content_len = self.early.content_len().unwrap_or(0);
        self.reserve.refund(self.answers_out.take_back().saturating_mul(content_len));
        self.reserve.close();
    }

    /// Stops the inspection: from here on `h2` alone judges the bytes, which pass unchanged.
    fn lose_sync(&mut self, lost: LostSync) {
        tracing::debug!(reason = ?lost, "header blocks of this connection are no longer inspected");
        self.is_off = true;
        self.give_up_early_answers();
        // A table out of sync with the client's, changed by the engine or by `h2`, shows values
        // that the client did not send.
        let misleading = self.blocks.decoder.holds_placeholder()
            || lost == LostSync::Frame(frame::Error::SelfDependency);
        // The streams that `h2` was shown were inspected.
        self.notes.lose_sync(self.streams.first_not_shown(), misleading);
    }

    /// Moves the frame that ends the inspection to stream 0, where it ends the connection (RFC 9113
    /// §6.2), unless the frame opens a stream. Otherwise the client could open hidden streams
    /// unseen.
    fn mark_error(&self, bytes: &mut [u8]) {
        let is_new = |first: FrameHeader| self.streams.is_new(first.stream_id);
        let opens = FrameHeader::at(bytes, 0).is_none_or(is_new);
        if self.streams.hides_any() && !opens {
            frame::set_stream(0, bytes);
        }
    }
}

/// Returns true if early answers need this frame whole.
fn concerns_early_answers(header: &FrameHeader) -> bool {
    match header.kind {
        SETTINGS => true,
        WINDOW_UPDATE => header.stream_id == 0 && header.payload_len == WORD_LEN,
        _ => false,
    }
}

/// Moves `length` bytes at `read` to the end of the bytes for `h2`.
fn forward(bytes: &mut [u8], read: usize, length: usize, write: &mut usize) {
    // Until a block has shrunk, the bytes are in place.
    if *write != read {
        bytes.copy_within(read..read + length, *write);
    }
    *write += length;
}
