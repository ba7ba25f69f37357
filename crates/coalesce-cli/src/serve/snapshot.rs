//! What is served: one configuration, whole and immutable, until the next one takes its place.

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
/// Virtual hosts and groups are numbers in it, and they are numbers of this snapshot alone: a
/// virtual host's number is used with the snapshot that gave it, and the place of a connection is
/// found in every snapshot anew ([`Site::connection`]).
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) site: Site,
    /// The table of `site`, which decides every request.
    pub(super) table: Arc<Table>,
    pub(super) admin: AdminSettings,
    /// When its certificates end.
    pub(super) certificate_ends: CertificateEnds,
    pub(super) answers: Answers,
    /// By the number of the listener, as it was bound.
    acceptors: Vec<Acceptor>,
    /// What counts for the connections of each group, by the number of their [`GroupId`]. Parts of
    /// a group have none.
    meters: Vec<Arc<GroupMeters>>,
}

/// What connections are told: the newest snapshot, and whether the server is about to end.
#[derive(Clone, Debug)]
pub(super) struct ServerState {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) stopping: bool,
}

/// The newest state, and news of the next.
pub(super) type Live = watch::Receiver<ServerState>;

impl Snapshot {
    /// Makes a snapshot of `site` for the listeners that are `bound`; what `earlier` has and is the
    /// same is shared with it.
    ///
    /// # Errors
    /// A message when the listeners of `site` are not the ones that are bound.
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

    /// Returns what makes the handshakes of the listener with this number.
    pub(super) fn acceptor(&self, number: usize) -> Option<&Acceptor> {
        self.acceptors.get(number)
    }

    /// What counts for the group with this number.
    pub(super) fn meters(&self, id: GroupId) -> Option<&Arc<GroupMeters>> {
        self.meters.get(id.get() as usize)
    }
}

/// Sockets are bound at the start and never again, so that a reload cannot leave a listener behind
/// that nobody has, or lose one that everybody uses.
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

/// What to do about what a reload cannot change.
const RESTART: &str = "listeners are bound at the start, so that this takes a restart";
