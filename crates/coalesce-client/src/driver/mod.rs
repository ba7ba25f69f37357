//! Runs the pool: its lock, its timer, and the tasks that do its outputs.
//!
//! ```text
//!  exchange ──events──► runner ──► Pool (under a lock) ──outputs──► state ──effects──► tasks
//!     ▲                                                               │
//!     └────────────── a connection, an answer, a failure ◄────────────┘
//! ```
//!
//! No task owns the pool: each event takes the lock, and nothing awaits while it is held. A request
//! is a future of its caller, which sends on its connection itself.

mod cause;
mod exchange;
mod id_map;
mod parts;
mod runner;
mod state;
mod stream;
mod tasks;

use std::sync::Arc;

use coalesce_pool::RequestFacts;

use crate::body::{RequestBody, ResponseBody};
use crate::error::Error;
use crate::route::Judged;
use runner::Runner;

pub(crate) use parts::DriverParts;

/// A pool with its connections and tasks. Clones share it.
///
/// When the last clone and the last response body are dropped, the connections close gracefully.
#[derive(Clone, Debug)]
pub(crate) struct Driver {
    runner: Arc<Runner>,
}

impl Driver {
    /// Makes a driver without connections. It may be made outside of a tokio runtime.
    pub(crate) fn new(parts: DriverParts) -> Self {
        Self { runner: Arc::new(Runner::new(parts, tasks::start)) }
    }

    /// Sends a request, whose URI is absolute, and waits for the head of its answer.
    ///
    /// The response has a [`Trail`](crate::Trail) in its extensions. The Host field and
    /// `:authority` are those of the URI.
    ///
    /// # Cancellation
    /// The request is given up if the future is dropped: its stream is reset.
    pub(crate) async fn send(
        &self,
        request: http::Request<RequestBody>,
        facts: RequestFacts,
    ) -> Result<http::Response<ResponseBody>, Error> {
        exchange::exchange(&self.runner, request, facts).await
    }

    /// Judges every connection for a request, after its host is resolved. A proxy resolves hosts
    /// itself, and DNS must not learn their names.
    pub(crate) async fn explain(&self, facts: &RequestFacts) -> Judged {
        let endpoints = match facts.key.proxy {
            None => tasks::endpoints(&*self.runner.resolver, &facts.key).await,
            Some(_) => Vec::new(),
        };
        let endpoints = (!endpoints.is_empty()).then_some(endpoints.as_slice());
        let state = self.runner.lock();
        let judged = state.pool.explain(self.runner.now(), facts, endpoints);
        let candidates = judged.into_iter();
        let candidates = candidates.filter_map(|(id, it)| Some((id, state.describe(id)?, it)));
        Judged { candidates: candidates.collect() }
    }

    /// Refuses new requests, waits for those that are open until their bodies have ended, and
    /// closes all connections.
    pub(crate) async fn close(&self) {
        self.runner.close().await;
    }
}
