//! How a layer comes to a verdict.

use std::sync::Arc;

#[cfg(doc)]
use coalesce_core::Memo;
use coalesce_core::{
    Authorities, AuthorityTable, HostField, RequestTarget, ServerConnection, Verdict, decide,
};
use coalesce_http::Decide;

use crate::connection::ConnectionInfo;

impl<'a, S: AsRef<[u8]>> Decide<Undecided<'a>> for AuthorityTable<S> {
    fn decide(&self, request: &Undecided<'a>) -> Verdict {
        request.decide(self)
    }
}

impl<'a, S: AsRef<[u8]>> Decide<Undecided<'a>> for Arc<AuthorityTable<S>> {
    fn decide(&self, request: &Undecided<'a>) -> Verdict {
        request.decide(self)
    }
}

/// A request that is not decided yet, with the facts of its connection: the `Request` of the
/// [`Decide`] that a layer takes.
///
/// ```
/// use std::sync::{Arc, RwLock};
///
/// use coalesce_core::AuthorityTable;
/// use coalesce_tower::{CoalesceLayer, Undecided};
///
/// # fn layer(table: AuthorityTable) {
/// // One table for good.
/// let layer = CoalesceLayer::new(table.clone());
///
/// // The newest table: a replacement takes effect with the next request.
/// let newest = Arc::new(RwLock::new(Arc::new(table)));
/// let read = newest.clone();
/// let layer = CoalesceLayer::new(move |request: &Undecided<'_>| match read.read() {
///     Ok(table) => request.decide(&**table),
///     Err(poisoned) => request.decide(&**poisoned.into_inner()),
/// });
/// # }
/// ```
#[derive(Debug)]
pub struct Undecided<'a> {
    pub(crate) info: &'a ConnectionInfo,
    /// The connection of a trusted gateway's client, if the request came through a gateway.
    pub(crate) forwarded: Option<&'a ServerConnection<'a>>,
    pub(crate) target: RequestTarget<'a>,
}

impl<'a> Undecided<'a> {
    /// Returns the facts of the connection that the request came on.
    pub fn connection(&self) -> &'a ServerConnection<'a> {
        self.forwarded.unwrap_or_else(|| self.info.connection())
    }

    /// Returns the facts of the handshake, if the request came on a connection over TLS that a
    /// handshake of `coalesce-tls` made, and through no gateway.
    #[cfg(feature = "listener")]
    pub fn handshake(&self) -> Option<&'a coalesce_tls::HandshakeFacts> {
        if self.forwarded.is_some() { None } else { self.info.handshake_facts() }
    }

    /// Returns what the request names.
    pub const fn target(&self) -> &RequestTarget<'a> {
        &self.target
    }

    /// Decides the request on `table`, as [`decide`](coalesce_core::decide()) does. A [`Memo`] with
    /// the connection remembers what it was served last.
    ///
    /// # Panics
    /// Never, for any input.
    ///
    /// # Allocation
    /// None.
    #[inline]
    pub fn decide<S: AsRef<[u8]>>(&self, table: &AuthorityTable<S>) -> Verdict {
        // The checksum of a table is its number, so two different tables never share one.
        self.decide_generation(table, table.checksum())
    }

    /// Decides the request on another store than a table. `generation` is the store's number, under
    /// which the connection's [`Memo`] remembers its last result.
    ///
    /// # Security
    /// Two different stores must have two numbers, whatever layers use them: requests of one
    /// connection may pass through several.
    ///
    /// # Panics
    /// Never, for any input.
    ///
    /// # Allocation
    /// None.
    #[inline]
    pub fn decide_generation<A>(&self, table: &A, generation: u64) -> Verdict
    where
        A: Authorities + ?Sized,
    {
        // The memo is of the gateway's own connection, not of its clients'. Two requests of one
        // connection may be decided at once; the one that comes second does not wait. A memo that a
        // panic has left behind is not used again.
        let memo = if self.forwarded.is_none() { self.info.memo().try_lock().ok() } else { None };
        let Some(mut memo) = memo else {
            return decide(table, self.connection(), &self.target);
        };
        // If `Host` alone names the authority, the memo can remember it like an `:authority`. The
        // reason of a refusal must still speak of `Host`, so a malformed one is decided again.
        if let (None, HostField::One(host)) = (self.target.authority, self.target.host) {
            let alone =
                RequestTarget { authority: Some(host), host: HostField::Absent, ..self.target };
            return match memo.decide(table, generation, &alone) {
                Verdict::Malformed(_) => decide(table, memo.connection(), &self.target),
                verdict => verdict,
            };
        }
        memo.decide(table, generation, &self.target)
    }
}

#[cfg(test)]
mod tests;
