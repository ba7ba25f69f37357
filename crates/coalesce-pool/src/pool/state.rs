//! The tables of a pool, and the operations that keep them consistent.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use coalesce_core::{Host, HostBuf};

use crate::candidate::{Candidate, ConnectionFacts, ConnectionState, ConnectionStatus};
use crate::endpoint::Endpoint;
use crate::key::PoolKey;
use crate::memory::RefusalMemory;
use crate::pool::budget::RetryBudget;
use crate::pool::config::PoolConfig;
use crate::pool::output::{Failure, Output};
use crate::pool::served_hosts::ServedHosts;
use crate::request::{Coalescing, Policy, RequestFacts, RequestKind};
use crate::trail::{AttemptId, CandidateId, ConnectionId, RequestId, Trail, TrailStep};

#[derive(Debug)]
pub(super) struct Request {
    pub(super) facts: RequestFacts,
    pub(super) place: Place,
    /// Whether it goes to a connection for its origin alone, because another answered 421.
    pub(super) alone: bool,
    /// How often it was sent again because a server did not process it.
    pub(super) unprocessed: u8,
    /// How often it was sent again because a connection ended.
    pub(super) lost: u8,
    pub(super) trail: Trail,
}

impl Request {
    /// Returns whether its connection carries no other origin.
    pub(super) fn needs_own(&self) -> bool {
        self.alone || self.facts.policy.coalescing == Coalescing::Off
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Waiting,
    Sent { connection: ConnectionId, stream: Option<u32>, delivered: bool },
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) facts: ConnectionFacts,
    pub(super) status: ConnectionStatus,
    /// The attempt that made it.
    pub(super) attempt: AttemptId,
    pub(super) requests: BTreeSet<RequestId>,
    /// The hosts for which the verifier runs, with the groups that wait for its result.
    pub(super) verifying: BTreeMap<HostBuf, Vec<PoolKey>>,
    /// Whether it has carried a request that no connection of another origin may carry.
    pub(super) needed: bool,
    /// Since when it has no request.
    pub(super) idle_since: Duration,
}

#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) key: PoolKey,
    pub(super) endpoints: Vec<Endpoint>,
    /// The address whose TLS handshake runs. `None` before.
    pub(super) peer: Option<SocketAddr>,
    /// Whether its connection will carry no other origin.
    pub(super) alone: bool,
}

/// How far the resolution of a host is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Resolution {
    #[default]
    NotAsked,
    Running,
    Done,
}

/// The wait of a group for a connection that another group makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LeaderWait {
    #[default]
    NotYet,
    For {
        attempt: AttemptId,
        stage: Stage,
        until: Duration,
    },
    Over,
}

impl LeaderWait {
    /// Returns the time at which the wait ends. `None` if there is none.
    pub(super) const fn until(self) -> Option<Duration> {
        match self {
            Self::For { until, .. } => Some(until),
            Self::NotYet | Self::Over => None,
        }
    }
}

/// How far a leader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its host is being resolved.
    Resolving,
    /// Its connection is being made.
    Connecting,
    /// Its SETTINGS are missing.
    Settling,
}

/// The wait of a group for a stream of the connections that were made for it, which are full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum StreamWait {
    #[default]
    NotYet,
    Until(Duration),
    /// The group makes another connection.
    Over,
}

/// Requests of one key that get the same results, in the order of arrival.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) alone: bool,
    kind: RequestKind,
    policy: Arc<Policy>,
    pub(super) ids: VecDeque<RequestId>,
}

impl Queue {
    /// Returns whether the connection of its requests carries no other origin.
    pub(super) fn needs_own(&self) -> bool {
        self.alone || self.policy.coalescing == Coalescing::Off
    }

    fn holds(&self, request: &Request) -> bool {
        self.alone == request.alone
            && self.kind == request.facts.kind
            && (Arc::ptr_eq(&self.policy, &request.facts.policy)
                || self.policy == request.facts.policy)
    }
}

/// The requests of one key that wait for a connection.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) queues: Vec<Queue>,
    pub(super) endpoints: Vec<Endpoint>,
    /// How many of the endpoints, the first ones, no attempt has reached.
    pub(super) unreachable: usize,
    pub(super) resolution: Resolution,
    pub(super) attempt: Option<AttemptId>,
    /// The name of the attempt that follows the resolution.
    pub(super) next_attempt: Option<AttemptId>,
    pub(super) leader: LeaderWait,
    /// The wait for a connection that may announce the origin, before the host is resolved.
    pub(super) announcer: LeaderWait,
    pub(super) stream: StreamWait,
    /// Whether its last attempt failed.
    pub(super) failed: bool,
}

impl Group {
    /// Returns the oldest request at the head of a queue that is not blocked, with the place of its
    /// queue.
    pub(super) fn next(&self, blocked: &[usize]) -> Option<(usize, RequestId)> {
        let queues = self.queues.iter().enumerate().filter(|(at, _)| !blocked.contains(at));
        queues.filter_map(|(at, it)| Some((at, *it.ids.front()?))).min_by_key(|(_, id)| *id)
    }

    /// Returns the endpoints for a connection that no attempt has found unreachable.
    pub(super) fn untried(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter().skip(self.unreachable).filter(|it| it.alpn.allows_tcp())
    }

    /// Returns the times at which its waits end.
    pub(super) fn waits(&self) -> impl Iterator<Item = Duration> + use<> {
        let [leader, announcer] = [self.leader, self.announcer].map(LeaderWait::until);
        let stream = match self.stream {
            StreamWait::Until(due) => Some(due),
            _ => None,
        };
        [leader, announcer, stream].into_iter().flatten()
    }

    fn waits_for(&self, attempt: AttemptId) -> bool {
        let is_for = |wait| matches!(wait, LeaderWait::For { attempt: it, .. } if it == attempt);
        is_for(self.leader) || is_for(self.announcer)
    }

    /// Returns the endpoints as a decision needs them.
    pub(super) fn known_endpoints(&self) -> Option<&[Endpoint]> {
        let known = self.resolution == Resolution::Done || !self.endpoints.is_empty();
        known.then_some(&self.endpoints)
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) config: PoolConfig,
    pub(super) memory: RefusalMemory,
    pub(super) budget: RetryBudget,
    pub(super) served: ServedHosts,
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    pub(super) attempts: BTreeMap<AttemptId, Attempt>,
    pub(super) groups: BTreeMap<PoolKey, Group>,
    pub(super) requests: BTreeMap<RequestId, Request>,
    pub(super) outputs: VecDeque<Output>,
    /// The groups that an event may have helped, so that they are judged again.
    pub(super) affected: BTreeSet<PoolKey>,
    /// The connections that an event may have opened for requests that wait.
    pub(super) offered: BTreeSet<ConnectionId>,
    /// The connections without requests, by the time since which they have none.
    pub(super) idle: BTreeSet<(Duration, ConnectionId)>,
    /// How many waits of groups end at a time.
    pub(super) waits: BTreeMap<Duration, usize>,
    /// An empty list, kept for its memory.
    pub(super) steps: Vec<TrailStep>,
    last_id: u64,
}

impl State {
    pub(super) fn new(config: PoolConfig) -> Self {
        Self { config, ..Self::default() }
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }

    pub(super) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Returns the candidates, connections first, and of each kind the oldest first. With `alone`,
    /// they are those of this key that have carried no other origin.
    pub(super) fn candidates(
        &self,
        alone: Option<&PoolKey>,
    ) -> impl Iterator<Item = (CandidateId, Candidate<'_>)> {
        let may = move |key: &PoolKey| alone.is_none_or(|alone| key == alone);
        let connections = self.connections.iter();
        let connections = connections
            .filter(move |(_, it)| may(&it.facts.key) && (alone.is_none() || !it.status.shared))
            .map(|(id, it)| {
                (CandidateId::Connection(*id), Candidate::connected(&it.facts, &it.status))
            });
        let attempts = self.attempts.iter().filter(move |(_, it)| may(&it.key));
        connections.chain(
            attempts.map(|(id, it)| (CandidateId::Attempt(*id), Candidate::connecting(&it.key))),
        )
    }

    /// Returns the open connections that were made for this key.
    pub(super) fn own<'a>(&'a self, key: &'a PoolKey) -> impl Iterator<Item = &'a Connection> {
        self.connections
            .values()
            .filter(move |it| it.facts.key == *key && it.status.state == ConnectionState::Open)
    }

    /// Puts a request into a queue of its group, in the order of arrival: a request that was sent
    /// before is older than those that wait.
    pub(super) fn enqueue(&mut self, id: RequestId) {
        let Some(request) = self.requests.get_mut(&id) else { return };
        request.place = Place::Waiting;
        let key = &request.facts.key;
        let (host, port) = (key.origin.as_origin().host(), key.origin.as_origin().port());
        self.affected.insert(key.clone());
        if !self.groups.contains_key(key) {
            self.groups.insert(key.clone(), Group::default());
        }
        let Some(group) = self.groups.get_mut(key) else { return };
        if let Some(attempt) = group.attempt.and_then(|it| self.attempts.get_mut(&it)) {
            attempt.alone |= request.needs_own();
        }
        if let Host::Ip(address) = host {
            group.endpoints = [Endpoint::new((address, port).into())].into();
            group.resolution = Resolution::Done;
        }
        if let Some(queue) = group.queues.iter_mut().find(|it| it.holds(request)) {
            let at = queue.ids.partition_point(|other| *other < id);
            queue.ids.insert(at, id);
            return;
        }
        group.queues.push(Queue {
            alone: request.alone,
            kind: request.facts.kind,
            policy: Arc::clone(&request.facts.policy),
            ids: [id].into(),
        });
    }

    /// Takes a request out of the queue in which it waits.
    pub(super) fn dequeue(&mut self, key: &PoolKey, id: RequestId) {
        let Some(group) = self.groups.get_mut(key) else { return };
        for queue in &mut group.queues {
            if let Ok(at) = queue.ids.binary_search(&id) {
                queue.ids.remove(at);
            }
        }
    }

    /// Takes a request off its connection, whose stream it frees.
    pub(super) fn leave(&mut self, id: RequestId, now: Duration) -> Option<ConnectionId> {
        let request = self.requests.get_mut(&id)?;
        let Place::Sent { connection, .. } = request.place else { return None };
        if let Some(found) = self.connections.get_mut(&connection)
            && found.requests.remove(&id)
        {
            let was_full = found.status.room() == 0;
            found.status.streams_active = found.status.streams_active.saturating_sub(1);
            if was_full && found.status.room() > 0 {
                self.offered.insert(connection);
            }
            if found.requests.is_empty() {
                found.idle_since = now;
                self.idle.insert((now, connection));
            }
        }
        Some(connection)
    }

    /// Notes a step in the trail of a request.
    pub(super) fn note(&mut self, id: RequestId, step: TrailStep) {
        if let Some(request) = self.requests.get_mut(&id) {
            request.trail.push(step);
        }
    }

    /// Ends a request without an answer.
    pub(super) fn fail(&mut self, id: RequestId, failure: Failure) {
        if let Some(request) = self.requests.remove(&id) {
            self.output(Output::Fail { request: id, failure, trail: request.trail });
        }
    }

    /// Forgets a connection without open requests, and closes it.
    pub(super) fn close(&mut self, id: ConnectionId) {
        if self.remove(id) {
            self.output(Output::Close { connection: id });
        }
    }

    /// Forgets a connection.
    pub(super) fn remove(&mut self, id: ConnectionId) -> bool {
        self.affect_by(id);
        let Some(removed) = self.connections.remove(&id) else { return false };
        self.idle.remove(&(removed.idle_since, id));
        true
    }

    /// Marks the groups that wait for this connection, because it takes no more requests or is
    /// otherwise of less use.
    pub(super) fn affect_by(&mut self, id: ConnectionId) {
        let Some(found) = self.connections.get_mut(&id) else { return };
        self.affected.extend(found.verifying.values().flatten().cloned());
        let (key, attempt) = (found.facts.key.clone(), found.attempt);
        self.affect_waiting(attempt);
        if self.groups.contains_key(&key) {
            self.affected.insert(key);
        }
    }

    /// Marks the groups whose leader this attempt is.
    pub(super) fn affect_waiting(&mut self, attempt: AttemptId) {
        let waiting = self.groups.iter().filter(|(_, group)| group.waits_for(attempt));
        self.affected.extend(waiting.map(|(key, _)| key.clone()));
    }

    /// Forgets a group in which no request waits. An attempt whose TLS handshake has not begun is
    /// given up; a later one is finished, because its session can be resumed.
    pub(super) fn tidy_group(&mut self, key: &PoolKey) {
        let Some(group) = self.groups.get_mut(key) else { return };
        group.queues.retain(|queue| !queue.ids.is_empty());
        if !group.queues.is_empty() {
            return;
        }
        if let Some(id) = group.attempt
            && let Some(attempt) = self.attempts.get(&id)
        {
            if attempt.peer.is_some() {
                return;
            }
            self.attempts.remove(&id);
            self.output(Output::Cancel { attempt: id });
            self.affect_waiting(id);
        }
        if let Some(id) = self.groups.remove(key).and_then(|group| group.next_attempt) {
            self.affect_waiting(id);
        }
    }
}
