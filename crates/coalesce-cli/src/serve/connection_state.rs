//! The state of one connection: the facts of its handshake, and what they mean in the newest
//! snapshot. Every request of the connection is decided here.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use coalesce_core::{Memo, Ports, RequestTarget, ServerConnection, Verdict};
use coalesce_h2::{Decide, OriginSet};
use coalesce_tls::HandshakeFacts;

use crate::config::Place;
use crate::serve::listener::ListenerContext;
use crate::serve::observe::access_log::ConnectionLog;
use crate::serve::observe::recorder::Recorder;
use crate::serve::snapshot::{Live, Snapshot};

/// The state of a connection, shared by the code that decides its requests and the code that
/// answers them. The connection's own task polls both, so neither ever waits for the lock.
#[derive(Clone, Debug)]
pub(super) struct SharedState {
    state: Arc<Mutex<ConnectionState>>,
    /// True when a request has come since this was read last. Refused requests count, because their
    /// connection is in use as well.
    asked: Arc<AtomicBool>,
}

/// The facts of a handshake, which never change, and the place they lead to in one snapshot.
#[derive(Debug)]
pub(super) struct ConnectionState {
    facts: HandshakeFacts,
    /// The number of the listener, as it was bound, and its address in the configuration.
    listener: usize,
    configured: SocketAddr,
    pub(super) recorder: Recorder,
    live: Live,
    pub(super) snapshot: Arc<Snapshot>,
    /// The place of this connection in `snapshot`.
    place: Place,
    /// How often the connection has moved to a newer snapshot: the number of `snapshot` for the
    /// memo.
    moves: u64,
    /// The connection at `place`, and what it was served last.
    memo: Memo<'static>,
}

impl SharedState {
    /// Makes the state of a connection from `peer` whose handshake was made with the snapshot
    /// `made_with`. Returns `None` when that snapshot has no such group or listener.
    pub(super) fn new(
        facts: HandshakeFacts,
        context: &ListenerContext,
        peer: SocketAddr,
        made_with: Arc<Snapshot>,
        live: Live,
    ) -> Option<Self> {
        let meters = made_with.meters(facts.group())?.clone();
        made_with.listener(context.number)?;
        let configured = context.bound.configured;
        let place = made_with.site.place(configured, &facts);
        let connection = connection(&made_with, place, &facts, context.number);
        let server_name = facts.server_name().map(|name| name.to_string());
        let access_log = context.observers.access_log.clone().map(|log| {
            let (listener, server_name) = (context.bound.name.clone(), server_name.clone());
            let group = meters.name.clone();
            Arc::new(ConnectionLog { log, peer, listener, server_name, group })
        });
        let mut state = ConnectionState {
            facts,
            listener: context.number,
            configured,
            recorder: Recorder { meters, server_name, access_log },
            live,
            snapshot: made_with,
            place,
            moves: 0,
            memo: Memo::new(connection),
        };
        // The handshake may have taken longer than a reload.
        state.move_to_newest();
        let state = Arc::new(Mutex::new(state));
        Some(Self { state, asked: Arc::default() })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ConnectionState> {
        // No part of it is ever half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves to the newest snapshot. Without this, a connection without requests would keep the
    /// memory of an old one.
    pub(super) fn renew(&self) {
        self.lock().renew();
    }

    /// Returns whether a request has come since the last call.
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
    /// Decides one request on the newest snapshot, which is the one to be asked for the answer.
    fn decide(&mut self, target: &RequestTarget<'_>) -> Verdict {
        self.renew();
        let table = self.snapshot.site.table.as_ref();
        let verdict = self.memo.decide(table, self.moves, target);
        self.recorder.record(target, &verdict);
        verdict
    }

    /// Returns the origin set that the connection announces under its snapshot.
    pub(super) fn origins(&self) -> OriginSet {
        let found = (self.place, &self.facts, self.memo.connection());
        self.snapshot.origin_sets.of(&self.snapshot.site, found, self.listener)
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
        self.place = newest.site.place(self.configured, &self.facts);
        self.moves += 1;
        self.snapshot = newest;
        let connection = connection(&self.snapshot, self.place, &self.facts, self.listener);
        self.memo.set_connection(connection);
    }
}

/// The connection at `place` of a snapshot, that came in by the listener with this number.
fn connection(
    snapshot: &Snapshot,
    place: Place,
    facts: &HandshakeFacts,
    listener: usize,
) -> ServerConnection<'static> {
    let none = || Ports::from(&[]);
    let ports = snapshot.listener(listener).map_or_else(none, |it| it.ports.clone());
    snapshot.site.connection(place, facts, ports)
}
