//! One connection: when it was active, and whether it was ended.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

/// The milliseconds since a listener began, as of its last sweep. Reading them costs no system
/// call, so each read and write of a connection can.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Relaxed)
    }

    pub(crate) fn set(&self, now: u64) {
        self.0.store(now, Relaxed);
    }
}

/// A time that has not come.
const NEVER: u64 = u64::MAX;

/// The length of the longest frames that h2 writes without a request: the acknowledgements of a
/// `PING` and of `SETTINGS` (RFC 9113 §6.7, §6.5). A client can ask for them at any time, so they
/// are no sign of a request.
const ACKNOWLEDGEMENTS_LEN: usize = 17 + 9;

/// Who waits for a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Read,
    Write,
}

/// What a listener knows of a connection that it has accepted.
///
/// The connection's own task writes, the sweep reads. Each number means something alone, so their
/// order does not matter.
#[derive(Debug)]
pub(crate) struct Life {
    clock: Arc<Clock>,
    /// When a request began or ended, or a part of a response was written.
    active: AtomicU64,
    /// When bytes were read.
    read: AtomicU64,
    /// When the head began that is not whole yet, on HTTP/1, or the preface of HTTP/2.
    head: AtomicU64,
    /// When the header block of HTTP/2 began that is not whole yet.
    block: AtomicU64,
    /// The requests that are open.
    open: AtomicUsize,
    /// True while the client takes no more bytes.
    write_blocked: AtomicBool,
    /// True if content was refused unread, so that the connection ends.
    leaves_content: AtomicBool,
    ended: AtomicBool,
    /// Those who wait for bytes or for room, so that they notice the end.
    waiting: Mutex<[Option<Waker>; 2]>,
}

/// The limits of a connection in milliseconds; `None` where there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) idle: Option<u64>,
    pub(crate) header: Option<u64>,
}

impl Life {
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        let now = clock.now();
        Self {
            clock,
            active: AtomicU64::new(now),
            read: AtomicU64::new(now),
            head: AtomicU64::new(NEVER),
            block: AtomicU64::new(NEVER),
            open: AtomicUsize::new(0),
            write_blocked: AtomicBool::new(false),
            leaves_content: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            waiting: Mutex::default(),
        }
    }

    /// Records that the layer was given a request, and so that its head is whole.
    pub(crate) fn request_begins(&self) {
        self.open.fetch_add(1, Relaxed);
        self.head.store(NEVER, Relaxed);
        self.active.store(self.clock.now(), Relaxed);
    }

    pub(crate) fn request_ends(&self) {
        self.active.store(self.clock.now(), Relaxed);
        self.open.fetch_sub(1, Relaxed);
    }

    pub(crate) fn has_open_requests(&self) -> bool {
        self.open.load(Relaxed) > 0
    }

    /// Records that the handshake is over.
    pub(crate) fn established(&self) {
        self.active.store(self.clock.now(), Relaxed);
    }

    pub(crate) fn was_read(&self) {
        self.read.store(self.clock.now(), Relaxed);
    }

    /// Records that the client took `len` bytes.
    pub(crate) fn was_written(&self, len: usize) {
        self.set_write_blocked(false);
        if len > ACKNOWLEDGEMENTS_LEN {
            self.active.store(self.clock.now(), Relaxed);
        }
    }

    pub(crate) fn set_write_blocked(&self, blocked: bool) {
        self.write_blocked.store(blocked, Relaxed);
    }

    /// Records that a head has begun; of one that has begun already, nothing.
    pub(crate) fn head_begins(&self) {
        if self.head.load(Relaxed) == NEVER {
            self.head.store(self.clock.now(), Relaxed);
        }
    }

    pub(crate) fn head_ends(&self) {
        self.head.store(NEVER, Relaxed);
    }

    pub(crate) fn block_begins(&self) {
        self.block.store(self.clock.now(), Relaxed);
    }

    pub(crate) fn block_ends(&self) {
        self.block.store(NEVER, Relaxed);
    }

    pub(crate) fn set_leaves_content(&self) {
        self.leaves_content.store(true, Relaxed);
    }

    pub(crate) fn leaves_content(&self) -> bool {
        self.leaves_content.load(Relaxed)
    }

    #[cfg(test)]
    pub(crate) fn has_open_head(&self) -> bool {
        self.head.load(Relaxed) != NEVER || self.block.load(Relaxed) != NEVER
    }

    /// Returns whether a limit of `patience` is over.
    pub(crate) fn is_overdue(&self, patience: Patience) -> bool {
        let now = self.clock.now();
        let is_over = |since: &AtomicU64, limit: Option<u64>| {
            let since = since.load(Relaxed);
            limit.is_some_and(|limit| now.saturating_sub(since) > limit)
        };
        // A client that does not take its responses holds its requests open itself.
        let is_idle = !self.has_open_requests() || self.write_blocked.load(Relaxed);
        (is_idle && is_over(&self.active, patience.idle))
            || is_over(&self.head, patience.header)
            || is_over(&self.block, patience.header)
    }

    /// Returns since when the connection is without a request, if it may be ended to make room.
    /// With open requests it may if nothing was read or written for `silence`.
    pub(crate) fn spare_since(&self, silence: Option<u64>) -> Spare {
        let active = self.active.load(Relaxed);
        if !self.has_open_requests() {
            return Spare::Idle(active);
        }
        let last = active.max(self.read.load(Relaxed));
        match silence {
            Some(silence) if self.clock.now().saturating_sub(last) > silence => Spare::Stuck(last),
            _ => Spare::Busy,
        }
    }

    /// Ends the connection: its reader finds no more bytes, and its writer an error.
    pub(crate) fn end(&self) {
        let wakers = {
            let mut waiting = self.waiting();
            // Set under the lock, so that a task that begins to wait sees it.
            self.ended.store(true, Relaxed);
            std::mem::take(&mut *waiting)
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// Returns whether the connection was ended; if not, wakes the task when it is.
    pub(crate) fn ends(&self, side: Side, context: &Context<'_>) -> bool {
        let mut waiting = self.waiting();
        if self.is_ended() {
            return true;
        }
        let [reader, writer] = &mut *waiting;
        let waker = match side {
            Side::Read => reader,
            Side::Write => writer,
        };
        match waker {
            Some(known) if known.will_wake(context.waker()) => {}
            _ => *waker = Some(context.waker().clone()),
        }
        false
    }

    fn waiting(&self) -> MutexGuard<'_, [Option<Waker>; 2]> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a connection may be ended to make room for another one. The least is ended first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Spare {
    /// It has no open request since this time.
    Idle(u64),
    /// It has one, and was silent since this time.
    Stuck(u64),
    /// It may not.
    Busy,
}
