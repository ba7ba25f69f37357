//! The log of a server, and waiting for its entries.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::script::Request;
use crate::gate::patiently;

/// A connection after its handshake.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) server_name: String,
    pub(crate) resumed: bool,
    pub(crate) client_certificate: bool,
    pub(crate) open: bool,
    pub(super) orders: UnboundedSender<Order>,
}

/// An order of a test to an open connection.
#[derive(Debug)]
pub(super) enum Order {
    Send(Vec<u8>),
    Close,
}

/// Everything that happened to a server.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Accepted TCP connections.
    pub(crate) accepted: usize,
    pub(crate) connections: Vec<Connection>,
    pub(crate) requests: Vec<Request>,
    /// Streams that the client reset: connection, stream and code.
    pub(crate) resets: Vec<(usize, u32, u32)>,
}

impl Log {
    /// Returns how many requests came for this host and path.
    pub(crate) fn count(&self, host: &str, path: &str) -> usize {
        self.requests.iter().filter(|it| it.host == host && it.path == path).count()
    }

    /// Returns the server names of the handshakes, in order.
    pub(crate) fn server_names(&self) -> Vec<&str> {
        self.connections.iter().map(|it| &*it.server_name).collect()
    }
}

/// A log that tests can wait for.
#[derive(Debug, Default)]
pub(super) struct SharedLog {
    log: Mutex<Log>,
    changes: watch::Sender<u64>,
}

impl SharedLog {
    pub(super) fn read(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        let changed = change(&mut self.read());
        self.changes.send_modify(|count| *count += 1);
        changed
    }

    /// Waits until the log is as `wanted`.
    pub(super) async fn until(&self, what: &str, wanted: impl Fn(&Log) -> bool) {
        let mut changes = self.changes.subscribe();
        let event = changes.wait_for(|_| wanted(&self.read()));
        // The log keeps the sender, so there is no error.
        let _ = patiently(what, event).await;
    }
}
