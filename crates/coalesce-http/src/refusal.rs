//! The refusals that have an answer.

use coalesce_core::MalformedAnswer;

/// The reason why the adapter answers a request itself and does not pass it to the application.
///
/// # Examples
/// ```
/// use coalesce_core::{Malformed, MalformedAnswer};
/// use coalesce_http::Refusal;
///
/// let refusal = Refusal::from_malformed(Malformed::NoAuthority.answer());
/// assert_eq!(refusal, Some(Refusal::BadRequest));
/// assert_eq!(Refusal::from_malformed(MalformedAnswer::Reset), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// 421: this connection may not serve the request.
    Misdirected,
    /// 400: the request is malformed.
    BadRequest,
    /// 405: the policy does not allow `CONNECT`.
    MethodNotAllowed,
    /// 500: the server gave the adapter no facts of the connection, so no decision is possible.
    NoConnection,
}

impl Refusal {
    /// Returns the refusal for a malformed request, or `None` if its stream must be reset. A server
    /// that cannot reset a stream answers 400 instead (RFC 9113 §8.1.1).
    #[must_use]
    pub const fn from_malformed(answer: MalformedAnswer) -> Option<Self> {
        match answer {
            MalformedAnswer::BadRequest => Some(Self::BadRequest),
            MalformedAnswer::MethodNotAllowed => Some(Self::MethodNotAllowed),
            // An answer that this version does not know ends the stream too, so the request is not
            // served.
            _ => None,
        }
    }
}
