//! Bytes of the client that wait until the engine can read them or pass them on.

/// The bytes of one read into the stash. A longer frame takes several reads, so that a client gets
/// no memory for bytes that it has only announced.
pub(crate) const STASH_READ_LEN: usize = 4096;

/// The state of the stash.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum State {
    /// The stash is empty.
    #[default]
    Empty,
    /// At least this number of bytes is missing.
    Missing(usize),
    /// All bytes are for `h2`, which has read this number of them.
    Released(usize),
}

/// The bytes of an unfinished header block, of a frame that must be read whole, or of a frame that
/// the engine inserts for `h2`. They never extend beyond that block or frame.
#[derive(Debug, Default)]
pub(super) struct Stash {
    pub(super) bytes: Vec<u8>,
    pub(super) state: State,
}

impl Stash {
    /// Holds `bytes` until `missing` more have arrived.
    pub(super) fn hold(&mut self, bytes: &[u8], missing: usize) {
        self.bytes.extend_from_slice(bytes);
        self.state = State::Missing(missing);
    }

    /// Lets `h2` read `bytes` next.
    pub(super) fn release(&mut self, bytes: Vec<u8>) {
        self.bytes = bytes;
        self.state = State::Released(0);
    }

    /// Returns the bytes that `h2` has not read yet.
    pub(super) fn released(&self) -> &[u8] {
        let State::Released(read) = self.state else { return &[] };
        self.bytes.get(read..).unwrap_or_default()
    }

    /// Records that `h2` has read `len` bytes.
    pub(super) fn handle_released(&mut self, len: usize) {
        let State::Released(read) = self.state else { return };
        let read = read.saturating_add(len);
        if read < self.bytes.len() {
            self.state = State::Released(read);
        } else {
            // Most connections never use the memory again.
            *self = Self::default();
        }
    }
}
