//! Every limit of the crate, each with its source.

/// The longest name, in bytes, without its trailing dot: 255 octets on the wire (RFC 1035 §2.3.4)
/// less the first length octet and the root label.
pub const NAME_LEN_MAX: usize = 253;

/// The longest label, in bytes (RFC 1035 §2.3.4).
pub const LABEL_LEN_MAX: usize = 63;

/// The largest number of presented identifiers in one set. Certificates with more names than this
/// exceed what a TLS handshake message may carry (2^24 bytes, RFC 8446 §4).
pub const IDENTIFIERS_MAX: usize = 1 << 20;

/// The largest number of entries in one trie or authority table. The offsets in it are below 2^32,
/// and a name takes 32 bytes of it.
pub const ENTRIES_MAX: usize = 1 << 26;

/// The largest number of coalescing groups in one table, the policies that their entries have
/// beside them included: far above any real number of TLS policies, and as many as 16 bits count.
pub const GROUPS_MAX: usize = 1 << 16;

/// The largest number of bytes that the names of more than 30 bytes in one table may have together;
/// the table's offsets must stay below 2^32.
pub const LONG_NAME_BYTES_MAX: usize = 1 << 31;

/// The most names that are looked at for one origin set, served or not: several times those that
/// fit an ORIGIN frame of 16,384 bytes (RFC 9113 §4.2), and decided in milliseconds.
pub const ORIGIN_CANDIDATES_MAX: usize = 1 << 14;
