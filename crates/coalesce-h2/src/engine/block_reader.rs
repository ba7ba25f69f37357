//! Reading one header block, and rewriting it where `h2` would refuse a field.

use super::fields::Fields;
use super::frame::{self, CONTINUATION, FrameHeader, HEADER_LEN, fragment, fragments};
use super::hpack::{self, Decoder};
use super::table::TABLE_SIZE_DEFAULT;

/// The longest header block, frame headers included, that is held back to be read. A longer one
/// passes unread, and the engine loses sync: memory per connection stays bounded, and a block of
/// this size is beyond what servers accept by default.
pub(super) const BLOCK_LEN_MAX: usize = 64 * 1024;

/// Buffers that grew beyond this serve one block only.
const SCRATCH_LEN_MAX: usize = 4096;

/// Why header blocks can no longer be followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LostSync {
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

/// How much of a header block there is.
pub(super) enum Extent {
    /// All of its frames, so many bytes together.
    Whole(usize),
    /// So many bytes, at least, are missing.
    Missing(usize),
}

/// The reader of a client's header blocks; its buffers serve block after block.
///
/// # Staying in step
///
/// HPACK compresses with a dynamic table that both ends update alike, entry by entry, and evict
/// from by size (RFC 7541 §2.3.2, §4.1). Here three tables have to agree: the client's, `h2`'s, and
/// the one of this reader. So the reader decodes every block, trailers included, and whatever it
/// rewrites keeps the size of the entry: a refused name or value becomes the letter `a`, repeated to
/// the same *decoded* length, since the size of an entry counts decoded octets (RFC 7541 §4.1).
/// Huffman codes the letter in five bits, the shortest code there is, so that the rewritten block
/// never outgrows its frames. The table of the reader knows what is wrong with an entry and `h2`'s
/// holds the placeholder, so that a later index to the entry is recognised.
///
/// # Malformed messages
///
/// RFC 9113 §8.1.1 wants a stream error for a malformed message. A malformed request passes with
/// placeholders, and a note has the server half reset its stream. Malformed trailers pass without
/// `END_STREAM`, for which `h2` resets the stream (`trailers_without_end_stream_reset_their_stream`).
///
/// `h2` resets the streams of other malformed messages itself. But when the first frame of a block
/// is enough to see the fault, `h2` ends the connection over the CONTINUATION that follows
/// (`malformed_block_of_several_frames_ends_the_connection`). So a block of several frames is shown
/// to `h2` in one, if the block fits.
#[derive(Debug)]
pub(super) struct BlockReader {
    pub(super) decoder: Decoder,
    /// The fields of the last block.
    pub(super) fields: Fields,
    /// Where, in the held bytes, the first frame begins that was not whole.
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

    /// Finds the end of the block whose first frame is at the start of `bytes`. When this is asked
    /// again with more bytes, it goes on where it stopped.
    pub(super) fn extent(&mut self, first: &FrameHeader, bytes: &[u8]) -> Result<Extent, LostSync> {
        let mut at = self.resume_at;
        loop {
            let Some(header) = FrameHeader::at(bytes, at) else {
                self.resume_at = at;
                return Ok(Extent::Missing(at + HEADER_LEN - bytes.len()));
            };
            // Nothing may come between the frames of a block (RFC 9113 §4.3).
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
    /// field. Returns how many bytes remain.
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

    /// Lays out a block anew that was rewritten, or that has several frames.
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

    /// Gives back what a long block has grown, if it was one.
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
