//! The decision on an answer: a 421 is tried once more, on a connection for its origin alone.

use core::time::Duration;

use crate::candidate::{ConnectionFacts, ConnectionStatus};
use crate::memory::RefusalMemory;
use crate::request::RequestFacts;

/// Misdirected Request (RFC 9110 §15.5.20).
const MISDIRECTED: u16 = 421;

/// The head of an answer.
///
/// # Examples
/// ```
/// use coalesce_pool::Answer;
///
/// let answer = Answer::new(421);
/// assert_eq!((answer.attempt, answer.ended), (1, false));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// How many connections have answered this request, this one included.
    pub attempt: u32,
    /// Whether the head has ended the stream.
    pub ended: bool,
}

impl Answer {
    /// Makes the first answer to a request, with content to follow.
    pub const fn new(status: u16) -> Self {
        Self { status, attempt: 1, ended: false }
    }
}

/// The next step after an answer.
///
/// # Examples
/// ```
/// use coalesce_pool::AnswerAction;
///
/// assert_ne!(AnswerAction::Deliver, AnswerAction::RetryAlone { reset: true });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "an answer is delivered or not")]
pub enum AnswerAction {
    /// The answer reaches the caller.
    Deliver,
    /// The request is sent once more, on a connection made for its origin alone. The client ignores
    /// `Alt-Svc` in the answer (RFC 7838 §6) and does not store the answer.
    RetryAlone {
        /// Whether the rest of the answer's stream is reset, with `CANCEL`.
        reset: bool,
    },
}

/// Decides what follows an answer.
///
/// | answer | action | refused |
/// | --- | --- | --- |
/// | not 421 | deliver | no |
/// | 421 through a proxy | deliver: the pool shares no such connection | no |
/// | 421, the first answer of a connection made for the origin | deliver: a retry would be the same | no |
/// | 421 for a request that was tried twice | deliver | yes |
/// | 421 for a body that is gone | deliver | yes |
/// | any other 421 | retry alone, whatever the method | yes |
///
/// The method does not matter, because a server that answers 421 has not acted on the request
/// (RFC 9110 §15.5.20).
///
/// The second value says whether the connection refuses the origin, so that no other request is
/// sent there: see [`record_answer`].
///
/// # Examples
/// ```
/// use coalesce_pool::{
///     Answer, AnswerAction, ConnectionFacts, ConnectionStatus, PoolKey, Protocol, RequestFacts,
///     judge_answer,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = PoolKey::new("http://a.test".parse()?);
/// let facts = ConnectionFacts::new(key, "192.0.2.10:80".parse()?, Protocol::Http2);
/// let status = ConnectionStatus::default();
/// let request = RequestFacts::new(PoolKey::new("http://b.test".parse()?));
/// let result = judge_answer(&facts, &status, &request, &Answer::new(421));
/// assert_eq!(result, (AnswerAction::RetryAlone { reset: true }, true));
/// # Ok(()) }
/// ```
pub fn judge_answer(
    facts: &ConnectionFacts,
    status: &ConnectionStatus,
    request: &RequestFacts,
    answer: &Answer,
) -> (AnswerAction, bool) {
    let direct = facts.key.proxy.is_none() && request.key.proxy.is_none();
    if answer.status != MISDIRECTED || !direct {
        return (AnswerAction::Deliver, false);
    }
    let same_origin = facts.key.origin == request.key.origin;
    if same_origin && status.requests_served == 0 {
        return (AnswerAction::Deliver, false);
    }
    if answer.attempt > 1 || !request.body.can_be_sent_again() {
        return (AnswerAction::Deliver, true);
    }
    (AnswerAction::RetryAlone { reset: !answer.ended }, true)
}

/// Decides as [`judge_answer`] does, and records a 421 in the connection and in the memory.
///
/// A 421 takes the origin out of the origin set in any case (RFC 8336 §2.3). If the connection
/// refuses the origin, the connection and the memory note it.
///
/// # Examples
/// ```
/// use core::time::Duration;
///
/// use coalesce_pool::{
///     Answer, ConnectionFacts, ConnectionStatus, PoolKey, Protocol, RefusalMemory, RequestFacts,
///     record_answer,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = PoolKey::new("http://a.test".parse()?);
/// let facts = ConnectionFacts::new(key, "192.0.2.10:80".parse()?, Protocol::Http2);
/// let mut status = ConnectionStatus::default();
/// let mut memory = RefusalMemory::default();
/// let request = RequestFacts::new(PoolKey::new("http://b.test".parse()?));
/// record_answer(&facts, &mut status, &request, &Answer::new(421), &mut memory, Duration::ZERO);
/// assert!(status.has_refused(&request.key.origin.as_origin()));
/// assert_eq!(memory.len(), 1);
/// # Ok(()) }
/// ```
pub fn record_answer(
    facts: &ConnectionFacts,
    status: &mut ConnectionStatus,
    request: &RequestFacts,
    answer: &Answer,
    memory: &mut RefusalMemory,
    now: Duration,
) -> AnswerAction {
    let (action, refused) = judge_answer(facts, status, request, answer);
    let origin = request.key.origin.as_origin();
    if refused {
        status.refuse(&origin);
        memory.remember(facts.server_identity(), &origin, now);
    } else if answer.status == MISDIRECTED {
        status.withdraw(&origin);
    } else {
        status.requests_served = status.requests_served.saturating_add(1);
    }
    action
}
