//! Answering a misdirected request before `h2` sees it.
//!
//! A stream that will be refused is a stream for nothing: `h2` makes room for it, queues it, wakes
//! its owner and tears it down, which costs ten times the answer. So a request that can be judged
//! from its header block alone is answered here, and `h2` never learns of it. That is an option, not
//! a duty: whatever does not fit the conditions below takes the long way, to the same answer.
//!
//! | condition | because |
//! | --- | --- |
//! | one HEADERS frame with `END_STREAM` | no body, no trailers, nothing to reset |
//! | the block changes no table and is [sound](super::hpack::Decoder::is_sound) | `h2` must see what changes its tables, and what it would call malformed |
//! | the authority is not the one that passed last | a connection mostly serves; asking twice would cost it |
//! | the client never shrank its table ([`MIN_TABLE_SIZE`]) | the next block would have to say so (RFC 7541 §4.2) |
//! | the stream's window holds the content | RFC 9113 §6.9 |
//! | the [purse](Purse) holds the content | `h2` counts the connection's window, and not ours |
//! | little waits to be written ([`OUT_LEN_MAX`]) | a client that does not read gets no memory |

use coalesce_core::{HostField, MethodKind, RequestTarget};

use super::frame::{ACK, FrameHeader, HEADER_LEN, SETTINGS, WINDOW_UPDATE};
use crate::answer::Early as Template;

/// Bytes of answers that may wait to be written; beyond them `h2` has the work, and its limits.
const OUT_LEN_MAX: usize = 64 * 1024;

/// `SETTINGS_HEADER_TABLE_SIZE` below which an encoder would have to speak of it.
const MIN_TABLE_SIZE: u32 = 4_096;

/// What a stream's window holds before SETTINGS say otherwise (RFC 9113 §6.9.2).
const INITIAL_WINDOW_SIZE: u32 = 65_535;

/// `SETTINGS_HEADER_TABLE_SIZE` (RFC 9113 §6.5.2).
const SETTINGS_HEADER_TABLE_SIZE: u16 = 0x1;
/// `SETTINGS_INITIAL_WINDOW_SIZE` (RFC 9113 §6.5.2).
const SETTINGS_INITIAL_WINDOW_SIZE: u16 = 0x4;
/// The length of one setting (RFC 9113 §6.5.1).
const SETTING_LEN: usize = 6;

/// The longest authority that is asked about: longer ones are hardly anybody's.
pub(crate) const AUTHORITY_LEN_MAX: usize = 64;

/// Who judges requests before `h2` sees them.
pub(crate) trait Refuse {
    /// Whether the request is misdirected, and may be answered at once: it was counted and logged
    /// if so. Whatever else comes of asking is kept for the adapter, under `stream_id`.
    fn refuses(&mut self, stream_id: u32, target: &RequestTarget<'_>) -> bool;

    /// A number that changes when an authority that passed was refused since.
    fn changes(&self) -> u32;

    /// The answer, if there is one for early use.
    fn template(&self) -> Option<&Template>;
}

/// Nobody is asked.
#[cfg(any(test, fuzzing))]
impl Refuse for () {
    fn refuses(&mut self, _: u32, _: &RequestTarget<'_>) -> bool {
        false
    }

    fn changes(&self) -> u32 {
        0
    }

    fn template(&self) -> Option<&Template> {
        None
    }
}

/// The state of early answers on one connection.
#[derive(Debug)]
pub(super) struct Early<R> {
    refuse: R,
    /// Whether the last authority passed, and the [changes](Refuse::changes) there were by then.
    passed: bool,
    passed_at: u32,
    purse: Purse,
    /// The client's `SETTINGS_INITIAL_WINDOW_SIZE`.
    initial_window: u32,
    /// Whether the client shrank the table that answers would be coded with, or may have.
    shrunk: bool,
    out: Vec<u8>,
}

/// Window of the connection that `h2` was not told of, and so cannot spend.
///
/// Of each grant, what was spent from here comes back; and a share of it is kept, until the purse
/// holds the share of the largest grant. So a client that only ever gives back what it has taken in
/// loses no more of its window than that: an eighth, and once it was refused something, three
/// quarters, because then most of what it takes in are refusals.
#[derive(Debug, Default)]
struct Purse {
    held: u32,
    max: u32,
    /// What was spent and is not back yet.
    spent: u32,
    /// Whether the connection was ever refused anything.
    wanted: bool,
}

impl Purse {
    /// Takes its part of a grant, and says what is left of it: never nothing of something.
    fn take(&mut self, grant: u32) -> u32 {
        let share = if self.wanted { grant / 4 * 3 } else { grant / 8 };
        self.max = self.max.max(share);
        let back = self.spent.min(grant.saturating_sub(1));
        self.spent = self.spent.saturating_sub(back);
        self.held = self.held.saturating_add(back);
        let rest = grant.saturating_sub(back);
        let kept = share.min(self.max.saturating_sub(self.held)).min(rest.saturating_sub(1));
        self.held = self.held.saturating_add(kept);
        rest.saturating_sub(kept)
    }

    fn spend(&mut self, bytes: u32) {
        debug_assert!(self.held >= bytes, "an answer that nobody can pay for");
        self.held = self.held.saturating_sub(bytes);
        self.spent = self.spent.saturating_add(bytes);
        self.wanted = true;
    }
}

impl<R: Refuse> Early<R> {
    pub(super) fn new(refuse: R) -> Self {
        Self {
            refuse,
            passed: false,
            passed_at: 0,
            purse: Purse::default(),
            initial_window: INITIAL_WINDOW_SIZE,
            shrunk: false,
            out: Vec::new(),
        }
    }

    /// Whether a request for `authority` is worth a closer look; `fresh` says that it is another
    /// than that of the request before.
    #[inline]
    pub(super) fn is_worth_asking(&mut self, authority: &[u8], fresh: bool) -> bool {
        self.passed &= !fresh;
        let known = self.passed && self.passed_at == self.refuse.changes();
        !known && authority.len() <= AUTHORITY_LEN_MAX && self.can_answer()
    }

    /// Whether an answer could be sent now.
    fn can_answer(&self) -> bool {
        let Some(template) = self.refuse.template() else { return false };
        let content_len = template.content_len();
        !self.shrunk
            && self.out.len() < OUT_LEN_MAX
            && content_len <= self.initial_window
            && content_len <= self.purse.held
    }

    /// Judges a request that fulfils all other conditions; answers it if it is misdirected.
    pub(super) fn answers(&mut self, stream_id: u32, authority: &[u8], scheme: &[u8]) -> bool {
        let target = RequestTarget {
            authority: Some(authority),
            host: HostField::Absent,
            scheme: Some(scheme),
            method: MethodKind::Ordinary,
        };
        let changes = self.refuse.changes();
        if !self.refuse.refuses(stream_id, &target) {
            self.passed = true;
            self.passed_at = changes;
            return false;
        }
        self.passed = false;
        if let Some(template) = self.refuse.template() {
            self.purse.spend(template.content_len());
            template.write(stream_id, &mut self.out);
        }
        true
    }

    /// Answers nothing more, because something was not understood.
    pub(super) fn give_up(&mut self) {
        self.shrunk = true;
    }

    /// Takes note of the client's SETTINGS, a whole frame.
    pub(super) fn settings(&mut self, header: &FrameHeader, frame: &[u8]) {
        if header.flags & ACK != 0 {
            return;
        }
        for setting in frame.get(HEADER_LEN..).unwrap_or_default().chunks_exact(SETTING_LEN) {
            let &[i0, i1, v0, v1, v2, v3] = setting else { continue };
            let value = u32::from_be_bytes([v0, v1, v2, v3]);
            match u16::from_be_bytes([i0, i1]) {
                SETTINGS_HEADER_TABLE_SIZE => self.shrunk |= value < MIN_TABLE_SIZE,
                SETTINGS_INITIAL_WINDOW_SIZE => self.initial_window = value,
                _ => {}
            }
        }
    }

    /// Keeps a share of what a whole `WINDOW_UPDATE` frame grants to the connection.
    pub(super) fn grant(&mut self, frame: &mut [u8]) {
        if self.shrunk || self.refuse.template().is_none() {
            return;
        }
        let Some(field) = frame.get_mut(HEADER_LEN..).and_then(<[u8]>::first_chunk_mut) else {
            return;
        };
        // The first bit is reserved (RFC 9113 §6.9).
        let granted = u32::from_be_bytes(*field) & (u32::MAX >> 1);
        self.purse.wanted |= self.refuse.changes() > 0;
        *field = self.purse.take(granted).to_be_bytes();
    }

    /// What is to be written.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }
}

/// Whether early answers have to look at this frame whole.
pub(super) fn minds(header: &FrameHeader) -> bool {
    header.kind == SETTINGS || header.kind == WINDOW_UPDATE && header.stream_id == 0
}
