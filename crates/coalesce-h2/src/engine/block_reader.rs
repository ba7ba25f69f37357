//! Reads one header block, and rewrites it where `h2` would refuse a field.

use super::fields::Fields;
use super::frame::{self, CONTINUATION, FrameHeader, HEADER_LEN, fragment, fragments};
use super::hpack::{self, Decoder};
use super::table::TABLE_SIZE_DEFAULT;

/// The longest header block, with frame headers, that is buffered and read. A longer block passes
/// unread, and the engine loses sync. So the memory of a connection is bounded. Servers refuse
/// blocks of this size by default.
pub(super) const BLOCK_LEN_MAX: usize = 64 * 1024;

/// The largest buffer that is kept for the next block.
const SCRATCH_LEN_MAX: usize = 4096;

/// The reason why the engine cannot follow header blocks any longer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LostSync {
    /// A CONTINUATION without a HEADERS frame, another frame instead of a CONTINUATION, or
    /// `PUSH_PROMISE`.
    StrayFrame,
    /// A header block is longer than [`BLOCK_LEN_MAX`].
    BlockTooLong,
    /// A frame carries no fragment.
    Frame(frame::Error),
    /// A header block cannot be decoded.
    Hpack(hpack::Error),
    /// The connection ended within a frame header or a header block.
    Ended,
    /// A rewritten block does not fit its frames; this cannot happen.
    Layout,
    /// A header block on a stream that has ended and that `h2` was not shown.
    StreamHidden,
}

impl From<frame::Error> for LostSync {
    fn from(error: frame::Error) -> Self {
        Self::Frame(error)
    }
}

impl From<hpack::Error> for LostSync {
    fn from(error: hpack::Error) -> Self {
        Self::Hpack(error)
    }
}

/// The part of a header block that has arrived.
pub(super) enum Extent {
    /// All frames, with this number of bytes in total.
    Whole(usize),
    /// At least this number of bytes is missing.
    Missing(usize),
}

/// A reader of a client's header blocks, which reuses its buffers.
///
/// # Staying in sync
///
/// HPACK compresses with a dynamic table that both ends update alike, entry by entry, and evict
/// from by size (RFC 7541 §2.3.2, §4.1). Here three tables must agree: the client's, the one in
/// `h2`, and the one of this reader. So the reader decodes every block, trailers included, and its
/// changes keep the size of each entry: it replaces a refused name or value by the letter `a`,
/// repeated to the same *decoded* length, because the size of an entry counts decoded octets (RFC
/// 7541 §4.1). The Huffman code of `a` has five bits, the shortest there is, so a rewritten block
/// always fits its frames. The reader's table knows the fault of an entry while the table in `h2`
/// has the placeholder, so the reader recognises a later index to the entry.
///
/// # Malformed messages
///
/// RFC 9113 §8.1.1 requires a stream error for a malformed message. The reader passes a malformed
/// request with placeholders, and a note makes the server half reset its stream. It passes
/// malformed trailers without `END_STREAM`, for which `h2` resets the stream
/// (`trailers_without_end_stream_reset_their_stream`).
///
/// `h2` resets the streams of other malformed messages itself. But if the first frame of a block
/// already shows the fault, `h2` ends the connection over the CONTINUATION after it
/// (`malformed_block_of_several_frames_ends_the_connection`). So the reader passes a block of
/// several frames in one frame, if the block fits.
#[derive(Debug)]
pub(super) struct BlockReader {
    pub(super) decoder: Decoder,
    /// The fields of the last block.
    pub(super) fields: Fields,
    /// The position, in the buffered bytes, of the first frame that was incomplete.
    resume_at: usize,
    /// The fragments of a block, joined.
    joined: Vec<u8>,
    /// A rewritten block.
    rewritten: Vec<u8>,
}

impl BlockReader {
    pub(super) fn new() -> Self {
        Self {
            decoder: Decoder::new(TABLE_SIZE_DEFAULT),
            fields: Fields::default(),
            resume_at: 0,
            joined: Vec::new(),
            rewritten: Vec::new(),
        }
    }

    /// Finds the end of the block whose first frame starts `bytes`. A later call with more bytes
    /// continues at the first incomplete frame.
    pub(super) fn extent(&mut self, first: &FrameHeader, bytes: &[u8]) -> Result<Extent, LostSync> {
        let mut at = self.resume_at;
        loop {
            let Some(header) = FrameHeader::at(bytes, at) else {
                self.resume_at = at;
                return Ok(Extent::Missing(at + HEADER_LEN - bytes.len()));
            };
            // Only CONTINUATION may come between the frames of a block (RFC 9113 §4.3).
            if at > 0 && (header.kind != CONTINUATION || header.stream_id != first.stream_id) {
                return Err(LostSync::StrayFrame);
            }
            let end = at + header.len();
            if end > BLOCK_LEN_MAX {
                return Err(LostSync::BlockTooLong);
            }
            if end > bytes.len() {
                self.resume_at = at;
                return Ok(Extent::Missing(end - bytes.len()));
            }
            if header.ends_headers() {
                self.resume_at = 0;
                return Ok(Extent::Whole(end));
            }
            at = end;
        }
    }

    /// Reads the block in these whole frames, and rewrites it in place where `h2` would refuse a
    /// field. Returns the number of bytes after the changes.
    #[inline]
    pub(super) fn read(
        &mut self,
        first: &FrameHeader,
        frames: &mut [u8],
        opens: bool,
    ) -> Result<usize, LostSync> {
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
        self.fields.finish(opens);
        let is_edited = self.fields.edited();
        if is_edited {
            self.fields.rewrite(block, &mut self.rewritten).ok_or(LostSync::Layout)?;
        }
        if !opens && self.fields.is_malformed() {
            frame::clear_end_stream(frames);
        }
        if is_edited || !first.ends_headers() {
            return self.lay_out(frames, is_edited);
        }
        Ok(frames.len())
    }

    /// Lays out a block that was rewritten or that has several frames.
    fn lay_out(&mut self, frames: &mut [u8], is_edited: bool) -> Result<usize, LostSync> {
        let (block, out) = if is_edited {
            (&self.rewritten, &mut self.joined)
        } else {
            (&self.joined, &mut self.rewritten)
        };
        frame::lay_out(frames, block, out).ok_or(LostSync::Layout)?;
        let kept = out.len();
        frames.get_mut(..kept).ok_or(LostSync::Layout)?.copy_from_slice(out);
        Ok(kept)
    }

    /// Frees the buffers after a long block.
    #[inline]
    pub(super) fn trim_after(&mut self, block_len: usize) {
        if block_len > SCRATCH_LEN_MAX {
            self.trim();
        }
    }

    #[cold]
    fn trim(&mut self) {
        self.fields.trim(SCRATCH_LEN_MAX);
        self.decoder.trim();
        self.joined = Vec::new();
        self.rewritten = Vec::new();
    }
}
