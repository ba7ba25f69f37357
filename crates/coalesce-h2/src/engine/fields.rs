//! The target that one header block names, whether the block is malformed, and the changes that it
//! needs before `h2` sees it.

use std::ops::Range;

use super::hpack::{Field, Form};
use super::huffman::push_placeholder;
use super::stream_notes::Target;
use super::table::{Fault, Kind};

/// One change to a block.
#[derive(Debug)]
struct Edit {
    /// The range to replace.
    range: Range<usize>,
    /// The replacement.
    with: With,
}

/// The replacement for a part of a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum With {
    /// Remove the whole representation, which is of this kind.
    Nothing(Kind),
    /// A string literal with this decoded length.
    Letters(usize),
    /// The start of a literal that enters the table, with a name of this length.
    LetterName(usize),
    /// The start of a literal that enters the table, with a static name as long as `:method` and
    /// `:status`.
    SevenLetterName,
}

/// The first octet of a literal that enters the table (RFC 7541 §6.2.1).
const INCREMENTAL: u8 = 0x40;

/// `expires` in the static table (RFC 7541 Appendix A).
const SEVEN_LETTER_NAME: u8 = 36;

/// Plans the change that a refused field needs, if a change can help.
///
/// | field | in the block | change |
/// | --- | --- | --- |
/// | `:authority`, `host` | a literal | a placeholder |
/// | `:authority`, `host` | an index | none: the table in `h2` holds a placeholder |
/// | `:authority`, empty | an index | dropped: no placeholder has that length |
/// | `:authority`, empty | a literal that enters no table | dropped |
/// | `:authority`, empty | a literal that enters the table | none: `h2` resets the stream |
///
/// An empty `:authority` in trailers stays, because `h2` drops the field; such trailers are
/// malformed.
fn mend_refused(field: Field<'_>, in_request: bool) -> Option<Edit> {
    let Field { kind, value, span, form, .. } = field;
    match form {
        Form::Literal { string } | Form::Inserted { string, .. } if !value.is_empty() => {
            Some(Edit { range: string, with: With::Letters(value.len()) })
        }
        Form::Literal { .. } | Form::Indexed if value.is_empty() => {
            in_request.then_some(Edit { range: span, with: With::Nothing(kind) })
        }
        Form::Inserted { .. } | Form::Literal { .. } | Form::Indexed => None,
    }
}

/// Plans the changes that a malformed field needs, so that `h2` continues. The application never
/// sees the field.
///
/// | field | change |
/// | --- | --- |
/// | an index | none: the table in `h2` holds a placeholder |
/// | a literal that enters no table | dropped |
/// | a literal that enters the table | a placeholder for the value, and for the name if the name is wrong |
fn mend_malformed(field: Field<'_>, edits: &mut Vec<Edit>) {
    let Field { kind, name_malformed, span, form, .. } = field;
    match form {
        Form::Indexed => {}
        Form::Literal { .. } => edits.push(Edit { range: span, with: With::Nothing(kind) }),
        Form::Inserted { name, literal_name_len, string, value_len } => {
            let with = match literal_name_len {
                _ if !name_malformed => None,
                _ if matches!(kind, Kind::Method | Kind::Status) => Some(With::SevenLetterName),
                // An index to an invalid name refers to a placeholder in `h2`.
                len => len.map(With::LetterName),
            };
            edits.extend(with.map(|with| Edit { range: name, with }));
            edits.push(Edit { range: string, with: With::Letters(value_len) });
        }
    }
}

/// The fields of one block that matter; the buffers are reused.
#[derive(Debug, Default)]
pub(super) struct Fields {
    authority: First,
    scheme: First,
    host: First,
    path: bool,
    pseudo: bool,
    content_lengths: usize,
    malformed: bool,
    /// The changes, in the order of the block.
    edits: Vec<Edit>,
}

/// All values of one name: their number, the first value, and whether any is refused.
#[derive(Debug, Default)]
struct First {
    count: usize,
    /// The first value. If the block has none, the value of an earlier block.
    value: Vec<u8>,
    /// True if the value differs from that of the block before.
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
        // Most clients repeat the value, and comparing costs less than copying.
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
        self.pseudo = false;
        self.content_lengths = 0;
        self.malformed = false;
        self.edits.clear();
    }

    /// Records a field, and plans its change where `h2` would refuse it.
    #[inline]
    pub(super) fn add(&mut self, field: Field<'_>, in_request: bool) {
        self.pseudo |= field.kind.is_pseudo();
        let refused = field.fault == Fault::Refused;
        match field.kind {
            Kind::Authority => self.authority.add(field.value, refused),
            Kind::Scheme => self.scheme.add(field.value, false),
            Kind::Host => self.host.add(field.value, refused),
            Kind::Path => self.path = true,
            Kind::ContentLength => self.content_lengths += 1,
            Kind::Method | Kind::Protocol | Kind::Status | Kind::Other => {}
        }
        if field.fault != Fault::None {
            self.mend(field, in_request);
        }
    }

    #[cold]
    fn mend(&mut self, field: Field<'_>, in_request: bool) {
        match field.fault {
            Fault::None => {}
            Fault::Refused => {
                // A malformed authority makes trailers malformed; in requests, the decision judges
                // it.
                self.malformed |= !in_request;
                self.edits.extend(mend_refused(field, in_request));
            }
            Fault::Malformed => {
                self.malformed = true;
                mend_malformed(field, &mut self.edits);
            }
        }
    }

    /// Ends the block. Restores an `:authority` that was to be dropped if the block has a second
    /// one, because `h2` must see both to reset the stream.
    #[inline]
    pub(super) fn finish(&mut self, in_request: bool) {
        if in_request {
            // Even if they are equal: RFC 9110 §8.6 lets a recipient refuse them.
            self.malformed |= self.content_lengths > 1;
        } else {
            // RFC 9113 §8.1.
            self.malformed |= self.pseudo;
        }
        if self.authority.count > 1 {
            self.edits.retain(|edit| edit.with != With::Nothing(Kind::Authority));
        }
    }

    /// Returns true if the request or the trailers are malformed and `h2` does not notice.
    pub(super) fn is_malformed(&self) -> bool {
        self.malformed
    }

    /// Returns the target, if `h2` cannot show it as the client named it.
    pub(super) fn target_to_note(&self, stream_id: u32) -> Option<Target> {
        if self.malformed {
            return Some(Target::malformed(stream_id));
        }
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
            is_malformed: false,
        })
    }

    /// Returns true if there is a `host` field.
    pub(super) fn has_host(&self) -> bool {
        self.host.count > 0
    }

    /// Returns the authority and the scheme of a request that names each once and has no `host`.
    pub(super) fn named(&self) -> Option<(&[u8], &[u8])> {
        let once = self.authority.count == 1 && self.scheme.count == 1 && self.host.count == 0;
        once.then_some((&self.authority.value, &self.scheme.value))
    }

    /// Returns true if the authority differs from that of the block before.
    pub(super) fn is_fresh(&self) -> bool {
        self.authority.fresh
    }

    /// Returns true if the block must change.
    pub(super) fn edited(&self) -> bool {
        !self.edits.is_empty()
    }

    /// Writes the changed block to `out`; `None` if the changes are not for this block.
    pub(super) fn rewrite(&self, block: &[u8], out: &mut Vec<u8>) -> Option<()> {
        out.clear();
        let mut at = 0;
        for Edit { range, with } in &self.edits {
            out.extend_from_slice(block.get(at..range.start)?);
            match *with {
                With::Nothing(_) => {}
                With::Letters(len) => push_placeholder(len, out),
                With::LetterName(len) => {
                    out.push(INCREMENTAL);
                    push_placeholder(len, out);
                }
                With::SevenLetterName => out.push(INCREMENTAL | SEVEN_LETTER_NAME),
            }
            at = range.end;
        }
        out.extend_from_slice(block.get(at..)?);
        Some(())
    }

    /// Frees buffers that one long block has grown.
    pub(super) fn trim(&mut self, capacity: usize) {
        for first in [&mut self.authority, &mut self.scheme, &mut self.host] {
            first.value.clear();
            first.value.shrink_to(capacity);
        }
        self.edits.clear();
        self.edits.shrink_to(capacity / size_of::<Edit>());
    }
}
