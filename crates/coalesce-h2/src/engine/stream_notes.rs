//! What the engine notes for the server half: targets that `h2` cannot show, and how far to trust
//! what it shows.

use std::collections::VecDeque;

use coalesce_core::HostField;

/// How many notes may wait. The server half takes a note with its stream, so only streams that `h2`
/// refuses or that the client resets leave any behind.
pub(super) const PENDING_MAX: usize = 1024;

/// How many octets the values of waiting notes may have together.
pub(super) const PENDING_BYTES_MAX: usize = 256 * 1024;

/// A request target that `h2` cannot show as the client named it, in the octets of the wire; or
/// that the request is malformed.
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
    /// Whether the request is malformed in a way that `h2` does not see.
    pub(super) is_malformed: bool,
}

impl Target {
    /// That a request is malformed; nothing else of it counts.
    pub(super) const fn malformed(stream_id: u32) -> Self {
        Self {
            stream_id,
            authority: None,
            host: None,
            host_count: 0,
            scheme: None,
            has_path: false,
            is_malformed: true,
        }
    }

    /// One that a test makes up.
    #[cfg(test)]
    pub(crate) fn new(authority: Option<&[u8]>, host: Option<&[u8]>, has_path: bool) -> Self {
        let [authority, host] = [authority, host].map(|value| value.map(Box::from));
        let host_count = usize::from(host.is_some());
        let (stream_id, scheme, is_malformed) = (1, None, false);
        Self { stream_id, authority, host, host_count, scheme, has_path, is_malformed }
    }

    /// The stream of the request.
    #[cfg(any(test, fuzzing))]
    pub(crate) const fn stream_id(&self) -> u32 {
        self.stream_id
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

    /// Whether the request is malformed (RFC 9113 §8.1.1), so that its stream is to be reset.
    pub(crate) const fn is_malformed(&self) -> bool {
        self.is_malformed
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

/// How far to trust what `h2` shows of a stream without a note.
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

/// The notes of one connection.
#[derive(Debug, Default)]
pub(super) struct StreamNotes {
    /// In the order of stream identifiers.
    targets: VecDeque<Target>,
    /// The octets of all values together.
    bytes: usize,
    /// The last stream whose note was dropped for newer ones, or zero.
    discarded_through: u32,
    /// The first stream that was not inspected, or zero while all are.
    lost_sync_from: u32,
    /// True if `h2` held placeholders when the engine lost sync.
    misleading: bool,
    /// True if any request had a `host` field, or may have had one that was not seen.
    hosts: bool,
    /// How many streams the client has reset, or may have.
    resets: u32,
}

impl StreamNotes {
    /// Takes the target of a stream, if it was noted.
    ///
    /// Notes of smaller identifiers are dropped, because those streams never reached the server
    /// half: `streams_are_handed_out_in_the_order_of_their_identifiers`.
    pub(super) fn take(&mut self, stream_id: u32) -> Option<Target> {
        while self.targets.front().is_some_and(|front| front.stream_id < stream_id) {
            self.pop();
        }
        let wanted = self.targets.front().is_some_and(|front| front.stream_id == stream_id);
        if wanted { self.pop() } else { None }
    }

    fn pop(&mut self) -> Option<Target> {
        let target = self.targets.pop_front()?;
        self.bytes = self.bytes.saturating_sub(target.len());
        Some(target)
    }

    /// How far to trust what `h2` shows of a stream that has no note.
    pub(super) const fn sync_state(&self, stream_id: u32) -> SyncState {
        if stream_id <= self.discarded_through {
            return SyncState::Misleading;
        }
        if self.lost_sync_from == 0 || stream_id < self.lost_sync_from {
            SyncState::InSync
        } else if self.misleading {
            SyncState::Misleading
        } else {
            SyncState::LostSync
        }
    }

    /// True if any request so far may have had a `host` field. Hardly any client of HTTP/2 sends
    /// them, and to look for one in a request costs more than to ask here.
    pub(super) const fn may_have_hosts(&self) -> bool {
        self.hosts
    }

    /// Notes that a request has a `host` field.
    pub(super) const fn see_host(&mut self) {
        self.hosts = true;
    }

    /// How many streams of `h2` the client has reset.
    pub(super) const fn resets(&self) -> u32 {
        self.resets
    }

    /// Notes that the client has reset a stream, or may come to do so unseen.
    pub(super) const fn see_reset(&mut self) {
        // A connection ends long before: at `limits::RESETS_MAX`.
        self.resets = self.resets.saturating_add(1);
    }

    /// True if header blocks are not inspected for the rest of the connection.
    pub(super) const fn has_lost_sync(&self) -> bool {
        self.lost_sync_from != 0
    }

    /// Notes the target of a stream later than all others.
    ///
    /// At a limit the oldest notes give way, and [`Self::sync_state`] says so for their streams.
    /// The engine does not give up sync instead: a client that opens and resets streams could then
    /// switch inspection off at will, and the streams of dropped notes are the least likely to be
    /// accepted still.
    pub(super) fn push(&mut self, target: Target) {
        self.bytes += target.len();
        self.targets.push_back(target);
        while self.targets.len() > PENDING_MAX || self.bytes > PENDING_BYTES_MAX {
            let Some(oldest) = self.pop() else { break };
            self.discarded_through = oldest.stream_id;
        }
    }

    /// Notes that no stream from `stream_id` on is inspected.
    pub(super) fn lose_sync(&mut self, stream_id: u32, misleading: bool) {
        self.misleading = misleading;
        self.hosts = true;
        self.lost_sync_from = stream_id.max(1);
    }

    /// Takes all targets that wait.
    #[cfg(any(test, fuzzing))]
    pub(super) fn drain(&mut self) -> Vec<Target> {
        std::iter::from_fn(|| self.pop()).collect()
    }
}
