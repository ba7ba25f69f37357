//! Writes of `h2` that leave together.
//!
//! `h2` writes at every poll, and the server half polls it for every request that it accepts. In a
//! burst of a hundred requests, each answer would take its own TLS record and system call. While
//! streams wait to be accepted, the batch therefore collects the writes, and sends them with the
//! last one.

use std::io::IoSlice;

/// The most bytes that are collected: the content of one TLS record (RFC 8446 §5.1).
const BATCH_LEN_MAX: usize = 16 * 1024;

/// The memory that a connection keeps for the next batch.
const BATCH_LEN_KEPT: usize = 4 * 1024;

/// Bytes that wait to be written, and whether more are collected.
#[derive(Debug, Default)]
pub(super) struct WriteBatch {
    collecting: bool,
    bytes: Vec<u8>,
    written: usize,
}

impl WriteBatch {
    /// Sets whether writes are collected.
    pub(super) const fn set_collecting(&mut self, collecting: bool) {
        self.collecting = collecting;
    }

    /// True while writes are collected.
    pub(super) const fn is_collecting(&self) -> bool {
        self.collecting
    }

    /// Takes `slices`, of `len` bytes together, if they must wait: while writes are collected, or
    /// behind bytes that wait already. Takes nothing beyond [`BATCH_LEN_MAX`].
    #[inline]
    pub(super) fn take(&mut self, slices: &[IoSlice<'_>], len: usize) -> bool {
        let waits = self.collecting || !self.bytes.is_empty();
        let fits = self.bytes.len().saturating_add(len) <= BATCH_LEN_MAX;
        if waits && fits {
            for slice in slices {
                self.bytes.extend_from_slice(slice);
            }
        }
        waits && fits
    }

    /// Returns true if injected frames may be added. They may not while many bytes wait, because a
    /// client that does not read would get memory for each frame.
    pub(super) const fn has_room(&self) -> bool {
        self.written == 0 && self.bytes.len() < BATCH_LEN_MAX
    }

    /// Adds `bytes`.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Moves `bytes` to the end.
    pub(super) fn append(&mut self, bytes: &mut Vec<u8>) {
        self.bytes.append(bytes);
    }

    /// Returns the bytes that wait.
    #[inline]
    pub(super) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    /// Records that the first `len` waiting bytes were written.
    pub(super) fn handle_written(&mut self, len: usize) {
        self.written = self.written.saturating_add(len);
        if self.written >= self.bytes.len() {
            self.written = 0;
            self.bytes.clear();
            self.bytes.shrink_to(BATCH_LEN_KEPT);
        }
    }
}
