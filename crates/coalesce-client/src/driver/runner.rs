//! Runs the pool: events come in under the lock, and outputs become tasks outside of it.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use coalesce_pool::RequestId;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::cause::Cause;
use super::parts::DriverParts;
use super::state::{Effect, Event, State, Task};
use crate::connect::Dialer;
use crate::resolve::Resolve;

/// Starts the task of an output, which reports its result as an event.
pub(super) type StartTask = fn(&Arc<Runner>, Task);

/// Takes the events of a pool, and does its outputs.
pub(super) struct Runner {
    state: Mutex<State>,
    began: Instant,
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) dialer: Arc<Dialer>,
    pub(super) http1_only: bool,
    start_task: StartTask,
    /// The timer is due earlier than it knows, or the runner is gone.
    timer: Arc<Notify>,
    /// A request or the task of a connection has ended while the runner closes.
    ended: Notify,
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").field("resolver", &self.resolver).finish_non_exhaustive()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.timer.notify_one();
    }
}

impl Runner {
    pub(super) fn new(parts: DriverParts, start_task: StartTask) -> Self {
        Self {
            state: Mutex::new(State::new(parts.pool)),
            began: Instant::now(),
            resolver: parts.resolver,
            dialer: Arc::new(parts.dialer),
            http1_only: parts.http1_only,
            start_task,
            timer: Arc::default(),
            ended: Notify::new(),
        }
    }

    /// Returns the tables. Nothing awaits while they are locked.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // The pool does not panic, and its tables are consistent between two events.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the time of the pool.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Gives an event to the pool, and does the outputs that follow.
    pub(super) fn event<T>(self: &Arc<Self>, event: impl FnOnce(&mut State, Duration) -> T) -> T {
        self.do_event(None, false, event)
    }

    /// Gives an event to the pool. `cause` is the error behind the requests that fail with it.
    pub(super) fn event_with<T>(
        self: &Arc<Self>,
        cause: Option<&Cause>,
        event: impl FnOnce(&mut State, Duration) -> T,
    ) -> T {
        self.do_event(cause, false, event)
    }

    fn do_event<T>(
        self: &Arc<Self>,
        cause: Option<&Cause>,
        timer_fired: bool,
        event: impl FnOnce(&mut State, Duration) -> T,
    ) -> T {
        let mut effects = Vec::new();
        let (result, closing) = {
            let mut state = self.lock();
            // The time is read under the lock, so it never goes back for the pool.
            let result = event(&mut state, self.now());
            state.take_outputs(cause, &mut effects);
            state.set_timer(timer_fired, &mut effects);
            (result, state.closing)
        };
        for effect in effects {
            self.run(effect);
        }
        if closing {
            self.ended.notify_waiters();
        }
        result
    }

    fn run(self: &Arc<Self>, effect: Effect) {
        match effect {
            Effect::Wake(waker) => waker.wake(),
            Effect::Cancel(cancel) => drop(cancel),
            Effect::Close(link) => {
                tracing::debug!(target: "coalesce::client", origin = %link.info.key.origin,
                    "connection closes");
            }
            Effect::Start(task) => (self.start_task)(self, task),
            Effect::WakeTimer => self.timer.notify_one(),
            Effect::StartTimer => self.start_timer(),
        }
    }

    /// Spawns a task. If there is no runtime, the future is dropped.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = self.runtime() {
            runtime.spawn(future);
        }
    }

    /// Returns the runtime of the caller, or that of an earlier request: a response body may be
    /// dropped outside of a runtime.
    fn runtime(&self) -> Option<Handle> {
        Handle::try_current().ok().or_else(|| self.lock().runtime.clone())
    }

    fn start_timer(self: &Arc<Self>) {
        let Some(runtime) = self.runtime() else { return };
        let task = runtime.spawn(run_timer(Arc::downgrade(self), Arc::clone(&self.timer)));
        if let Some(old) = self.lock().timer.task.replace(task) {
            old.abort();
        }
    }

    /// Waits for the next event of a request.
    pub(super) async fn next_event(&self, request: RequestId) -> Event {
        std::future::poll_fn(|context| match self.lock().next_event(request, context.waker()) {
            Some(event) => Poll::Ready(event),
            None => Poll::Pending,
        })
        .await
    }

    /// Refuses new requests, and waits until all requests and connections have ended.
    pub(super) async fn close(self: &Arc<Self>) {
        self.event(|state, _| state.closing = true);
        self.wait_until(|state| state.pool.requests() == 0).await;
        self.event(|state, now| {
            let links = std::mem::take(&mut state.links);
            for id in links.keys() {
                state.pool.handle_closed(now, *id, []);
            }
            links
        });
        self.wait_until(|state| state.running == 0).await;
    }

    async fn wait_until(&self, mut done: impl FnMut(&State) -> bool) {
        loop {
            let ended = self.ended.notified();
            let mut ended = std::pin::pin!(ended);
            ended.as_mut().enable();
            if done(&self.lock()) {
                return;
            }
            ended.await;
        }
    }
}

async fn run_timer(runner: Weak<Runner>, changed: Arc<Notify>) {
    loop {
        let due = match runner.upgrade() {
            Some(runner) => runner.lock().timer.due_at(runner.began),
            None => return,
        };
        let Some(due) = due else {
            changed.notified().await;
            continue;
        };
        tokio::select! {
            () = tokio::time::sleep_until(due) => {
                let Some(runner) = runner.upgrade() else { return };
                runner.do_event(None, true, |state, now| state.pool.handle_timeout(now));
            }
            () = changed.notified() => {}
        }
    }
}
