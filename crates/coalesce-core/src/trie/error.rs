//! Why bytes are no compiled table.

use core::fmt;

/// Why bytes are no compiled table. Offsets count bytes from the start.
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
    /// Another version of the format, another kind of compiled table, or no known layout.
    Version {
        /// The header word found.
        found: u32,
        /// The header word expected.
        expected: u32,
    },
    /// Too short for its header, or longer or shorter than its sections.
    Length {
        /// The length found, in bytes.
        len: usize,
    },
    /// The checksum is of other bytes.
    Checksum {
        /// The checksum in the header.
        stored: u64,
        /// The checksum of the bytes.
        computed: u64,
    },
    /// A sound header, of another table than the one that was asked for.
    Unexpected {
        /// The checksum in the header.
        stored: u64,
        /// The checksum that was asked for.
        expected: u64,
    },
    /// More of something than any table may hold.
    Count {
        /// Where the count is.
        at: usize,
        /// The count found.
        count: usize,
        /// The count allowed.
        max: usize,
    },
    /// Something in the header that contradicts the names.
    Header {
        /// Where it is.
        at: usize,
    },
    /// A stored name that is no name, or where no lookup would find it.
    Name {
        /// Where the name is.
        at: usize,
    },
    /// A name out of its order.
    Order {
        /// The number of the name, in the order of the table.
        number: usize,
    },
    /// An address out of order or of no known family.
    Address {
        /// Where the address is.
        at: usize,
    },
    /// A group out of order, or with policies that do not exist.
    Group {
        /// Where the group is.
        at: usize,
    },
    /// A pair of virtual host and group that is out of order or names no group of the table.
    Pair {
        /// Where the pair is.
        at: usize,
    },
    /// A value that stands for nothing.
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
                write!(f, "compiled table of {len} bytes does not hold its sections")
            }
            Self::Checksum { stored, computed } => {
                write!(
                    f,
                    "compiled table with checksum {stored:016x} whose bytes give {computed:016x}"
                )
            }
            Self::Unexpected { stored, expected } => {
                write!(f, "compiled table with checksum {stored:016x}; {expected:016x} expected")
            }
            Self::Count { at, count, max } => {
                write!(f, "count {count} at byte {at}; at most {max} allowed")
            }
            Self::Header { at } => {
                write!(f, "header field at byte {at} contradicts the names of the table")
            }
            Self::Name { at } => write!(f, "name at byte {at} is no name, or is out of place"),
            Self::Order { number } => write!(f, "name {number} is out of order"),
            Self::Address { at } => write!(f, "address at byte {at} is out of place"),
            Self::Group { at } => write!(f, "group at byte {at} is out of place"),
            Self::Pair { at } => write!(f, "pair at byte {at} is out of place"),
            Self::Value { at, value } => write!(f, "value {value} at byte {at} stands for nothing"),
        }
    }
}

impl core::error::Error for FormatError {}
