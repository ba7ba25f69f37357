//! The engine's notes for the server half: targets that `h2` cannot show, and how far the targets
//! that it shows can be trusted.

use std::collections::VecDeque;

use coalesce_core::HostField;

/// The most notes that wait. The server half takes a note with its stream, so only streams that
/// `h2` refuses or that the client resets leave notes behind.
pub(super) const PENDING_MAX: usize = 1024;

/// The most octets in the values of waiting notes.
pub(super) const PENDING_BYTES_MAX: usize = 256 * 1024;

/// A request target that `h2` cannot show as the client sent it, in the octets of the wire; or a
/// mark that the request is malformed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Target {
    /// The stream of the request.
    pub(super) stream_id: u32,
    /// The one `:authority`.
    pub(super) authority: Option<Box<[u8]>>,
    /// The first `host` field.
    pub(super) host: Option<Box<[u8]>>,
    /// The number of `host` fields.
    pub(super) host_count: usize,
    /// The first `:scheme`.
    pub(super) scheme: Option<Box<[u8]>>,
    /// True if there is a `:path`.
    pub(super) has_path: bool,
    /// True if the request is malformed in a way that `h2` does not notice.
    pub(super) is_malformed: bool,
}

impl Target {
    /// Makes the note of a malformed request; its other fields do not matter.
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

    /// Makes a target for a test.
    #[cfg(test)]
    pub(crate) fn new(authority: Option<&[u8]>, host: Option<&[u8]>, has_path: bool) -> Self {
        let [authority, host] = [authority, host].map(|value| value.map(Box::from));
        let host_count = usize::from(host.is_some());
        let (stream_id, scheme, is_malformed) = (1, None, false);
        Self { stream_id, authority, host, host_count, scheme, has_path, is_malformed }
    }

    /// Returns the stream of the request.
    #[cfg(any(test, fuzzing))]
    pub(crate) const fn stream_id(&self) -> u32 {
        self.stream_id
    }

    /// Returns the one `:authority`; empty if the field is there without a value.
    pub(crate) fn authority(&self) -> Option<&[u8]> {
        self.authority.as_deref()
    }

    /// Returns the `host` fields.
    pub(crate) fn host(&self) -> HostField<'_> {
        match &self.host {
            None => HostField::Absent,
            Some(value) if self.host_count == 1 => HostField::One(value),
            Some(_) => HostField::Several,
        }
    }

    /// Returns true if there is a `:path`.
    pub(crate) const fn has_path(&self) -> bool {
        self.has_path
    }

    /// Returns true if the request is malformed (RFC 9113 §8.1.1), so its stream must be reset.
    pub(crate) const fn is_malformed(&self) -> bool {
        self.is_malformed
    }

    /// Returns the `:scheme`. `h2` resets the stream of a request with two of them.
    pub(crate) fn scheme(&self) -> Option<&[u8]> {
        self.scheme.as_deref()
    }

    /// Returns the octets that count towards [`PENDING_BYTES_MAX`].
    fn len(&self) -> usize {
        let values = [&self.authority, &self.host, &self.scheme];
        values.into_iter().flatten().map(|value| value.len()).sum()
    }
}

/// How far the target that `h2` shows can be trusted, for a stream without a note.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SyncState {
    /// The stream was inspected: `h2` shows its whole, true target.
    InSync,
    /// The stream was not inspected: `h2` shows the true target, but without the scheme if the
    /// request had no `:authority`.
    LostSync,
    /// `h2` may show a placeholder, so the request must not be served.
    Misleading,
}

/// The notes of one connection.
#[derive(Debug, Default)]
pub(super) struct StreamNotes {
    /// The waiting targets, in the order of stream identifiers.
    targets: VecDeque<Target>,
    /// The octets of all values.
    bytes: usize,
    /// The last stream whose note was dropped for newer ones, or zero.
    discarded_through: u32,
    /// The first stream that was not inspected, or zero while all are.
    lost_sync_from: u32,
    /// True if `h2` held placeholders when the engine lost sync.
    misleading: bool,
    /// True if any request had a `host` field, or may have had an unseen one.
    hosts: bool,
    /// The number of streams that the client has reset, or may have.
    resets: u32,
}

impl StreamNotes {
    /// Takes the target of a stream, if it was noted.
    ///
    /// Drops the notes of smaller identifiers, because those streams never reached the server half:
    /// `streams_are_handed_out_in_the_order_of_their_identifiers`.
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

    /// Returns how far the target that `h2` shows can be trusted, for a stream without a note.
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

    /// Returns true if any request so far may have had a `host` field. Few HTTP/2 clients send one,
    /// and this check costs less than a search in each request.
    pub(super) const fn may_have_hosts(&self) -> bool {
        self.hosts
    }

    /// Records that a request has a `host` field.
    pub(super) const fn see_host(&mut self) {
        self.hosts = true;
    }

    /// Returns the number of `h2`'s streams that the client has reset.
    pub(super) const fn resets(&self) -> u32 {
        self.resets
    }

    /// Records that the client has reset a stream, or may reset it unseen.
    pub(super) const fn see_reset(&mut self) {
        // The connection ends long before, at `limits::RESETS_MAX`.
        self.resets = self.resets.saturating_add(1);
    }

    /// Returns true if header blocks are not inspected for the rest of the connection.
    pub(super) const fn has_lost_sync(&self) -> bool {
        self.lost_sync_from != 0
    }

    /// Notes the target of a stream with a higher identifier than all others.
    ///
    /// At a limit the oldest notes are dropped, and [`Self::sync_state`] reports so for their
    /// streams. The engine does not lose sync instead: a client that opens and resets streams could
    /// then switch the inspection off at will, and the streams of dropped notes are the least
    /// likely to be accepted still.
    pub(super) fn push(&mut self, target: Target) {
        self.bytes += target.len();
        self.targets.push_back(target);
        while self.targets.len() > PENDING_MAX || self.bytes > PENDING_BYTES_MAX {
            let Some(oldest) = self.pop() else { break };
            self.discarded_through = oldest.stream_id;
        }
    }

    /// Records that no stream from `stream_id` on is inspected.
    pub(super) fn lose_sync(&mut self, stream_id: u32, misleading: bool) {
        self.misleading = misleading;
        self.hosts = true;
        self.lost_sync_from = stream_id.max(1);
    }

    /// Takes all waiting targets.
    #[cfg(any(test, fuzzing))]
    pub(super) fn drain(&mut self) -> Vec<Target> {
        std::iter::from_fn(|| self.pop()).collect()
    }
}
