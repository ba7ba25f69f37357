//! How a layer comes to a verdict.

use std::sync::Arc;

#[cfg(doc)]
use coalesce_core::Memo;
use coalesce_core::{
    AuthorityTable, CoalescePolicy, HostField, RequestTarget, ServerConnection, Verdict, decide,
};

use crate::connection::ConnectionInfo;

/// Decides requests; an authority table, or a closure that knows where the newest one is.
///
/// It is called once for each request, so that each is decided on the newest snapshot, whatever
/// its connection began with. The proof in [`Verdict::Serve`] comes from [`Undecided::on`] alone;
/// an implementation returns the one that it got for this very request.
///
/// ```
/// use std::sync::{Arc, RwLock};
///
/// use coalesce_core::AuthorityTable;
/// use coalesce_tower::{CoalesceLayer, Undecided};
///
/// # fn layer(table: AuthorityTable<Vec<u8>>) {
/// // One table for good.
/// let layer = CoalesceLayer::new(table.clone());
///
/// // The newest one: whoever replaces it is heard from the next request on.
/// let newest = Arc::new(RwLock::new(Arc::new(table)));
/// let read = newest.clone();
/// let layer = CoalesceLayer::new(move |request: &Undecided<'_>| match read.read() {
///     Ok(table) => request.on(&**table),
///     Err(poisoned) => request.on(&**poisoned.into_inner()),
/// });
/// # }
/// ```
pub trait Decide {
    /// Decides one request.
    fn decide(&self, request: &Undecided<'_>) -> Verdict;
}

impl<F: Fn(&Undecided<'_>) -> Verdict> Decide for F {
    fn decide(&self, request: &Undecided<'_>) -> Verdict {
        self(request)
    }
}

impl<S: AsRef<[u8]>> Decide for AuthorityTable<S> {
    fn decide(&self, request: &Undecided<'_>) -> Verdict {
        request.on(self)
    }
}

impl<S: AsRef<[u8]>> Decide for Arc<AuthorityTable<S>> {
    fn decide(&self, request: &Undecided<'_>) -> Verdict {
        request.on(self)
    }
}

/// A request that nobody has decided yet, on its connection.
#[derive(Debug)]
pub struct Undecided<'a> {
    pub(crate) info: &'a ConnectionInfo,
    /// The connection of a trusted gateway's client, where that is who asks.
    pub(crate) forwarded: Option<&'a ServerConnection<'a>>,
    pub(crate) target: RequestTarget<'a>,
}

impl<'a> Undecided<'a> {
    /// The connection it came on.
    pub fn connection(&self) -> ServerConnection<'a> {
        self.forwarded.copied().unwrap_or_else(|| self.info.connection())
    }

    /// What it names.
    pub const fn target(&self) -> &RequestTarget<'a> {
        &self.target
    }

    /// Decides it on `table`, as [`decide`](coalesce_core::decide()) does. What the connection was
    /// served last is remembered with it ([`Memo`]).
    ///
    /// # Panics
    /// Never, for any input.
    ///
    /// # Allocation
    /// None.
    #[inline]
    pub fn on<S: AsRef<[u8]>>(&self, table: &AuthorityTable<S>) -> Verdict {
        // Two requests of one connection may be decided at once; the one that comes second does
        // not wait. A memo that a panic has left behind is not used again.
        let Ok(mut memo) = self.info.memo().try_lock() else {
            return decide(table, &self.connection(), &self.target);
        };
        let mut own;
        let connection = if let Some(forwarded) = self.forwarded {
            forwarded
        } else {
            own = self.info.unnamed();
            // A group that the table does not have is decided under the defaults.
            let policy = table.group_policy(own.group()).unwrap_or_default();
            if policy.coalesce != CoalescePolicy::CertificateAndGroup {
                own = own.with_server_name(self.info.server_name());
            }
            &own
        };
        // Where `Host` alone names the authority, it is one as `:authority` is, and may be
        // remembered like it. Whatever is wrong with it is said of `Host`.
        if let (None, HostField::One(host)) = (self.target.authority, self.target.host) {
            let alone =
                RequestTarget { authority: Some(host), host: HostField::Absent, ..self.target };
            return match memo.decide(table, connection, &alone) {
                Verdict::Malformed(_) => decide(table, connection, &self.target),
                verdict => verdict,
            };
        }
        memo.decide(table, connection, &self.target)
    }
}

#[cfg(test)]
mod tests;
