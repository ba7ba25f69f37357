//! One snapshot of a site, for servers that decide themselves.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use coalesce_core::{
    Authoritative, AuthorityTable, GroupId, NamePattern, RequestTarget, ServerConnection, Verdict,
    VirtualHostId,
};
#[cfg(feature = "origin")]
use coalesce_h2::OriginSet;
use coalesce_tls::HandshakeFacts;

use crate::announced::{self, AnnouncedOrigins};
use crate::error::SiteWarning;
use crate::explanation::Explanation;
use crate::identity::SiteCertificate;
use crate::names::{Coverage, NotCovered};
#[cfg(feature = "origin")]
use crate::origin_policy::OriginPolicy;
use crate::overlaps::Overlap;
use crate::plan::SiteGroup;
use crate::question::Question;
use crate::served::Served;
use crate::served_host::ServedHost;
use crate::site_listener::SiteListener;
use crate::snapshot::Snapshot;

/// A site at one moment. Cloning is cheap.
///
/// ```
/// # use coalesce_core::{RequestTarget, Verdict};
/// # use coalesce_site::Site;
/// # use coalesce_tls::HandshakeFacts;
/// /// Returns the text for a request on the connection with these facts.
/// fn answer(site: &Site<String>, facts: &HandshakeFacts, target: &RequestTarget<'_>) -> String {
///     let snapshot = site.snapshot();
///     match snapshot.decide(facts, target) {
///         Verdict::Serve(proof) => match snapshot.served(proof).host {
///             Some(host) => host.value().clone(),
///             None => "not found".to_owned(),
///         },
///         Verdict::Misdirected(_) => "misdirected".to_owned(),
///         Verdict::Malformed(_) => "malformed".to_owned(),
///     }
/// }
/// ```
///
/// Virtual hosts and groups are numbers in a snapshot, and numbers of this snapshot alone.
pub struct SiteSnapshot<T> {
    snapshot: Arc<Snapshot<T>>,
}

impl<T> SiteSnapshot<T> {
    pub(crate) fn new(snapshot: Arc<Snapshot<T>>) -> Self {
        Self { snapshot }
    }

    pub(crate) fn inner(&self) -> &Arc<Snapshot<T>> {
        &self.snapshot
    }

    /// Returns the listeners, in the order of the builder. Listeners that share an address count as
    /// one.
    pub fn listeners(&self) -> &[SiteListener] {
        &self.snapshot.tables.listeners
    }

    /// Returns the listener with this name, or the one of them that has it.
    pub fn listener(&self, name: &str) -> Option<&SiteListener> {
        self.listeners().iter().find(|listener| listener.is_named(name))
    }

    /// Returns the table that decides the requests.
    pub fn authorities(&self) -> &Arc<AuthorityTable<Bytes>> {
        &self.snapshot.tables.authorities
    }

    /// Returns a connection as this snapshot decides it. The handshake may have been made by this
    /// snapshot or by an earlier one of the same site: a connection is in the group whose TLS
    /// policy its handshake met. If there is none any more, or the listener is gone, every request
    /// on it is misdirected.
    ///
    /// A server that asks once for each connection and snapshot decides with a
    /// [`Memo`](coalesce_core::Memo) and [`authorities`](Self::authorities).
    ///
    /// # Allocation
    /// None.
    pub fn connection(&self, facts: &HandshakeFacts) -> ServerConnection<'static> {
        self.snapshot.tables.connection(facts)
    }

    /// Decides a request on a connection with these facts.
    ///
    /// # Allocation
    /// None.
    pub fn decide(&self, facts: &HandshakeFacts, target: &RequestTarget<'_>) -> Verdict {
        self.snapshot.decide(facts, target)
    }

    /// Returns the host that `proof` names.
    ///
    /// # Security
    /// The proof must come from a decision on this snapshot: in another one its number may be
    /// another host's.
    pub fn served(&self, proof: Authoritative) -> Served<T> {
        Served::new(proof, &self.snapshot)
    }

    /// Returns the hosts, by the number of their [`VirtualHostId`].
    pub fn hosts(&self) -> &[ServedHost<T>] {
        self.snapshot.hosts()
    }

    /// Returns the host with this number.
    pub fn host(&self, id: VirtualHostId) -> Option<&ServedHost<T>> {
        self.snapshot.host(id)
    }

    /// Returns the groups, by the number of their [`GroupId`].
    pub fn groups(&self) -> &[SiteGroup] {
        &self.snapshot.plan.groups
    }

    /// Returns the group with this number.
    pub fn group(&self, id: GroupId) -> Option<&SiteGroup> {
        self.groups().get(usize::try_from(id.get()).ok()?)
    }

    /// Returns how much of `pattern` the certificates of a host cover. `name` is the pattern as
    /// written. For an unknown host, the result is open-ended.
    ///
    /// # Errors
    /// [`NotCovered`].
    pub fn coverage(
        &self,
        host: VirtualHostId,
        pattern: &NamePattern<'_>,
        name: &dyn fmt::Display,
    ) -> Result<Coverage, NotCovered> {
        let plan = &self.snapshot.plan;
        let number = usize::try_from(host.get()).ok();
        match number.and_then(|number| plan.hosts.get(number)) {
            Some(host) => plan.coverage(host.certificate, pattern, name),
            None => Ok(Coverage::OpenEnded),
        }
    }

    /// Returns every certificate of the site, each once, with its alternatives.
    pub fn certificates(&self) -> impl Iterator<Item = &SiteCertificate> {
        self.snapshot.plan.certificates.iter().flatten()
    }

    /// Returns the listeners that share an address and overlap.
    pub fn overlaps(&self) -> &[Overlap] {
        &self.snapshot.overlaps
    }

    /// Returns the warnings about settings that may be mistakes.
    pub fn warnings(&self) -> &[SiteWarning] {
        &self.snapshot.warnings
    }

    /// Answers a question, as [`Site::explain_question`](crate::Site::explain_question) does.
    pub fn explain(&self, question: &Question) -> Explanation {
        self.snapshot.explain(question)
    }

    /// Returns sentences that help an operator with a request that is not served, or only because
    /// its group is observed: the nearest name, the ports of the listener, the certificates that
    /// cover the host, its group, the result of a connection for the host itself. There is at least
    /// one for every reason.
    pub fn hints(&self, question: &Question, explanation: &Explanation) -> Vec<String> {
        self.snapshot.hints(question, explanation)
    }

    /// Returns the origin set of a connection (RFC 8336), the wildcards that it leaves out, and
    /// whether the connection announces it.
    pub fn announced_origins(&self, facts: &HandshakeFacts) -> AnnouncedOrigins {
        let policy = self.snapshot.plan.settings.origin_policy;
        announced::of_connection(&self.snapshot.tables, facts, policy)
    }

    /// Returns the origin set that a connection announces (RFC 8336). It is empty if the connection
    /// announces nothing, as [`announced_origins`](Self::announced_origins) says. Sets are made
    /// once for all connections that announce the same.
    #[cfg(feature = "origin")]
    pub fn origin_set(&self, facts: &HandshakeFacts) -> OriginSet {
        let policy = self.snapshot.plan.settings.origin_policy;
        if policy == OriginPolicy::Never {
            return OriginSet::default();
        }
        let always = policy == OriginPolicy::Always;
        self.snapshot.origin_sets.for_connection(&self.snapshot.tables, facts, always)
    }

    /// Returns the number of the snapshot; later snapshots have higher ones.
    pub fn generation(&self) -> u64 {
        self.snapshot.generation
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
        out.field("generation", &self.snapshot.generation)
            .field("hosts", &self.hosts().len())
            .field("tables", &self.snapshot.tables)
            .finish_non_exhaustive()
    }
}
