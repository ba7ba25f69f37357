//! Whether `h2` would take a request for well-formed, as far as that is easily said: yes, or maybe.

use super::field_check;
use super::table::{Kind, STATIC_LEN};

/// The longest block that is looked at.
pub(super) const BLOCK_LEN_MAX: usize = 1_024;

/// What the entries that a block points at may add to its list (RFC 9113 §6.5.2): together with the
/// block, far from [`HEADER_LIST_BYTES_MAX`](crate::limits::HEADER_LIST_BYTES_MAX), and twice what
/// a whole table holds.
pub(super) const ENTRIES_LEN_MAX: usize = 8_192;

/// No entry of the static table is longer, overhead included.
pub(super) const STATIC_ENTRY_LEN: usize = 64;

/// What a field does to a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// One of the four pseudo-header fields of every request (RFC 9113 §8.3.1): its bit.
    Pseudo(u8),
    /// A field that may stand in any number.
    Regular,
    /// Anything that makes a request worth the attention of `h2`.
    Doubtful,
}

pub(super) const METHOD: u8 = 1;
pub(super) const SCHEME: u8 = 2;
pub(super) const AUTHORITY: u8 = 4;
pub(super) const PATH: u8 = 8;

/// The roles of a block's fields, one after the other.
#[derive(Debug, Default)]
pub(super) struct Roles {
    pseudo: u8,
    regular: bool,
}

impl Roles {
    /// `None` as soon as the request is not surely well-formed.
    pub(super) fn add(&mut self, role: Role) -> Option<()> {
        match role {
            // Each of them once, and before all others (RFC 9113 §8.3).
            Role::Pseudo(bit) if !self.regular && self.pseudo & bit == 0 => self.pseudo |= bit,
            Role::Regular => self.regular = true,
            Role::Pseudo(_) | Role::Doubtful => return None,
        }
        Some(())
    }

    /// Whether all four were there.
    pub(super) fn are_complete(&self) -> bool {
        self.pseudo == METHOD | SCHEME | AUTHORITY | PATH
    }
}

/// The role of an indexed field of the static table (RFC 7541 Appendix A).
pub(super) fn of_static(index: usize) -> Role {
    match index {
        // GET and POST. The answers to other methods differ, or might.
        2 | 3 => Role::Pseudo(METHOD),
        4 | 5 => Role::Pseudo(PATH),
        6 | 7 => Role::Pseudo(SCHEME),
        _ if is_regular_static(index) => Role::Regular,
        _ => Role::Doubtful,
    }
}

/// Whether a name of the static table is one of a field that may stand in any request: not a
/// pseudo-header field, not `content-length` and `host`, which are compared with other things, not
/// `transfer-encoding` (RFC 9113 §8.2.2).
pub(super) fn is_regular_static(index: usize) -> bool {
    (15..=STATIC_LEN).contains(&index) && !matches!(index, 28 | 38 | 57)
}

/// Whether a literal name is one of a regular field: lower-case (RFC 9113 §8.2.1), no
/// pseudo-header field, none of those that are about a connection (§8.2.2), none of the above.
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

/// Whether a value may stand behind a name: for a path, the plain ones.
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
