//! The tables under the driver's lock, and the translation of the pool's outputs.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use coalesce_core::HostBuf;
use coalesce_pool::{
    AttemptId, CandidateId, ConnectionId, Endpoint, Failure, Output, Pool, PoolConfig, PoolKey,
    Progress, Protocol, RequestId, Trail, TrailStep,
};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::cause::Cause;
use super::id_map::IdMap;
use crate::connect::PeerTls;
use crate::connection::Sender;
use crate::route::{CandidateInfo, Route};

/// An event for a request that waits.
#[derive(Debug)]
pub(super) enum Event {
    /// Send on this connection. `None` means that the connection has ended meanwhile.
    Send(ConnectionId, Option<Sender>),
    /// Give the answer to the caller.
    Deliver(Route),
    /// Drop the answer, and wait.
    Discard,
    /// The request has no answer.
    Fail(Failure, Route, Option<Cause>),
}

/// The events of a request.
#[derive(Debug, Default)]
struct Slot {
    events: VecDeque<Event>,
    waker: Option<Waker>,
}

/// A connection of the pool.
#[derive(Debug)]
pub(super) struct Link {
    /// `None` while a request uses an HTTP/1.1 connection.
    pub(super) sender: Option<Sender>,
    pub(super) info: Arc<CandidateInfo>,
    pub(super) tls: Option<Arc<PeerTls>>,
}

/// An attempt of the pool.
#[derive(Debug)]
struct Attempt {
    info: Arc<CandidateInfo>,
    /// Dropped to cancel the attempt.
    cancel: oneshot::Sender<()>,
}

/// An effect of an output outside of the lock.
#[derive(Debug)]
pub(super) enum Effect {
    Start(Task),
    Wake(Waker),
    /// A value whose drop is the effect, and may wake others.
    Cancel(oneshot::Sender<()>),
    Close(Link),
    StartTimer,
    WakeTimer,
}

/// The task of an output.
#[derive(Debug)]
pub(super) enum Task {
    Resolve {
        key: PoolKey,
        number: u64,
    },
    Dial {
        attempt: AttemptId,
        key: PoolKey,
        endpoints: Vec<Endpoint>,
        cancelled: oneshot::Receiver<()>,
    },
    Verify {
        connection: ConnectionId,
        host: HostBuf,
        key: PoolKey,
        tls: Arc<PeerTls>,
    },
}

/// The newest resolution of a key.
#[derive(Debug)]
struct Resolving {
    number: u64,
    /// The error of an attempt that failed meanwhile. Its requests fail only if no more endpoints
    /// come.
    cause: Option<Cause>,
}

/// The timer task.
#[derive(Debug, Default)]
pub(super) struct Timer {
    pub(super) due: Option<Duration>,
    pub(super) task: Option<tokio::task::JoinHandle<()>>,
}

impl Timer {
    /// Returns when the timer is due. `None` also for a time that the clock never reaches: a user
    /// may set `Duration::MAX` to switch a timeout off.
    pub(super) fn due_at(&self, began: Instant) -> Option<Instant> {
        began.checked_add(self.due?)
    }
}

/// Everything under the lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) pool: Pool,
    slots: IdMap<RequestId, Slot>,
    pub(super) links: IdMap<ConnectionId, Link>,
    attempts: IdMap<AttemptId, Attempt>,
    /// The newest resolution of each key. The pool may ask for a key again while an earlier
    /// resolution runs, whose end is not the end of the new one.
    resolutions: HashMap<PoolKey, Resolving>,
    last_resolution: u64,
    pub(super) timer: Timer,
    /// The runtime of the first request. Values may be dropped outside of it.
    pub(super) runtime: Option<tokio::runtime::Handle>,
    /// No more requests are taken.
    pub(super) closing: bool,
    /// The tasks of connections that run.
    pub(super) running: usize,
}

impl State {
    pub(super) fn new(config: PoolConfig) -> Self {
        Self {
            pool: Pool::new(config),
            slots: IdMap::default(),
            links: IdMap::default(),
            attempts: IdMap::default(),
            resolutions: HashMap::new(),
            last_resolution: 0,
            timer: Timer::default(),
            runtime: None,
            closing: false,
            running: 0,
        }
    }

    /// Makes the place for the events of a request.
    pub(super) fn open_slot(&mut self, request: RequestId) {
        self.slots.insert(request, Slot::default());
    }

    /// Forgets the events of a request.
    pub(super) fn close_slot(&mut self, request: RequestId) {
        self.slots.remove(&request);
    }

    /// Takes the next event of a request, or remembers whom to wake.
    pub(super) fn next_event(&mut self, request: RequestId, waker: &Waker) -> Option<Event> {
        let slot = self.slots.get_mut(&request)?;
        let event = slot.events.pop_front();
        if event.is_none() && !slot.waker.as_ref().is_some_and(|it| it.will_wake(waker)) {
            slot.waker = Some(waker.clone());
        }
        event
    }

    /// Forgets an attempt that has ended.
    pub(super) fn forget_attempt(&mut self, attempt: AttemptId) {
        self.attempts.remove(&attempt);
    }

    /// Forgets an attempt that failed, and keeps its error if its host is still being resolved.
    pub(super) fn fail_attempt(&mut self, attempt: AttemptId, cause: Option<&Cause>) {
        let Some(failed) = self.attempts.remove(&attempt) else { return };
        if let Some(resolving) = self.resolutions.get_mut(&failed.info.key) {
            resolving.cause = cause.cloned();
        }
    }

    /// Returns the error of the last attempt that failed during a resolution.
    pub(super) fn cause_of(&self, key: &PoolKey) -> Option<Cause> {
        self.resolutions.get(key)?.cause.clone()
    }

    /// Returns whether a resolution is the newest one of its key, and forgets it at its end.
    pub(super) fn is_newest(&mut self, key: &PoolKey, number: u64, progress: Progress) -> bool {
        let newest = self.resolutions.get(key).is_some_and(|it| it.number == number);
        if newest && progress == Progress::Last {
            self.resolutions.remove(key);
        }
        newest
    }

    /// Returns whether a connection speaks HTTP/1.1.
    pub(super) fn is_http1(&self, connection: ConnectionId) -> bool {
        let made = self.links.get(&connection).and_then(|it| it.info.made);
        made.is_some_and(|(_, protocol)| protocol == Protocol::Http1)
    }

    /// Describes a candidate that has not ended.
    pub(super) fn describe(&self, candidate: CandidateId) -> Option<Arc<CandidateInfo>> {
        match candidate {
            CandidateId::Connection(id) => self.links.get(&id).map(|it| Arc::clone(&it.info)),
            CandidateId::Attempt(id) => self.attempts.get(&id).map(|it| Arc::clone(&it.info)),
            _ => None,
        }
    }

    /// Takes the outputs of the pool, and does the part of each that belongs under the lock.
    /// `cause` is the error behind the failures among them.
    pub(super) fn take_outputs(&mut self, cause: Option<&Cause>, effects: &mut Vec<Effect>) {
        while let Some(output) = self.pool.poll_output() {
            match output {
                Output::Resolve { key, .. } => {
                    self.last_resolution = self.last_resolution.wrapping_add(1);
                    let number = self.last_resolution;
                    self.resolutions.insert(key.clone(), Resolving { number, cause: None });
                    effects.push(Effect::Start(Task::Resolve { key, number }));
                }
                Output::Connect { attempt, key, endpoints, .. } => {
                    let task = self.start_attempt(attempt, key, endpoints);
                    effects.push(Effect::Start(task));
                }
                Output::Cancel { attempt, .. } => {
                    let attempt = self.attempts.remove(&attempt);
                    effects.extend(attempt.map(|it| Effect::Cancel(it.cancel)));
                }
                Output::Verify { connection, host, .. } => {
                    let task = self.start_verification(connection, host);
                    effects.extend(task.map(Effect::Start));
                }
                Output::Send { request, connection, .. } => {
                    let sender = self
                        .links
                        .get_mut(&connection)
                        .and_then(|link| Sender::take(&mut link.sender));
                    self.post(request, Event::Send(connection, sender), effects);
                }
                Output::Deliver { request, trail, .. } => {
                    let route = self.route(trail);
                    self.post(request, Event::Deliver(route), effects);
                }
                Output::Discard { request, .. } => self.post(request, Event::Discard, effects),
                Output::Fail { request, failure, trail, .. } => {
                    let route = self.route(trail);
                    let event = Event::Fail(failure, route, cause.cloned());
                    self.post(request, event, effects);
                }
                Output::Close { connection, .. } => {
                    effects.extend(self.links.remove(&connection).map(Effect::Close));
                }
                _ => {}
            }
        }
    }

    /// Sets the timer again. `fired` says that it has just run.
    pub(super) fn set_timer(&mut self, fired: bool, effects: &mut Vec<Effect>) {
        let due = self.pool.poll_timeout();
        let timer = &mut self.timer;
        if fired {
            timer.due = due;
            return;
        }
        // A timer that is due too early sets itself again, so an event seldom needs to wake it.
        let Some(due) = due else { return };
        let runs = timer.task.as_ref().is_some_and(|it| !it.is_finished());
        if runs && timer.due.is_some_and(|known| known <= due) {
            return;
        }
        timer.due = Some(due);
        effects.push(if runs { Effect::WakeTimer } else { Effect::StartTimer });
    }

    fn start_attempt(
        &mut self,
        attempt: AttemptId,
        key: PoolKey,
        endpoints: Vec<Endpoint>,
    ) -> Task {
        let (cancel, cancelled) = oneshot::channel();
        let info = Arc::new(CandidateInfo { key: key.clone(), made: None });
        self.attempts.insert(attempt, Attempt { info, cancel });
        Task::Dial { attempt, key, endpoints, cancelled }
    }

    fn start_verification(&self, connection: ConnectionId, host: HostBuf) -> Option<Task> {
        let link = self.links.get(&connection)?;
        let (key, tls) = (link.info.key.clone(), Arc::clone(link.tls.as_ref()?));
        Some(Task::Verify { connection, host, key, tls })
    }

    fn post(&mut self, request: RequestId, event: Event, effects: &mut Vec<Effect>) {
        let Some(slot) = self.slots.get_mut(&request) else { return };
        slot.events.push_back(event);
        effects.extend(slot.waker.take().map(Effect::Wake));
    }

    fn route(&self, trail: Trail) -> Route {
        let mut route = Route::default();
        for candidate in trail.steps().iter().map(TrailStep::candidate) {
            if route.candidates.iter().all(|(known, _)| *known != candidate)
                && let Some(info) = self.describe(candidate)
            {
                route.candidates.push((candidate, info));
            }
        }
        route.trail = trail;
        route
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_beyond_the_clock_is_never_due() {
        let began = Instant::now();
        let due_at = |due| Timer { due, task: None }.due_at(began);
        assert_eq!(due_at(None), None);
        assert_eq!(due_at(Some(Duration::MAX)), None);
        let second = Duration::from_secs(1);
        assert_eq!(due_at(Some(second)), Some(began + second));
    }
}
