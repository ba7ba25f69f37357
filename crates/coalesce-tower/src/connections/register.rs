//! All connections of a listener.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use coalesce_http::log::RateLimit;
use tokio::time::{Instant, sleep};

use super::life::{Clock, Life, Patience, Spare};
use super::limits::ConnectionLimits;
use crate::limits::{LIMIT_LINES_PER_SECOND, SWEEP_PAUSE_MAX};
use crate::lines::say;

/// The shortest pause between two sweeps, for limits that are tiny.
const SWEEP_PAUSE_MIN: Duration = Duration::from_millis(5);

/// The connections that one search finds to be ended, in their order: a search looks at all
/// connections, so it pays for many that come.
const SPARES_PER_SEARCH: usize = 64;

/// The connections of a listener, those in their handshake among them.
#[derive(Debug)]
pub(crate) struct Register {
    limits: ConnectionLimits,
    patience: Patience,
    pause: Duration,
    clock: Arc<Clock>,
    state: Mutex<State>,
    lines: Lines,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the next connection.
    next: u64,
    /// By number, so the first one is the oldest.
    handshakes: BTreeMap<u64, Arc<Life>>,
    connections: BTreeMap<u64, Arc<Life>>,
    /// What the last search found, the first to be ended at its end.
    spares: Vec<(Spare, u64)>,
    /// How many connections have left.
    left: u64,
    /// Wakes who waits for one to leave.
    waiting: Option<Waker>,
    is_swept: bool,
}

/// One limit for each kind of line.
#[derive(Debug)]
struct Lines {
    handshakes: RateLimit,
    connections: RateLimit,
    full: RateLimit,
    accept: RateLimit,
}

impl Register {
    pub(crate) fn new(limits: ConnectionLimits) -> Arc<Self> {
        let shortest = limits.idle_timeout.into_iter().chain(limits.header_timeout).min();
        let pause = shortest.unwrap_or(SWEEP_PAUSE_MAX).div_f32(4.0);
        let pause = pause.clamp(SWEEP_PAUSE_MIN, SWEEP_PAUSE_MAX);
        // A time that was read from the clock may be a pause old, so a limit is a pause longer.
        let patience =
            |limit: Option<Duration>| limit.map(|limit| milliseconds(limit.saturating_add(pause)));
        let patience = Patience {
            idle: patience(limits.idle_timeout),
            header: patience(limits.header_timeout),
        };
        let line = || RateLimit::per_second(LIMIT_LINES_PER_SECOND);
        Arc::new(Self {
            limits,
            patience,
            pause,
            clock: Arc::default(),
            state: Mutex::default(),
            lines: Lines { handshakes: line(), connections: line(), full: line(), accept: line() },
        })
    }

    pub(crate) const fn limits(&self) -> &ConnectionLimits {
        &self.limits
    }

    /// Registers a connection whose handshake begins, and ends another one if there is no room.
    /// Returns `None` if every connection is busy.
    #[cfg(any(feature = "axum-server", test))]
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Registered> {
        self.enter_or(|_| ())
    }

    /// Registers a connection whose handshake begins. Waits for another one to leave if there is no
    /// room.
    pub(crate) fn poll_enter(self: &Arc<Self>, context: &Context<'_>) -> Poll<Registered> {
        let wait = |state: &mut State| state.waiting = Some(context.waker().clone());
        self.enter_or(wait).map_or(Poll::Pending, Poll::Ready)
    }

    fn enter_or(self: &Arc<Self>, full: impl FnOnce(&mut State)) -> Option<Registered> {
        let mut state = self.state();
        // They are ended without the lock: whatever they wake may want it.
        let mut ended = Vec::new();
        while state.handshakes.len() >= self.limits.handshakes_max {
            let Some((_, oldest)) = state.handshakes.pop_first() else { break };
            ended.push(oldest);
            self.say_handshakes();
        }
        if state.len() >= self.limits.connections_max {
            let Some(spare) = state.take_spare(self.patience.idle) else {
                full(&mut state);
                self.say_full();
                return None;
            };
            ended.push(spare);
            self.say_connections();
        }
        if !state.is_swept {
            state.is_swept = true;
            tokio::spawn(sweep(Arc::downgrade(self), self.pause));
        }
        let id = state.next;
        state.next = id.saturating_add(1);
        let life = Arc::new(Life::new(self.clock.clone()));
        state.handshakes.insert(id, life.clone());
        drop(state);
        for life in ended {
            life.end();
        }
        Some(Registered { id, life, register: self.clone() })
    }

    /// Ends the connection that can be spared the most, because the system has none to give.
    /// Returns how many have left until now.
    pub(crate) fn make_room(&self) -> u64 {
        let mut state = self.state();
        let spare = state.take_spare(self.patience.idle);
        let left = state.left;
        drop(state);
        if let Some(spare) = spare {
            spare.end();
        }
        left
    }

    /// Ready when more than `left` connections have left.
    pub(crate) fn poll_left(&self, left: u64, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.left > left {
            return Poll::Ready(());
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }

    /// Ends the connections that are overdue.
    fn sweep(&self, now: u64) {
        self.clock.set(now);
        let mut state = self.state();
        let overdue = |(_, life): &(&u64, &Arc<Life>)| life.is_overdue(self.patience);
        let ids: Vec<u64> = state.connections.iter().filter(overdue).map(|(id, _)| *id).collect();
        let ended: Vec<_> = ids.iter().filter_map(|id| state.connections.remove(id)).collect();
        drop(state);
        if !ended.is_empty() {
            tracing::debug!(count = ended.len(), "ended connections that were silent for too long");
        }
        for life in ended {
            life.end();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No part of it is ever half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say_handshakes(&self) {
        let limit = self.limits.handshakes_max;
        say(&self.lines.handshakes, |unlogged| {
            tracing::warn!(limit, unlogged, "too many handshakes at once: the oldest one is ended");
        });
    }

    fn say_connections(&self) {
        let limit = self.limits.connections_max;
        say(&self.lines.connections, |unlogged| {
            tracing::warn!(
                limit,
                unlogged,
                "too many connections at once: the one that is silent the longest is ended"
            );
        });
    }

    fn say_full(&self) {
        let limit = self.limits.connections_max;
        say(&self.lines.full, |unlogged| {
            tracing::warn!(
                limit,
                unlogged,
                "too many connections at once, and all are busy: a new one is not served yet"
            );
        });
    }

    pub(crate) fn say_accept_failed(&self, error: &std::io::Error) {
        say(&self.lines.accept, |unlogged| {
            tracing::warn!(
                %error,
                unlogged,
                "cannot accept a connection: the one that is silent the longest is ended"
            );
        });
    }
}

impl State {
    fn len(&self) -> usize {
        self.handshakes.len().saturating_add(self.connections.len())
    }

    /// Takes out the connection or handshake that can be spared the most.
    fn take_spare(&mut self, silence: Option<u64>) -> Option<Arc<Life>> {
        let oldest = self.handshakes.iter().next();
        let oldest = oldest.map(|(id, life)| (life.spare_since(None), *id));
        let spare = self.next_spare(silence);
        match (oldest, spare) {
            (Some(handshake), Some(spare)) if handshake > spare => self.take(spare),
            (Some((_, id)), _) => self.handshakes.remove(&id),
            (None, spare) => self.take(spare?),
        }
    }

    fn take(&mut self, spare: (Spare, u64)) -> Option<Arc<Life>> {
        self.spares.pop();
        self.connections.remove(&spare.1)
    }

    /// Returns the connection that can be spared the most, and leaves it in its place.
    fn next_spare(&mut self, silence: Option<u64>) -> Option<(Spare, u64)> {
        while let Some(&(spare, id)) = self.spares.last() {
            // It may have had a request since the search.
            let now = self.connections.get(&id).map(|life| life.spare_since(silence));
            if now == Some(spare) {
                return Some((spare, id));
            }
            self.spares.pop();
        }
        let all = self.connections.iter().map(|(id, life)| (life.spare_since(silence), *id));
        self.spares = all.filter(|(spare, _)| *spare != Spare::Busy).collect();
        self.spares.sort_unstable();
        self.spares.truncate(SPARES_PER_SEARCH);
        self.spares.reverse();
        self.spares.last().copied()
    }
}

/// Sweeps until the listener and all its connections are gone.
async fn sweep(register: Weak<Register>, pause: Duration) {
    let begun = Instant::now();
    loop {
        sleep(pause).await;
        let Some(register) = register.upgrade() else { return };
        register.sweep(milliseconds(begun.elapsed()));
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The place of one connection in its register, until this is dropped.
#[derive(Debug)]
pub(crate) struct Registered {
    id: u64,
    life: Arc<Life>,
    register: Arc<Register>,
}

impl Registered {
    pub(crate) const fn life(&self) -> &Arc<Life> {
        &self.life
    }

    pub(crate) fn limits(&self) -> &ConnectionLimits {
        self.register.limits()
    }

    /// Says that the handshake is over.
    pub(crate) fn established(&self) {
        self.life.established();
        let mut state = self.register.state();
        // One that was ended in the meantime has no place any more.
        if let Some(life) = state.handshakes.remove(&self.id) {
            state.connections.insert(self.id, life);
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut state = self.register.state();
        state.handshakes.remove(&self.id);
        state.connections.remove(&self.id);
        state.left = state.left.saturating_add(1);
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests;
