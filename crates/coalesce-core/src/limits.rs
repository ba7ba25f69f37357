//! The limits of the crate, each with its source.

/// The longest name, in bytes, without its trailing dot: 255 octets on the wire (RFC 1035 §2.3.4)
/// less the first length octet and the root label.
pub const NAME_LEN_MAX: usize = 253;

/// The longest label, in bytes (RFC 1035 §2.3.4).
pub const LABEL_LEN_MAX: usize = 63;

/// The largest number of presented identifiers in one set. A certificate with more names than this
/// exceeds the size of a TLS handshake message (2^24 bytes, RFC 8446 §4).
pub const IDENTIFIERS_MAX: usize = 1 << 20;

/// The largest number of entries in one trie or authority table. Offsets in a table are below 2^32,
/// and a name takes 32 bytes.
pub const ENTRIES_MAX: usize = 1 << 26;

/// The largest number of coalescing groups in one table, plus one for each separate policy that
/// entries of a group have. Their indices have 16 bits; no real configuration has nearly as many
/// TLS policies.
pub const GROUPS_MAX: usize = 1 << 16;

/// The largest number of bytes that all names of more than 30 bytes in one table may have together,
/// because the table's offsets must stay below 2^32.
pub const LONG_NAME_BYTES_MAX: usize = 1 << 31;

/// The most names that the crate examines for one origin set, served or not. The limit is several
/// times the number that fits an ORIGIN frame of 16,384 bytes (RFC 9113 §4.2), and deciding them
/// takes milliseconds.
pub const ORIGIN_CANDIDATES_MAX: usize = 1 << 14;

/// The most names or ports that a hint lists: a line of a log, for certificates of any size. The
/// hint counts the others.
pub const HINTED_NAMES_MAX: usize = 8;
