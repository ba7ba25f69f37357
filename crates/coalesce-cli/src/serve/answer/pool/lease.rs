//! A pool, and the leases that it gives to requests.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::serve::answer::pool::connection::{Connect, PooledConnection};
use crate::serve::answer::pool::state::{ConnectionId, Delivery, Made, State, Waiter};
use crate::serve::limits::{DISCARD_PAUSE, UPSTREAM_IDLE_MAX, UPSTREAM_IDLE_TIMEOUT};
use crate::serve::shares::ClientId;

/// The connections to one upstream.
#[derive(Debug)]
pub(in crate::serve::answer) struct Pool<C: Connect>(Arc<Inner<C>>);

#[derive(Debug)]
struct Inner<C: Connect> {
    connector: C,
    state: Mutex<State<C::Connection, C::Error>>,
}

/// The kind of connection that a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve::answer) enum Wanted {
    /// Any connection with room.
    Any,
    /// A new connection, because the upstream may have closed the used ones.
    Fresh,
}

/// The room of one request on a connection, given back when this is dropped.
#[derive(Debug)]
pub(in crate::serve::answer) struct Lease<C: Connect> {
    pool: Arc<Inner<C>>,
    id: ConnectionId,
    pub(in crate::serve::answer) connection: C::Connection,
    /// True if other requests have used the connection.
    pub(in crate::serve::answer) is_reused: bool,
    /// False if no other request may use the connection.
    pub(in crate::serve::answer) is_reusable: bool,
}

impl<C: Connect> Pool<C> {
    /// Makes a pool without connections.
    pub(in crate::serve::answer) fn new(connector: C) -> Self {
        let state = Mutex::new(State::new(connector.expected_capacity()));
        Self(Arc::new(Inner { connector, state }))
    }

    /// Leases room for one request, on a new connection if no other has room.
    pub(in crate::serve::answer) async fn lease(
        &self,
        wanted: Wanted,
        client: ClientId,
    ) -> Result<Lease<C>, C::Error> {
        let waiting = {
            let mut state = self.0.lock();
            let free = if wanted == Wanted::Any { state.take() } else { None };
            if let Some((id, connection)) = free {
                return Ok(self.0.lease(id, connection, true));
            }
            let (sender, waiting) = oneshot::channel();
            Inner::wait(&self.0, &mut state, Waiter { client, sender });
            Waiting { pool: &self.0, result: waiting }
        };
        waiting.lease().await
    }
}

/// A request that waits for an attempt to connect.
struct Waiting<'a, C: Connect> {
    pool: &'a Arc<Inner<C>>,
    result: oneshot::Receiver<Made<C::Connection, C::Error>>,
}

impl<C: Connect> Waiting<'_, C> {
    async fn lease(mut self) -> Result<Lease<C>, C::Error> {
        match (&mut self.result).await {
            Ok(result) => result.map(|(id, connection)| self.pool.lease(id, connection, false)),
            Err(_dropped) => Err(self.pool.connector.cut_off()),
        }
    }
}

impl<C: Connect> Drop for Waiting<'_, C> {
    fn drop(&mut self) {
        // The connection may have been delivered after the request was dropped.
        self.result.close();
        if let Ok(Ok((id, connection))) = self.result.try_recv() {
            drop(self.pool.lease(id, connection, false));
        }
    }
}

impl<C: Connect> Inner<C> {
    fn lock(&self) -> MutexGuard<'_, State<C::Connection, C::Error>> {
        // Each method leaves the state consistent, even if it panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lease(
        self: &Arc<Self>,
        id: ConnectionId,
        connection: C::Connection,
        is_reused: bool,
    ) -> Lease<C> {
        Lease { pool: self.clone(), id, connection, is_reused, is_reusable: true }
    }

    /// Has `waiter` wait for an attempt to connect. A new one runs in a task, so that it ends no
    /// sooner and no later because of the requests that wait for it.
    fn wait(
        pool: &Arc<Self>,
        state: &mut State<C::Connection, C::Error>,
        waiter: Waiter<C::Connection, C::Error>,
    ) {
        let Err(waiter) = state.join(waiter) else { return };
        let permit = match pool.connector.permit(waiter.client) {
            Ok(permit) => permit,
            Err(error) => {
                // The request may have left.
                let _ = waiter.sender.send(Err(error));
                return;
            }
        };
        let (pool, attempt) = (pool.clone(), state.begin(waiter));
        tokio::spawn(async move {
            let result = pool.connector.connect(permit).await;
            Self::finish(&pool, attempt, result);
        });
    }

    fn finish(pool: &Arc<Self>, attempt: ConnectionId, result: Result<C::Connection, C::Error>) {
        let is_made = result.is_ok();
        let (deliveries, starts_reaping) = {
            let mut state = pool.lock();
            let (deliveries, left_over) = state.finish(attempt, result);
            for waiter in left_over {
                Self::wait(pool, &mut state, waiter);
            }
            let starts_reaping = is_made && !std::mem::replace(&mut state.is_reaped, is_made);
            (deliveries, starts_reaping)
        };
        if starts_reaping {
            tokio::spawn(reap(Arc::downgrade(pool)));
        }
        pool.deliver(deliveries);
    }

    /// Tells waiting requests their results. The room of one that has left is given back.
    fn deliver(self: &Arc<Self>, deliveries: Vec<Delivery<C::Connection, C::Error>>) {
        for (waiter, result) in deliveries {
            if let Err(Ok((id, connection))) = waiter.sender.send(result) {
                drop(self.lease(id, connection, false));
            }
        }
    }

    fn release(&self, id: ConnectionId, reusable: bool) {
        self.lock().release(id, reusable, UPSTREAM_IDLE_MAX);
    }
}

/// Closes idle connections, as long as the pool has any.
async fn reap<C: Connect>(pool: Weak<Inner<C>>) {
    loop {
        sleep(UPSTREAM_IDLE_TIMEOUT).await;
        let Some(pool) = pool.upgrade() else { return };
        if !pool.lock().reap(UPSTREAM_IDLE_TIMEOUT) {
            return;
        }
    }
}

impl<C: Connect> Lease<C> {
    /// Waits until nothing of the request is on the connection any longer.
    pub(in crate::serve::answer) async fn ended(&self) {
        poll_fn(|context| self.connection.poll_released(context)).await;
    }
}

impl<C: Connect> Drop for Lease<C> {
    fn drop(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        let released = if self.is_reusable {
            self.connection.poll_released(&mut context)
        } else {
            Poll::Ready(false)
        };
        if let Poll::Ready(reusable) = released {
            return self.pool.release(self.id, reusable);
        }
        // The task of the connection needs a moment to see that the request has ended.
        let (pool, id, connection) = (self.pool.clone(), self.id, self.connection.clone());
        let Ok(runtime) = Handle::try_current() else { return pool.release(id, false) };
        runtime.spawn(async move {
            let released = poll_fn(|context| connection.poll_released(context));
            let reusable = timeout(DISCARD_PAUSE, released).await.unwrap_or(false);
            pool.release(id, reusable);
        });
    }
}
