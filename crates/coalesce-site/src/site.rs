//! The handle of a site.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};
use coalesce_tls::HandshakeRefused;

use crate::carried::Carried;
use crate::error::{SiteErrors, SiteWarning};
use crate::explanation::Explanation;
use crate::identity::Identity;
use crate::question::Question;
use crate::site_snapshot::SiteSnapshot;
use crate::snapshot::Snapshot;

/// The hosts of a server, with their certificates, their policies and a value of the user's own
/// type for each.
///
/// A site is a handle: clones are cheap and share one immutable snapshot, which
/// [`reload`](Self::reload) and [`replace_identity`](Self::replace_identity) swap atomically. Each
/// request is decided on the newest snapshot. A connection keeps the facts of its handshake for
/// life: in a later snapshot it is in the group whose TLS policy its handshake met, and if there is
/// none any more, every request on it is answered 421. TLS sessions outlive a swap where group,
/// policy and certificate stay the same.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_site::Site;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let identity = identity()?;
/// let site = Site::builder().host("a.example.test", identity.clone(), 1).build()?;
/// let served = |site: &Site<u32>, name| site.explain(Some(name), name).is_served();
/// assert!(!served(&site, "b.example.test"));
///
/// let next = Site::builder()
///     .host("a.example.test", identity.clone(), 1)
///     .host("b.example.test", identity, 2);
/// site.reload(next)?;
/// assert!(served(&site, "b.example.test"));
/// # Ok(()) }
/// ```
pub struct Site<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    newest: ArcSwap<Snapshot<T>>,
    carried: Carried,
    /// Locked while the next snapshot is made, so that concurrent changes are made one after
    /// another.
    changing: Mutex<()>,
    /// The number of the next snapshot.
    next: AtomicU64,
}

impl<T> Site<T> {
    pub(crate) fn new(first: Snapshot<T>, carried: Carried) -> Self {
        let (newest, next) = (ArcSwap::from_pointee(first), AtomicU64::new(1));
        let shared = Shared { newest, carried, changing: Mutex::default(), next };
        let site = Self { shared: Arc::new(shared) };
        log(&site.newest());
        site
    }

    /// Returns the newest snapshot, without a lock.
    pub(crate) fn newest(&self) -> Guard<Arc<Snapshot<T>>> {
        self.shared.newest.load()
    }

    /// Returns the newest snapshot. Call this once for each handshake and once for each request.
    pub fn snapshot(&self) -> SiteSnapshot<T> {
        SiteSnapshot::new(Arc::clone(&self.newest()))
    }

    /// Builds a snapshot, and gives it a number.
    pub(crate) fn prepare_with(
        &self,
        next: impl FnOnce(&Carried) -> Result<Snapshot<T>, SiteErrors>,
    ) -> Result<Arc<Snapshot<T>>, SiteErrors> {
        let mut next = next(&self.shared.carried)?;
        next.generation = self.shared.next.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(next))
    }

    /// Replaces the snapshot by the next one, if that can be made.
    pub(crate) fn change(
        &self,
        next: impl FnOnce(&Snapshot<T>, &Carried) -> Result<Snapshot<T>, SiteErrors>,
    ) -> Result<(), SiteErrors> {
        let _changing = self.changing();
        let earlier = self.shared.newest.load_full();
        let next = self.prepare_with(|carried| next(&earlier, carried))?;
        log(&next);
        self.shared.newest.store(next);
        Ok(())
    }

    /// Installs a snapshot that this site has [`prepare`](Self::prepare)d, and returns the previous
    /// one. A change of the site between the two calls is lost.
    ///
    /// # Security
    /// Under a snapshot of another site, every request on this site's connections is misdirected.
    pub fn install(&self, snapshot: &SiteSnapshot<T>) -> SiteSnapshot<T> {
        let _changing = self.changing();
        let snapshot = snapshot.inner();
        log(snapshot);
        SiteSnapshot::new(self.shared.newest.swap(snapshot.clone()))
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the certificate of the host with this label or name, and of every host that was
    /// given a clone of the same [`Identity`]. Values, groups and open connections stay.
    ///
    /// Open connections keep the certificate that they presented.
    ///
    /// # Errors
    /// [`SiteErrors`]; the site is then unchanged.
    pub fn replace_identity(&self, name: &str, identity: &Identity) -> Result<(), SiteErrors> {
        self.change(|earlier, carried| earlier.with_identity(name, identity, carried))
    }

    /// Records that a listener is bound to this port, so that requests may name it. Call this in a
    /// server that accepts connections itself; `Site::listen` and similar functions do it for you.
    /// Returns false if there is no such listener.
    pub fn bound_to(&self, listener: &str, port: u16) -> bool {
        let _changing = self.changing();
        let earlier = self.shared.newest.load_full();
        let tables = &earlier.tables;
        let Some(number) = tables.listeners.iter().position(|it| it.is_named(listener)) else {
            return false;
        };
        let carried = &self.shared.carried;
        carried.bound(tables.ids_of(number), port);
        self.shared.newest.store(Arc::new(earlier.with_bound_ports(carried)));
        true
    }

    /// Returns a number that grows with each change of the snapshot.
    pub fn generation(&self) -> u64 {
        self.newest().generation
    }

    /// Returns the warnings about settings that may be mistakes. They are logged too, unless
    /// [`SiteBuilder::log_warnings`](crate::SiteBuilder::log_warnings) switches that off.
    pub fn warnings(&self) -> Vec<SiteWarning> {
        self.newest().warnings.to_vec()
    }

    /// Explains the answer to a request for `authority` on a connection with this server name, by
    /// the code that serves. Assumes that the client has met the rules for client certificates.
    ///
    /// ```
    /// # fn ask(site: &coalesce_site::Site<()>) {
    /// let explanation = site.explain(Some("shop.test"), "admin.test");
    /// println!("{explanation}");
    /// # }
    /// ```
    pub fn explain(&self, server_name: Option<&str>, authority: &str) -> Explanation {
        let mut question = Question::new().with_authority(authority);
        question.server_name = server_name.map(str::to_owned);
        self.explain_question(&question)
    }

    /// Explains the answer to a request on a connection, by the code that serves.
    pub fn explain_question(&self, question: &Question) -> Explanation {
        self.newest().explain(question)
    }

    /// Returns the origins that a connection with this server name to the first listener announces
    /// (RFC 8336): the names that it would be served and that certificate or site spell out.
    /// Returns none if the connection announces nothing, by the
    /// [`OriginPolicy`](crate::OriginPolicy) of the site;
    /// [`SiteSnapshot::announced_origins`] returns the reason.
    ///
    /// # Errors
    /// [`HandshakeRefused`] if there is no such connection.
    pub fn origins(&self, server_name: Option<&str>) -> Result<Vec<String>, HandshakeRefused> {
        let snapshot = self.snapshot();
        let listener = snapshot.listeners().first().ok_or(HandshakeRefused::AbsentServerName)?;
        let facts = listener.handshakes().choose_by_name(server_name)?.facts;
        let found = snapshot.announced_origins(&facts);
        Ok(if found.is_announced { found.origins } else { Vec::new() })
    }
}

/// Logs the warnings of a new snapshot.
fn log<T>(snapshot: &Snapshot<T>) {
    let logged = snapshot.plan.settings.logs_warnings;
    for warning in snapshot.warnings.iter().filter(|_| logged) {
        tracing::warn!("{warning}");
    }
}

impl<T> Clone for Site<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T> fmt::Debug for Site<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshot = self.newest();
        f.debug_struct("Site")
            .field("generation", &snapshot.generation)
            .field("hosts", &snapshot.hosts().len())
            .field("tables", &snapshot.tables)
            .finish_non_exhaustive()
    }
}
