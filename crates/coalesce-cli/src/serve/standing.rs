//! Where one connection stands in the newest snapshot.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use coalesce_core::{Memo, RequestTarget, Verdict};
use coalesce_h2::{Decide, OriginSet};
use coalesce_tls::HandshakeFacts;

use crate::config::Place;
use crate::serve::access_log::Source;
use crate::serve::connection::Door;
use crate::serve::noting::Noting;
use crate::serve::snapshot::{Live, Snapshot};

/// A connection's standing, shared by the one who decides its requests and the one who answers
/// them. Both are polled by the connection's own task, so that neither ever waits for the other.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    standing: Arc<Mutex<Standing>>,
    /// Whether a request has come since this was asked last, the refused ones included: their
    /// connection is in use as well.
    asked: Arc<AtomicBool>,
}

/// The facts of a handshake, which never change, and what they come to in one snapshot.
#[derive(Debug)]
pub(super) struct Standing {
    facts: HandshakeFacts,
    /// The number of the listener, as it was bound, and its address in the configuration.
    listener: usize,
    configured: SocketAddr,
    pub(super) noting: Noting,
    live: Live,
    pub(super) snapshot: Arc<Snapshot>,
    /// Where it stands in `snapshot`.
    place: Place,
    /// How many snapshots there were before that.
    moves: u64,
    /// What was served last under `snapshot`.
    memo: Memo,
}

impl Shared {
    /// The standing of a connection from `peer` whose handshake was made as `made_with` says.
    /// `None` when that snapshot has no such group or listener.
    pub(super) fn new(
        facts: HandshakeFacts,
        door: &Door,
        peer: SocketAddr,
        made_with: Arc<Snapshot>,
        live: Live,
    ) -> Option<Self> {
        let meters = made_with.meters(facts.group())?.clone();
        made_with.entrance(door.listener)?;
        let configured = door.bound.configured;
        let place = made_with.site.place(configured, &facts);
        let server_name = facts.server_name().map(|name| name.to_string());
        let source = door.observers.access_log.clone().map(|log| {
            let (listener, server_name) = (door.bound.name.clone(), server_name.clone());
            let group = meters.name.clone();
            Arc::new(Source { log, peer, listener, server_name, group })
        });
        let mut standing = Standing {
            facts,
            listener: door.listener,
            configured,
            noting: Noting { meters, server_name, source },
            live,
            snapshot: made_with,
            place,
            moves: 0,
            memo: Memo::new(),
        };
        // The handshake may have taken longer than a reload.
        standing.move_to_newest();
        let standing = Arc::new(Mutex::new(standing));
        Some(Self { standing, asked: Arc::default() })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Standing> {
        // No part of it is ever half written.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of a snapshot that is no longer the newest. A connection without requests would keep
    /// its memory otherwise.
    pub(super) fn renew(&self) {
        self.lock().renew();
    }

    /// Whether a request has come since this was asked last.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.swap(false, Ordering::Relaxed)
    }
}

impl Decide for Shared {
    fn decide(&mut self, target: &RequestTarget<'_>) -> Verdict {
        self.asked.store(true, Ordering::Relaxed);
        self.lock().decide(target)
    }

    fn generation(&mut self) -> u64 {
        let mut standing = self.lock();
        standing.renew();
        standing.moves
    }
}

impl Standing {
    /// Decides one request on the newest snapshot, which is the one to be asked for the answer.
    fn decide(&mut self, target: &RequestTarget<'_>) -> Verdict {
        self.renew();
        let ports = self.snapshot.entrance(self.listener).map_or(&[][..], |it| &it.ports);
        let connection = self.snapshot.site.connection(self.place, &self.facts, ports);
        let table = self.snapshot.site.table.as_ref();
        let verdict = self.memo.decide(table, &connection, target);
        self.noting.note(target, &verdict);
        verdict
    }

    /// What the connection announces, under the snapshot that it stands in.
    pub(super) fn origins(&self) -> OriginSet {
        let ports = self.snapshot.entrance(self.listener).map_or(&[][..], |it| &it.ports);
        let bound = (self.listener, ports);
        self.snapshot.origin_sets.of(&self.snapshot.site, self.place, &self.facts, bound)
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
        // It would find out by itself that the table is another one, by a checksum.
        self.memo = Memo::new();
        self.snapshot = newest;
    }
}
