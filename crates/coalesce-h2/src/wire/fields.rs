//! What one header block says about its target, and what must change before `h2` sees it.

use std::ops::Range;

use http::HeaderValue;
use http::uri::Authority;

use super::exceptions::Target;
use super::hpack::{Field, Form};
use super::huffman::push_placeholder;
use super::table::Kind;

/// Whether `h2` would refuse a value: reset the stream, or even end the connection.
pub(super) fn refuses(kind: Kind, value: &[u8]) -> bool {
    match kind {
        Kind::Authority => !is_plain(value) && Authority::try_from(value).is_err(),
        Kind::Host => HeaderValue::from_bytes(value).is_err(),
        Kind::Scheme | Kind::Other => false,
    }
}

/// Whether an authority is one of the usual ones, which need no parser: letters, digits, dots and
/// hyphens, then perhaps a port.
fn is_plain(authority: &[u8]) -> bool {
    let is_name = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-');
    let name_len = authority.iter().take_while(|octet| is_name(octet)).count();
    let port = authority.get(name_len..).and_then(<[u8]>::split_first);
    name_len > 0
        && port.is_none_or(|(&colon, port)| colon == b':' && port.iter().all(u8::is_ascii_digit))
}

/// One change to a block.
#[derive(Debug)]
enum Edit {
    /// The representation at this place goes.
    Drop(Range<usize>),
    /// The string literal at `string` becomes a placeholder of `len` decoded octets.
    Replace { string: Range<usize>, len: usize },
}

/// What one block holds; its buffers serve block after block.
#[derive(Debug, Default)]
pub(super) struct Fields {
    authority: First,
    scheme: First,
    host: First,
    /// In the order of the block.
    edits: Vec<Edit>,
}

/// All values of one name: how many, the first of them, and whether any is refused.
#[derive(Debug, Default)]
struct First {
    count: usize,
    value: Vec<u8>,
    refused: bool,
}

impl First {
    fn clear(&mut self) {
        self.count = 0;
        self.value.clear();
        self.refused = false;
    }

    fn add(&mut self, value: &[u8], refused: bool) {
        if self.count == 0 {
            self.value.extend_from_slice(value);
        }
        self.count += 1;
        self.refused |= refused;
    }

    fn get(&self) -> Option<Box<[u8]>> {
        (self.count > 0).then(|| self.value.as_slice().into())
    }
}

impl Fields {
    /// Forgets the last block.
    pub(super) fn clear(&mut self) {
        self.authority.clear();
        self.scheme.clear();
        self.host.clear();
        self.edits.clear();
    }

    /// Takes note of a field, and plans its rewriting where `h2` would refuse it.
    ///
    /// In trailers a refused `host` stays: the application would be shown a placeholder as if it
    /// were real. An `:authority` does not, since `h2` ignores it there, but remembers the entry.
    pub(super) fn add(&mut self, field: Field<'_>, in_request: bool) {
        let Field { kind, value, refused, span, form } = field;
        match kind {
            Kind::Authority => self.authority.add(value, refused),
            Kind::Scheme => self.scheme.add(value, refused),
            Kind::Host => self.host.add(value, refused),
            Kind::Other => {}
        }
        if !refused || (kind == Kind::Host && !in_request) {
            return;
        }
        match form {
            Form::Literal { string, .. } if !value.is_empty() => {
                self.edits.push(Edit::Replace { string, len: value.len() });
            }
            // No placeholder has the length of an empty value, so the field must go. It cannot
            // when it enters the table; h2 then resets the stream.
            Form::Literal { inserted: true, .. } => {}
            Form::Literal { .. } => self.edits.push(Edit::Drop(span)),
            // The table holds a placeholder already, unless the value is empty.
            Form::Indexed if value.is_empty() => self.edits.push(Edit::Drop(span)),
            Form::Indexed => {}
        }
    }

    /// Ends the block. Drops nothing from trailers, where there is no need, and nothing that would
    /// hide a second `:authority` from `h2`, which must reset the stream for it.
    pub(super) fn finish(&mut self, in_request: bool) {
        if self.authority.count > 1 || !in_request {
            self.edits.retain(|edit| matches!(edit, Edit::Replace { .. }));
        }
    }

    /// The target, if `h2` cannot show it as the client named it.
    pub(super) fn exception(&self, stream_id: u32) -> Option<Target> {
        let host_only = self.authority.count == 0 && self.host.count > 0;
        let mended = self.authority.refused || self.host.refused;
        if self.authority.count > 1 || !(host_only || mended) {
            return None;
        }
        Some(Target {
            stream_id,
            authority: self.authority.get(),
            host: self.host.get(),
            host_count: self.host.count,
            scheme: self.scheme.get(),
        })
    }

    /// Whether the block must change.
    pub(super) fn edited(&self) -> bool {
        !self.edits.is_empty()
    }

    /// Writes the changed block to `out`; `None` when the edits are not of this block.
    pub(super) fn rewrite(&self, block: &[u8], out: &mut Vec<u8>) -> Option<()> {
        out.clear();
        let mut at = 0;
        for edit in &self.edits {
            let (Edit::Drop(range) | Edit::Replace { string: range, .. }) = edit;
            out.extend_from_slice(block.get(at..range.start)?);
            if let Edit::Replace { len, .. } = edit {
                push_placeholder(*len, out);
            }
            at = range.end;
        }
        out.extend_from_slice(block.get(at..)?);
        Some(())
    }

    /// Gives back buffers that one long block has grown.
    pub(super) fn trim(&mut self, capacity: usize) {
        for first in [&mut self.authority, &mut self.scheme, &mut self.host] {
            first.value.clear();
            first.value.shrink_to(capacity);
        }
        self.edits.clear();
        self.edits.shrink_to(capacity / size_of::<Edit>());
    }
}
