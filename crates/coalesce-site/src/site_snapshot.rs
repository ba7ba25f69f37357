//! One snapshot of a site, for servers that decide themselves.

use std::fmt;
use std::sync::Arc;

use coalesce_core::{Authoritative, Ports, RequestTarget, Verdict, decide};
use coalesce_tls::{HandshakeFacts, HandshakeTable};

use crate::served::Served;
use crate::site::Site;
use crate::snapshot::Snapshot;

impl<T> Site<T> {
    /// Returns the newest snapshot, for servers that no feature of this crate is for. Ask for it
    /// once for each handshake and once for each request.
    pub fn snapshot(&self) -> SiteSnapshot<T> {
        SiteSnapshot { snapshot: Arc::clone(&self.newest()) }
    }
}

/// A site at one moment. Cloning is cheap.
///
/// ```
/// # use coalesce_core::{RequestTarget, Verdict};
/// # use coalesce_site::Site;
/// # use coalesce_tls::HandshakeFacts;
/// /// Returns the text for a request on the connection with these facts.
/// fn answer(site: &Site<String>, facts: &HandshakeFacts, target: &RequestTarget<'_>) -> String {
///     let snapshot = site.snapshot();
///     match snapshot.decide(facts, 443, target) {
///         Verdict::Serve(proof) => match snapshot.served(proof).host {
///             Some(host) => host.value().clone(),
///             None => "not found".to_owned(),
///         },
///         Verdict::Misdirected(_) => "misdirected".to_owned(),
///         Verdict::Malformed(_) => "malformed".to_owned(),
///     }
/// }
/// ```
pub struct SiteSnapshot<T> {
    snapshot: Arc<Snapshot<T>>,
}

impl<T> SiteSnapshot<T> {
    /// Returns the table that makes handshakes.
    pub fn handshakes(&self) -> &Arc<HandshakeTable> {
        &self.snapshot.tables.handshakes
    }

    /// Decides a request on a connection to a listener that answers for `ports`. The handshake may
    /// have been made by this snapshot or by an earlier one of the same site.
    ///
    /// # Allocation
    /// None, if `ports` is a [`Ports`] that you keep.
    pub fn decide(
        &self,
        facts: &HandshakeFacts,
        ports: impl Into<Ports>,
        target: &RequestTarget<'_>,
    ) -> Verdict {
        let tables = &self.snapshot.tables;
        decide(&*tables.authorities, &tables.connection(facts, ports), target)
    }

    /// Returns the host that `proof` names.
    ///
    /// # Security
    /// The proof must come from [`decide`](Self::decide) of this snapshot: in another one its
    /// number may be another host's.
    pub fn served(&self, proof: Authoritative) -> Served<T> {
        Served::new(proof, &self.snapshot)
    }
}

impl<T> Clone for SiteSnapshot<T> {
    fn clone(&self) -> Self {
        Self { snapshot: self.snapshot.clone() }
    }
}

impl<T> fmt::Debug for SiteSnapshot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("SiteSnapshot");
        out.field("generation", &self.snapshot.generation).finish_non_exhaustive()
    }
}
