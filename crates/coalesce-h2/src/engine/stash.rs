//! Bytes of the client that are held back until they can be read or handed on.

/// How much is read at once into the stash. A longer frame takes several reads, so that no client
/// gets memory for what it has only announced.
pub(crate) const STASH_READ_LEN: usize = 4096;

/// The state of the stash.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum State {
    /// It is empty.
    #[default]
    Empty,
    /// So many bytes, at least, are missing.
    Missing(usize),
    /// All of it is for `h2`, which has so many bytes already.
    Released(usize),
}

/// The bytes of an unfinished header block, of a frame that must be read whole, or of a frame that
/// `h2` is given between those of the client. They never reach beyond that block or frame.
#[derive(Debug, Default)]
pub(super) struct Stash {
    pub(super) bytes: Vec<u8>,
    pub(super) state: State,
}

impl Stash {
    /// Holds `bytes` until so many more have come.
    pub(super) fn hold(&mut self, bytes: &[u8], missing: usize) {
        self.bytes.extend_from_slice(bytes);
        self.state = State::Missing(missing);
    }

    /// Has `h2` read `bytes` next.
    pub(super) fn release(&mut self, bytes: Vec<u8>) {
        self.bytes = bytes;
        self.state = State::Released(0);
    }

    /// What `h2` has yet to read.
    pub(super) fn released(&self) -> &[u8] {
        let State::Released(read) = self.state else { return &[] };
        self.bytes.get(read..).unwrap_or_default()
    }

    /// Takes note that `h2` has read so many bytes.
    pub(super) fn handle_released(&mut self, len: usize) {
        let State::Released(read) = self.state else { return };
        let read = read.saturating_add(len);
        if read < self.bytes.len() {
            self.state = State::Released(read);
        } else {
            // Most connections never need the stash again.
            *self = Self::default();
        }
    }
}
