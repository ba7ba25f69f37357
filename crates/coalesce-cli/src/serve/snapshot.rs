//! The served configuration: whole and immutable, until the next one replaces it.

use std::sync::Arc;

use coalesce_core::GroupId;
use coalesce_site::SiteListener;
use coalesce_tls::Acceptor;
use tokio::sync::watch;

use crate::config::{AdminSettings, Site};
use crate::serve::answer::Answers;
use crate::serve::listener::BoundListener;
use crate::serve::observe::certificates::{self, CertificateEnds};
use crate::serve::observe::meters::{GroupMeters, Meters};
use crate::table_image::Table;

/// One configuration, ready to serve.
///
/// The numbers of virtual hosts and groups are valid in one snapshot only: use a virtual host's
/// number with the snapshot that returned it. The group of a connection is looked up anew in every
/// snapshot ([`Site::connection`]).
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) site: Site,
    /// The table of `site`, which decides every request.
    pub(super) table: Arc<Table>,
    pub(super) admin: AdminSettings,
    /// When its certificates end.
    pub(super) certificate_ends: CertificateEnds,
    pub(super) answers: Answers,
    /// The acceptors by the number of the bound listener.
    acceptors: Vec<Acceptor>,
    /// The meters of each group, by the number of its [`GroupId`]. Parts of a group have none.
    meters: Vec<Arc<GroupMeters>>,
}

/// The state sent to connections: the newest snapshot, and whether the server is stopping.
#[derive(Clone, Debug)]
pub(super) struct ServerState {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) stopping: bool,
}

/// The newest state, and news of the next.
pub(super) type Live = watch::Receiver<ServerState>;

impl Snapshot {
    /// Makes a snapshot of `site` for the `bound` listeners; shares the parts that `earlier` has
    /// equally.
    ///
    /// # Errors
    /// A message if the listeners of `site` differ from the bound ones.
    pub(super) fn new(
        site: Site,
        admin: AdminSettings,
        bound: &[BoundListener],
        meters: &Meters,
        earlier: Option<&Self>,
    ) -> Result<Self, String> {
        let acceptors = acceptors(&site, bound)?;
        if earlier.is_some_and(|earlier| earlier.admin.address != admin.address) {
            return Err(format!("the address of [admin] is another; {RESTART}"));
        }
        let answers = Answers::new(&site, earlier.map(|earlier| &earlier.answers));
        let groups = site.groups().iter();
        let meters = groups.map(|group| Arc::new(meters.group(group.name()))).collect();
        let table = site.authorities().clone();
        let certificate_ends = certificates::ends(&site);
        Ok(Self { site, table, admin, certificate_ends, answers, acceptors, meters })
    }

    /// Returns the acceptor for the handshakes of the listener with this number.
    pub(super) fn acceptor(&self, number: usize) -> Option<&Acceptor> {
        self.acceptors.get(number)
    }

    /// Returns the meters of the group with this number.
    pub(super) fn meters(&self, id: GroupId) -> Option<&Arc<GroupMeters>> {
        self.meters.get(id.get() as usize)
    }
}

/// Finds the acceptor of each bound listener. Sockets are bound at the start only, so that a reload
/// can neither leave an unused listener open nor lose one in use.
fn acceptors(site: &Site, bound: &[BoundListener]) -> Result<Vec<Acceptor>, String> {
    let listeners = site.listeners();
    let is_new = |it: &&SiteListener| bound.iter().all(|old| !old.is(it) && old.name != it.name());
    if let Some(new) = listeners.iter().find(is_new) {
        return Err(format!("listener {:?} is new; {RESTART}", new.name()));
    }
    let acceptor = |bound: &BoundListener| {
        let same = listeners.iter().find(|listener| bound.is(listener));
        let found = same.ok_or_else(|| {
            let (name, old) = (&bound.name, bound.configured);
            match listeners.iter().find(|listener| listener.name() == name) {
                Some(moved) => {
                    let new = moved.address();
                    format!("listener {name:?} moves from {old} to {new}; {RESTART}")
                }
                None => format!("listener {name:?} is gone; {RESTART}"),
            }
        })?;
        Ok(Acceptor::new(found.handshakes().clone()))
    };
    bound.iter().map(acceptor).collect()
}

/// The advice for a change that a reload cannot make.
const RESTART: &str = "listeners are bound at the start, so that this takes a restart";
