//! The connections of a pool and the attempts to make more, without IO.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::serve::answer::pool::connection::PooledConnection;
use crate::serve::shares::ClientId;

/// The number of a connection, or of the attempt that makes it.
pub(super) type ConnectionId = u64;

/// The result for a waiting request: the number of its connection and a handle of it.
pub(super) type Made<T, E> = Result<(ConnectionId, T), E>;

/// A waiting request.
#[derive(Debug)]
pub(super) struct Waiter<T, E> {
    pub(super) client: ClientId,
    pub(super) sender: oneshot::Sender<Made<T, E>>,
}

#[derive(Debug)]
pub(super) struct State<T, E> {
    /// The connections by age. The oldest is used first, so the newest become idle.
    connections: BTreeMap<ConnectionId, Pooled<T>>,
    attempts: BTreeMap<ConnectionId, Vec<Waiter<T, E>>>,
    next_id: ConnectionId,
    /// The number of requests that the next connection is expected to carry at once.
    expected: usize,
    /// True while a task closes idle connections.
    pub(super) is_reaped: bool,
}

#[derive(Debug)]
struct Pooled<T> {
    connection: T,
    in_use: usize,
    idle_since: Instant,
}

/// A delivery to a waiting request, made once the lock is released.
pub(super) type Delivery<T, E> = (Waiter<T, E>, Made<T, E>);

/// The result of an attempt: deliveries to waiting requests, and the requests that found no room.
type Finished<T, E> = (Vec<Delivery<T, E>>, Vec<Waiter<T, E>>);

impl<T: PooledConnection, E: Clone> State<T, E> {
    pub(super) fn new(expected: usize) -> Self {
        let (connections, attempts) = (BTreeMap::new(), BTreeMap::new());
        Self { connections, attempts, next_id: 0, expected, is_reaped: false }
    }

    /// Takes room on an existing connection, and removes idle ones that have ended.
    pub(super) fn take(&mut self) -> Option<(ConnectionId, T)> {
        self.connections.retain(|_, pooled| pooled.in_use > 0 || pooled.connection.is_open());
        let has_room = |pooled: &Pooled<T>| {
            pooled.in_use < pooled.connection.capacity() && pooled.connection.is_open()
        };
        let (id, pooled) = self.connections.iter_mut().find(|(_, pooled)| has_room(pooled))?;
        pooled.in_use += 1;
        Some((*id, pooled.connection.clone()))
    }

    /// Has `waiter` wait for an attempt that has room for it. Returns the waiter if there is none.
    pub(super) fn join(&mut self, waiter: Waiter<T, E>) -> Result<(), Waiter<T, E>> {
        let expected = self.expected.max(1);
        for waiting in self.attempts.values_mut() {
            if waiting.len() >= expected {
                waiting.retain(|waiter| !waiter.sender.is_closed());
            }
            if waiting.len() < expected {
                waiting.push(waiter);
                return Ok(());
            }
        }
        Err(waiter)
    }

    /// Has `waiter` wait for a new attempt. Returns its number, for the caller to start it.
    pub(super) fn begin(&mut self, waiter: Waiter<T, E>) -> ConnectionId {
        let id = self.next_id;
        self.next_id += 1;
        self.attempts.insert(id, vec![waiter]);
        id
    }

    /// Ends an attempt. Returns the results for its waiting requests, and the requests that found
    /// no room.
    pub(super) fn finish(&mut self, id: ConnectionId, result: Result<T, E>) -> Finished<T, E> {
        let mut waiting = self.attempts.remove(&id).unwrap_or_default();
        let connection = match result {
            Ok(connection) => connection,
            Err(error) => {
                let tell = |waiter| (waiter, Err(error.clone()));
                return (waiting.into_iter().map(tell).collect(), Vec::new());
            }
        };
        waiting.retain(|waiter| !waiter.sender.is_closed());
        // If the connection has ended by now, its requests fail and are then sent again.
        self.expected = connection.capacity().max(1);
        let left_over = waiting.split_off(self.expected.min(waiting.len()));
        let (in_use, idle_since) = (waiting.len(), Instant::now());
        let tell = |waiter| (waiter, Ok((id, connection.clone())));
        let deliveries = waiting.into_iter().map(tell).collect();
        self.connections.insert(id, Pooled { connection, in_use, idle_since });
        (deliveries, left_over)
    }

    /// Gives back the room of one request. A connection that is not `reusable` is forgotten, and
    /// an idle one too if there are `idle_max` others.
    pub(super) fn release(&mut self, id: ConnectionId, reusable: bool, idle_max: usize) {
        let Some(pooled) = self.connections.get_mut(&id) else { return };
        pooled.in_use = pooled.in_use.saturating_sub(1);
        pooled.idle_since = Instant::now();
        let is_idle = pooled.in_use == 0;
        let ended = !reusable || (is_idle && !pooled.connection.is_open());
        let idle = || self.connections.values().filter(|pooled| pooled.in_use == 0).count();
        if ended || (is_idle && idle() > idle_max) {
            self.connections.remove(&id);
        }
    }

    /// Forgets connections that have been idle for `limit`. Returns whether any are left.
    pub(super) fn reap(&mut self, limit: Duration) -> bool {
        let now = Instant::now();
        self.connections.retain(|_, pooled| {
            let idle = now.saturating_duration_since(pooled.idle_since);
            pooled.in_use > 0 || (idle < limit && pooled.connection.is_open())
        });
        self.is_reaped = !self.connections.is_empty();
        self.is_reaped
    }
}
