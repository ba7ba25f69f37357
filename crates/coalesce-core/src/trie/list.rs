//! Lists the names of an image in order.

use core::cmp::Ordering;
use core::fmt;
use core::net::IpAddr;

use super::compact::{BLOCK, Reader};
use super::fast;
use super::format::{Layout, address_of};
use super::hash::Shape;
use super::header::Header;
use super::steps::step;
use super::stored::{Stored, StoredName};
use crate::limits::NAME_LEN_MAX;
use crate::name::DnsName;
use crate::packed::WINDOW;

/// Compares lower-case names in canonical order: label by label from the right, so that a name
/// comes right before the names below it.
pub(crate) fn compare_names(a: &[u8], b: &[u8]) -> Ordering {
    // Find the equal labels at the end byte by byte. Most comparisons differ soon, so this is all
    // their work.
    let mut same = 0_usize;
    for (at, (byte, other)) in a.iter().rev().zip(b.iter().rev()).enumerate() {
        if byte != other {
            break;
        }
        if *byte == b'.' {
            same = at;
        }
    }
    let rest = |name: &'_ [u8]| name.len().saturating_sub(same);
    let (a, b) = (a.get(..rest(a)).unwrap_or_default(), b.get(..rest(b)).unwrap_or_default());
    a.rsplit(|byte| *byte == b'.').cmp(b.rsplit(|byte| *byte == b'.'))
}

/// Does [`compare_names`] for stored names. Short names are compared a word at a time.
pub(crate) fn compare_stored(a: &StoredName<'_>, b: &StoredName<'_>) -> Ordering {
    let (StoredName::Short { bytes: a, .. }, StoredName::Short { bytes: b, .. }) = (a, b) else {
        return compare_names(a.as_bytes(), b.as_bytes());
    };
    let ((first, _), (second, _)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let words = first.iter().zip(second).enumerate().rev();
    let differs = words.map(|(at, (a, b))| (at, u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b)));
    let Some((word, bits)) = differs.into_iter().find(|(_, bits)| *bits != 0) else {
        return Ordering::Equal;
    };
    // Find the last byte that differs, the end of its label, and the start of that label in both
    // names. The bytes left of a short name are zeros.
    let last = word.saturating_mul(8).saturating_add((63 ^ bits.leading_zeros() as usize) / 8);
    let edge = |byte: &u8| matches!(byte, b'.' | 0);
    let after = last.saturating_add(1);
    let end = a.iter().skip(after).take_while(|byte| !edge(byte)).count().saturating_add(after);
    let label = |name: &'_ [u8; WINDOW]| {
        name.iter().take(after).rposition(edge).map_or(0, |at| at.saturating_add(1))
    };
    let labels = (a.get(label(a)..end), b.get(label(b)..end));
    // If the labels are equal, one name is a suffix of the other, and the shorter one comes first.
    labels.0.cmp(&labels.1).then(a.get(last).cmp(&b.get(last)))
}

/// A pattern of a trie, in lower case. A short pattern is copied; a long one borrows from the trie.
///
/// # Examples
///
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// use coalesce_core::{DnsName, NamePattern, NameTrie};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut builder = NameTrie::builder();
/// builder.insert(&NamePattern::parse(b"*.A.test")?, 1)?;
/// let trie = builder.build()?;
/// for (pattern, _) in trie.entries() {
///     assert_eq!(pattern.name(), Some(DnsName::parse(b"a.test")?));
///     assert_eq!(pattern.as_pattern(), Some(NamePattern::parse(b"*.a.test")?));
///     assert_eq!(pattern.to_string(), "*.a.test");
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct StoredPattern<'a> {
    form: Form<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    Name(StoredName<'a>, Shape),
    Ip(IpAddr),
    CatchAll,
}

impl StoredPattern<'_> {
    /// Returns the name, or the part below the wildcard. Returns `None` for an address, a
    /// catch-all, and invalid bytes in a trie from trusted bytes.
    pub fn name(&self) -> Option<DnsName<'_>> {
        match &self.form {
            Form::Name(name, _) => DnsName::parse(name.as_bytes()).ok(),
            Form::Ip(_) | Form::CatchAll => None,
        }
    }

    /// Returns the pattern in the form that a builder takes. Returns `None` only for invalid bytes
    /// in a trie from trusted bytes.
    pub fn as_pattern(&self) -> Option<crate::NamePattern<'_>> {
        match &self.form {
            Form::Name(_, Shape::Exact) => self.name().map(crate::NamePattern::Exact),
            Form::Name(_, Shape::OneLabel) => self.name().map(crate::NamePattern::OneLabel),
            Form::Name(_, Shape::AnyDepth) => self.name().map(crate::NamePattern::AnyDepth),
            Form::Ip(address) => Some(crate::NamePattern::Ip(*address)),
            Form::CatchAll => Some(crate::NamePattern::CatchAll),
        }
    }
}

/// Writes the form that [`NamePattern::parse`](crate::NamePattern::parse) reads.
impl fmt::Display for StoredPattern<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_pattern() {
            Some(pattern) => pattern.fmt(f),
            None => f.write_str("?"),
        }
    }
}

/// Lists the patterns of a trie: names in canonical order, each before its wildcards, then
/// addresses, then the catch-all.
#[derive(Clone, Debug)]
pub(crate) struct Patterns<'a> {
    header: &'a Header,
    image: &'a [u8],
    next: usize,
    end: usize,
    /// The block that the iterator is reading.
    block: Option<Reader<'a>>,
    /// If set, only names at or below this suffix are listed.
    below: Option<Suffix>,
}

/// A lower-case name of any length.
#[derive(Clone, Debug)]
struct Suffix {
    bytes: [u8; NAME_LEN_MAX],
    len: usize,
}

impl Suffix {
    fn from_name(name: DnsName<'_>) -> Self {
        let mut bytes = [0; NAME_LEN_MAX];
        for (byte, value) in bytes.iter_mut().zip(name.as_bytes()) {
            *byte = value.to_ascii_lowercase();
        }
        Self { bytes, len: name.as_bytes().len() }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn holds(&self, name: &[u8]) -> bool {
        is_at_or_below(name, self.as_bytes())
    }

    /// Returns the child of this suffix that `name` is or is below, as a suffix of `name`.
    fn child_above<'n>(&self, name: &'n [u8]) -> Option<&'n [u8]> {
        let head = name.strip_suffix(self.as_bytes())?.strip_suffix(b".")?;
        let dot = head.iter().rposition(|byte| *byte == b'.');
        name.get(dot.map_or(0, |dot| dot.saturating_add(1))..)
    }
}

/// Returns whether a name is `suffix` or below it; both are in lower case.
fn is_at_or_below(name: &[u8], suffix: &[u8]) -> bool {
    name.strip_suffix(suffix).is_some_and(|head| matches!(head, [] | [.., b'.']))
}

impl<'a> Patterns<'a> {
    pub(crate) fn all(header: &'a Header, image: &'a [u8]) -> Self {
        Self { header, image, next: 0, end: header.len(), block: None, below: None }
    }

    /// Lists the patterns whose name is `suffix` or below it. They are neighbours, so a binary
    /// search finds the first.
    pub(crate) fn below(header: &'a Header, image: &'a [u8], suffix: DnsName<'_>) -> Self {
        let suffix = Suffix::from_name(suffix);
        let before = |number: usize| {
            let name = Self::name_at(header, image, number)?;
            Some(compare_names(name.as_bytes(), suffix.as_bytes()) == Ordering::Less)
        };
        let end = header.counts.names as usize;
        let (mut low, mut high) = (0, end);
        while low < high {
            step();
            let middle = low.midpoint(high);
            match before(middle) {
                Some(true) => low = middle.saturating_add(1),
                Some(false) => high = middle,
                None => low = end,
            }
        }
        Self { header, image, next: low, end, block: None, below: Some(suffix) }
    }

    /// Keeps only patterns with exactly one label more than the suffix.
    pub(crate) fn children(self) -> Children<'a> {
        Children(self)
    }

    /// Skips the names at or below `name`, which are neighbours. Finds their end in doubling steps,
    /// because they are usually few.
    fn skip_below(&mut self, name: &[u8]) {
        let end = self.header.counts.names as usize;
        let holds = |number: usize| {
            let found = Self::name_at(self.header, self.image, number);
            found.is_some_and(|found| is_at_or_below(found.as_bytes(), name))
        };
        let (mut low, mut stride) = (self.next, 1_usize);
        let mut high = low;
        while high < end && holds(high) {
            step();
            low = high.saturating_add(1);
            high = low.saturating_add(stride);
            stride = stride.saturating_mul(2);
        }
        let mut high = high.min(end);
        while low < high {
            step();
            let middle = low.midpoint(high);
            if holds(middle) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        self.next = low;
        self.block = None;
    }

    fn name_at(header: &Header, image: &'a [u8], number: usize) -> Option<StoredName<'a>> {
        let stored = match header.layout {
            Layout::Fast => fast::read(header, image, fast::slot_of(header, image, number)?)?,
            Layout::Compact => Self::reader_at(header, image, number)?.next_stored()?,
        };
        stored.name(header, image)
    }

    /// Returns a reader positioned at the name with this number.
    fn reader_at(header: &Header, image: &'a [u8], number: usize) -> Option<Reader<'a>> {
        let mut reader = Reader::at_block(header, image, u32::try_from(number / BLOCK).ok()?)?;
        for _ in 0..number % BLOCK {
            reader.next_stored()?;
        }
        Some(reader)
    }

    fn stored(&mut self) -> Option<Stored> {
        match self.header.layout {
            Layout::Fast => {
                let slot = fast::slot_of(self.header, self.image, self.next)?;
                fast::read(self.header, self.image, slot)
            }
            Layout::Compact => {
                if self.next.is_multiple_of(BLOCK) || self.block.is_none() {
                    self.block = Some(Self::reader_at(self.header, self.image, self.next)?);
                }
                self.block.as_mut()?.next_stored()
            }
        }
    }

    fn item(&mut self) -> Option<(StoredPattern<'a>, u32)> {
        let names = self.header.counts.names as usize;
        let (form, value) = match self.next.checked_sub(names) {
            None => {
                let stored = self.stored()?;
                let name = stored.name(self.header, self.image)?;
                (Form::Name(name, stored.shape()?), stored.value)
            }
            Some(index) if index < self.header.counts.addresses as usize => {
                let (key, value) = self.header.address(self.image, index)?;
                (Form::Ip(address_of(key)?), value)
            }
            Some(_) => (Form::CatchAll, self.header.counts.catch_all),
        };
        self.next = self.next.saturating_add(1);
        Some((StoredPattern { form }, value))
    }
}

impl<'a> Iterator for Patterns<'a> {
    type Item = (StoredPattern<'a>, u32);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let item = self.item()?;
        if let (Some(suffix), Form::Name(name, _)) = (&self.below, &item.0.form)
            && !suffix.holds(name.as_bytes())
        {
            self.end = 0;
            return None;
        }
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.end.saturating_sub(self.next)))
    }
}

/// The patterns of [`Patterns::below`] whose name has exactly one label more than the suffix. Each
/// deeper name that was skipped with its neighbours gives a `None`, so a caller that limits the
/// number of items limits the work.
#[derive(Clone, Debug)]
pub(crate) struct Children<'a>(Patterns<'a>);

impl<'a> Iterator for Children<'a> {
    type Item = Option<(StoredPattern<'a>, u32)>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.0.next()?;
        let (Some(suffix), Form::Name(name, _)) = (&self.0.below, &item.0.form) else {
            return Some(None);
        };
        match suffix.child_above(name.as_bytes()) {
            Some(child) if child == name.as_bytes() => Some(Some(item)),
            Some(child) => {
                self.0.skip_below(child);
                Some(None)
            }
            // The name is the suffix itself.
            None => Some(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn stored_names_have_the_order_of_names() {
        let names = [
            "a",
            "b",
            "com",
            "a.com",
            "b.com",
            "ab.com",
            "a-b.com",
            "a_b.com",
            "a1.com",
            "a.b.com",
            "b.a.com",
            "x.a.com",
            "xa.com",
            "com.com",
            "y.com.com",
            "org",
            "a.org",
            "co.org",
            "a.co.org",
            "abcdefghijklmnopqrstuvwxyz.org",
            "www.abcdefghijklmnopqrstuvw.org",
            "www.abcdefghijklmnopqrstuvv.org",
            "a.abcdefghijklmnopqrstuvwxyz.a",
            "www.abcdefghijklmnopqrstuvwxyz.a-long-name.org",
        ];
        let stored = |name: &'static str| match name.len() {
            len @ ..=30 => {
                let mut bytes = [0; WINDOW];
                bytes[WINDOW - len..].copy_from_slice(name.as_bytes());
                StoredName::Short { bytes, len: len as u8 }
            }
            _ => StoredName::Long(name.as_bytes()),
        };
        for (a, b) in names.iter().flat_map(|a| names.iter().map(move |b| (a, b))) {
            let labels = |name: &'static str| name.rsplit('.').collect::<Vec<_>>();
            let expected = labels(a).cmp(&labels(b));
            assert_eq!(compare_names(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
            assert_eq!(compare_stored(&stored(a), &stored(b)), expected, "{a} {b}");
            assert_eq!(std::format!("{:?}", stored(a)), *a);
        }
    }
}
