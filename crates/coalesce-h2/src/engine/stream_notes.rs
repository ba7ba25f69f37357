//! What the observer tells the adapter: records of requests, and how many streams were reset.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use coalesce_core::HostField;

/// How many records may wait. An adapter takes a record with its stream, so only streams that
/// `h2` refuses or that the client resets leave any behind.
pub(super) const PENDING_MAX: usize = 1024;

/// How many octets the values of waiting records may have together.
pub(super) const PENDING_BYTES_MAX: usize = 256 * 1024;

/// A request target that `h2` cannot show as the client named it, in the octets of the wire.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Target {
    /// The stream of the request.
    pub(super) stream_id: u32,
    /// The one `:authority`.
    pub(super) authority: Option<Box<[u8]>>,
    /// The first `host` field.
    pub(super) host: Option<Box<[u8]>>,
    /// How many `host` fields there are.
    pub(super) host_count: usize,
    /// The first `:scheme`.
    pub(super) scheme: Option<Box<[u8]>>,
    /// Whether there is a `:path`.
    pub(super) has_path: bool,
}

impl Target {
    /// One that a test makes up.
    #[cfg(test)]
    pub(crate) fn new(authority: Option<&[u8]>, host: Option<&[u8]>, has_path: bool) -> Self {
        let [authority, host] = [authority, host].map(|value| value.map(Box::from));
        let host_count = usize::from(host.is_some());
        Self { stream_id: 1, authority, host, host_count, scheme: None, has_path }
    }

    /// The one `:authority`; `Some` of nothing when it is there but empty.
    pub(crate) fn authority(&self) -> Option<&[u8]> {
        self.authority.as_deref()
    }

    /// The `host` fields.
    pub(crate) fn host(&self) -> HostField<'_> {
        match &self.host {
            None => HostField::Absent,
            Some(value) if self.host_count == 1 => HostField::One(value),
            Some(_) => HostField::Several,
        }
    }

    /// Whether there is a `:path`.
    pub(crate) const fn has_path(&self) -> bool {
        self.has_path
    }

    /// The `:scheme`. A request with two of them never arrives: `h2` resets its stream.
    pub(crate) fn scheme(&self) -> Option<&[u8]> {
        self.scheme.as_deref()
    }

    /// The octets that count towards [`PENDING_BYTES_MAX`].
    fn len(&self) -> usize {
        let values = [&self.authority, &self.host, &self.scheme];
        values.into_iter().flatten().map(|value| value.len()).sum()
    }
}

/// What the request of a stream without a record is worth, as `h2` shows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SyncState {
    /// The stream was inspected: `h2` shows its target whole and true.
    InSync,
    /// The stream was not inspected: `h2` shows the true target, without the scheme if the
    /// request had no `:authority`.
    LostSync,
    /// What `h2` shows may be a placeholder, so the request must not be served.
    Misleading,
}

/// The adapter's handle on what the observer saw; clones share one state.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamNotes(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// The length of `records`, readable without the lock.
    pending: AtomicUsize,
    records: Mutex<Records>,
    /// The last stream whose record was given up for newer ones, or zero.
    discarded_through: AtomicU32,
    /// The first stream that was not inspected, or zero while all are.
    lost_sync_from: AtomicU32,
    /// Whether `h2` held placeholders when the observer lost sync.
    misleading: AtomicBool,
    /// Whether any request had a `host` field, or may have had one that was not seen.
    hosts: AtomicBool,
    /// How many streams the client has reset, or may have.
    resets: AtomicU32,
}

#[derive(Debug, Default)]
struct Records {
    /// In the order of stream identifiers.
    queue: VecDeque<Target>,
    /// The octets of all values together.
    bytes: usize,
}

impl Records {
    fn pop(&mut self) -> Option<Target> {
        let target = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(target.len());
        Some(target)
    }
}

impl StreamNotes {
    /// The record of a stream, if there is one.
    ///
    /// Records of smaller identifiers are dropped: `h2` hands out streams in the order of their
    /// identifiers, so those streams never reached the adapter.
    ///
    /// Costs one atomic load when no record waits.
    pub(crate) fn take(&self, stream_id: u32) -> Option<Target> {
        if self.0.pending.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut records = self.records();
        while records.queue.front().is_some_and(|front| front.stream_id < stream_id) {
            records.pop();
        }
        let wanted = records.queue.front().is_some_and(|front| front.stream_id == stream_id);
        let target = if wanted { records.pop() } else { None };
        self.0.pending.store(records.queue.len(), Ordering::Release);
        target
    }

    /// How far to trust what `h2` shows of a stream that has no record.
    pub(crate) fn sync_state(&self, stream_id: u32) -> SyncState {
        if stream_id <= self.0.discarded_through.load(Ordering::Acquire) {
            return SyncState::Misleading;
        }
        let lost_sync_from = self.0.lost_sync_from.load(Ordering::Acquire);
        if lost_sync_from == 0 || stream_id < lost_sync_from {
            SyncState::InSync
        } else if self.0.misleading.load(Ordering::Acquire) {
            SyncState::Misleading
        } else {
            SyncState::LostSync
        }
    }

    /// Whether any request so far may have had a `host` field. Hardly any client of HTTP/2 sends
    /// them, and to look for one in a request costs more than this.
    pub(crate) fn may_have_hosts(&self) -> bool {
        self.0.hosts.load(Ordering::Acquire)
    }

    /// Notes that a request has a `host` field.
    pub(super) fn see_host(&self) {
        self.0.hosts.store(true, Ordering::Release);
    }

    /// How many streams of `h2` the client has reset.
    pub(crate) fn resets(&self) -> u32 {
        self.0.resets.load(Ordering::Acquire)
    }

    /// Notes that the client has reset a stream, or may come to do so unseen.
    pub(crate) fn see_reset(&self) {
        // Whoever comes near the largest number is long gone.
        self.0.resets.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether the observer is off for the rest of the connection.
    pub(crate) fn has_lost_sync(&self) -> bool {
        self.0.lost_sync_from.load(Ordering::Acquire) != 0
    }

    /// Adds the record of a stream later than all others.
    ///
    /// At a limit the oldest records give way, and [`Self::sync_state`] says so for their streams. The
    /// observer does not lose sync instead: a client that opens and resets streams could then switch it
    /// off at will, and the streams of discarded records are the least likely to be accepted still.
    pub(super) fn push(&self, target: Target) {
        let mut records = self.records();
        records.bytes += target.len();
        records.queue.push_back(target);
        while records.queue.len() > PENDING_MAX || records.bytes > PENDING_BYTES_MAX {
            let Some(oldest) = records.pop() else { break };
            self.0.discarded_through.store(oldest.stream_id, Ordering::Release);
        }
        self.0.pending.store(records.queue.len(), Ordering::Release);
    }

    /// Notes that no stream from `stream_id` on is inspected.
    pub(super) fn lose_sync(&self, stream_id: u32, misleading: bool) {
        self.0.misleading.store(misleading, Ordering::Release);
        self.see_host();
        self.0.lost_sync_from.store(stream_id.max(1), Ordering::Release);
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        // No code panics between two changes that belong together, so a poisoned lock is whole.
        self.0.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All records that wait, for tests.
    #[cfg(any(test, fuzzing))]
    pub(super) fn drain(&self) -> Vec<Target> {
        let mut records = self.records();
        let pending = self.0.pending.swap(0, Ordering::AcqRel);
        assert_eq!(pending, records.queue.len(), "the count of records is wrong");
        std::iter::from_fn(|| records.pop()).collect()
    }
}
