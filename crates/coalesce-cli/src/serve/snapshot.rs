//! What is served: one configuration, whole and immutable, until the next one takes its place.

use std::net::SocketAddr;
use std::sync::Arc;

use coalesce_core::GroupId;
use coalesce_tls::{Acceptor, GroupTls};
use tokio::sync::watch;

use crate::config::Site;
use crate::serve::answer::Answers;
use crate::serve::meters::{GroupMeters, Meters};

/// One configuration, ready to serve.
///
/// Virtual hosts and groups are numbers in it, and they are numbers of this snapshot alone: a
/// virtual host's number is used with the snapshot that gave it, and a connection's group is looked
/// up by what it is, [`Identity`], in every snapshot anew.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) site: Site,
    pub(super) answers: Answers,
    /// By the number of the listener, as it was bound.
    entrances: Vec<Entrance>,
    /// By the number of their [`GroupId`].
    groups: Vec<Arc<Identity>>,
    /// What counts for each of them.
    meters: Vec<Arc<GroupMeters>>,
}

/// What a snapshot is for one listener.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) acceptor: Acceptor,
    /// The ports that requests may name.
    pub(super) ports: Vec<u16>,
}

/// What makes a coalescing group the same one in two snapshots: its name, and the TLS policy that
/// every handshake of it has met. Where it stands in the file makes no difference, and a group that
/// has another policy now is another group: no connection that was made before is in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) name: String,
    tls: GroupTls,
}

/// A listener with its socket, which outlives every snapshot.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) name: String,
    /// Where the configuration says.
    pub(super) configured: SocketAddr,
    /// Where it is, with the port that the system chose.
    pub(super) address: SocketAddr,
}

/// What connections are told: the newest snapshot, and whether the server is about to end.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) stopping: bool,
}

/// The newest state, and news of the next.
pub(super) type Live = watch::Receiver<State>;

/// The number of no group in any table: groups are counted from 0, and a table refuses far fewer
/// than this.
const NO_GROUP: GroupId = GroupId::new(u32::MAX);

impl Snapshot {
    /// Makes a snapshot of `site` for the listeners that are `bound`; what `earlier` has and is the
    /// same is shared with it.
    ///
    /// # Errors
    /// A message when the listeners of `site` are not the ones that are bound.
    pub(super) fn new(
        site: Site,
        bound: &[Bound],
        meters: &Meters,
        earlier: Option<&Self>,
    ) -> Result<Self, String> {
        let entrances = entrances(&site, bound)?;
        if earlier.is_some_and(|earlier| earlier.site.admin != site.admin) {
            return Err(format!("the address of [admin] is another; {RESTART}"));
        }
        let groups = site.groups().iter().map(|group| {
            let identity = Identity { name: group.name.clone(), tls: group.tls.clone() };
            let known =
                earlier.and_then(|earlier| earlier.groups.iter().find(|it| ***it == identity));
            known.cloned().unwrap_or_else(|| Arc::new(identity))
        });
        let groups = groups.collect();
        let answers = Answers::new(&site, earlier.map(|earlier| &earlier.answers));
        let meters = site.groups().iter().map(|group| Arc::new(meters.group(&group.name)));
        let meters = meters.collect();
        Ok(Self { site, answers, entrances, groups, meters })
    }

    /// What this snapshot is for the listener with this number.
    pub(super) fn entrance(&self, listener: usize) -> Option<&Entrance> {
        self.entrances.get(listener)
    }

    /// What the group with this number is.
    pub(super) fn identity(&self, id: GroupId) -> Option<&Arc<Identity>> {
        self.groups.get(id.get() as usize)
    }

    /// What counts for the group with this number.
    pub(super) fn meters(&self, id: GroupId) -> Option<&Arc<GroupMeters>> {
        self.meters.get(id.get() as usize)
    }

    /// The number that the group `of` a connection to `listener` has here.
    ///
    /// # Security
    /// A group that is not here, or has another TLS policy, or is no longer on that listener, gets
    /// the number of none: every name of a virtual host is then another group's (step 6).
    pub(super) fn group(&self, of: &Arc<Identity>, listener: &str) -> GroupId {
        let same = |it: &&Arc<Identity>| Arc::ptr_eq(it, of) || ***it == **of;
        let numbered = self.site.groups().iter().zip(&self.groups).enumerate();
        let found = numbered
            .filter(|(_, (_, identity))| same(identity))
            .find(|(_, (group, _))| group.listeners.contains(listener));
        found.map_or(NO_GROUP, |(number, _)| crate::config::group_id(number))
    }
}

/// Sockets are bound at the start and never again, so that a reload cannot leave a listener behind
/// that nobody has, or lose one that everybody uses.
fn entrances(site: &Site, bound: &[Bound]) -> Result<Vec<Entrance>, String> {
    if let Some(new) = site.listeners.iter().find(|it| bound.iter().all(|old| old.name != it.name))
    {
        return Err(format!("listener {:?} is new; {RESTART}", new.name));
    }
    let entrance = |bound: &Bound| {
        let name = &bound.name;
        let same = site.listeners.iter().find(|listener| listener.name == *name);
        let listener = same.ok_or_else(|| format!("listener {name:?} is gone; {RESTART}"))?;
        if listener.address != bound.configured {
            let (old, new) = (bound.configured, listener.address);
            return Err(format!("listener {name:?} moves from {old} to {new}; {RESTART}"));
        }
        Ok(Entrance {
            acceptor: Acceptor::new(listener.handshakes.clone()),
            ports: listener.ports_when_bound(bound.address.port()),
        })
    };
    bound.iter().map(entrance).collect()
}

/// What to do about what a reload cannot change.
const RESTART: &str = "listeners are bound at the start, so that this takes a restart";
