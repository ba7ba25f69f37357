//! The trait between an adapter and its user's decision.

use coalesce_core::Verdict;

/// Decides requests: a closure over the newest authority table, or that table itself where the
/// adapter has an implementation for it.
///
/// `Request` is the type in which an adapter shows a request. `coalesce-h2` knows one connection,
/// so its `Request` is a [`RequestTarget`](coalesce_core::RequestTarget), and the implementation
/// holds the facts of that connection. `coalesce-tower` decides for all connections, so its
/// `Request` carries the facts as well.
///
/// An adapter calls [`decide`](Self::decide) once for each request. An implementation that reads
/// the newest table from a shared place therefore decides each request on the newest table of that
/// moment. It takes `&self` because connections may share it; one that keeps a state of its own,
/// such as a [`Memo`](coalesce_core::Memo), puts it in a cell or behind a lock.
///
/// # Security
/// The proof in [`Verdict::Serve`] comes from [`decide`](coalesce_core::decide()) alone. An
/// implementation returns the proof that it got for this very request.
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

    /// Returns a number that changes when earlier verdicts may no longer hold. Default: always 0.
    ///
    /// An adapter that decides a request before it hands the request over asks for the number both
    /// times. If the number has changed, the adapter decides the request again.
    fn generation(&self) -> u64 {
        0
    }
}

impl<Request, F: Fn(&Request) -> Verdict> Decide<Request> for F {
    #[inline]
    fn decide(&self, request: &Request) -> Verdict {
        self(request)
    }
}
