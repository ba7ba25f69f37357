//! DNS names as server names, authorities and certificates carry them.

use core::fmt;
use core::hash::{Hash, Hasher};

use crate::limits::{LABEL_LEN_MAX, NAME_LEN_MAX};

/// A DNS name in preferred syntax, relative or absolute, borrowed as it was written.
///
/// Comparison ignores ASCII case and one trailing dot (RFC 3986 §3.2.2, RFC 4343 §3), so `Eq` and
/// `Hash` do as well. The one normaliser of this crate: server names, authorities and presented
/// identifiers all pass through [`DnsName::parse`].
///
/// | accepted | refused |
/// | --- | --- |
/// | `a.example.test`, `A.Example.TEST.`, `under_score.test`, `xn--bcher-kva.test` | empty, `.`, `a..b`, `.a` |
/// | labels of letters, digits, `-`, `_`, up to 63 bytes | `-a.test`, `a-.test`, `a b`, `bücher` |
/// | up to 253 bytes without the trailing dot | a last label that reads as a number: `1.2.3`, `a.0x7f` |
#[derive(Clone, Copy)]
pub struct DnsName<'a> {
    /// Valid, and without the trailing dot.
    bytes: &'a [u8],
}

impl<'a> DnsName<'a> {
    /// Parses `bytes` as a name.
    ///
    /// # Errors
    /// The first rule that `bytes` breaks, from the left.
    ///
    /// # Complexity
    /// Linear in `bytes.len()`, at most [`NAME_LEN_MAX`] steps.
    pub const fn parse(bytes: &'a [u8]) -> Result<Self, NameError> {
        let bytes = without_trailing_dot(bytes);
        if bytes.is_empty() {
            return Err(NameError::Empty);
        }
        if bytes.len() > NAME_LEN_MAX {
            return Err(NameError::TooLong { len: bytes.len(), max: NAME_LEN_MAX });
        }
        let mut rest = bytes;
        let mut at = 0_usize;
        let mut label_at = 0_usize;
        let mut numeric = LabelShape::new();
        let mut previous = b'.';
        while let [byte, tail @ ..] = rest {
            match *byte {
                b'.' => {
                    if previous == b'.' {
                        return Err(NameError::EmptyLabel { at });
                    }
                    if previous == b'-' {
                        return Err(NameError::HyphenAtEdge { at: at.saturating_sub(1) });
                    }
                    label_at = at.saturating_add(1);
                    numeric = LabelShape::new();
                }
                b'-' if previous == b'.' => return Err(NameError::HyphenAtEdge { at }),
                b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                    if at.saturating_sub(label_at) >= LABEL_LEN_MAX {
                        return Err(NameError::LabelTooLong { at: label_at, max: LABEL_LEN_MAX });
                    }
                    numeric = numeric.next(*byte);
                }
                _ => return Err(NameError::ForbiddenByte { at, byte: *byte }),
            }
            previous = *byte;
            at = at.saturating_add(1);
            rest = tail;
        }
        if previous == b'.' {
            return Err(NameError::EmptyLabel { at });
        }
        if previous == b'-' {
            return Err(NameError::HyphenAtEdge { at: at.saturating_sub(1) });
        }
        if numeric.is_number() {
            return Err(NameError::LastLabelNumeric { at: label_at });
        }
        Ok(Self { bytes })
    }

    /// The name as it was written, without a trailing dot; its case is not folded.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The labels from the right-most to the left-most.
    pub(crate) const fn labels_from_right(self) -> LabelsFromRight<'a> {
        LabelsFromRight { rest: Some(self.bytes) }
    }

    /// The name without its left-most label, or `None` when it has only one.
    pub fn parent(self) -> Option<Self> {
        let dot = self.bytes.iter().position(|byte| *byte == b'.')?;
        let bytes = self.bytes.get(dot.checked_add(1)?..)?;
        Some(Self { bytes })
    }

    /// Whether this is a subdomain of `suffix` by at least one label.
    pub fn is_below(self, suffix: DnsName<'_>) -> bool {
        let Some(cut) = self.bytes.len().checked_sub(suffix.bytes.len()) else { return false };
        let Some((head, tail)) = self.bytes.split_at_checked(cut) else { return false };
        head.last() == Some(&b'.') && tail.eq_ignore_ascii_case(suffix.bytes)
    }
}

/// Removes one trailing dot: `a.example.` and `a.example` are the same host (RFC 3986 §3.2.2).
pub(crate) const fn without_trailing_dot(bytes: &[u8]) -> &[u8] {
    match bytes {
        [head @ .., b'.'] => head,
        _ => bytes,
    }
}

/// Whether a label reads as a number, which would make the name look like an IPv4 address to
/// parsers that take `127.1` or `0x7f.1` for one (RFC 3986 §7.4).
#[derive(Clone, Copy)]
enum LabelShape {
    Empty,
    Zero,
    Digits,
    Hex,
    Other,
}

impl LabelShape {
    const fn new() -> Self {
        Self::Empty
    }

    const fn next(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Empty, b'0') => Self::Zero,
            (Self::Empty | Self::Zero | Self::Digits, b'0'..=b'9') => Self::Digits,
            (Self::Zero, b'x' | b'X') | (Self::Hex, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                Self::Hex
            }
            _ => Self::Other,
        }
    }

    const fn is_number(self) -> bool {
        matches!(self, Self::Zero | Self::Digits | Self::Hex)
    }
}

/// Iterates over labels from the right; at most [`crate::limits::LABELS_MAX`] items.
#[derive(Clone)]
pub(crate) struct LabelsFromRight<'a> {
    rest: Option<&'a [u8]>,
}

impl LabelsFromRight<'_> {
    /// How much of the name is still to come.
    pub(crate) fn remaining(&self) -> Remaining {
        match self.rest {
            None => Remaining::Nothing,
            Some(rest) if rest.contains(&b'.') => Remaining::Several,
            Some(_) => Remaining::OneLabel,
        }
    }
}

/// See [`LabelsFromRight::remaining`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remaining {
    Nothing,
    OneLabel,
    Several,
}

impl<'a> Iterator for LabelsFromRight<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let Some(dot) = rest.iter().rposition(|byte| *byte == b'.') else {
            self.rest = None;
            return Some(rest);
        };
        self.rest = rest.get(..dot);
        rest.get(dot.saturating_add(1)..)
    }
}

impl PartialEq for DnsName<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes.eq_ignore_ascii_case(other.bytes)
    }
}

impl Eq for DnsName<'_> {}

impl Hash for DnsName<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.bytes {
            state.write_u8(byte.to_ascii_lowercase());
        }
        // A byte that no name holds keeps concatenated names apart, as `str` does.
        state.write_u8(0xff);
    }
}

/// The canonical spelling: lower case, no trailing dot.
impl fmt::Display for DnsName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        self.bytes.iter().try_for_each(|byte| f.write_char(char::from(byte.to_ascii_lowercase())))
    }
}

impl fmt::Debug for DnsName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DnsName({self})")
    }
}

/// Why bytes are no DNS name. Offsets count bytes from the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing, or nothing but a dot.
    Empty,
    /// More than [`NAME_LEN_MAX`] bytes.
    TooLong {
        /// The length found, in bytes, without a trailing dot.
        len: usize,
        /// The length allowed.
        max: usize,
    },
    /// Two dots in a row, or a dot at the start.
    EmptyLabel {
        /// Where the empty label is.
        at: usize,
    },
    /// More than [`LABEL_LEN_MAX`] bytes between two dots.
    LabelTooLong {
        /// Where the label starts.
        at: usize,
        /// The length allowed.
        max: usize,
    },
    /// A byte that is no letter, digit, `-` or `_`.
    ForbiddenByte {
        /// Where the byte is.
        at: usize,
        /// The byte.
        byte: u8,
    },
    /// A label begins or ends with `-`.
    HyphenAtEdge {
        /// Where the hyphen is.
        at: usize,
    },
    /// The last label reads as a number, as in an IPv4 address.
    LastLabelNumeric {
        /// Where the label starts.
        at: usize,
    },
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("empty name"),
            Self::TooLong { len, max } => write!(f, "name of {len} bytes; at most {max} allowed"),
            Self::EmptyLabel { at } => write!(f, "empty label at byte {at}"),
            Self::LabelTooLong { at, max } => {
                write!(f, "label at byte {at} is too long; at most {max} bytes allowed")
            }
            Self::ForbiddenByte { at, byte } => write!(
                f,
                "byte '{}' at {at}; only letters, digits, '-' and '_' allowed in a label",
                byte.escape_ascii()
            ),
            Self::HyphenAtEdge { at } => {
                write!(f, "hyphen at byte {at}; a label may not begin or end with one")
            }
            Self::LastLabelNumeric { at } => {
                write!(f, "last label at byte {at} is a number, as in an IPv4 address")
            }
        }
    }
}

impl core::error::Error for NameError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{string::ToString, vec, vec::Vec};

    fn ok(name: &[u8]) -> DnsName<'_> {
        DnsName::parse(name).unwrap()
    }

    #[test]
    fn accepts_what_hosts_are_called() {
        for name in [
            "a",
            "a.example.test",
            "A.Example.TEST.",
            "under_score.test",
            "_dmarc.a.test",
            "xn--bcher-kva.test",
            "1.2.3.test",
            "a--b.test",
            "0x7g",
            "0xy.a0",
            "7f.e",
        ] {
            assert!(DnsName::parse(name.as_bytes()).is_ok(), "{name}");
        }
    }

    #[test]
    fn refuses_each_rule_with_its_own_error() {
        let cases: &[(&[u8], NameError)] = &[
            (b"", NameError::Empty),
            (b".", NameError::Empty),
            (b"..", NameError::EmptyLabel { at: 0 }),
            (b".a", NameError::EmptyLabel { at: 0 }),
            (b"a..b", NameError::EmptyLabel { at: 2 }),
            (b"a.b..", NameError::EmptyLabel { at: 4 }),
            (b"a b", NameError::ForbiddenByte { at: 1, byte: b' ' }),
            (b"a*.b", NameError::ForbiddenByte { at: 1, byte: b'*' }),
            (b"a\0.b", NameError::ForbiddenByte { at: 1, byte: 0 }),
            (b"b\xc3\xbccher", NameError::ForbiddenByte { at: 1, byte: 0xc3 }),
            (b"-a.test", NameError::HyphenAtEdge { at: 0 }),
            (b"a.-b", NameError::HyphenAtEdge { at: 2 }),
            (b"a-.test", NameError::HyphenAtEdge { at: 1 }),
            (b"a.test-", NameError::HyphenAtEdge { at: 6 }),
            (b"192.0.2.1", NameError::LastLabelNumeric { at: 8 }),
            (b"1.2.3", NameError::LastLabelNumeric { at: 4 }),
            (b"127.1.", NameError::LastLabelNumeric { at: 4 }),
            (b"a.0x7F", NameError::LastLabelNumeric { at: 2 }),
            (b"a.0x", NameError::LastLabelNumeric { at: 2 }),
            (b"0", NameError::LastLabelNumeric { at: 0 }),
        ];
        for (name, error) in cases {
            assert_eq!(DnsName::parse(name).unwrap_err(), *error, "{}", name.escape_ascii());
        }
    }

    #[test]
    fn length_limits_are_exact() {
        let label = |n| vec![b'a'; n];
        assert!(DnsName::parse(&label(63)).is_ok());
        assert_eq!(DnsName::parse(&label(64)), Err(NameError::LabelTooLong { at: 0, max: 63 }));
        let long = [label(63), label(63), label(63), label(61)].join(&b'.');
        assert_eq!(long.len(), 253);
        assert!(DnsName::parse(&long).is_ok());
        let dotted = [long.clone(), vec![]].join(&b'.');
        assert!(DnsName::parse(&dotted).is_ok(), "the trailing dot does not count");
        let longer = [label(63), label(63), label(63), label(62)].join(&b'.');
        assert_eq!(DnsName::parse(&longer), Err(NameError::TooLong { len: 254, max: 253 }));
    }

    #[test]
    fn case_and_one_trailing_dot_are_the_same_name() {
        assert_eq!(ok(b"A.Example.Test."), ok(b"a.example.test"));
        assert_ne!(ok(b"a.example.test"), ok(b"b.example.test"));
        assert_eq!(ok(b"A.Example.Test.").to_string(), "a.example.test");
    }

    #[test]
    fn labels_come_from_the_right() {
        let labels: Vec<&[u8]> = ok(b"a.bc.def.").labels_from_right().collect();
        assert_eq!(labels, [&b"def"[..], b"bc", b"a"]);
        assert_eq!(ok(b"one").labels_from_right().count(), 1);
    }

    #[test]
    fn below_needs_a_whole_label() {
        assert!(ok(b"x.Example.test").is_below(ok(b"example.TEST")));
        assert!(!ok(b"xexample.test").is_below(ok(b"example.test")));
        assert!(!ok(b"example.test").is_below(ok(b"example.test")));
        assert_eq!(ok(b"x.example.test").parent(), Some(ok(b"example.test")));
        assert_eq!(ok(b"test").parent(), None);
    }

    #[test]
    fn messages_say_what_was_found() {
        assert_eq!(
            NameError::ForbiddenByte { at: 1, byte: 0 }.to_string(),
            "byte '\\x00' at 1; only letters, digits, '-' and '_' allowed in a label"
        );
        assert_eq!(
            NameError::TooLong { len: 300, max: 253 }.to_string(),
            "name of 300 bytes; at most 253 allowed"
        );
    }
}
