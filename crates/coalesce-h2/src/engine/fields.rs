//! What one header block says about its target, and what must change before `h2` sees it.

use std::ops::Range;

use super::hpack::{Field, Form};
use super::huffman::push_placeholder;
use super::stream_notes::Target;
use super::table::Kind;

/// One change to a block.
#[derive(Debug)]
enum Edit {
    /// The representation at this place goes, which is of this kind.
    Drop(Kind, Range<usize>),
    /// The string literal at `string` becomes a placeholder of `len` decoded octets.
    Replace { string: Range<usize>, len: usize },
}

/// The change that a refused field needs, if any can help.
///
/// | field | in the block | change |
/// | --- | --- | --- |
/// | `:authority`, `host` | a literal | a placeholder |
/// | `:authority`, `host` | an index | none: `h2`'s table holds a placeholder |
/// | `:authority`, empty | an index | dropped: no placeholder has that length |
/// | `:authority`, empty | a literal that enters no table | dropped |
/// | `:authority`, empty | a literal that enters the table | none: `h2` resets the stream |
///
/// Trailers are for the application, which must not take a placeholder for real:
///
/// | field | in trailers | change |
/// | --- | --- | --- |
/// | `:authority` | a literal | a placeholder: `h2` shows it to nobody, but its table may keep it |
/// | `host` | an index | dropped: it has no meaning there (RFC 9110 §6.5.1) |
/// | `host` | a literal | none: `h2` ends the connection |
fn edit(field: Field<'_>, in_request: bool) -> Option<Edit> {
    let Field { kind, value, span, form, .. } = field;
    match form {
        Form::Literal { .. } if kind == Kind::Host && !in_request => None,
        Form::Literal { string, .. } if !value.is_empty() => {
            Some(Edit::Replace { string, len: value.len() })
        }
        Form::Literal { inserted: true, .. } => None,
        Form::Literal { .. } => in_request.then_some(Edit::Drop(kind, span)),
        Form::Indexed if value.is_empty() => in_request.then_some(Edit::Drop(kind, span)),
        Form::Indexed if kind == Kind::Host && !in_request => Some(Edit::Drop(kind, span)),
        Form::Indexed => None,
    }
}

/// What one block holds; its buffers serve block after block.
#[derive(Debug, Default)]
pub(super) struct Fields {
    authority: First,
    scheme: First,
    host: First,
    path: bool,
    /// In the order of the block.
    edits: Vec<Edit>,
}

/// All values of one name: how many, the first of them, and whether any is refused.
#[derive(Debug, Default)]
struct First {
    count: usize,
    /// Of a block that has none, that of a block before.
    value: Vec<u8>,
    /// Whether the value is another than before.
    fresh: bool,
    refused: bool,
}

impl First {
    fn clear(&mut self) {
        self.count = 0;
        self.fresh = false;
        self.refused = false;
    }

    fn add(&mut self, value: &[u8], refused: bool) {
        // Most clients repeat themselves, and to compare costs less than to copy.
        if self.count == 0 && self.value != value {
            self.value.clear();
            self.value.extend_from_slice(value);
            self.fresh = true;
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
        self.path = false;
        self.edits.clear();
    }

    /// Takes note of a field, and plans its rewriting where `h2` would refuse it.
    pub(super) fn add(&mut self, field: Field<'_>, in_request: bool) {
        match field.kind {
            Kind::Authority => self.authority.add(field.value, field.refused),
            Kind::Scheme => self.scheme.add(field.value, field.refused),
            Kind::Host => self.host.add(field.value, field.refused),
            Kind::Path => self.path = true,
            Kind::Other => {}
        }
        if field.refused {
            self.edits.extend(edit(field, in_request));
        }
    }

    /// Ends the block: no `:authority` is dropped where that would hide a second one from `h2`,
    /// which must reset the stream for it.
    pub(super) fn finish(&mut self) {
        if self.authority.count > 1 {
            self.edits.retain(|edit| !matches!(edit, Edit::Drop(Kind::Authority, _)));
        }
    }

    /// The target, if `h2` cannot show it as the client named it.
    pub(super) fn target_to_note(&self, stream_id: u32) -> Option<Target> {
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
            has_path: self.path,
        })
    }

    /// Whether there is a `host` field.
    pub(super) fn has_host(&self) -> bool {
        self.host.count > 0
    }

    /// The authority and the scheme of a request that names each of them once, and no `host`.
    pub(super) fn named(&self) -> Option<(&[u8], &[u8])> {
        let once = self.authority.count == 1 && self.scheme.count == 1 && self.host.count == 0;
        once.then_some((&self.authority.value, &self.scheme.value))
    }

    /// Whether the authority is another than that of the block before.
    pub(super) fn is_fresh(&self) -> bool {
        self.authority.fresh
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
            let (Edit::Drop(_, range) | Edit::Replace { string: range, .. }) = edit;
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
