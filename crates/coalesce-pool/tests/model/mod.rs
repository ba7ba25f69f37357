//! A client without network around a pool, in virtual time, driven by bytes.
//!
//! Each three bytes are an event. The model has its own record of connections, names, addresses and
//! refusals, and checks every output against it. At the end, every event that the pool waits for
//! happens, and every request must end.

mod mirror;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use coalesce_core::HostBuf;
use coalesce_pool::{
    AttemptId, Coalescing, ConnectionId, DnsPolicy, Eligibility, Endpoint, OriginFrame, Output,
    Policy, Pool, PoolConfig, PoolKey, Progress, RequestBody, RequestFacts, RequestId,
    ServerSettings, Unprocessed, Verification,
};

use mirror::{Certificate, Mirror, address, key_of, names_of, payload};

/// The most outputs of one event: more than the requests and groups of a run can cause.
const OUTPUTS_MAX: usize = 20_000;

/// The most rounds until every request has ended.
const ROUNDS_MAX: usize = 20_000;

/// The most connections and attempts of a run.
const CONNECTIONS_MAX: usize = 8;

/// The most times that a request is sent: once, again after a 421, three times because it was not
/// processed, four times because a connection was lost, and once for each connection that had
/// become stale, of which a run has some dozens at most.
const SENDS_MAX: u32 = 1 + 1 + 3 + 4 + 64;

#[derive(Debug)]
struct Live {
    facts: RequestFacts,
    sends: u32,
    misdirected: u32,
    on: Option<ConnectionId>,
    delivered: bool,
}

/// A pool with everything around it.
struct World {
    pool: Pool,
    now: Duration,
    live: BTreeMap<RequestId, Live>,
    resolving: Vec<PoolKey>,
    /// The endpoints of each resolution, the last one of its key.
    endpoints: BTreeMap<PoolKey, Vec<Endpoint>>,
    attempts: Vec<(AttemptId, PoolKey, Vec<Endpoint>)>,
    verifying: Vec<(ConnectionId, HostBuf)>,
    mirror: Mirror,
    reached: Reached,
}

/// The parts of the rules that a run has reached.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    pub(crate) sent: u32,
    /// Requests sent on a connection that was made for another origin.
    pub(crate) shared: u32,
    /// Requests sent again after a 421.
    pub(crate) retried: u32,
}

/// Runs a pool through the events that the bytes describe.
pub(crate) fn run(bytes: &[u8]) -> Reached {
    let mut config = PoolConfig::default();
    config.connections_max = CONNECTIONS_MAX;
    let mut world = World {
        pool: Pool::new(config),
        now: Duration::ZERO,
        live: BTreeMap::new(),
        resolving: Vec::new(),
        endpoints: BTreeMap::new(),
        attempts: Vec::new(),
        verifying: Vec::new(),
        mirror: Mirror::default(),
        reached: Reached::default(),
    };
    for event in bytes.chunks_exact(3) {
        world.event(event[0], usize::from(event[1]), event[2]);
        world.drain();
    }
    world.settle();
    world.reached
}

/// Returns the policy of a request: one in sixteen shares nothing, another uses no connection of
/// others, a third compares addresses whatever an origin set says.
fn policy(detail: u8) -> Policy {
    let mut policy = Policy::default();
    (policy.coalescing, policy.dns) = match detail / 16 {
        1 => (Coalescing::Off, DnsPolicy::Required),
        2 => (Coalescing::OwnOrigin, DnsPolicy::Required),
        3 => (Coalescing::Address, DnsPolicy::WaivedByOriginSet),
        _ => (Coalescing::AnyOrigin, DnsPolicy::Required),
    };
    policy
}

/// Returns an element, any for any number.
fn pick<T: Clone>(of: impl IntoIterator<Item = T>, at: usize) -> Option<T> {
    let all: Vec<T> = of.into_iter().collect();
    (!all.is_empty()).then(|| all[at % all.len()].clone())
}

impl World {
    fn event(&mut self, kind: u8, at: usize, detail: u8) {
        match kind % 16 {
            0..=3 => self.request(at, detail),
            4 => self.endpoints(at, detail),
            5 => self.connected(at, detail),
            6 => self.attempt_event(at, detail),
            7 => self.verified(at, detail),
            8 => self.settings(at, detail),
            9 => self.origin(at, detail),
            10 => self.goaway(at, detail),
            11 => self.answer(at, if detail.is_multiple_of(3) { 421 } else { 200 }, detail),
            12 => self.done(at),
            13 => self.unprocessed(at, detail),
            14 => self.cancel_or_close(at, detail),
            _ => {
                self.now += Duration::from_millis(u64::from(detail) * 7);
                self.pool.handle_timeout(self.now);
            }
        }
    }

    fn request(&mut self, at: usize, detail: u8) {
        let mut facts = RequestFacts::new(key_of(at, detail));
        if detail.is_multiple_of(5) {
            facts.body = RequestBody::OneShot;
        }
        facts.idempotent = detail.is_multiple_of(3);
        facts.policy = Arc::new(policy(detail));
        let id = self.pool.handle_request(self.now, facts.clone()).expect("few requests");
        let live = Live { facts, sends: 0, misdirected: 0, on: None, delivered: false };
        assert!(self.live.insert(id, live).is_none(), "{id} is used twice");
    }

    fn endpoints(&mut self, at: usize, detail: u8) {
        let Some(key) = pick(self.resolving.clone(), at) else { return };
        let all = [Endpoint::new(address(1)), Endpoint::new(address(2))];
        let endpoints = match detail % 4 {
            0 => &all[..1],
            1 => &all[1..],
            2 => &all[..],
            _ => &[],
        };
        let progress = if detail & 16 == 0 { Progress::Last } else { Progress::More };
        if progress == Progress::Last {
            self.resolving.retain(|other| *other != key);
        }
        self.mirror.learn(&key, endpoints);
        if progress == Progress::Last || !endpoints.is_empty() {
            self.endpoints.entry(key.clone()).or_default().extend(endpoints);
        }
        self.pool.handle_endpoints(self.now, &key, endpoints, progress);
    }

    fn connected(&mut self, at: usize, detail: u8) {
        let Some((attempt, key, endpoints)) = pick(self.attempts.clone(), at) else { return };
        self.attempts.retain(|(id, ..)| *id != attempt);
        let certificate = Certificate { names: names_of(&key, detail), kind: detail / 16 };
        let peer = pick(endpoints, usize::from(detail)).expect("an endpoint").address;
        let facts = certificate.facts(key, peer, self.now);
        let id = self.pool.handle_connected(self.now, attempt, facts.clone());
        self.mirror.open(id.expect("the attempt was not given up"), facts, certificate);
    }

    fn attempt_event(&mut self, at: usize, detail: u8) {
        let Some((attempt, _, endpoints)) = pick(self.attempts.clone(), at) else { return };
        if detail.is_multiple_of(2) {
            let peer = pick(endpoints, usize::from(detail)).expect("an endpoint").address;
            self.pool.handle_handshaking(attempt, peer);
        } else {
            self.attempts.retain(|(id, ..)| *id != attempt);
            self.pool.handle_failed(self.now, attempt);
        }
    }

    fn verified(&mut self, at: usize, detail: u8) {
        let Some((connection, host)) = pick(self.verifying.clone(), at) else { return };
        self.verifying.retain(|other| *other != (connection, host.clone()));
        let verification =
            if detail.is_multiple_of(4) { Verification::Rejected } else { Verification::Accepted };
        if verification == Verification::Accepted {
            self.mirror.accept(connection, &host);
        }
        self.pool.handle_verified(self.now, connection, &host, verification);
    }

    fn settings(&mut self, at: usize, detail: u8) {
        let Some(id) = pick(self.mirror.open_ids(), at) else { return };
        let mut settings = ServerSettings::default();
        settings.streams_max = Some(1 + u32::from(detail % 4) * 3);
        self.mirror.settle(id, settings.streams_max);
        self.pool.handle_settings(self.now, id, settings);
    }

    fn origin(&mut self, at: usize, detail: u8) {
        let Some(id) = pick(self.mirror.open_ids(), at) else { return };
        if detail == u8::MAX {
            self.mirror.lose_origins(id);
            return self.pool.handle_origins_lost(self.now, id);
        }
        let origins: Vec<_> = (0..6).filter(|it| detail & (1 << it) != 0).collect();
        let payload = payload(&origins);
        self.mirror.announce(id, &origins);
        self.pool.handle_origin(self.now, id, &OriginFrame::new(0, 0, &payload));
    }

    fn goaway(&mut self, at: usize, detail: u8) {
        let Some(id) = pick(self.mirror.open_ids(), at) else { return };
        self.mirror.drain(id);
        self.pool.handle_goaway(self.now, id, u32::from(detail) * 2 + 1);
    }

    fn sent(&self, delivered: bool) -> Vec<RequestId> {
        let sent = self.live.iter().filter(|(_, it)| it.on.is_some() && it.delivered == delivered);
        sent.map(|(id, _)| *id).collect()
    }

    fn answer(&mut self, at: usize, status: u16, detail: u8) {
        let Some(id) = pick(self.sent(false), at) else { return };
        self.pool.handle_answer(self.now, id, status, detail & 16 == 0);
    }

    fn done(&mut self, at: usize) {
        let Some(id) = pick(self.sent(true), at) else { return };
        self.forget(id);
        self.pool.handle_done(self.now, id);
    }

    fn unprocessed(&mut self, at: usize, detail: u8) {
        let Some(id) = pick(self.sent(false), at) else { return };
        let connection = self.live.get(&id).and_then(|live| live.on).expect("a connection");
        if detail % 4 != 1 {
            self.mirror.end_use(connection);
        }
        match detail % 4 {
            0 | 2 => self.pool.handle_unprocessed(self.now, id, Unprocessed::NotSent),
            1 => self.pool.handle_unprocessed(self.now, id, Unprocessed::Refused),
            _ => self.pool.handle_lost(self.now, id),
        }
        self.leave(id);
    }

    fn cancel_or_close(&mut self, at: usize, detail: u8) {
        if detail.is_multiple_of(2) {
            let Some(id) = pick(self.live.keys().copied(), at) else { return };
            self.forget(id);
            self.pool.handle_cancel(self.now, id);
        } else if let Some(id) = pick(self.mirror.open_ids(), at) {
            self.mirror.close(id);
            let on = |live: &Live| live.on == Some(id);
            self.live.retain(|_, live| !(on(live) && live.delivered));
            let unsent = self.live.iter().filter(|(_, live)| on(live) && detail & 4 != 0);
            let unsent: Vec<_> = unsent.map(|(request, _)| *request).collect();
            self.pool.handle_closed(self.now, id, unsent.iter().copied());
            let left: Vec<_> = self.live.iter().filter(|(_, it)| on(it)).map(|it| *it.0).collect();
            for request in left {
                self.leave(request);
            }
        }
    }

    fn leave(&mut self, id: RequestId) {
        let live = self.live.get_mut(&id).expect("a live request");
        if let Some(connection) = live.on.take() {
            self.mirror.leave(connection, id);
        }
    }

    fn forget(&mut self, id: RequestId) {
        self.leave(id);
        self.live.remove(&id);
    }

    /// Takes all outputs and checks each of them.
    fn drain(&mut self) {
        for _ in 0..OUTPUTS_MAX {
            let Some(output) = self.pool.poll_output() else { return self.check() };
            self.take(output);
        }
        panic!("outputs without end");
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Resolve { key, .. } => {
                self.endpoints.remove(&key);
                self.resolving.push(key);
            }
            Output::Connect { attempt, key, endpoints, .. } => {
                assert!(
                    self.attempts.iter().all(|(_, other, _)| *other != key),
                    "two attempts for one origin at a time"
                );
                assert!(!endpoints.is_empty());
                self.attempts.push((attempt, key, endpoints));
            }
            Output::Cancel { attempt, .. } => {
                self.attempts.retain(|(id, ..)| *id != attempt);
            }
            Output::Verify { connection, host, .. } => self.verifying.push((connection, host)),
            Output::Send { request, connection, .. } => self.send(request, connection),
            Output::Discard { request, connection, .. } => {
                self.leave(request);
                let live = self.live.get_mut(&request).expect("a live request");
                live.misdirected += 1;
                assert!(live.misdirected == 1, "a second retry after a 421");
                assert!(live.facts.body.can_be_sent_again(), "a body that is gone");
                self.mirror.refuse(connection, &live.facts.key, self.now);
            }
            Output::Deliver { request, trail, .. } => {
                let live = self.live.get_mut(&request).expect("a live request");
                assert!(live.on.is_some() && !live.delivered, "delivered without an answer");
                assert!(!trail.steps().is_empty());
                live.delivered = true;
            }
            Output::Fail { request, .. } => self.forget(request),
            Output::Close { connection, .. } => self.mirror.close_idle(connection),
            other => panic!("{other:?}"),
        }
    }

    fn send(&mut self, request: RequestId, connection: ConnectionId) {
        // A request that was not processed comes back without an output in between.
        self.leave(request);
        let live = self.live.get_mut(&request).expect("a live request");
        assert!(!live.delivered, "sent after its answer");
        live.sends += 1;
        assert!(live.sends <= SENDS_MAX, "sent {} times", live.sends);
        live.on = Some(connection);
        let alone = live.misdirected > 0;
        let own = self.mirror.send(connection, request, &live.facts, alone, self.now);
        self.reached.sent += 1;
        self.reached.shared += u32::from(!own);
        self.reached.retried += u32::from(alone);
    }

    /// Checks that no request waits beside a connection that may carry it.
    fn check_waiting(&self) {
        let waiting = self.live.iter().filter(|(_, it)| it.on.is_none() && it.misdirected == 0);
        for (id, live) in waiting {
            let endpoints = self.endpoints.get(&live.facts.key).map(Vec::as_slice);
            for (candidate, result) in self.pool.explain(self.now, &live.facts, endpoints) {
                let eligible = matches!(result, Eligibility::Eligible(_));
                assert!(!eligible, "{id} waits beside {candidate:?}, which is {}", result.code());
            }
        }
    }

    fn check(&self) {
        self.check_waiting();
        let used = self.mirror.open_ids().len() + self.attempts.len();
        assert!(used <= CONNECTIONS_MAX, "{used} connections and attempts");
        assert_eq!(self.pool.requests(), self.live.len(), "a request is lost");
    }

    /// Lets everything happen that the pool waits for, until no request is left.
    fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            self.drain();
            if self.live.is_empty() {
                return;
            }
            if !self.progress() {
                let due = self.pool.poll_timeout();
                let due = due.unwrap_or_else(|| panic!("stuck: {:?}\n{:?}", self.live, self.pool));
                self.now = self.now.max(due);
                self.pool.handle_timeout(self.now);
            }
        }
        panic!("no end: {:?}\n{:?}", self.live, self.pool);
    }

    fn progress(&mut self) -> bool {
        let unsettled: BTreeSet<_> = self.mirror.unsettled();
        if !self.resolving.is_empty() {
            self.endpoints(0, 2);
        } else if !self.verifying.is_empty() {
            self.verified(0, 1);
        } else if let Some(id) = unsettled.first() {
            self.mirror.settle(*id, Some(100));
            let mut settings = ServerSettings::default();
            settings.streams_max = Some(100);
            self.pool.handle_settings(self.now, *id, settings);
        } else if !self.attempts.is_empty() {
            self.connected(0, 0);
        } else if !self.sent(false).is_empty() {
            self.answer(0, 200, 0);
        } else if !self.sent(true).is_empty() {
            self.done(0);
        } else {
            return false;
        }
        true
    }
}
