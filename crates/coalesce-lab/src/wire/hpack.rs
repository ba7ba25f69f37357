//! An encoder of header blocks (RFC 7541) that takes any octets as names and values.

use std::collections::VecDeque;

use super::huffman;

/// The entries of the static table that requests of the lab use (RFC 7541 Appendix A).
const STATIC: [(usize, &[u8], &[u8]); 13] = [
    (1, b":authority", b""),
    (2, b":method", b"GET"),
    (3, b":method", b"POST"),
    (4, b":path", b"/"),
    (5, b":path", b"/index.html"),
    (6, b":scheme", b"http"),
    (7, b":scheme", b"https"),
    (28, b"content-length", b""),
    (31, b"content-type", b""),
    (32, b"cookie", b""),
    (38, b"host", b""),
    (57, b"transfer-encoding", b""),
    (58, b"user-agent", b""),
];

/// The number of entries in the static table.
const STATIC_LEN: usize = 61;

/// The size of the dynamic table until the server says otherwise (RFC 9113 §6.5.2).
const TABLE_SIZE: usize = 4096;

/// What an entry counts beyond its name and value (RFC 7541 §4.1).
const ENTRY_OVERHEAD: usize = 32;

/// A field of a request: any octets as a name, and any as its value.
pub(crate) type Field = (Vec<u8>, Vec<u8>);

/// The encoder of one connection. Every field enters the dynamic table, as those of browsers do.
#[derive(Debug)]
pub(crate) struct Encoder {
    entries: VecDeque<Field>,
    size: usize,
    limit: usize,
    /// The limit changed, so the next block begins with the new one (RFC 7541 §4.2).
    limit_is_new: bool,
    huffman: bool,
}

impl Encoder {
    /// Returns an encoder that writes strings by the string code, or as they are.
    pub(crate) fn new(huffman: bool) -> Self {
        let entries = VecDeque::new();
        Self { entries, size: 0, limit: TABLE_SIZE, limit_is_new: false, huffman }
    }

    /// Takes the server's limit of the dynamic table. The encoder never uses more than the default.
    pub(crate) fn set_limit(&mut self, limit: u32) {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(TABLE_SIZE);
        if limit != self.limit {
            self.limit = limit;
            self.limit_is_new = true;
            self.evict(0);
        }
    }

    /// Returns the header block of `fields`, in their order.
    pub(crate) fn encode(&mut self, fields: &[Field]) -> Vec<u8> {
        let mut block = Vec::new();
        if std::mem::take(&mut self.limit_is_new) {
            push_integer(&mut block, 0x20, 5, self.limit);
        }
        for (name, value) in fields {
            if let Some(index) = self.index(|entry| entry == (name.as_slice(), value.as_slice())) {
                push_integer(&mut block, 0x80, 7, index);
                continue;
            }
            let index = self.index(|entry| entry.0 == name.as_slice()).unwrap_or(0);
            push_integer(&mut block, 0x40, 6, index);
            if index == 0 {
                self.push_string(&mut block, name);
            }
            self.push_string(&mut block, value);
            self.add(name, value);
        }
        block
    }

    /// Returns the index of the first entry that `is_wanted` (RFC 7541 §2.3.3).
    fn index(&self, is_wanted: impl Fn((&[u8], &[u8])) -> bool) -> Option<usize> {
        let known = STATIC.iter().find(|(_, name, value)| is_wanted((name, value)));
        known.map(|(index, ..)| *index).or_else(|| {
            let own = self.entries.iter().position(|(name, value)| is_wanted((name, value)));
            own.map(|at| STATIC_LEN + 1 + at)
        })
    }

    /// Adds an entry. One that is larger than the table empties it (RFC 7541 §4.4).
    fn add(&mut self, name: &[u8], value: &[u8]) {
        let size = name.len() + value.len() + ENTRY_OVERHEAD;
        self.evict(size);
        if size <= self.limit {
            self.size += size;
            self.entries.push_front((name.to_vec(), value.to_vec()));
        }
    }

    /// Removes the oldest entries until `room` octets more would fit.
    fn evict(&mut self, room: usize) {
        while self.size + room > self.limit
            && let Some((name, value)) = self.entries.pop_back()
        {
            self.size -= name.len() + value.len() + ENTRY_OVERHEAD;
        }
    }

    fn push_string(&self, block: &mut Vec<u8>, octets: &[u8]) {
        if self.huffman {
            let encoded = huffman::encode(octets);
            push_integer(block, 0x80, 7, encoded.len());
            block.extend_from_slice(&encoded);
        } else {
            push_integer(block, 0x00, 7, octets.len());
            block.extend_from_slice(octets);
        }
    }
}

/// Appends `value` with a prefix of `bits` bits after the bits of `pattern` (RFC 7541 §5.1).
fn push_integer(block: &mut Vec<u8>, pattern: u8, bits: u32, value: usize) {
    let prefix = (1_u8 << bits) - 1;
    if let Some(small) = u8::try_from(value).ok().filter(|value| *value < prefix) {
        block.push(pattern | small);
        return;
    }
    block.push(pattern | prefix);
    let mut left = value.saturating_sub(prefix.into());
    while left >= 0x80 {
        block.extend(u8::try_from(left % 0x80).map(|low| low | 0x80));
        left /= 0x80;
    }
    block.extend(u8::try_from(left));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &[u8], value: &[u8]) -> Field {
        (name.to_vec(), value.to_vec())
    }

    fn request(authority: &[u8]) -> Vec<Field> {
        vec![
            field(b":method", b"GET"),
            field(b":scheme", b"https"),
            field(b":authority", authority),
            field(b":path", b"/"),
            field(b"x-mark", &[0, 13, 10, 255]),
        ]
    }

    #[test]
    fn blocks_of_a_connection_are_decoded_as_they_were_sent() {
        for huffman in [false, true] {
            let mut encoder = Encoder::new(huffman);
            let mut decoder = loona_hpack::Decoder::new();
            let long = b"abcdefg.".repeat(1000);
            for authority in [&b"a.test"[..], b"b.test", b"a.test", &long, b"", b"a.test"] {
                let fields = request(authority);
                assert_eq!(decoder.decode(&encoder.encode(&fields)).unwrap(), fields);
            }
        }
    }

    #[test]
    fn repeated_field_is_one_octet() {
        let mut encoder = Encoder::new(false);
        encoder.encode(&request(b"a.test"));
        assert_eq!(encoder.encode(&request(b"a.test")).len(), 5);
    }

    #[test]
    fn smaller_table_is_announced_and_kept() {
        let mut encoder = Encoder::new(false);
        let mut decoder = loona_hpack::Decoder::new();
        decoder.decode(&encoder.encode(&request(b"a.test"))).unwrap();
        encoder.set_limit(0);
        let block = encoder.encode(&request(b"a.test"));
        assert_eq!(block[0], 0x20);
        assert_eq!(decoder.decode(&block).unwrap(), request(b"a.test"));
        assert!(encoder.entries.is_empty());
    }
}
