//! The trait between an adapter and its user's decision.

use coalesce_core::{Misdirected, Verdict};

/// Decides requests. Implement it for a type that holds the newest authority table, or use a
/// closure.
///
/// `Request` is the type in which an adapter presents a request. `coalesce-h2` makes one
/// implementation for each connection, which holds the facts of the connection, so its `Request` is
/// a [`RequestTarget`](coalesce_core::RequestTarget). `coalesce-tower` uses one implementation for
/// all connections, so its `Request` carries the facts as well.
///
/// An adapter calls [`decide`](Self::decide) once for each request. If the implementation reads the
/// newest table from a shared place, each request is decided on the newest table at that moment.
/// The method takes `&self` because connections may share an implementation. To keep mutable state,
/// such as a [`Memo`](coalesce_core::Memo), use a cell or a lock.
///
/// # Security
/// Only [`decide`](coalesce_core::decide()) makes the proof in [`Verdict::Serve`]. An
/// implementation must return the proof that it got for the same request.
///
/// ```
/// use coalesce_core::{AuthorityTable, ServerConnection, RequestTarget, Verdict, decide};
/// use coalesce_http::Decide;
///
/// struct OneTable<'a> {
///     table: AuthorityTable,
///     connection: ServerConnection<'a>,
/// }
///
/// impl<'a> Decide<RequestTarget<'a>> for OneTable<'_> {
///     fn decide(&self, request: &RequestTarget<'a>) -> Verdict {
///         decide(&self.table, &self.connection, request)
///     }
/// }
/// ```
pub trait Decide<Request> {
    /// Decides one request.
    fn decide(&self, request: &Request) -> Verdict;

    /// Returns a number that changes when earlier verdicts may no longer hold. The default is
    /// always 0.
    ///
    /// An adapter may decide a request some time before it passes the request to the application.
    /// It reads the number both times and decides again if the number has changed.
    fn generation(&self) -> u64 {
        0
    }

    /// Returns a sentence that helps the operator with a request that was refused for this reason,
    /// such as a [`RefusalHint`](coalesce_core::RefusalHint). An adapter asks for it when it logs
    /// the refusal; no answer contains it. Default: `None`.
    fn hint(&self, _request: &Request, _reason: Misdirected) -> Option<String> {
        None
    }
}

impl<Request, F: Fn(&Request) -> Verdict> Decide<Request> for F {
    #[inline]
    fn decide(&self, request: &Request) -> Verdict {
        self(request)
    }
}
