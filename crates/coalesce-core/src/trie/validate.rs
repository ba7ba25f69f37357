//! Checks in one pass that bytes are an image.
//!
//! The order of the checks is: magic, version, kind and layout; counts against their limits; the
//! lengths of all sections against the length of the bytes; the checksum; groups, pairs and
//! addresses, which must be sorted and of known kinds; every name, that is its syntax, its value,
//! and that its hash finds it where it is stored; the order of the names; and the summary of the
//! names in the header.
//!
//! Lookups do not need these checks to be memory-safe, because each read is checked. They need them
//! to give right answers.

use super::bytes::{long, word};
use super::checksum::checksum;
use super::compact::{self, BLOCK, Reader};
use super::error::FormatError;
use super::fast;
use super::format::{
    ADDRESS_LEN, CHECKED_FROM, CHECKSUM_AT, GROUP_LEN, HEADER_LEN, Kind, Layout, PADDING_LEN,
    PAIR_LEN, SLOT_LEN, address_of,
};
use super::hash::{Shape, key};
use super::header::Header;
use super::list::compare_stored;
use super::stored::{Stored, StoredName, long_key};
use crate::limits::NAME_LEN_MAX;
use crate::name::DnsName;
use crate::policy::{GROUP_BITS, GroupPolicy};

pub(crate) fn validate(image: &[u8], kind: Kind) -> Result<Header, FormatError> {
    let header = Header::read(image, kind)?;
    let too_short = FormatError::Length { len: image.len() };
    let stored = long(image, CHECKSUM_AT).ok_or(too_short)?;
    let computed = checksum(image.get(CHECKED_FROM..).ok_or(too_short)?);
    if stored != computed {
        return Err(FormatError::Checksum { stored, computed });
    }
    let pass = Pass { header: &header, image };
    pass.groups()?;
    pass.pairs()?;
    pass.addresses()?;
    pass.header_values()?;
    match header.layout {
        Layout::Fast => pass.slots()?,
        Layout::Compact => pass.blocks()?,
    }
    Ok(header)
}

/// The number of slots that are read before any of them is examined.
const READ_TOGETHER: usize = 64;

struct Pass<'a> {
    header: &'a Header,
    image: &'a [u8],
}

/// A summary of the names, to compare with the header's.
#[derive(Default)]
struct Seen {
    longest_exact: usize,
    longest_one_label: usize,
    any_depth: [u64; 4],
}

impl Seen {
    fn add(&mut self, len: usize, shape: Shape) {
        match shape {
            Shape::Exact => self.longest_exact = self.longest_exact.max(len),
            Shape::OneLabel => self.longest_one_label = self.longest_one_label.max(len),
            Shape::AnyDepth => {
                if let Some(mask) = self.any_depth.get_mut(len / 64) {
                    *mask |= 1 << (len % 64);
                }
            }
        }
    }
}

impl Pass<'_> {
    fn groups(&self) -> Result<(), FormatError> {
        let mut previous: Option<(u32, u32)> = None;
        for index in 0..self.header.counts.groups {
            let at = offset(self.header.at.groups, index as usize, GROUP_LEN);
            let bad = FormatError::Group { at };
            let row = self.header.group(self.image, index).ok_or(bad)?;
            let (id, bits) = row;
            // The first row of a group is the group itself. Its other rows may differ from it only
            // in the policy of their entries.
            let in_place = match previous {
                Some(last) if last.0 == id => last < row && (last.1 ^ bits) & GROUP_BITS == 0,
                last => bits <= GROUP_BITS && last.is_none_or(|last| last.0 < id),
            };
            if GroupPolicy::from_bits(bits).is_none() || !in_place {
                return Err(bad);
            }
            previous = Some(row);
        }
        Ok(())
    }

    fn pairs(&self) -> Result<(), FormatError> {
        let mut previous = None;
        for index in 0..self.header.counts.pairs {
            let at = offset(self.header.at.pairs, index as usize, PAIR_LEN);
            let bad = FormatError::Pair { at };
            let pair = self.header.pair(self.image, index).ok_or(bad)?;
            if pair.1 >= self.header.counts.groups || previous.is_some_and(|last| last >= pair) {
                return Err(bad);
            }
            previous = Some(pair);
        }
        Ok(())
    }

    fn addresses(&self) -> Result<(), FormatError> {
        let mut previous = None;
        for index in 0..self.header.counts.addresses as usize {
            let at = offset(self.header.at.addresses, index, ADDRESS_LEN);
            let bad = FormatError::Address { at };
            let (key, value) = self.header.address(self.image, index).ok_or(bad)?;
            if address_of(key).is_none() || previous.is_some_and(|last| last >= key) {
                return Err(bad);
            }
            self.value(value, at)?;
            if self.header.kind == Kind::Identifiers {
                let number = (self.header.counts.names as usize).saturating_add(index);
                Self::own_number(value, number, at)?;
            }
            previous = Some(key);
        }
        Ok(())
    }

    /// Checks the header fields that do not depend on names.
    fn header_values(&self) -> Result<(), FormatError> {
        let counts = &self.header.counts;
        let [host_bits, .., flags] = counts.shape;
        let set = self.header.kind == Kind::Identifiers;
        if flags > 1 || set && (flags != 0 || counts.any_depth != [0; 4]) {
            return Err(FormatError::Header { at: 63 });
        }
        if self.header.value_bits() > u32::BITS || (set || counts.pairs > 0) && host_bits != 0 {
            return Err(FormatError::Header { at: 60 });
        }
        if counts.has_catch_all() {
            self.value(counts.catch_all, 56)?;
        } else if counts.catch_all != 0 {
            return Err(FormatError::Value { at: 56, value: counts.catch_all });
        }
        let blocks = match self.header.layout {
            Layout::Fast => 0,
            Layout::Compact => (counts.names as usize).div_ceil(BLOCK),
        };
        if self.header.layout == Layout::Fast && counts.block_bytes != 0 {
            return Err(FormatError::Header { at: 52 });
        }
        if counts.blocks as usize != blocks {
            return Err(FormatError::Header { at: 48 });
        }
        Ok(())
    }

    fn value(&self, value: u32, at: usize) -> Result<(), FormatError> {
        if self.header.value_fits(self.image, value) {
            Ok(())
        } else {
            Err(FormatError::Value { at, value })
        }
    }

    /// Checks that the value of an identifier is its number.
    fn own_number(value: u32, number: usize, at: usize) -> Result<(), FormatError> {
        if value as usize == number { Ok(()) } else { Err(FormatError::Value { at, value }) }
    }

    /// Returns a stored name and its shape, if the builder could have written it.
    fn name(&self, stored: &Stored) -> Option<(StoredName<'_>, Shape)> {
        let shape = stored.shape()?;
        let name = stored.name(self.header, self.image)?;
        let bytes = name.as_bytes();
        let parsed = DnsName::parse(bytes).ok()?;
        let longest = match (self.header.kind, shape) {
            (_, Shape::Exact) | (Kind::Table | Kind::Names, _) => NAME_LEN_MAX,
            (Kind::Identifiers, Shape::OneLabel) => NAME_LEN_MAX - 2,
            (Kind::Identifiers, Shape::AnyDepth) => 0,
        };
        // The key must be exactly the key of this name, so that every bit of it is used.
        let len = bytes.len();
        let canonical = match &name {
            StoredName::Short { .. } => stored.key == key(parsed.tail(), len, shape),
            StoredName::Long(_) => {
                let [_, at, _] = stored.key;
                stored.key == long_key(at as usize, len, shape)
                    && !bytes.iter().any(u8::is_ascii_uppercase)
            }
        };
        let whole = parsed.as_bytes().len() == len && len <= longest;
        (canonical && whole).then_some((name, shape))
    }

    fn slots(&self) -> Result<(), FormatError> {
        let (header, image) = (self.header, self.image);
        let mut seen = Seen::default();
        let mut names = 0_usize;
        for slot in 0..header.counts.slots {
            let at = offset(header.at.slots, slot as usize, SLOT_LEN);
            let bad = FormatError::Name { at };
            let stored = fast::read(header, image, slot).ok_or(bad)?;
            if stored == Stored::VACANT {
                continue;
            }
            let (name, shape) = self.name(&stored).ok_or(bad)?;
            if !fast::is_found_in(header, image, &stored, name.as_bytes(), shape, slot) {
                return Err(bad);
            }
            self.value(stored.value, at)?;
            seen.add(name.as_bytes().len(), shape);
            names = names.saturating_add(1);
        }
        if names != header.counts.names as usize {
            return Err(FormatError::Header { at: CHECKED_FROM });
        }
        let end = offset(header.at.slots, header.counts.slots as usize, SLOT_LEN);
        if image.get(end..header.at.long as usize) != Some(&[0; PADDING_LEN]) {
            return Err(FormatError::Length { len: image.len() });
        }
        self.compare(&seen)?;
        self.slot_order(names)
    }

    /// Checks the order of the names. It reads many slots before it examines them: slots of
    /// neighbours are far apart in memory, and reads that do not depend on each other overlap.
    fn slot_order(&self, names: usize) -> Result<(), FormatError> {
        let (header, image) = (self.header, self.image);
        let mut previous: Option<(StoredName<'_>, Shape)> = None;
        let mut read = [Stored::VACANT; READ_TOGETHER];
        for first in (0..names).step_by(READ_TOGETHER) {
            let together = first..names.min(first.saturating_add(READ_TOGETHER));
            for (stored, number) in read.iter_mut().zip(together.clone()) {
                *stored = fast::slot_of(header, image, number)
                    .and_then(|slot| fast::read(header, image, slot))
                    .ok_or(FormatError::Order { number })?;
            }
            for (stored, number) in read.iter().zip(together) {
                let bad = FormatError::Order { number };
                let shape = stored.shape().ok_or(bad)?;
                let name = stored.name(header, image).ok_or(bad)?;
                if !follows(previous.as_ref(), &name, shape) {
                    return Err(bad);
                }
                if header.kind == Kind::Identifiers && stored.value as usize != number {
                    return Err(bad);
                }
                previous = Some((name, shape));
            }
        }
        Ok(())
    }

    fn blocks(&self) -> Result<(), FormatError> {
        let (header, image) = (self.header, self.image);
        let mut seen = Seen::default();
        let mut previous: Option<(StoredName<'_>, Shape)> = None;
        let mut number = 0_usize;
        let mut expected = 0_usize;
        for block in 0..header.counts.blocks {
            let at = offset(header.at.block_starts, block as usize, 4);
            let start = word(image, at).ok_or(FormatError::Name { at })?;
            let block_at = offset(header.at.blocks, start as usize, 1);
            let bad = FormatError::Name { at: block_at };
            if start as usize != expected {
                return Err(bad);
            }
            let mut reader = Reader::at_block(header, image, block).ok_or(bad)?;
            let count = (header.counts.names as usize).saturating_sub(number).min(BLOCK);
            for _ in 0..count {
                let stored = reader.next_stored().ok_or(bad)?;
                let (name, shape) = self.name(&stored).ok_or(bad)?;
                if !follows(previous.as_ref(), &name, shape) {
                    return Err(FormatError::Order { number });
                }
                if !compact::is_found_in(header, image, name.as_bytes(), shape, block) {
                    return Err(bad);
                }
                self.value(stored.value, block_at)?;
                if header.kind == Kind::Identifiers {
                    Self::own_number(stored.value, number, block_at)?;
                }
                seen.add(name.as_bytes().len(), shape);
                previous = Some((name, shape));
                number = number.saturating_add(1);
            }
            expected = expected.saturating_add(reader.consumed());
        }
        // After the last block there must be only zeros.
        let at = offset(header.at.blocks, expected, 1);
        let rest = image.get(at..header.at.long as usize).unwrap_or_default();
        if rest.len() != compact::PADDING || rest.iter().any(|byte| *byte != 0) {
            return Err(FormatError::Length { len: image.len() });
        }
        self.compare(&seen)
    }

    fn compare(&self, seen: &Seen) -> Result<(), FormatError> {
        let counts = &self.header.counts;
        if seen.longest_exact != self.header.longest_exact() {
            return Err(FormatError::Header { at: 61 });
        }
        if seen.longest_one_label != self.header.longest_one_label() {
            return Err(FormatError::Header { at: 62 });
        }
        if seen.any_depth != counts.any_depth {
            return Err(FormatError::Header { at: HEADER_LEN - 32 });
        }
        Ok(())
    }
}

/// Returns whether a name may come after `previous`.
fn follows(
    previous: Option<&(StoredName<'_>, Shape)>,
    name: &StoredName<'_>,
    shape: Shape,
) -> bool {
    previous.is_none_or(|(last, last_shape)| {
        compare_stored(last, name).then(last_shape.cmp(&shape)).is_lt()
    })
}

fn offset(section: u32, index: usize, size: usize) -> usize {
    (section as usize).saturating_add(index.saturating_mul(size))
}
