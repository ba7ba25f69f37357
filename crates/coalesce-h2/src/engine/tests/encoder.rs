//! An HPACK encoder that uses the representation that the test chooses.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::super::huffman;
use super::super::integer::push_integer;
use super::super::table::STATIC_NAMES;

/// A header field: its name and its value.
pub(super) type Header = (Vec<u8>, Vec<u8>);

/// A header list.
pub(super) type Headers = Vec<Header>;

/// A header field, and how it is to be encoded.
pub(super) type Styled = (Header, Style);

/// Header fields from strings.
pub(super) fn headers<const N: usize>(fields: [(&str, &[u8]); N]) -> Headers {
    fields.map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())).into()
}

/// The representation of a field (RFC 7541 §6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Representation {
    /// By index if a table has it; else a literal that enters the table.
    Indexed,
    /// A literal that enters the table.
    Incremental,
    /// A literal without indexing.
    Without,
    /// A literal that is never indexed.
    Never,
}

/// The encoding of one field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) representation: Representation,
    /// True if a literal takes its name from a table that has it.
    pub(super) name_indexed: bool,
    pub(super) huffman_name: bool,
    pub(super) huffman_value: bool,
}

/// The style of most clients.
pub(super) const USUAL: Style = Style {
    representation: Representation::Indexed,
    name_indexed: true,
    huffman_name: true,
    huffman_value: true,
};

/// Strings without Huffman code, and no field enters the table.
pub(super) const PLAIN: Style = Style {
    representation: Representation::Without,
    name_indexed: true,
    huffman_name: false,
    huffman_value: false,
};

/// Strings without Huffman code, and every field enters the table.
pub(super) const INCREMENTAL: Style =
    Style { representation: Representation::Incremental, ..PLAIN };

/// Any style.
pub(super) fn style() -> impl Strategy<Value = Style> {
    use Representation::{Incremental, Indexed, Never, Without};
    let representation = prop_oneof![
        3 => Just(Indexed),
        3 => Just(Incremental),
        1 => Just(Without),
        1 => Just(Never),
    ];
    (representation, any::<(bool, bool, bool)>()).prop_map(
        |(representation, (name_indexed, huffman_name, huffman_value))| Style {
            representation,
            name_indexed,
            huffman_name,
            huffman_value,
        },
    )
}

/// The representation used for one field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Used {
    Index,
    Inserted,
    Literal,
}

/// The encoder's end of one direction of a connection.
#[derive(Debug)]
pub(super) struct Encoder {
    table: VecDeque<Header>,
    size: usize,
    capacity: usize,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { table: VecDeque::new(), size: 0, capacity: 4096 }
    }
}

impl Encoder {
    /// Returns the size of the table and the number of its entries.
    pub(super) fn measure(&self) -> (usize, usize) {
        (self.size, self.table.len())
    }

    /// Changes the size of the table; must be at the start of a block.
    pub(super) fn resize(&mut self, capacity: usize, out: &mut Vec<u8>) {
        self.capacity = capacity;
        self.evict(capacity);
        push_integer(capacity, 0x1f, 0x20, out);
    }

    /// Encodes all fields in one style.
    pub(super) fn block(&mut self, headers: &Headers, style: Style) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in headers {
            self.field(name, value, style, &mut out);
        }
        out
    }

    /// Encodes one field.
    pub(super) fn field(
        &mut self,
        name: &[u8],
        value: &[u8],
        style: Style,
        out: &mut Vec<u8>,
    ) -> Used {
        if style.representation == Representation::Indexed
            && let Some(index) = self.find(|field| field == (name, value))
        {
            push_integer(index, 0x7f, 0x80, out);
            return Used::Index;
        }
        let (mask, pattern) = match style.representation {
            Representation::Indexed | Representation::Incremental => (0x3f, 0x40),
            Representation::Without => (0x0f, 0x00),
            Representation::Never => (0x0f, 0x10),
        };
        if let Some(index) = self.find(|field| field.0 == name).filter(|_| style.name_indexed) {
            push_integer(index, mask, pattern, out);
        } else {
            out.push(pattern);
            push_string(name, style.huffman_name, out);
        }
        push_string(value, style.huffman_value, out);
        if mask == 0x0f {
            return Used::Literal;
        }
        let size = name.len() + value.len() + 32;
        self.evict(self.capacity.saturating_sub(size));
        if size <= self.capacity {
            self.size += size;
            self.table.push_front((name.to_vec(), value.to_vec()));
        }
        Used::Inserted
    }

    fn evict(&mut self, size: usize) {
        while self.size > size {
            let (name, value) = self.table.pop_back().unwrap();
            self.size -= name.len() + value.len() + 32;
        }
    }

    /// Returns the lowest index of a field that matches.
    fn find(&self, matches: impl Fn((&[u8], &[u8])) -> bool) -> Option<usize> {
        let fixed = STATIC_NAMES.iter().enumerate();
        let fixed = fixed.map(|(at, name)| (name.as_bytes(), static_value(at + 1).as_bytes()));
        let dynamic = self.table.iter().map(|(name, value)| (&**name, &**value));
        fixed.chain(dynamic).position(matches).map(|position| position + 1)
    }
}

/// The values of the static table (RFC 7541 Appendix A).
fn static_value(index: usize) -> &'static str {
    match index {
        2 => "GET",
        3 => "POST",
        4 => "/",
        5 => "/index.html",
        6 => "http",
        7 => "https",
        8 => "200",
        9 => "204",
        10 => "206",
        11 => "304",
        12 => "400",
        13 => "404",
        14 => "500",
        16 => "gzip, deflate",
        _ => "",
    }
}

fn push_string(octets: &[u8], huffman: bool, out: &mut Vec<u8>) {
    if huffman {
        let coded = huffman::encode(octets);
        push_integer(coded.len(), 0x7f, 0x80, out);
        out.extend_from_slice(&coded);
    } else {
        push_integer(octets.len(), 0x7f, 0x00, out);
        out.extend_from_slice(octets);
    }
}
