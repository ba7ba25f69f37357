//! The errors of reading a compiled table.

use core::fmt;

/// The reason why bytes are not a compiled table. Offsets count bytes from the start.
///
/// # Examples
/// ```
/// use coalesce_core::{AuthorityTable, FormatError};
///
/// let error = AuthorityTable::from_bytes(b"no table").unwrap_err();
/// assert_eq!(error, FormatError::Magic);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// The first bytes are not `COAL`.
    Magic,
    /// Another version of the format, another kind of compiled table, or an unknown layout.
    Version {
        /// The header word found.
        found: u32,
        /// The header word expected.
        expected: u32,
    },
    /// A length that does not fit the header, or does not fit the sections.
    Length {
        /// The length found, in bytes.
        len: usize,
    },
    /// The checksum in the header is not that of the bytes.
    Checksum {
        /// The checksum in the header.
        stored: u64,
        /// The checksum of the bytes.
        computed: u64,
    },
    /// A valid header, but of another table than the expected one.
    Unexpected {
        /// The checksum in the header.
        stored: u64,
        /// The expected checksum.
        expected: u64,
    },
    /// A number above its limit.
    Count {
        /// Where the count is.
        at: usize,
        /// The number found.
        count: usize,
        /// The count allowed.
        max: usize,
    },
    /// A header field that contradicts the names.
    Header {
        /// Where the field is.
        at: usize,
    },
    /// A stored name that is invalid, or stored where lookups do not find it.
    Name {
        /// Where the name is.
        at: usize,
    },
    /// A name that is not in order.
    Order {
        /// The number of the name, in the order of the table.
        number: usize,
    },
    /// An address that is not in order or of an unknown family.
    Address {
        /// Where the address is.
        at: usize,
    },
    /// A group that is not in order, or that has unknown policies.
    Group {
        /// Where the group is.
        at: usize,
    },
    /// A pair of virtual host and group that is not in order, or whose group is not in the table.
    Pair {
        /// Where the pair is.
        at: usize,
    },
    /// A value without a meaning in this table.
    Value {
        /// Where the value is.
        at: usize,
        /// The value found.
        value: u32,
    },
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Magic => f.write_str("not a compiled table: it does not start with COAL"),
            Self::Version { found, expected } => {
                write!(
                    f,
                    "compiled table of version and kind {found:#010x}; {expected:#010x} expected"
                )
            }
            Self::Length { len } => {
                write!(f, "compiled table has {len} bytes; its header describes another length")
            }
            Self::Checksum { stored, computed } => write!(
                f,
                "compiled table has checksum {computed:016x}; {stored:016x} expected by its header"
            ),
            Self::Unexpected { stored, expected } => {
                write!(f, "compiled table has checksum {stored:016x}; {expected:016x} expected")
            }
            Self::Count { at, count, max } => {
                write!(f, "count {count} at byte {at}; at most {max} allowed")
            }
            Self::Header { at } => {
                write!(f, "header field at byte {at} contradicts the names of the table")
            }
            Self::Name { at } => write!(f, "invalid or misplaced name at byte {at}"),
            Self::Order { number } => write!(f, "name {number} is not in order"),
            Self::Address { at } => write!(f, "invalid or misplaced address at byte {at}"),
            Self::Group { at } => write!(f, "invalid or misplaced group at byte {at}"),
            Self::Pair { at } => write!(f, "invalid or misplaced pair at byte {at}"),
            Self::Value { at, value } => write!(f, "invalid value {value} at byte {at}"),
        }
    }
}

impl core::error::Error for FormatError {}
