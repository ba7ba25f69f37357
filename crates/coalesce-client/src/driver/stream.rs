//! The end of a stream: when its request and its answer have both ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use coalesce_pool::{ConnectionId, RequestId};

use super::runner::Runner;
use crate::connection::{Cancel, Sender};

/// The stream of a request. The body of the request and that of the answer share it, and the pool
/// may use the stream for another request when both have dropped it.
#[derive(Debug)]
pub(super) struct Stream {
    runner: Arc<Runner>,
    request: RequestId,
    connection: ConnectionId,
    /// Whether the end of this value ends the request. After a retry it does not.
    armed: AtomicBool,
    /// An HTTP/1.1 connection, which returns to the pool.
    returns: Mutex<Option<Sender>>,
    cancel: Cancel,
}

impl AsRef<Cancel> for Stream {
    fn as_ref(&self) -> &Cancel {
        &self.cancel
    }
}

impl Stream {
    pub(super) fn new(runner: &Arc<Runner>, request: RequestId, connection: ConnectionId) -> Self {
        Self {
            runner: Arc::clone(runner),
            request,
            connection,
            armed: AtomicBool::new(true),
            returns: Mutex::new(None),
            cancel: Cancel::default(),
        }
    }

    pub(super) fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Keeps an HTTP/1.1 connection until the end of the stream.
    pub(super) fn keep(&self, sender: Sender) {
        if matches!(sender, Sender::Http1(_)) {
            *self.returns.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        }
    }

    /// Ends the body of the request, if it is still being sent.
    pub(super) fn cancel_upload(&self) {
        self.cancel.cancel();
    }

    /// The request goes on without this stream.
    pub(super) fn disarm(&self) {
        self.armed.store(false, Ordering::Relaxed);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if !*self.armed.get_mut() {
            return;
        }
        let sender = self.returns.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let (runner, request) = (Arc::clone(&self.runner), self.request);
        let Some(sender) = sender else {
            runner.event(|state, now| state.pool.handle_done(now, request));
            return;
        };
        let waits = !sender.is_ready() && !sender.is_closed();
        let mut returning =
            Returning { runner, request, connection: self.connection, sender: Some(sender) };
        if waits {
            // hyper is about to read the end of the answer, or to close the connection.
            self.runner.spawn(async move {
                if let Some(sender) = &mut returning.sender {
                    let _ = sender.ready().await;
                }
            });
        }
    }
}

/// An HTTP/1.1 connection on its way back to the pool, which it reaches when this value is dropped.
struct Returning {
    runner: Arc<Runner>,
    request: RequestId,
    connection: ConnectionId,
    sender: Option<Sender>,
}

impl Drop for Returning {
    fn drop(&mut self) {
        let sender = self.sender.take().filter(Sender::is_ready);
        self.runner.event(|state, now| {
            match (sender, state.links.get_mut(&self.connection)) {
                (Some(sender), Some(link)) => link.sender = Some(sender),
                _ => state.pool.handle_goaway(now, self.connection, u32::MAX),
            }
            state.pool.handle_done(now, self.request);
        });
    }
}
