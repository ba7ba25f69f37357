//! The conditions under which a misdirected request is answered before `h2` sees it.
//!
//! In `h2`, a refused stream costs ten times as much as its answer: `h2` allocates the stream,
//! queues it, wakes the task and removes it. If the header block alone settles a request, the
//! engine answers it, and `h2` never learns of it. A request that misses one of these conditions
//! goes to `h2`, and gets the same answer from the server half.
//!
//! | condition | because |
//! | --- | --- |
//! | one HEADERS frame with `END_STREAM` | no body, no trailers, nothing to reset |
//! | the block changes no table and is [well-formed](super::hpack::Decoder::is_well_formed) | `h2` must see what changes its tables, and what it would call malformed |
//! | the authority differs from the last one that was served | most requests are served, and a second decision would cost them |
//! | the client never shrank its table ([`MIN_TABLE_SIZE`]) | the next block would have to signal it (RFC 7541 §4.2) |
//! | no stream's window was ever too small for the content | RFC 9113 §6.9; only `h2` follows its growth (§6.5.3) |
//! | the [reserve](super::window_reserve::WindowReserve) holds the content | `h2` counts the connection's window, and does not know of early answers |
//! | few bytes wait to be written ([`OUT_LEN_MAX`](super::answers_out::OUT_LEN_MAX)) | a client that does not read gets no memory |

use super::decisions::AUTHORITY_LEN_MAX;
use super::frame::{HEADER_LEN, SETTING_LEN};

/// The `SETTINGS_HEADER_TABLE_SIZE` below which an encoder must signal the change (RFC 7541 §4.2).
/// A larger value changes nothing: `larger_header_table_of_the_client_is_not_taken_up`.
const MIN_TABLE_SIZE: u32 = 4_096;

/// The window of a stream before SETTINGS change it (RFC 9113 §6.9.2).
const INITIAL_WINDOW_SIZE: u32 = 65_535;

/// `SETTINGS_HEADER_TABLE_SIZE` (RFC 9113 §6.5.2).
const SETTINGS_HEADER_TABLE_SIZE: u16 = 0x1;
/// `SETTINGS_INITIAL_WINDOW_SIZE` (RFC 9113 §6.5.2).
const SETTINGS_INITIAL_WINDOW_SIZE: u16 = 0x4;

/// The conditions that hold from request to request.
#[derive(Debug)]
pub(super) struct EarlyAnswers {
    /// The content of an answer in bytes; `None` if no request is answered early.
    content_len: Option<u32>,
    /// True if the last authority passed, and the server half refused nothing since.
    passed: bool,
    /// True if the server half refused a request as misdirected since the last grant.
    refused_late: bool,
    /// The client's smallest `SETTINGS_INITIAL_WINDOW_SIZE`.
    initial_window: u32,
    /// True if the client shrank the table that answers would be coded with, or may have.
    shrunk: bool,
}

impl EarlyAnswers {
    /// Makes the conditions for answers with content of this length; `None` if no request is
    /// answered early.
    pub(super) const fn new(content_len: Option<u32>) -> Self {
        Self {
            content_len,
            passed: false,
            refused_late: false,
            initial_window: INITIAL_WINDOW_SIZE,
            shrunk: false,
        }
    }

    /// Returns the content of an answer in bytes; `None` if no request is answered early.
    pub(super) const fn content_len(&self) -> Option<u32> {
        self.content_len
    }

    /// Returns the content of an answer in bytes, if the client's SETTINGS permit early answers.
    /// After SETTINGS that forbid them, they stay forbidden.
    #[inline]
    pub(super) fn allowed_content_len(&self) -> Option<u32> {
        self.content_len.filter(|&len| !self.shrunk && len <= self.initial_window)
    }

    /// Returns true if a request for `authority` may be answered early; `fresh` is true if the
    /// request before it named another authority.
    #[inline]
    pub(super) const fn is_worth_asking(&mut self, authority: &[u8], fresh: bool) -> bool {
        self.passed &= !fresh;
        !self.passed && authority.len() <= AUTHORITY_LEN_MAX
    }

    /// Records the verdict on a request that may have been answered early.
    pub(super) const fn decided(&mut self, refused: bool) {
        self.passed = !refused;
    }

    /// Records that the server half refused a request as misdirected.
    pub(super) const fn refused_late(&mut self) {
        self.passed = false;
        self.refused_late = true;
    }

    /// Returns true if the server half refused a request since the last call.
    pub(super) const fn take_refused_late(&mut self) -> bool {
        std::mem::replace(&mut self.refused_late, false)
    }

    /// Forbids early answers, because the engine lost track of the connection.
    pub(super) const fn give_up(&mut self) {
        self.shrunk = true;
    }

    /// Reads a whole SETTINGS frame of the client.
    pub(super) fn handle_settings(&mut self, frame: &[u8]) {
        for setting in frame.get(HEADER_LEN..).unwrap_or_default().chunks_exact(SETTING_LEN) {
            let &[i0, i1, v0, v1, v2, v3] = setting else { continue };
            let value = u32::from_be_bytes([v0, v1, v2, v3]);
            match u16::from_be_bytes([i0, i1]) {
                SETTINGS_HEADER_TABLE_SIZE => self.shrunk |= value < MIN_TABLE_SIZE,
                SETTINGS_INITIAL_WINDOW_SIZE => {
                    self.initial_window = self.initial_window.min(value);
                }
                _ => {}
            }
        }
    }
}
