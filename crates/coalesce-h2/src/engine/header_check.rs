//! Checks whether `h2` would accept a request as well-formed, as far as a cheap check can: yes or
//! maybe.

use super::field_check;
use super::table::{Kind, STATIC_LEN};

/// The longest block to check.
pub(super) const BLOCK_LEN_MAX: usize = 1_024;

/// The most bytes that indexed entries may add to the block's list (RFC 9113 §6.5.2). Together with
/// the block it stays far below [`HEADER_LIST_BYTES_MAX`](crate::limits::HEADER_LIST_BYTES_MAX); it
/// is twice the size of a whole table.
pub(super) const ENTRIES_LEN_MAX: usize = 8_192;

/// The length of the longest static entry, with overhead.
pub(super) const STATIC_ENTRY_LEN: usize = 64;

/// The effect of a field on the check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// One of the four pseudo-header fields of every request (RFC 9113 §8.3.1), as a bit.
    Pseudo(u8),
    /// A field that may occur any number of times.
    Regular,
    /// Any field that `h2` must see.
    Doubtful,
}

pub(super) const METHOD: u8 = 1;
pub(super) const SCHEME: u8 = 2;
pub(super) const AUTHORITY: u8 = 4;
pub(super) const PATH: u8 = 8;

/// The roles of a block's fields so far.
#[derive(Debug, Default)]
pub(super) struct Roles {
    pseudo: u8,
    regular: bool,
}

impl Roles {
    /// Adds a field; `None` as soon as the request may not be well-formed.
    pub(super) fn add(&mut self, role: Role) -> Option<()> {
        match role {
            // Each occurs once, before all regular fields (RFC 9113 §8.3).
            Role::Pseudo(bit) if !self.regular && self.pseudo & bit == 0 => self.pseudo |= bit,
            Role::Regular => self.regular = true,
            Role::Pseudo(_) | Role::Doubtful => return None,
        }
        Some(())
    }

    /// Returns true if all four pseudo-header fields occurred.
    pub(super) fn are_complete(&self) -> bool {
        self.pseudo == METHOD | SCHEME | AUTHORITY | PATH
    }
}

/// Returns the role of an indexed field of the static table (RFC 7541 Appendix A).
pub(super) fn of_static(index: usize) -> Role {
    match index {
        // GET and POST. The answers to other methods may differ.
        2 | 3 => Role::Pseudo(METHOD),
        4 | 5 => Role::Pseudo(PATH),
        6 | 7 => Role::Pseudo(SCHEME),
        _ if is_regular_static(index) => Role::Regular,
        _ => Role::Doubtful,
    }
}

/// Returns true if any request may have a field with this static name. False for pseudo-header
/// fields, for `content-length` and `host`, which are compared with other fields, and for
/// `transfer-encoding` (RFC 9113 §8.2.2).
pub(super) fn is_regular_static(index: usize) -> bool {
    (15..=STATIC_LEN).contains(&index) && !matches!(index, 28 | 38 | 57)
}

/// Returns true if a literal name is of a regular field: lower case (RFC 9113 §8.2.1), no
/// pseudo-header field, no connection-specific field (§8.2.2), and none of the fields above.
pub(super) fn is_regular_name(name: &[u8]) -> bool {
    let plain = |octet: &u8| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    !name.is_empty()
        && name.iter().all(plain)
        && !matches!(
            name,
            b"connection"
                | b"content-length"
                | b"host"
                | b"keep-alive"
                | b"proxy-connection"
                | b"te"
                | b"transfer-encoding"
                | b"upgrade"
        )
}

/// Returns true if a field of this kind may have the value; of paths, the plain ones only.
pub(super) fn is_value(kind: Kind, value: &[u8]) -> bool {
    match kind {
        Kind::Path => {
            let plain = |octet: &u8| {
                octet.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%?".contains(octet)
            };
            value.first() == Some(&b'/') && value.iter().all(plain)
        }
        _ => field_check::is_value(value),
    }
}
