//! The observer of what a client sends: it knows where frames begin, and reads header blocks.

use super::answers_out::AnswersOut;
use super::early_answer::{self, EarlyAnswers, Refuse};
use super::fields::Fields;
use super::frame::{
    self, CONTINUATION, FrameHeader, HEADER_LEN, HEADERS, PUSH_PROMISE, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, fragment, fragments,
};
use super::hpack;
use super::stream_notes::StreamNotes;
use super::write_batch::WriteBatch;

/// The longest header block, frame headers included, that is held back to be read. A longer one
/// passes unread, and the observer loses sync: memory per connection stays bounded, and a block of
/// this size is beyond what servers accept by default.
pub(super) const BLOCK_LEN_MAX: usize = 64 * 1024;

/// The connection preface of a client (RFC 9113 §3.4), which `h2` checks.
pub(super) const CLIENT_PREFACE_LEN: usize = 24;

/// The longest SETTINGS frame that is read: far more than there are settings. After a longer one
/// nothing is answered before `h2` sees it.
const SETTINGS_LEN_MAX: usize = 1024;

/// Buffers that grew beyond this serve one block only.
const SCRATCH_LEN_MAX: usize = 4096;

/// Why the observer turned itself off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Lost {
    /// A CONTINUATION out of place, another frame in its place, or `PUSH_PROMISE`.
    StrayFrame,
    /// A header block is longer than [`BLOCK_LEN_MAX`].
    BlockTooLong,
    /// A frame carries no fragment.
    Frame(frame::Error),
    /// A header block cannot be decoded.
    Hpack(hpack::Error),
    /// The connection ended within a frame header or a header block.
    Ended,
    /// A rewritten block did not fit its frames, which cannot be.
    Layout,
    /// A header block on a stream that is over, and of which `h2` knows nothing.
    StreamHidden,
}

impl From<frame::Error> for Lost {
    fn from(error: frame::Error) -> Self {
        Self::Frame(error)
    }
}

impl From<hpack::Error> for Lost {
    fn from(error: hpack::Error) -> Self {
        Self::Hpack(error)
    }
}

/// What became of the bytes shown to [`Observer::observe`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Observed {
    /// So many bytes at the start are for `h2`.
    pub(super) forward: usize,
    /// From here to the end, bytes must be shown again, followed by more; or, if none are missing,
    /// they are for `h2`, after what is [due](Observer::due).
    pub(super) held_from: usize,
    /// How many bytes, at least, are missing to the held ones. Exactly so many never reach beyond
    /// the frame that is being held.
    pub(super) missing: usize,
}

/// What the bytes at a frame boundary are.
enum Step {
    /// A frame of no interest, of this length.
    Skip(usize),
    /// A header block, or another frame that was read, of `length` bytes, of which `kept` remain,
    /// at the start.
    Read { length: usize, kept: usize },
    /// Too few to tell; so many are missing.
    Missing(usize),
}

/// The observer of one connection.
#[derive(Debug)]
pub(super) struct Observer<R> {
    /// What is left of a frame of no interest, or of the preface.
    skip: usize,
    /// Whether the observer turned itself off.
    off: bool,
    /// Where, in the held bytes, the first frame begins that was not whole.
    resume_at: usize,
    /// The highest stream that the client opened, and the highest of those that `h2` was shown.
    highest: u32,
    shown: u32,
    early: EarlyAnswers<R>,
    decoder: hpack::Decoder,
    fields: Fields,
    /// The fragments of a block, joined.
    joined: Vec<u8>,
    /// A rewritten block.
    rewritten: Vec<u8>,
    stream_notes: StreamNotes,
    write_batch: WriteBatch,
}

impl<R: Refuse> Observer<R> {
    /// An observer of a connection from its first byte on.
    pub(super) fn new(
        table_size_max: usize,
        stream_notes: StreamNotes,
        write_batch: WriteBatch,
        refuse: R,
    ) -> Self {
        Self {
            skip: CLIENT_PREFACE_LEN,
            off: false,
            resume_at: 0,
            highest: 0,
            shown: 0,
            early: EarlyAnswers::new(refuse),
            decoder: hpack::Decoder::new(table_size_max),
            fields: Fields::default(),
            joined: Vec::new(),
            rewritten: Vec::new(),
            stream_notes,
            write_batch,
        }
    }

    /// Whether the observer turned itself off; it then forwards everything.
    pub(super) fn is_off(&self) -> bool {
        self.off
    }

    /// Reads the next bytes of the connection, and rewrites them in place where necessary.
    ///
    /// The bytes must begin with those that the last call held, if any.
    pub(super) fn observe(&mut self, bytes: &mut [u8]) -> Observed {
        let len = bytes.len();
        let (mut read, mut write) = (0, 0);
        while read < len {
            let length = if self.off {
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
                        if self.early.is_due() {
                            // Frames are told apart no longer, so it has to be here.
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

    /// Reads what stands at a frame boundary.
    fn step(&mut self, bytes: &mut [u8]) -> Result<Step, Lost> {
        let Some(header) = FrameHeader::at(bytes, 0) else {
            // Even a part of a frame header waits: if the frame is HEADERS, its length may change.
            return Ok(Step::Missing(HEADER_LEN - bytes.len()));
        };
        match header.kind {
            HEADERS => self.headers(&header, bytes),
            // RFC 9113 §6.10 and §8.4: both end the connection.
            CONTINUATION | PUSH_PROMISE => Err(Lost::StrayFrame),
            SETTINGS | WINDOW_UPDATE | RST_STREAM => Ok(self.control(&header, bytes)),
            _ => Ok(Step::Skip(header.len())),
        }
    }

    /// Reads a frame that early answers have to do with.
    fn control(&mut self, header: &FrameHeader, bytes: &mut [u8]) -> Step {
        let length = header.len();
        // To `h2` a hidden stream is idle, and a frame on it an error of the connection (RFC 9113
        // §5.1). One of another length is an error everywhere (§6.4, §6.9).
        let hidden = self.hides(header.stream_id)
            && header.kind != SETTINGS
            && header.payload_len == frame::WORD_LEN;
        if header.kind == RST_STREAM && !hidden {
            self.stream_notes.see_reset();
        }
        if !early_answer::minds(header) && !hidden {
            return Step::Skip(length);
        }
        if length > SETTINGS_LEN_MAX {
            if header.kind == SETTINGS {
                self.early.give_up();
            }
            return Step::Skip(length);
        }
        let Some(frame) = bytes.get_mut(..length) else {
            return Step::Missing(length - bytes.len());
        };
        let no_increment = header.kind == WINDOW_UPDATE && frame::increment(frame) == Some(0);
        match header.kind {
            // An error as well, on any stream.
            _ if no_increment => {}
            _ if hidden => return Step::Read { length, kept: 0 },
            SETTINGS => self.early.settings(header, frame),
            _ => self.early.grant(frame),
        }
        Step::Read { length, kept: length }
    }

    /// Whether `h2` would take a stream, which is over, for one that may still be opened: it was
    /// answered early or passed over (RFC 9113 §5.1.1), and `h2` was shown none above it.
    fn hides(&self, stream: u32) -> bool {
        stream > self.shown && stream <= self.highest
    }

    /// Reads a header block, once it is whole.
    fn headers(&mut self, first: &FrameHeader, bytes: &mut [u8]) -> Result<Step, Lost> {
        if self.hides(first.stream_id) {
            return Err(Lost::StreamHidden);
        }
        let mut at = self.resume_at;
        let length = loop {
            let Some(header) = FrameHeader::at(bytes, at) else {
                self.resume_at = at;
                return Ok(Step::Missing(at + HEADER_LEN - bytes.len()));
            };
            // Nothing may come between the frames of a block (RFC 9113 §4.3).
            if at > 0 && (header.kind != CONTINUATION || header.stream_id != first.stream_id) {
                return Err(Lost::StrayFrame);
            }
            let end = at + header.len();
            if end > BLOCK_LEN_MAX {
                return Err(Lost::BlockTooLong);
            }
            if end > bytes.len() {
                self.resume_at = at;
                return Ok(Step::Missing(end - bytes.len()));
            }
            if header.ends_headers() {
                break end;
            }
            at = end;
        };
        self.resume_at = 0;
        let whole = bytes.get_mut(..length).unwrap_or_default();
        let kept = self.block(first, whole)?;
        Ok(Step::Read { length, kept })
    }

    /// Reads a whole header block, and says how many of its bytes remain.
    fn block(&mut self, first: &FrameHeader, frames: &mut [u8]) -> Result<usize, Lost> {
        // Only an odd identifier above all others opens a stream (RFC 9113 §5.1.1); any other
        // block is trailers, or something that h2 refuses.
        let opens = first.stream_id % 2 == 1 && first.stream_id > self.highest;
        let block = if first.ends_headers() {
            frames.get(fragment(first, frames)?).unwrap_or_default()
        } else {
            self.joined.clear();
            for item in fragments(frames) {
                let (_, inner) = item?;
                self.joined.extend_from_slice(frames.get(inner).unwrap_or_default());
            }
            &self.joined
        };
        self.fields.clear();
        self.decoder.decode(block, |field| self.fields.add(field, opens))?;
        self.fields.finish();
        if self.fields.has_host() {
            self.stream_notes.see_host();
        }

        let mut kept = frames.len();
        if self.fields.edited() {
            let mut rewritten = std::mem::take(&mut self.rewritten);
            self.fields.rewrite(block, &mut rewritten).ok_or(Lost::Layout)?;
            kept = relay(frames, &rewritten, &mut self.joined)?;
            self.rewritten = rewritten;
        } else if opens
            && first.ends_headers()
            && first.ends_stream()
            && let Some((authority, scheme)) = self.fields.named()
            && self.early.is_worth_asking(authority, self.fields.is_fresh())
            && self.decoder.is_well_formed(block)
            && self.early.answers(first.stream_id, authority, scheme)
        {
            self.highest = first.stream_id;
            return Ok(0);
        }
        if opens {
            self.highest = first.stream_id;
            if let Some(target) = self.fields.exception(first.stream_id) {
                self.stream_notes.push(target);
            }
            self.shown = first.stream_id;
            self.write_batch.show();
        }
        if frames.len() > SCRATCH_LEN_MAX {
            self.trim();
        }
        Ok(kept)
    }

    /// Gives back what one long block has grown.
    fn trim(&mut self) {
        self.fields.trim(SCRATCH_LEN_MAX);
        self.decoder.trim();
        self.joined = Vec::new();
        self.rewritten = Vec::new();
    }

    /// The answers that are to be written.
    #[inline]
    pub(super) fn out(&mut self) -> &mut AnswersOut {
        self.early.out()
    }

    /// Takes note of what `h2` wrote, and says whether it has something to read for that.
    #[inline]
    pub(super) fn wrote(&mut self, bytes: &[u8]) -> bool {
        self.early.wrote(bytes);
        self.early.is_due()
    }

    /// Whether `h2` wrote whole frames so far, and whole header blocks.
    pub(super) fn wrote_whole_blocks(&self) -> bool {
        self.early.wrote_whole_blocks()
    }

    /// How much of a frame `h2` has yet to read before what is due.
    #[inline]
    pub(super) fn missing_to_due(&self) -> Option<usize> {
        (self.skip > 0 && self.early.is_due()).then_some(self.skip)
    }

    /// A frame that `h2` is to read next, if it has read whole frames only.
    #[inline]
    pub(super) fn due(&mut self) -> Option<Vec<u8>> {
        if self.skip == 0 { self.early.due() } else { None }
    }

    /// What `h2` was not told of the connection's window, for tests.
    #[cfg(any(test, fuzzing))]
    pub(super) fn held(&self) -> u32 {
        self.early.held()
    }

    /// Turns the observer off if the client ended the connection within what is of interest.
    pub(super) fn end(&mut self) {
        if self.skip == 0 {
            self.lose_sync(Lost::Ended);
        }
    }

    /// Turns the observer off: from here on `h2` alone judges the bytes, which pass as they are.
    fn lose_sync(&mut self, lost: Lost) {
        tracing::debug!(reason = ?lost, "header blocks of this connection are no longer inspected");
        self.off = true;
        self.early.give_up();
        // Whoever is out of step with the client, by our doing or by its own, shows what was not
        // meant.
        let misleading =
            self.decoder.holds_placeholder() || lost == Lost::Frame(frame::Error::SelfDependency);
        // What `h2` was shown was inspected.
        self.stream_notes.lose_sync(self.shown.saturating_add(1), misleading);
    }

    /// Moves the frame that turns the observer off to stream 0, where it ends the connection
    /// (RFC 9113 §6.2), unless it opens a stream. Else hidden ones could be opened unseen.
    fn mark_error(&self, bytes: &mut [u8]) {
        let opens = FrameHeader::at(bytes, 0).is_none_or(|first| first.stream_id > self.highest);
        if self.hides(self.highest) && !opens {
            frame::set_stream(0, bytes);
        }
    }
}

/// Moves `length` bytes at `read` to the end of what is to be forwarded.
fn forward(bytes: &mut [u8], read: usize, length: usize, write: &mut usize) {
    // Until something shrinks, the bytes are where they belong.
    if *write != read {
        bytes.copy_within(read..read + length, *write);
    }
    *write += length;
}

/// Writes a rewritten block over its original frames, and says how many bytes remain.
fn relay(frames: &mut [u8], block: &[u8], scratch: &mut Vec<u8>) -> Result<usize, Lost> {
    frame::lay_out(frames, block, scratch).ok_or(Lost::Layout)?;
    frames.get_mut(..scratch.len()).ok_or(Lost::Layout)?.copy_from_slice(scratch);
    Ok(scratch.len())
}
