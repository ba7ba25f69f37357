//! The tables that HPACK indexes into (RFC 7541 §2.3).

use std::collections::VecDeque;

/// The kind of a field. The engine only checks that fields of most kinds are well-formed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// `:authority`
    Authority,
    /// `:scheme`
    Scheme,
    /// `host`
    Host,
    /// `:path`, whose presence matters.
    Path,
    /// `:method`
    Method,
    /// `:protocol`, RFC 8441 §4.
    Protocol,
    /// `:status`, which no request has.
    Status,
    /// `content-length`, whose number matters.
    ContentLength,
    /// Any other field.
    Other,
}

impl Kind {
    /// Returns the kind of a literal name.
    pub(super) fn of_name(name: &[u8]) -> Self {
        match name {
            b":authority" => Self::Authority,
            b":scheme" => Self::Scheme,
            b"host" => Self::Host,
            b":path" => Self::Path,
            b":method" => Self::Method,
            b":protocol" => Self::Protocol,
            b":status" => Self::Status,
            b"content-length" => Self::ContentLength,
            _ => Self::Other,
        }
    }

    /// Returns true if the engine keeps the value.
    pub(super) const fn has_value(self) -> bool {
        matches!(self, Self::Authority | Self::Scheme | Self::Host)
    }

    /// Returns true if the engine only needs the value's faults, which its code can rule out.
    pub(super) const fn is_skipped(self) -> bool {
        matches!(self, Self::Path | Self::Protocol | Self::ContentLength | Self::Other)
    }

    /// Returns true for pseudo-header fields, which trailers must not have (RFC 9113 §8.1).
    pub(super) const fn is_pseudo(self) -> bool {
        !matches!(self, Self::Host | Self::ContentLength | Self::Other)
    }
}

/// The fault of a field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// None, or one that `h2` finds.
    None,
    /// `h2` would refuse the value, but the decision must see it.
    Refused,
    /// The field makes its message malformed.
    Malformed,
}

/// The initial `SETTINGS_HEADER_TABLE_SIZE` (RFC 9113 §6.5.2).
pub(super) const TABLE_SIZE_DEFAULT: usize = 4096;

/// The octets that an entry counts beyond its name and value (RFC 7541 §4.1).
pub(super) const ENTRY_OVERHEAD: usize = 32;

/// The number of entries in the static table.
pub(super) const STATIC_LEN: usize = STATIC_NAMES.len();

/// The names of the static table (RFC 7541 Appendix A), in its order.
pub(super) const STATIC_NAMES: [&str; 61] = [
    ":authority",
    ":method",
    ":method",
    ":path",
    ":path",
    ":scheme",
    ":scheme",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "accept",
    "access-control-allow-origin",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
];

/// Returns the kind and the value of a static entry; the value is empty if the engine does not need
/// it.
pub(super) fn static_field(index: usize) -> (Kind, &'static [u8]) {
    match index {
        1 => (Kind::Authority, b""),
        2 | 3 => (Kind::Method, b""),
        4 | 5 => (Kind::Path, b""),
        6 => (Kind::Scheme, b"http"),
        7 => (Kind::Scheme, b"https"),
        8..=14 => (Kind::Status, b""),
        28 => (Kind::ContentLength, b""),
        38 => (Kind::Host, b""),
        _ => (Kind::Other, b""),
    }
}

/// One entry of the dynamic table.
#[derive(Debug)]
pub(super) struct Entry {
    /// The kind of the name.
    pub(super) kind: Kind,
    /// The length of the decoded name, for entries that reuse it.
    pub(super) name_len: usize,
    /// The length of the decoded value.
    pub(super) value_len: usize,
    /// The true value; empty if the kind needs none.
    pub(super) value: Box<[u8]>,
    /// The fault of the field. With a fault, `h2` holds a placeholder, unless a refused value is
    /// empty.
    pub(super) fault: Fault,
    /// True if the name alone makes a message malformed, so other fields that reuse it do too.
    pub(super) name_malformed: bool,
    /// True if a request may have this field and be [well-formed](super::header_check).
    pub(super) well_formed: bool,
}

impl Entry {
    /// Returns the size of the entry (RFC 7541 §4.1).
    pub(super) fn size(&self) -> usize {
        entry_size(self.name_len, self.value_len)
    }
}

/// Returns the size of an entry (RFC 7541 §4.1).
fn entry_size(name_len: usize, value_len: usize) -> usize {
    name_len.saturating_add(value_len).saturating_add(ENTRY_OVERHEAD)
}

/// The dynamic table (RFC 7541 §2.3.2), newest entry first.
#[derive(Debug)]
pub(super) struct DynamicTable {
    entries: VecDeque<Entry>,
    /// The sum of the entries' sizes.
    size: usize,
    /// The size that the encoder chose.
    capacity: usize,
    /// The largest size that the encoder may choose.
    capacity_max: usize,
}

impl DynamicTable {
    /// Makes an empty table. Its size is the default one, before any SETTINGS (RFC 9113 §6.5.2),
    /// and may grow to `capacity_max`.
    pub(super) fn new(capacity_max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            size: 0,
            capacity: TABLE_SIZE_DEFAULT,
            capacity_max: capacity_max.max(TABLE_SIZE_DEFAULT),
        }
    }

    /// Returns the entry at `position`, counted from the newest.
    pub(super) fn get(&self, position: usize) -> Option<&Entry> {
        self.entries.get(position)
    }

    /// Makes room for an entry of this size. Returns `false` if the entry exceeds the table, which
    /// is not an error but empties the table (RFC 7541 §4.4).
    pub(super) fn reserve(&mut self, name_len: usize, value_len: usize) -> bool {
        let size = entry_size(name_len, value_len);
        self.evict(self.capacity.saturating_sub(size));
        size <= self.capacity
    }

    /// Inserts an entry for which [`Self::reserve`] has made room.
    pub(super) fn insert(&mut self, entry: Entry) {
        self.size += entry.size();
        self.entries.push_front(entry);
        debug_assert!(self.size <= self.capacity, "an entry was inserted without room for it");
    }

    /// Applies a size update (RFC 7541 §4.3, §6.3); returns `false` if it exceeds the allowed size.
    pub(super) fn resize(&mut self, capacity: usize) -> bool {
        if capacity > self.capacity_max {
            return false;
        }
        self.capacity = capacity;
        self.evict(capacity);
        true
    }

    /// Drops the oldest entries until at most `size` remains.
    fn evict(&mut self, size: usize) {
        while self.size > size {
            let Some(entry) = self.entries.pop_back() else { break };
            self.size = self.size.saturating_sub(entry.size());
        }
    }

    /// Returns true if the copy of this table in `h2` holds a placeholder.
    pub(super) fn holds_placeholder(&self) -> bool {
        self.entries.iter().any(|entry| match entry.fault {
            Fault::None => false,
            Fault::Refused => entry.value_len > 0,
            Fault::Malformed => true,
        })
    }

    /// Returns the size and the number of entries, for tests.
    #[cfg(test)]
    pub(super) fn measure(&self) -> (usize, usize) {
        (self.size, self.entries.len())
    }
}
