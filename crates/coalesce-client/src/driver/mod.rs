//! Runs the pool: its lock, its timer, and the tasks that do its outputs.

use std::sync::Arc;

use coalesce_pool::{PoolConfig, RequestFacts};

use crate::body::{RequestBody, ResponseBody};
use crate::connect::Dialer;
use crate::error::{Error, ErrorKind};
use crate::resolve::Resolve;
use crate::route::Judged;

/// The parts that a driver is made of.
#[derive(Debug)]
pub(crate) struct DriverParts {
    pub(crate) pool: PoolConfig,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) dialer: Dialer,
}

/// A pool with its connections and tasks. Clones share it.
///
/// When the last clone and the last response body are dropped, the connections close gracefully.
#[derive(Clone, Debug)]
pub(crate) struct Driver {}

impl Driver {
    /// Makes a driver without connections. It may be made outside of a tokio runtime.
    pub(crate) fn new(_parts: DriverParts) -> Self {
        Self {}
    }

    /// Sends a request, whose URI is absolute, and waits for the head of its answer.
    ///
    /// The response has a [`Trail`](crate::Trail) in its extensions.
    ///
    /// # Cancellation
    /// The request is given up if the future is dropped: its stream is reset.
    pub(crate) async fn send(
        &self,
        _request: http::Request<RequestBody>,
        _facts: RequestFacts,
    ) -> Result<http::Response<ResponseBody>, Error> {
        Err(Error::new(ErrorKind::Connection, "not written"))
    }

    /// Judges every connection for a request, after its host is resolved.
    pub(crate) async fn explain(&self, _facts: &RequestFacts) -> Judged {
        Judged::default()
    }

    /// Returns the numbers of open connections and of requests.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (0, 0)
    }

    /// Refuses new requests, waits for those that are open, and closes all connections.
    pub(crate) async fn close(&self) {}
}
