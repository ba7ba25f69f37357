//! Answering a misdirected request before `h2` sees it.
//!
//! A stream that will be refused is a stream for nothing: `h2` makes room for it, queues it, wakes
//! its owner and tears it down, which costs ten times the answer. So a request that can be judged
//! from its header block alone is answered here, and `h2` never learns of it. That is an option,
//! not a duty: whatever does not fit the conditions below takes the long way, to the same answer.
//!
//! | condition | because |
//! | --- | --- |
//! | one HEADERS frame with `END_STREAM` | no body, no trailers, nothing to reset |
//! | the block changes no table and is [well-formed](super::hpack::Decoder::is_well_formed) | `h2` must see what changes its tables, and what it would call malformed |
//! | the authority is not the one that passed last | a connection mostly serves; asking twice would cost it |
//! | the client never shrank its table ([`MIN_TABLE_SIZE`]) | the next block would have to say so (RFC 7541 §4.2) |
//! | no stream's window was ever too small for the content | RFC 9113 §6.9; when it grows is for `h2` to say (§6.5.3) |
//! | the [window_reserve](WindowReserve) holds the content | `h2` counts the connection's window, and not ours |
//! | little waits to be written ([`OUT_LEN_MAX`](super::answers_out::OUT_LEN_MAX)) | a client that does not read gets no memory |

use coalesce_core::{HostField, MethodKind, RequestTarget};

use super::answers_out::AnswersOut;
use super::frame::{
    ACK, FrameHeader, HEADER_LEN, SETTINGS, WINDOW_UPDATE, WORD_LEN, increment, push_header,
};
use super::window_reserve::WindowReserve;
use crate::answer::Early as Template;

/// `SETTINGS_HEADER_TABLE_SIZE` below which an encoder would have to speak of it; `h2` takes up no
/// more than this.
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
pub(super) struct EarlyAnswers<R> {
    refuse: R,
    /// Whether the last authority passed, and the [changes](Refuse::changes) there were by then.
    passed: bool,
    passed_at: u32,
    window_reserve: WindowReserve,
    /// The changes there were when the window_reserve was last told of them.
    wanted_at: u32,
    /// The client's smallest `SETTINGS_INITIAL_WINDOW_SIZE`.
    initial_window: u32,
    /// Whether the client shrank the table that answers would be coded with, or may have.
    shrunk: bool,
    out: AnswersOut,
}

impl<R: Refuse> EarlyAnswers<R> {
    pub(super) fn new(refuse: R) -> Self {
        Self {
            refuse,
            passed: false,
            passed_at: 0,
            window_reserve: WindowReserve::default(),
            wanted_at: 0,
            initial_window: INITIAL_WINDOW_SIZE,
            shrunk: false,
            out: AnswersOut::default(),
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
        self.refuse.template().is_some_and(|template| {
            let content_len = template.content_len();
            self.may_answer(content_len)
                && !self.out.is_full()
                && content_len <= self.window_reserve.held()
        })
    }

    /// Whether the client's SETTINGS let answers be sent: not again once they did not.
    fn may_answer(&self, content_len: u32) -> bool {
        !self.shrunk && content_len <= self.initial_window
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
            self.window_reserve.spend(template.content_len());
            template.write(stream_id, self.out.bytes());
        }
        true
    }

    /// Answers nothing more, because something was not understood.
    pub(super) fn give_up(&mut self) {
        self.shrunk = true;
        self.stop();
    }

    /// Takes back what would come after the acknowledgement of SETTINGS that it does not heed.
    fn stop(&mut self) {
        let content_len = self.refuse.template().map_or(0, Template::content_len);
        self.window_reserve.refund(self.out.take_back().saturating_mul(content_len));
        self.window_reserve.close();
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
                SETTINGS_INITIAL_WINDOW_SIZE => {
                    self.initial_window = self.initial_window.min(value);
                }
                _ => {}
            }
        }
        if self.refuse.template().is_some_and(|answer| !self.may_answer(answer.content_len())) {
            self.stop();
        }
    }

    /// Keeps a share of what a whole `WINDOW_UPDATE` frame grants to the connection.
    pub(super) fn grant(&mut self, frame: &mut [u8]) {
        let pays = |template: &Template| {
            let content_len = template.content_len();
            content_len > 0 && self.may_answer(content_len)
        };
        if !self.refuse.template().is_some_and(pays) {
            return;
        }
        let changes = self.refuse.changes();
        if self.wanted_at != changes {
            self.wanted_at = changes;
            self.window_reserve.want();
        }
        let Some(granted) = increment(frame) else { return };
        if let Some(field) = frame.get_mut(HEADER_LEN..).and_then(<[u8]>::first_chunk_mut) {
            *field = self.window_reserve.take(granted).to_be_bytes();
        }
    }

    /// Takes note of what `h2` wrote.
    #[inline]
    pub(super) fn wrote(&mut self, bytes: &[u8]) {
        self.window_reserve.count(bytes);
    }

    /// Whether `h2` wrote whole frames so far, and whole header blocks.
    pub(super) fn wrote_whole_blocks(&self) -> bool {
        self.window_reserve.counted_whole_blocks()
    }

    /// Whether something is [due](Self::due).
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.window_reserve.is_due()
    }

    /// A `WINDOW_UPDATE` frame for `h2` of what was kept back for no use.
    pub(super) fn due(&mut self) -> Option<Vec<u8>> {
        self.window_reserve.is_due().then(|| {
            let mut frame = Vec::new();
            push_header(WORD_LEN, WINDOW_UPDATE, 0, &mut frame);
            frame.extend_from_slice(&self.window_reserve.give_back().to_be_bytes());
            frame
        })
    }

    /// What `h2` was not told of the connection's window, for tests.
    #[cfg(any(test, fuzzing))]
    pub(super) fn held(&self) -> u32 {
        self.window_reserve.held()
    }

    /// What is to be written.
    #[inline]
    pub(super) fn out(&mut self) -> &mut AnswersOut {
        &mut self.out
    }
}

/// Whether early answers have to look at this frame whole.
pub(super) fn minds(header: &FrameHeader) -> bool {
    match header.kind {
        SETTINGS => true,
        WINDOW_UPDATE => header.stream_id == 0 && header.payload_len == WORD_LEN,
        _ => false,
    }
}
