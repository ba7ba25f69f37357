//! Where the head of a request begins and ends in the bytes of a client.

use crate::connections::Life;

/// The first bytes of a client that speaks HTTP/2 (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The length of the fixed part of a frame (RFC 9113 §4.1).
const FRAME_HEADER_LEN: usize = 9;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Follows the bytes that a connection reads, so that its [`Life`] knows of a head that is not
/// whole.
///
/// On HTTP/1, a head begins with the first byte that no open request explains, and ends when the
/// layer gets the request. On HTTP/2, a header block begins with its `HEADERS` frame and ends with
/// the frame that has `END_HEADERS`, whatever other requests there are.
#[derive(Debug)]
pub(crate) enum Heads {
    /// So many bytes are those of the preface.
    Preface(usize),
    /// HTTP/1, or something else.
    Text,
    Frames(Frames),
}

impl Default for Heads {
    fn default() -> Self {
        Self::Preface(0)
    }
}

impl Heads {
    pub(crate) fn read(&mut self, bytes: &[u8], life: &Life) {
        if bytes.is_empty() {
            return;
        }
        life.was_read();
        let mut bytes = bytes;
        if let Self::Preface(known) = self {
            let expected = PREFACE.get(*known..).unwrap_or_default();
            let len = expected.len().min(bytes.len());
            if expected.get(..len) != bytes.get(..len) {
                *self = Self::Text;
            } else if len < expected.len() {
                *known = known.saturating_add(len);
                life.head_begins();
            } else {
                *self = Self::Frames(Frames::default());
                life.head_ends();
                bytes = bytes.get(len..).unwrap_or_default();
            }
        }
        match self {
            Self::Preface(_) => {}
            // Bytes beside an open request are its content, or the next head, which waits.
            Self::Text if life.has_open_requests() => {}
            Self::Text => life.head_begins(),
            Self::Frames(frames) => frames.read(bytes, life),
        }
    }
}

/// Steps from frame to frame.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    header: [u8; FRAME_HEADER_LEN],
    /// How many bytes of `header` are there.
    known: usize,
    /// How many bytes of the frame's payload are still to come.
    payload: usize,
    /// True if the header block ends with the payload.
    ends_block: bool,
}

impl Frames {
    fn read(&mut self, mut bytes: &[u8], life: &Life) {
        loop {
            let skipped = self.payload.min(bytes.len());
            self.payload = self.payload.saturating_sub(skipped);
            bytes = bytes.get(skipped..).unwrap_or_default();
            if self.payload == 0 && self.ends_block {
                self.ends_block = false;
                life.block_ends();
            }
            if bytes.is_empty() {
                return;
            }
            let missing = self.header.get_mut(self.known..).unwrap_or_default();
            let len = missing.len().min(bytes.len());
            if let (Some(missing), Some(found)) = (missing.get_mut(..len), bytes.get(..len)) {
                missing.copy_from_slice(found);
            }
            self.known = self.known.saturating_add(len);
            bytes = bytes.get(len..).unwrap_or_default();
            if self.known == FRAME_HEADER_LEN {
                self.begin(life);
            }
        }
    }

    fn begin(&mut self, life: &Life) {
        let [a, b, c, kind, flags, ..] = self.header;
        self.known = 0;
        self.payload = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        if kind == HEADERS {
            life.block_begins();
        }
        self.ends_block = matches!(kind, HEADERS | CONTINUATION) && flags & END_HEADERS != 0;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    struct Client {
        heads: Heads,
        life: Life,
    }

    impl Client {
        fn new() -> Self {
            Self { heads: Heads::default(), life: Life::new(Arc::default()) }
        }

        /// True if a head is open after these bytes.
        fn opens(&mut self, bytes: &[u8]) -> bool {
            self.heads.read(bytes, &self.life);
            self.life.has_open_head()
        }
    }

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0, 0, u8::try_from(payload.len()).unwrap(), kind, flags, 0, 0, 0, 1];
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn head_of_http1_is_open_until_the_request_is_there() {
        let mut client = Client::new();
        assert!(client.opens(b"P"), "which may be a preface");
        assert!(client.opens(b"OST / HT"));
        client.life.request_begins();
        assert!(!client.life.has_open_head());
        assert!(!client.opens(b"content"));
        client.life.request_ends();
        assert!(client.opens(b"GET"));
    }

    #[test]
    fn preface_is_open_until_it_is_whole() {
        let mut client = Client::new();
        for byte in &PREFACE[..PREFACE.len() - 1] {
            assert!(client.opens(&[*byte]));
        }
        assert!(!client.opens(b"\n"));
        assert!(!client.opens(&frame(4, 0, &[])));
    }

    #[test]
    fn header_block_is_open_until_its_last_frame_ends() {
        let block = [
            frame(HEADERS, 0, b"abc"),
            frame(CONTINUATION, 0, b""),
            frame(CONTINUATION, END_HEADERS, b"de"),
        ];
        let whole = [PREFACE, &frame(4, 0, &[0; 6]), &block.concat(), &frame(0, 0, b"content")];
        let whole = whole.concat();
        let begins = PREFACE.len() + 15 + FRAME_HEADER_LEN;
        let ends = PREFACE.len() + 15 + block.concat().len();
        for piece in [1, 2, 7, 100] {
            let mut client = Client::new();
            let mut read = 0;
            for bytes in whole.chunks(piece) {
                let opens = client.opens(bytes);
                read += bytes.len();
                if read >= PREFACE.len() {
                    assert_eq!(opens, (begins..ends).contains(&read), "{read} of {piece}");
                }
            }
            // What other requests there are does not matter.
            client.life.request_begins();
            assert!(client.opens(&frame(HEADERS, 0, b"")));
            client.life.request_begins();
            assert!(client.life.has_open_head());
            assert!(!client.opens(&frame(CONTINUATION, END_HEADERS, b"")));
        }
    }
}
