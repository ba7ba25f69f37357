//! The handle to a site, and what can be asked of it.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use coalesce_core::{RequestTarget, Scheme, Verdict, decide};
use coalesce_tls::HandshakeRefused;

use crate::carried::Carried;
use crate::error::SiteErrors;
use crate::explanation::{Explanation, Outcome};
use crate::identity::Identity;
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
pub struct Site<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    newest: ArcSwap<Snapshot<T>>,
    carried: Carried,
    /// Held while the next snapshot is made, so that no change is lost to another.
    changing: Mutex<()>,
    /// The ports that listeners of the site were bound to.
    bound: Mutex<BTreeSet<u16>>,
}

impl<T> Site<T> {
    pub(crate) fn new(first: Snapshot<T>, carried: Carried) -> Self {
        let newest = ArcSwap::from_pointee(first);
        let shared =
            Shared { newest, carried, changing: Mutex::default(), bound: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Returns the newest snapshot, without a lock.
    pub(crate) fn newest(&self) -> Guard<Arc<Snapshot<T>>> {
        self.shared.newest.load()
    }

    /// Swaps the snapshot for the next one, if that can be made.
    pub(crate) fn change(
        &self,
        next: impl FnOnce(&Snapshot<T>, &Carried) -> Result<Snapshot<T>, SiteErrors>,
    ) -> Result<(), SiteErrors> {
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = self.shared.newest.load_full();
        let mut next = next(&earlier, &self.shared.carried)?;
        next.generation = earlier.generation.saturating_add(1);
        self.shared.newest.store(Arc::new(next));
        Ok(())
    }

    /// Exchanges the certificate of the host with this name, and of every host that was given a
    /// clone of the same [`Identity`]. Everything else stays: values, groups, open connections.
    ///
    /// Connections that are open keep the certificate that they were shown.
    ///
    /// # Errors
    /// [`SiteErrors`], and the site is as it was before.
    pub fn replace_identity(&self, name: &str, identity: &Identity) -> Result<(), SiteErrors> {
        self.change(|earlier, carried| {
            let plan = earlier.plan.with_identity(name, identity)?;
            Snapshot::build(plan, earlier.hosts().clone(), carried)
        })
    }

    /// Returns how often the snapshot was swapped.
    pub fn generation(&self) -> u64 {
        self.newest().generation
    }

    /// Returns sentences about settings that the builder accepted, but that may be a mistake. They
    /// are logged, too.
    pub fn warnings(&self) -> Vec<String> {
        self.newest().plan.warnings.clone()
    }

    /// Explains what a request for `authority` would get on a connection with this server name, by
    /// the code that serves. The client is assumed to have met the rules for client certificates.
    ///
    /// ```
    /// # fn ask(site: &coalesce_site::Site<()>) {
    /// let explanation = site.explain(Some("shop.test"), "admin.test");
    /// println!("{explanation}");
    /// # }
    /// ```
    pub fn explain(&self, server_name: Option<&str>, authority: &str) -> Explanation {
        let snapshot = self.newest();
        let facts = match snapshot.tables.handshakes.choose_by_name(server_name) {
            Ok(choice) => choice.facts,
            Err(refused) => {
                let outcome = Outcome::Refused(refused);
                return Explanation { outcome, host: None, group: None };
            }
        };
        let ports = self.ports(&snapshot);
        let connection = snapshot.tables.connection(&facts, ports);
        let target = RequestTarget::https(authority.as_bytes());
        let verdict = decide(&*snapshot.tables.authorities, &connection, &target);
        let id = match &verdict {
            Verdict::Serve(proof) => proof.virtual_host(),
            _ => None,
        };
        let host = id.and_then(|id| snapshot.host(id)).map(|host| host.name.clone());
        let number = usize::try_from(facts.group().get()).ok();
        let group = number.and_then(|number| snapshot.plan.groups.get(number));
        let group = group.map(|group| group.name.clone());
        Explanation { outcome: Outcome::Decided(verdict), host, group }
    }

    /// Returns the origin set of a connection with this server name (RFC 8336): the names that it
    /// would be served and that certificate or site spell out.
    ///
    /// # Errors
    /// [`HandshakeRefused`] if there is no such connection.
    pub fn origins(&self, server_name: Option<&str>) -> Result<Vec<String>, HandshakeRefused> {
        let snapshot = self.newest();
        let facts = snapshot.tables.handshakes.choose_by_name(server_name)?.facts;
        let ports = self.ports(&snapshot);
        let connection = snapshot.tables.connection(&facts, ports);
        let mut origins = BTreeSet::new();
        // A set that is cut at the limit of candidates is announced as cut.
        let _ = connection.origins(&*snapshot.tables.authorities, |origin| {
            origins.insert(origin.to_string());
            ControlFlow::Continue(())
        });
        Ok(origins.into_iter().collect())
    }

    /// Returns the ports that requests may name: those of the listeners and of the builder, or the
    /// one that `https` means while there are none.
    pub(crate) fn ports(&self, snapshot: &Snapshot<T>) -> Vec<u16> {
        let mut ports = self.shared.bound.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ports.extend(&snapshot.plan.settings.ports);
        if ports.is_empty() {
            ports.insert(Scheme::Https.default_port());
        }
        ports.into_iter().collect()
    }

    /// Notes the port of a listener.
    #[cfg(feature = "tower")]
    pub(crate) fn bound_to(&self, port: u16) {
        self.shared.bound.lock().unwrap_or_else(PoisonError::into_inner).insert(port);
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
