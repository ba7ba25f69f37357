//! The state of one connection: the facts of its handshake, applied to the newest snapshot. Every
//! request of the connection is decided here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use coalesce_core::{Memo, RequestTarget, Verdict};
use coalesce_h2::{Decide, OriginSet};
use coalesce_tls::HandshakeFacts;

use crate::serve::listener::ListenerContext;
use crate::serve::observe::access_log::{ConnectionLog, LoggedPeer};
use crate::serve::observe::hint::hint;
use crate::serve::observe::recorder::Recorder;
use crate::serve::snapshot::{Live, Snapshot};

/// The state of a connection, shared by the code that decides its requests and the code that
/// answers them. The connection's own task polls both, so neither ever waits for the lock.
#[derive(Clone, Debug)]
pub(super) struct SharedState {
    state: Arc<Mutex<ConnectionState>>,
    /// True if a request has come since the last read. Refused requests count too, because they
    /// show that the connection is in use.
    asked: Arc<AtomicBool>,
}

/// The facts of a handshake, which never change, applied to one snapshot.
#[derive(Debug)]
pub(super) struct ConnectionState {
    facts: HandshakeFacts,
    pub(super) recorder: Recorder,
    live: Live,
    pub(super) snapshot: Arc<Snapshot>,
    /// The number of moves to a newer snapshot, which the memo uses as the number of the snapshot.
    moves: u64,
    /// The connection as `snapshot` decides it, and the result of its last request.
    memo: Memo<'static>,
}

impl SharedState {
    /// Makes the state of a connection from `peer` whose handshake used the snapshot `made_with`.
    /// Returns `None` if that snapshot has no such group.
    pub(super) fn new(
        facts: HandshakeFacts,
        context: &ListenerContext,
        peer: LoggedPeer,
        made_with: Arc<Snapshot>,
        live: Live,
    ) -> Option<Self> {
        let meters = made_with.meters(facts.group())?.clone();
        let memo = Memo::new(made_with.site.connection(&facts));
        let server_name = facts.server_name().map(|name| name.to_string());
        let access_log = context.observers.access_log.clone().map(|log| {
            let (listener, server_name) = (context.bound.name.clone(), server_name.clone());
            let group = meters.name.clone();
            Arc::new(ConnectionLog { log, peer, listener, server_name, group })
        });
        let mut state = ConnectionState {
            facts,
            recorder: Recorder {
                meters,
                server_name,
                access_log,
                counts: context.observers.counts,
            },
            live,
            snapshot: made_with,
            moves: 0,
            memo,
        };
        // A reload may have completed during the handshake.
        state.move_to_newest();
        let state = Arc::new(Mutex::new(state));
        Some(Self { state, asked: Arc::default() })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ConnectionState> {
        // The state is consistent at any moment, even after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves to the newest snapshot. Without this, a connection without requests would keep the
    /// memory of an old one.
    pub(super) fn renew(&self) {
        self.lock().renew();
    }

    /// Returns true if a request has come since the last call.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.swap(false, Ordering::Relaxed)
    }
}

impl<'a> Decide<RequestTarget<'a>> for SharedState {
    fn decide(&self, target: &RequestTarget<'a>) -> Verdict {
        self.asked.store(true, Ordering::Relaxed);
        self.lock().decide(target)
    }

    fn generation(&self) -> u64 {
        let mut state = self.lock();
        state.renew();
        state.moves
    }
}

impl ConnectionState {
    /// Decides one request on the newest snapshot, which must also answer it.
    fn decide(&mut self, target: &RequestTarget<'_>) -> Verdict {
        self.renew();
        let table = self.snapshot.table.as_ref();
        let verdict = self.memo.decide(table, self.moves, target);
        let (site, connection) = (&self.snapshot.site, self.memo.connection());
        self.recorder.record(target, &verdict, |reason| hint(site, connection, target, reason));
        verdict
    }

    /// Returns the origin set that the connection announces under its snapshot.
    pub(super) fn origins(&self) -> OriginSet {
        self.snapshot.site.origin_set(&self.facts)
    }

    fn renew(&mut self) {
        if self.live.has_changed().unwrap_or(false) {
            self.move_to_newest();
        }
    }

    #[inline(never)]
    fn move_to_newest(&mut self) {
        let newest = self.live.borrow_and_update().snapshot.clone();
        if Arc::ptr_eq(&newest, &self.snapshot) {
            return;
        }
        self.moves += 1;
        self.memo.set_connection(newest.site.connection(&self.facts));
        self.snapshot = newest;
    }
}
