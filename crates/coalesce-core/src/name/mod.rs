//! DNS names as server names, authorities and certificates carry them.

#![allow(
    clippy::cast_possible_truncation,
    reason = "a name has at most 253 bytes; other casts cut a word into its parts on purpose"
)]

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

use crate::folded::Folded;
use crate::forms::borrowed_form;
use crate::limits::{LABEL_LEN_MAX, NAME_LEN_MAX};
use crate::packed::{LAST, Scan, TAIL_CODES, WINDOW, suffix};
use crate::simd::{self, Kernel, Simd, dispatch};

#[cfg(feature = "alloc")]
mod owned;

#[cfg(feature = "alloc")]
pub use owned::DnsNameBuf;

/// A DNS name in preferred syntax, relative or absolute, borrowed as it was written.
///
/// `Eq`, `Ord` and `Hash` ignore ASCII case and one trailing dot (RFC 3986 §3.2.2, RFC 4343 §3).
/// The order is the canonical one (RFC 4034 §6.1): label by label from the right, so a name comes
/// right before the names below it. The crate has no other normaliser: server names, authorities
/// and presented identifiers all pass through [`DnsName::parse`].
///
/// | accepted | refused |
/// | --- | --- |
/// | `a.example.test`, `A.Example.TEST.`, `under_score.test`, `xn--bcher-kva.test` | empty, `.`, `a..b`, `.a` |
/// | labels of letters, digits, `-`, `_`, up to 63 bytes | `-a.test`, `a-.test`, `a b`, `bücher` |
/// | up to 253 bytes without the trailing dot | a last label that reads as a number: `1.2.3`, `a.0x7f` |
///
/// # Examples
/// ```
/// use coalesce_core::{DnsName, NameError};
///
/// # fn main() -> Result<(), NameError> {
/// let name = DnsName::try_from("A.Example.TEST.")?;
/// assert_eq!(name, DnsName::parse(b"a.example.test")?);
/// assert_eq!(name.to_string(), "a.example.test");
/// assert_eq!(name.parent(), Some(DnsName::try_from("example.test")?));
///
/// assert_eq!(DnsName::try_from("a..test"), Err(NameError::EmptyLabel { at: 2 }));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy)]
pub struct DnsName<'a> {
    /// The valid name as it was written, without the trailing dot.
    bytes: &'a [u8],
    /// The codes of the last [`TAIL_CODES`] bytes; see [`packed`](crate::packed).
    tail: [u64; 3],
    /// A bit for each dot among the last [`WINDOW`] bytes.
    dots: u32,
    /// The number of bytes after the first dot, or 0 without a dot.
    parent_len: u32,
}

impl<'a> DnsName<'a> {
    /// Parses `bytes` as a name.
    ///
    /// # Errors
    /// Returns the first rule that `bytes` breaks, from the left.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// Linear in `bytes.len()`, at most [`NAME_LEN_MAX`] bytes. The pass reads 32 bytes at a time.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NameError> {
        struct Parsing;
        impl<'a> Kernel<&'a [u8]> for Parsing {
            type Output = Result<DnsName<'a>, NameError>;
            #[inline(always)]
            fn run(self, bytes: &'a [u8], simd: impl Simd) -> Self::Output {
                match DnsName::scan(simd, bytes) {
                    Some(name) => Ok(name),
                    None => DnsName::explain(bytes),
                }
            }
        }
        dispatch(Parsing, without_trailing_dot(bytes))
    }

    /// Parses the common case: a name whose last label does not start with a digit. Addresses, and
    /// the few names that look like one, take the slow path.
    #[inline(always)]
    pub(crate) fn parse_plain(simd: impl Simd, bytes: &'a [u8]) -> Option<Self> {
        Self::scan(simd, without_trailing_dot(bytes))
    }

    /// Checks and packs a name in one pass. Returns `None` if the name breaks a rule or if its last
    /// label starts with a digit; then [`Self::explain`] finds out which.
    #[inline(always)]
    fn scan(simd: impl Simd, bytes: &'a [u8]) -> Option<Self> {
        let len = bytes.len();
        if len > WINDOW {
            return Self::scan_long(bytes);
        }
        if len == 0 {
            return None;
        }
        let scan = simd.scan(bytes);
        let dots = scan.dots;
        let first = 1_u32.wrapping_shl(WINDOW.wrapping_sub(len) as u32);
        if scan.is_wrong(first) || starts_with_digit(bytes, dots, len) {
            return None;
        }
        // The whole name is in the window, so its first dot is the lowest bit.
        let parent_len = if dots == 0 { 0 } else { 31_u32.wrapping_sub(dots.trailing_zeros()) };
        Some(Self { bytes, tail: scan.tail(), dots, parent_len })
    }

    /// Does the same pass on a name that is longer than a window, one window at a time from the
    /// left.
    #[inline(never)]
    fn scan_long(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > NAME_LEN_MAX {
            return None;
        }
        // The first window is the short one, so that the last window ends where the name ends. The
        // codes of the last window are then the tail of the name.
        let (mut start, mut end) = (0_usize, bytes.len() % WINDOW);
        if end == 0 {
            end = WINDOW;
        }
        let mut label_at = 0_usize;
        let mut first_dot = None;
        // The two bits that a window takes over from the byte before it: it was a dot, it was a
        // hyphen. A name starts with a label, so the first window starts as if after a dot.
        let (mut edge, mut hyphen) = (1_u32, 0_u32);
        loop {
            let window = bytes.get(start..end)?;
            let scan = simd::scan(window);
            let Scan { dots, hyphens, bad, .. } = scan;
            let first =
                1_u32.checked_shl(u32::try_from(WINDOW.checked_sub(window.len())?).ok()?)?;
            let after_edge = dots.wrapping_shl(1) | first.wrapping_mul(edge);
            let after_hyphen = hyphens.wrapping_shl(1) | first.wrapping_mul(hyphen);
            let wrong = (bad & first.wrapping_neg())
                | ((dots | hyphens) & after_edge)
                | (dots & after_hyphen);
            if wrong != 0 {
                return None;
            }
            if dots != 0 {
                // Only the first label to end in this window can be too long: the others are
                // shorter than the window.
                let at = end.checked_sub(WINDOW.checked_sub(dots.trailing_zeros() as usize)?)?;
                if at.checked_sub(label_at)? > LABEL_LEN_MAX {
                    return None;
                }
                first_dot = first_dot.or(Some(at));
                label_at = end.checked_sub(dots.leading_zeros() as usize)?;
            }
            if end == bytes.len() {
                let label = end.checked_sub(label_at)?;
                if (dots | hyphens) & LAST != 0
                    || label > LABEL_LEN_MAX
                    || bytes.get(label_at)?.is_ascii_digit()
                {
                    return None;
                }
                let parent_len = match first_dot {
                    Some(at) => u32::try_from(end.checked_sub(at)?.checked_sub(1)?).ok()?,
                    None => 0,
                };
                return Some(Self { bytes, tail: scan.tail(), dots, parent_len });
            }
            (edge, hyphen) = (dots >> 31, hyphens >> 31);
            start = end;
            end = end.checked_add(WINDOW)?;
        }
    }

    /// Reads a name byte by byte. Returns the first broken rule, or the name if its last label
    /// starts with a digit but is not a number.
    #[cold]
    #[inline(never)]
    fn explain(bytes: &'a [u8]) -> Result<Self, NameError> {
        check(bytes)?;
        let scan = simd::scan(bytes);
        let parent_len = bytes.iter().position(|byte| *byte == b'.').map_or(0, |at| {
            let after = bytes.len().saturating_sub(at).saturating_sub(1);
            u32::try_from(after).unwrap_or_default()
        });
        Ok(Self { bytes, tail: scan.tail(), dots: scan.dots, parent_len })
    }

    /// Returns the name as it was written, without a trailing dot; its case is not folded.
    #[inline]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the codes of the last [`TAIL_CODES`] bytes; the lowest twelve bits are 0.
    #[inline]
    pub(crate) const fn tail(self) -> [u64; 3] {
        self.tail
    }

    /// Returns a bit for each dot among the last [`WINDOW`] bytes.
    #[inline]
    pub(crate) const fn dots(self) -> u32 {
        self.dots
    }

    /// Returns the number of bytes after the first dot, or 0 without a dot.
    #[inline]
    pub(crate) const fn parent_len(self) -> usize {
        self.parent_len as usize
    }

    /// Returns the name without its left-most label, or `None` when it has only one label.
    pub fn parent(self) -> Option<Self> {
        let at = self.bytes.len().checked_sub(self.parent_len())?;
        if self.parent_len == 0 {
            return None;
        }
        let bytes = self.bytes.get(at..)?;
        // The window of the parent is the same, without the bytes of the first label.
        let dots = if bytes.len() < WINDOW {
            self.dots
                & u32::MAX.checked_shl(u32::try_from(WINDOW.checked_sub(bytes.len())?).ok()?)?
        } else {
            self.dots
        };
        let parent_len = bytes
            .iter()
            .position(|byte| *byte == b'.')
            .and_then(|at| bytes.len().checked_sub(at)?.checked_sub(1))
            .map_or(Some(0), |len| u32::try_from(len).ok())?;
        let tail = match bytes.len() {
            len @ ..=TAIL_CODES => suffix(self.tail, len),
            _ => self.tail,
        };
        Some(Self { bytes, tail, dots, parent_len })
    }

    /// Returns whether this name is `suffix` with at least one more label on the left.
    pub fn is_below(self, suffix: DnsName<'_>) -> bool {
        let Some(cut) = self.bytes.len().checked_sub(suffix.bytes.len()) else { return false };
        let Some((head, tail)) = self.bytes.split_at_checked(cut) else { return false };
        head.last() == Some(&b'.') && tail.eq_ignore_ascii_case(suffix.bytes)
    }
}

/// Returns whether the last label of a name that fits in a window starts with a digit.
#[inline(always)]
fn starts_with_digit(bytes: &[u8], dots: u32, len: usize) -> bool {
    let label = (dots.leading_zeros() as usize).min(len);
    len.checked_sub(label).and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit)
}

/// Checks the rules, byte by byte from the left.
fn check(bytes: &[u8]) -> Result<(), NameError> {
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
    Ok(())
}

/// Removes one trailing dot, because `a.example.` and `a.example` are the same host (RFC 3986
/// §3.2.2).
#[inline(always)]
pub(crate) const fn without_trailing_dot(bytes: &[u8]) -> &[u8] {
    match bytes {
        [head @ .., b'.'] => head,
        _ => bytes,
    }
}

/// The form of a label so far, to find a last label that reads as a number. Such a name is refused
/// because some parsers take `127.1` or `0x7f.1` for an IPv4 address (RFC 3986 §7.4).
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

impl PartialEq for DnsName<'_> {
    fn eq(&self, other: &Self) -> bool {
        Folded(self.bytes) == Folded(other.bytes)
    }
}

impl Eq for DnsName<'_> {}

impl PartialOrd for DnsName<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DnsName<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let labels = |bytes| <[u8]>::rsplit(bytes, |byte| *byte == b'.').map(Folded);
        labels(self.bytes).cmp(labels(other.bytes))
    }
}

impl Hash for DnsName<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Folded(self.bytes).hash(state);
    }
}

/// Returns the same bytes as [`as_bytes`](DnsName::as_bytes): the name as it was written, without a
/// trailing dot.
impl AsRef<[u8]> for DnsName<'_> {
    fn as_ref(&self) -> &[u8] {
        self.bytes
    }
}

borrowed_form!(DnsName, NameError);

/// Writes the canonical spelling: lower case, no trailing dot.
impl fmt::Display for DnsName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        Folded(self.bytes).bytes().try_for_each(|byte| f.write_char(char::from(byte)))
    }
}

impl fmt::Debug for DnsName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DnsName({self})")
    }
}

/// The reason why bytes are not a DNS name. Offsets count bytes from the left.
///
/// # Examples
/// ```
/// use coalesce_core::{DnsName, NameError};
///
/// let error = DnsName::parse(b"a..test").unwrap_err();
/// assert_eq!(error, NameError::EmptyLabel { at: 2 });
/// assert_eq!(error.to_string(), "empty label at byte 2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NameError {
    /// No bytes, or a single dot.
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
    /// A byte other than a letter, digit, `-` or `_`.
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
mod tests;
