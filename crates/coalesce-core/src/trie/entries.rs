//! Collects patterns and sorts them into canonical order.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "this code makes all numbers and indices itself, and limits bound the lengths"
)]

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::build_error::{BuildError, Duplicate, Progress, Stage};
use super::format::{AddressKey, address_key};
use super::hash::Shape;
use super::list::compare_names;
use crate::limits::ENTRIES_MAX;
use crate::packed::CODE_BITS;
use crate::pattern::NamePattern;

/// Patterns with their values, in the order of adding.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries {
    entries: Vec<Entry>,
    /// The lower-case names and the address keys, one after another.
    bytes: Vec<u8>,
}

/// One pattern. Its number is its index among the entries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    at: u32,
    pub(super) value: u32,
    /// In a table, the row of the entry's group and policy.
    pub(super) row: u16,
    len: u8,
    pub(super) class: Class,
}

impl Entry {
    /// Returns the shape of a name.
    pub(super) const fn shape(&self) -> Shape {
        match self.class {
            Class::Name(shape) => shape,
            Class::Address | Class::CatchAll => Shape::Exact,
        }
    }
}

/// The class of an entry. The shape is the last criterion of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Name(Shape),
    Address,
    CatchAll,
}

impl Entries {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn reserve(&mut self, names: usize, bytes: usize) {
        self.entries.reserve_exact(names);
        self.bytes.reserve_exact(bytes);
    }

    /// Adds `pattern` with its `value`.
    pub(crate) fn insert(
        &mut self,
        pattern: &NamePattern<'_>,
        value: u32,
        row: u16,
    ) -> Result<(), BuildError> {
        if self.entries.len() >= ENTRIES_MAX {
            return Err(BuildError::TooLarge);
        }
        let at = u32::try_from(self.bytes.len()).map_err(|_| BuildError::TooLarge)?;
        let class = match pattern {
            NamePattern::Exact(_) => Class::Name(Shape::Exact),
            NamePattern::OneLabel(_) => Class::Name(Shape::OneLabel),
            NamePattern::AnyDepth(_) => Class::Name(Shape::AnyDepth),
            NamePattern::Ip(_) => Class::Address,
            NamePattern::CatchAll => Class::CatchAll,
        };
        match pattern {
            NamePattern::Exact(name)
            | NamePattern::OneLabel(name)
            | NamePattern::AnyDepth(name) => {
                self.bytes.extend(name.as_bytes().iter().map(u8::to_ascii_lowercase));
            }
            NamePattern::Ip(address) => {
                let (family, octets) = address_key(*address);
                self.bytes.push(family as u8);
                self.bytes.extend(octets);
            }
            NamePattern::CatchAll => {}
        }
        let len = (self.bytes.len() - at as usize) as u8;
        self.entries.push(Entry { at, value, row, len, class });
        Ok(())
    }

    pub(super) fn bytes_of(&self, entry: &Entry) -> &[u8] {
        &self.bytes[entry.at as usize..][..usize::from(entry.len)]
    }

    /// Returns every pair of equal neighbours in canonical order.
    pub(crate) fn duplicates(&self) -> Vec<Duplicate> {
        let order = self.sorted(&mut |_| {});
        let mut found: Vec<Duplicate> =
            order.windows(2).filter_map(|pair| self.duplicate(pair[0], pair[1])).collect();
        found.sort_unstable_by_key(|duplicate| duplicate.later);
        found
    }

    pub(super) fn duplicate(&self, earlier: u32, later: u32) -> Option<Duplicate> {
        let (a, b) = (&self.entries[earlier as usize], &self.entries[later as usize]);
        (self.compare(a, b) == Ordering::Equal).then(|| Duplicate {
            earlier,
            later,
            conflicting: (a.value, a.row) != (b.value, b.row),
        })
    }

    /// Compares names label by label from the right, a name before those below it, then by shape.
    /// Addresses and the catch-all come last.
    fn compare(&self, a: &Entry, b: &Entry) -> Ordering {
        let rank = |class: Class| match class {
            Class::Name(_) => 0,
            Class::Address => 1,
            Class::CatchAll => 2,
        };
        rank(a.class).cmp(&rank(b.class)).then_with(|| {
            let (first, second) = (self.bytes_of(a), self.bytes_of(b));
            match a.class {
                Class::Name(_) => compare_names(first, second).then(a.class.cmp(&b.class)),
                Class::Address | Class::CatchAll => first.cmp(second),
            }
        })
    }

    /// Returns the numbers of the entries in canonical order, equal ones in the order of adding.
    pub(super) fn sorted(&self, progress: &mut dyn FnMut(Progress)) -> Vec<u32> {
        let of = self.entries.len();
        progress(Progress { stage: Stage::Sorting, done: 0, of });
        let mut keyed: Vec<(u64, u32)> = (0..).take(of).map(|number| (0, number)).collect();
        self.sort_from(0, &mut keyed);
        progress(Progress { stage: Stage::Sorting, done: of, of });
        keyed.into_iter().map(|(_, number)| number).collect()
    }

    /// Sorts entries whose places before `from` are equal. It packs the next places into a number,
    /// because numbers sort much faster than names. Entries with equal numbers are sorted by the
    /// places after them.
    fn sort_from(&self, from: usize, keyed: &mut [(u64, u32)]) {
        for (places, number) in keyed.iter_mut() {
            let entry = &self.entries[*number as usize];
            *places = match entry.class {
                Class::Name(_) => order_places(self.bytes_of(entry), from),
                Class::Address | Class::CatchAll => u64::MAX,
            };
        }
        keyed.sort_unstable();
        for alike in keyed.chunk_by_mut(|(a, _), (b, _)| a == b) {
            let ended = |places: u64| places.is_multiple_of(1 << CODE_BITS) || places == u64::MAX;
            match alike {
                [] | [_] => {}
                [(places, _), ..] if !ended(*places) => self.sort_from(from + PLACES, alike),
                _ => alike.sort_unstable_by(|(_, first), (_, second)| {
                    let entry = |number: &u32| &self.entries[*number as usize];
                    self.compare(entry(first), entry(second)).then(first.cmp(second))
                }),
            }
        }
    }

    pub(super) fn largest_value(&self) -> u32 {
        self.entries.iter().map(|entry| entry.value).max().unwrap_or(0)
    }

    pub(super) fn entry(&self, number: u32) -> &Entry {
        &self.entries[number as usize]
    }

    pub(super) fn address(&self, entry: &Entry) -> AddressKey {
        let mut octets = [0; 16];
        let (family, rest) = self.bytes_of(entry).split_first().unwrap_or((&0, &[]));
        octets[..rest.len()].copy_from_slice(rest);
        (u32::from(*family), octets)
    }
}

/// The number of six-bit places that fit in a number.
const PLACES: usize = 10;

/// Packs the places of a name in canonical order, from place `from` on. Sorting by all places
/// equals sorting with [`compare_names`]. Zeros are places after the end, 1 separates labels.
fn order_places(name: &[u8], from: usize) -> u64 {
    let place = |byte: u8| match byte {
        b'-' => 2,
        b'0'..=b'9' => u64::from(byte - b'0') + 3,
        b'_' => 13,
        _ => u64::from(byte.saturating_sub(b'a')) + 14,
    };
    let (mut places, mut count) = (0, 0);
    // The current label's end, and the number of places before the label.
    let (mut end, mut before) = (name.len(), 0);
    while count < PLACES {
        let start = name[..end].iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot + 1);
        let label = &name[start..end];
        let skipped = (from + count).saturating_sub(before);
        for byte in label.iter().skip(skipped).take(PLACES - count) {
            places = places << CODE_BITS | place(*byte);
            count += 1;
        }
        before += label.len();
        if start == 0 {
            break;
        }
        if count < PLACES && from + count == before {
            places = places << CODE_BITS | 1;
            count += 1;
        }
        before += 1;
        end = start - 1;
    }
    places << (CODE_BITS as usize * (PLACES - count))
}
