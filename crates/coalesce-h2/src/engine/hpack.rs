//! An HPACK decoder (RFC 7541) that keeps only the fields that matter.
//!
//! The decoder must stay in sync with two other dynamic tables, the client's and the one in `h2`,
//! so it counts the size of every entry. It finds every field that makes a message malformed unseen
//! by `h2` ([`field_check`]). It decodes a value only if its [`Kind`] needs the value, if the value
//! enters the table, or if the value may be malformed.
//!
//! The decoder is laxer than the standard only for input for which `h2` ends the connection. It
//! never reads input that `h2` accepts differently from `h2`.

use std::ops::Range;

use super::field_check;
use super::header_check::{self, AUTHORITY, PATH, Role, Roles};
use super::huffman;
use super::table::{DynamicTable, Entry, Fault, Kind, STATIC_LEN, STATIC_NAMES, static_field};

/// The longest integer, with its prefix (`hpack_integer_has_five_octets_at_most`). RFC 7541 §5.1
/// requires such a limit.
const INTEGER_LEN_MAX: usize = 5;

/// The mask of the prefix in a literal that enters the dynamic table (RFC 7541 §6.2.1).
const INCREMENTAL: u8 = 0x3f;

/// The reason why a header block cannot be decoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Error {
    /// The block ends within a representation.
    Truncated,
    /// An integer has too many octets.
    IntegerTooLong,
    /// An index is zero or beyond both tables.
    IndexUnknown,
    /// A string is not valid Huffman code.
    HuffmanInvalid,
    /// A name that enters the table is empty, so no placeholder has its length.
    NameEmpty,
    /// A size update comes after a field (RFC 7541 §4.2) or exceeds what is allowed (§6.3).
    SizeUpdateRefused,
}

impl From<huffman::Invalid> for Error {
    fn from(_: huffman::Invalid) -> Self {
        Self::HuffmanInvalid
    }
}

/// The representation of a field in its block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// An index into a table; the value is not in the block.
    Indexed,
    /// A literal that enters no table.
    Literal {
        /// The range of the value's string literal (RFC 7541 §5.2), with its length prefix.
        string: Range<usize>,
    },
    /// A literal that enters the dynamic table (RFC 7541 §6.2.1).
    Inserted {
        /// The range of the name's index; for a literal name, of everything before the value.
        name: Range<usize>,
        /// The decoded length of a literal name; `None` for an index.
        literal_name_len: Option<usize>,
        /// The range of the value's string literal.
        string: Range<usize>,
        /// The decoded length of the value.
        value_len: usize,
    },
}

/// A field that matters: its kind is not [`Kind::Other`], or it has a fault.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) kind: Kind,
    /// The value that the client sent, if the kind [has one](Kind::has_value).
    pub(super) value: &'a [u8],
    /// The fault of the field.
    pub(super) fault: Fault,
    /// True if the name alone makes the message malformed.
    pub(super) name_malformed: bool,
    /// The range of the whole representation in the block.
    pub(super) span: Range<usize>,
    /// The form of the representation.
    pub(super) form: Form,
}

/// The decoder of one direction of a connection.
#[derive(Debug)]
pub(super) struct Decoder {
    table: DynamicTable,
    /// The buffer for a Huffman-coded value.
    scratch: Vec<u8>,
    /// The buffer for a Huffman-coded name.
    scratch_name: Vec<u8>,
}

impl Decoder {
    /// Makes a decoder with an empty dynamic table that the client may grow to `table_size_max`.
    pub(super) fn new(table_size_max: usize) -> Self {
        Self {
            table: DynamicTable::new(table_size_max),
            scratch: Vec::new(),
            scratch_name: Vec::new(),
        }
    }

    /// Decodes one complete block and passes each field that matters to `visit`, in order.
    ///
    /// # Errors
    ///
    /// After an error the tables are out of sync, and the decoder must not be used again.
    pub(super) fn decode(
        &mut self,
        block: &[u8],
        mut visit: impl FnMut(Field<'_>),
    ) -> Result<(), Error> {
        let mut input = Input { block, at: 0 };
        let mut resizable = true;
        while let Some(first) = input.octet() {
            let start = input.at - 1;
            if first & 0x80 != 0 {
                // Indexed field, RFC 7541 §6.1.
                let index = input.integer(first, 0x7f)?;
                self.indexed(index, start..input.at, &mut visit)?;
            } else if first & 0x40 != 0 {
                // Literal with incremental indexing, RFC 7541 §6.2.1.
                self.literal(&mut input, first, INCREMENTAL, &mut visit)?;
            } else if first & 0x20 != 0 {
                // Dynamic table size update, RFC 7541 §6.3.
                let size = input.integer(first, 0x1f)?;
                if !resizable || !self.table.resize(size) {
                    return Err(Error::SizeUpdateRefused);
                }
                continue;
            } else {
                // Literal without indexing or never indexed, RFC 7541 §6.2.2 and §6.2.3.
                self.literal(&mut input, first, 0x0f, &mut visit)?;
            }
            resizable = false;
        }
        Ok(())
    }

    /// Returns true if the dynamic table in `h2` holds a placeholder.
    pub(super) fn holds_placeholder(&self) -> bool {
        self.table.holds_placeholder()
    }

    /// Frees a buffer that one long value has grown.
    pub(super) fn trim(&mut self) {
        self.scratch = Vec::new();
        self.scratch_name = Vec::new();
    }

    /// Returns true if a [decoded](Self::decode) block is a request that `h2` would certainly hand
    /// out, and leaves the dynamic table unchanged.
    pub(super) fn is_well_formed(&mut self, block: &[u8]) -> bool {
        if block.len() > header_check::BLOCK_LEN_MAX {
            return false;
        }
        let mut input = Input { block, at: 0 };
        let mut roles = Roles::default();
        // The block itself is short; only the entries that it refers to can make the list too long.
        let mut entries_len = 0;
        while let Some(first) = input.octet() {
            let role = if first & 0x80 != 0 {
                input.integer(first, 0x7f).map(|index| self.role_of_indexed(index))
            } else if first & 0x60 != 0 {
                return false;
            } else {
                self.role_of_literal(&mut input, first).map(|role| (role, 0))
            };
            let Ok((role, entry_len)) = role else { return false };
            entries_len += entry_len;
            if roles.add(role).is_none() || entries_len > header_check::ENTRIES_LEN_MAX {
                return false;
            }
        }
        roles.are_complete()
    }

    /// Returns the role of an indexed field, and the bytes that its entry adds to the list.
    fn role_of_indexed(&self, index: usize) -> (Role, usize) {
        if index <= STATIC_LEN {
            return (header_check::of_static(index), header_check::STATIC_ENTRY_LEN);
        }
        let Ok(entry) = self.dynamic(index) else { return (Role::Doubtful, 0) };
        let role = match entry {
            Entry { kind: Kind::Authority, fault: Fault::None, .. } => Role::Pseudo(AUTHORITY),
            Entry { kind: Kind::Path, well_formed: true, .. } => Role::Pseudo(PATH),
            Entry { kind: Kind::Other, well_formed: true, .. } => Role::Regular,
            _ => Role::Doubtful,
        };
        (role, entry.size())
    }

    /// Returns the role of a literal that enters no table.
    fn role_of_literal(&mut self, input: &mut Input<'_>, first: u8) -> Result<Role, Error> {
        let index = input.integer(first, 0x0f)?;
        let (kind, role) = match index {
            0 => {
                let name = read(input.string()?, &mut self.scratch_name)?;
                let regular = header_check::is_regular_name(name);
                (Kind::Other, if regular { Role::Regular } else { Role::Doubtful })
            }
            index @ 1..=STATIC_LEN => match static_field(index).0 {
                // The caller has already seen any refused value.
                Kind::Authority => (Kind::Authority, Role::Pseudo(AUTHORITY)),
                Kind::Path => (Kind::Path, Role::Pseudo(PATH)),
                _ if header_check::is_regular_static(index) => (Kind::Other, Role::Regular),
                _ => (Kind::Other, Role::Doubtful),
            },
            _ => match self.dynamic(index)?.kind {
                Kind::Authority => (Kind::Authority, Role::Pseudo(AUTHORITY)),
                Kind::Path => (Kind::Path, Role::Pseudo(PATH)),
                _ => (Kind::Other, Role::Doubtful),
            },
        };
        let value = read(input.string()?, &mut self.scratch)?;
        Ok(if header_check::is_value(kind, value) { role } else { Role::Doubtful })
    }

    fn indexed(
        &self,
        index: usize,
        span: Range<usize>,
        visit: &mut impl FnMut(Field<'_>),
    ) -> Result<(), Error> {
        let (kind, value, fault, name_malformed) = if (1..=STATIC_LEN).contains(&index) {
            let (kind, value) = static_field(index);
            // The empty authority is the only refused value of the static table.
            let fault = if kind == Kind::Authority { Fault::Refused } else { Fault::None };
            (kind, value, fault, false)
        } else {
            let entry = self.dynamic(index)?;
            (entry.kind, &*entry.value, entry.fault, entry.name_malformed)
        };
        if kind != Kind::Other || fault != Fault::None {
            visit(Field { kind, value, fault, name_malformed, span, form: Form::Indexed });
        }
        Ok(())
    }

    fn literal(
        &mut self,
        input: &mut Input<'_>,
        first: u8,
        mask: u8,
        visit: &mut impl FnMut(Field<'_>),
    ) -> Result<(), Error> {
        let start = input.at - 1;
        let name = self.literal_name(input, first, mask)?;
        let string_start = input.at;
        let string = input.string()?;
        let string_range = string_start..input.at;
        let span = start..input.at;
        if mask != INCREMENTAL {
            let form = Form::Literal { string: string_range };
            return self.literal_without_indexing(&name, string, span, form, visit);
        }
        let value = read(string, &mut self.scratch)?;
        let (kind, name_malformed) = (name.kind, name.malformed);
        let fault = if name_malformed { Fault::Malformed } else { field_check::fault(kind, value) };
        let well_formed = fault == Fault::None
            && match name.allows {
                Allows::Trailers => value == b"trailers",
                Allows::Nothing => kind == Kind::Path && header_check::is_value(kind, value),
                Allows::Anything => true,
            };
        // No placeholder has the length of `:status`, or that of an empty method.
        let name_malformed = name_malformed
            || kind == Kind::Status
            || kind == Kind::Method && fault == Fault::Malformed && value.is_empty();
        let (name_len, value_len) = (name.len, value.len());
        let value = if kind.has_value() { value } else { b"" };
        if kind != Kind::Other || fault != Fault::None {
            let form = Form::Inserted {
                name: start..string_start,
                literal_name_len: name.is_literal.then_some(name_len),
                string: string_range,
                value_len,
            };
            visit(Field { kind, value, fault, name_malformed, span, form });
        }
        if self.table.reserve(name_len, value_len) {
            self.table.insert(Entry {
                kind,
                name_len,
                value_len,
                value: value.into(),
                fault,
                name_malformed,
                well_formed,
            });
        }
        Ok(())
    }

    /// Passes a literal that enters no table to `visit`, if it matters.
    #[inline]
    fn literal_without_indexing(
        &mut self,
        name: &LiteralName,
        string: Str<'_>,
        span: Range<usize>,
        form: Form,
        visit: &mut impl FnMut(Field<'_>),
    ) -> Result<(), Error> {
        let LiteralName { kind, malformed: name_malformed, .. } = *name;
        let (value, fault) = if name_malformed {
            (&b""[..], Fault::Malformed)
        } else if string.huffman
            && kind.is_skipped()
            && field_check::is_faultless_code(kind, string.octets)
        {
            (&b""[..], Fault::None)
        } else {
            let value = read(string, &mut self.scratch)?;
            let fault = field_check::fault(kind, value);
            (if kind.has_value() { value } else { b"" }, fault)
        };
        if kind != Kind::Other || fault != Fault::None {
            visit(Field { kind, value, fault, name_malformed, span, form });
        }
        Ok(())
    }

    /// Reads the name of a literal.
    #[inline]
    fn literal_name(
        &mut self,
        input: &mut Input<'_>,
        first: u8,
        mask: u8,
    ) -> Result<LiteralName, Error> {
        let name = match input.integer(first, mask)? {
            0 => {
                let name = read(input.string()?, &mut self.scratch_name)?;
                if name.is_empty() && mask == INCREMENTAL {
                    return Err(Error::NameEmpty);
                }
                LiteralName::from_literal(name, mask == INCREMENTAL)
            }
            index @ 1..=STATIC_LEN => {
                let name = STATIC_NAMES.get(index - 1).ok_or(Error::IndexUnknown)?;
                let regular = header_check::is_regular_static(index);
                LiteralName {
                    kind: static_field(index).0,
                    len: name.len(),
                    allows: if regular { Allows::Anything } else { Allows::Nothing },
                    malformed: false,
                    is_literal: false,
                }
            }
            index => {
                let entry = self.dynamic(index)?;
                LiteralName {
                    kind: entry.kind,
                    len: entry.name_len,
                    allows: Allows::Nothing,
                    malformed: entry.name_malformed,
                    is_literal: false,
                }
            }
        };
        Ok(name)
    }

    /// Returns the dynamic entry of an index (RFC 7541 §2.3.3).
    fn dynamic(&self, index: usize) -> Result<&Entry, Error> {
        let position = index.checked_sub(STATIC_LEN + 1).ok_or(Error::IndexUnknown)?;
        self.table.get(position).ok_or(Error::IndexUnknown)
    }

    /// Returns the size and the number of entries of the dynamic table, for tests.
    #[cfg(test)]
    pub(super) fn measure(&self) -> (usize, usize) {
        self.table.measure()
    }
}

/// The name of a literal.
struct LiteralName {
    kind: Kind,
    /// The decoded length.
    len: usize,
    allows: Allows,
    /// True if the name alone makes a message malformed.
    malformed: bool,
    /// True if the block has the name itself, not an index.
    is_literal: bool,
}

impl LiteralName {
    fn from_literal(name: &[u8], inserted: bool) -> Self {
        let kind = Kind::of_name(name);
        let allows = match name {
            b"te" if inserted => Allows::Trailers,
            name if inserted && header_check::is_regular_name(name) => Allows::Anything,
            // Only entries need the answer later.
            _ => Allows::Nothing,
        };
        let malformed = kind == Kind::Other && !field_check::is_name(name);
        Self { kind, len: name.len(), allows, malformed, is_literal: true }
    }
}

/// The values that a name allows in a request that is certainly well-formed.
#[derive(Clone, Copy)]
enum Allows {
    /// Any valid value.
    Anything,
    /// The only value of `te` (RFC 9113 §8.2.2).
    Trailers,
    /// No value; for a path, its value decides.
    Nothing,
}

/// Decodes a string, into `scratch` if it is Huffman-coded.
fn read<'a>(string: Str<'a>, scratch: &'a mut Vec<u8>) -> Result<&'a [u8], Error> {
    if !string.huffman {
        return Ok(string.octets);
    }
    scratch.clear();
    huffman::decode(string.octets, |octet| scratch.push(octet))?;
    Ok(scratch)
}

/// A string literal (RFC 7541 §5.2) as encoded in the block.
#[derive(Clone, Copy)]
struct Str<'a> {
    octets: &'a [u8],
    huffman: bool,
}

/// A block, and the position of the reader.
struct Input<'a> {
    block: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    #[inline]
    fn octet(&mut self) -> Option<u8> {
        let octet = *self.block.get(self.at)?;
        self.at += 1;
        Some(octet)
    }

    /// Reads an integer (RFC 7541 §5.1) whose prefix is the bits of `first` under `mask`.
    #[inline]
    fn integer(&mut self, first: u8, mask: u8) -> Result<usize, Error> {
        let prefix = first & mask;
        if prefix < mask { Ok(usize::from(prefix)) } else { self.long_integer(prefix) }
    }

    fn long_integer(&mut self, prefix: u8) -> Result<usize, Error> {
        let mut value = usize::from(prefix);
        for nth in 0..INTEGER_LEN_MAX - 1 {
            let octet = self.octet().ok_or(Error::Truncated)?;
            // Four times seven bits and a prefix stay below 2^29, so the sum cannot overflow.
            value += usize::from(octet & 0x7f) << (7 * nth);
            if octet & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::IntegerTooLong)
    }

    fn string(&mut self) -> Result<Str<'a>, Error> {
        let first = self.octet().ok_or(Error::Truncated)?;
        let len = self.integer(first, 0x7f)?;
        let end = self.at.checked_add(len).ok_or(Error::Truncated)?;
        let octets = self.block.get(self.at..end).ok_or(Error::Truncated)?;
        self.at = end;
        Ok(Str { octets, huffman: first & 0x80 != 0 })
    }
}
