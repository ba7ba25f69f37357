//! Building images.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "numbers and places are made here, of lengths that limits bound"
)]

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

use super::format::{AddressKey, Kind, Layout, address_key, bits};
use super::hash::{Hash, Hasher, Shape};
use super::list::compare_names;
use super::perfect::{self, Placement};
use super::write::Draft;
use crate::limits::{ENTRIES_MAX, GROUPS_MAX, IDENTIFIERS_MAX};
use crate::packed::CODE_BITS;
use crate::pattern::NamePattern;

/// Seeds to try before the names are said not to be separable.
const SEEDS_MAX: u32 = 64;

/// Collects patterns with their virtual hosts and groups, and writes one image of them. The same
/// patterns in any order give the same bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct IndexBuilder {
    entries: Vec<Entry>,
    /// Lower-case names and address keys, one after the other.
    bytes: Vec<u8>,
}

/// One pattern. Its number is its place among the entries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    at: u32,
    virtual_host: u32,
    group: u16,
    len: u8,
    class: Class,
}

impl Entry {
    /// The shape of a name.
    pub(super) const fn shape(&self) -> Shape {
        match self.class {
            Class::Name(shape) => shape,
            Class::Address | Class::CatchAll => Shape::Exact,
        }
    }
}

/// What an entry's bytes are; entries are sorted by this last of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Name(Shape),
    Address,
    CatchAll,
}

/// How far building has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done.
    pub stage: &'static str,
    /// Steps done in this stage.
    pub done: usize,
    /// Steps of this stage.
    pub of: usize,
}

/// Two entries with the same pattern. Entries are numbered in the order of adding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Duplicate {
    /// The earlier entry.
    pub earlier: u32,
    /// The later entry.
    pub later: u32,
    /// Whether their virtual hosts or groups differ.
    pub conflicting: bool,
}

impl IndexBuilder {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn reserve(&mut self, names: usize, bytes: usize) {
        self.entries.reserve_exact(names);
        self.bytes.reserve_exact(bytes);
    }

    /// Adds `pattern`. `group` is the place of its group among those that
    /// [`write`](Self::write) is given.
    pub(crate) fn insert(
        &mut self,
        pattern: &NamePattern<'_>,
        virtual_host: u32,
        group: u16,
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
        self.entries.push(Entry { at, virtual_host, group, len, class });
        Ok(())
    }

    pub(super) fn bytes_of(&self, entry: &Entry) -> &[u8] {
        &self.bytes[entry.at as usize..][..usize::from(entry.len)]
    }

    /// Every pair of neighbours in canonical order that are the same.
    pub(crate) fn duplicates(&self) -> Vec<Duplicate> {
        let order = self.sorted(&mut |_| {});
        let mut found: Vec<Duplicate> =
            order.windows(2).filter_map(|pair| self.duplicate(pair[0], pair[1])).collect();
        found.sort_unstable_by_key(|duplicate| duplicate.later);
        found
    }

    fn duplicate(&self, earlier: u32, later: u32) -> Option<Duplicate> {
        let (a, b) = (&self.entries[earlier as usize], &self.entries[later as usize]);
        (self.compare(a, b) == Ordering::Equal).then(|| Duplicate {
            earlier,
            later,
            conflicting: (a.virtual_host, a.group) != (b.virtual_host, b.group),
        })
    }

    /// Label by label from the right, a name before what is below it; then by shape; addresses and
    /// the catch-all last.
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

    /// The numbers of the entries in canonical order, equal ones in the order of adding.
    fn sorted(&self, progress: &mut dyn FnMut(Progress)) -> Vec<u32> {
        let of = self.entries.len();
        progress(Progress { stage: "sorting", done: 0, of });
        let mut keyed: Vec<(u64, u32)> = (0..).take(of).map(|number| (0, number)).collect();
        self.sort_from(0, &mut keyed);
        progress(Progress { stage: "sorting", done: of, of });
        keyed.into_iter().map(|(_, number)| number).collect()
    }

    /// Sorts entries that are alike before place `from`: by the next places, which are numbers and
    /// sorted much faster than names, and those that are alike again by the places after them.
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

    /// Writes the image of a table, whose `groups` are ids and policy bits.
    pub(crate) fn write_table(
        &self,
        layout: Layout,
        groups: &[(u32, u32)],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<u8>, BuildError> {
        if groups.len() > GROUPS_MAX {
            return Err(BuildError::TooLarge);
        }
        let order = self.sorted(progress);
        let duplicate = order.windows(2).find_map(|pair| self.duplicate(pair[0], pair[1]));
        if let Some(Duplicate { earlier, later, .. }) = duplicate {
            return Err(BuildError::Duplicate { earlier, later });
        }
        let mut sorted = groups.to_vec();
        sorted.sort_unstable();
        let places: Vec<u32> = groups
            .iter()
            .map(|group| sorted.partition_point(|other| other < group) as u32)
            .collect();
        let pair = |number: u32| {
            let entry = &self.entries[number as usize];
            (entry.virtual_host, places[usize::from(entry.group)])
        };
        let largest = self.entries.iter().map(|entry| entry.virtual_host).max().unwrap_or(0);
        let host_bits = bits(largest);
        let group_bits = bits(groups.len().saturating_sub(1) as u32);
        if host_bits + group_bits <= u32::BITS {
            let value = |number: u32| {
                let (host, group) = pair(number);
                host | group.checked_shl(host_bits).unwrap_or(0)
            };
            let values = Values { of: &value, pairs: &[], host_bits: host_bits as u8 };
            return self.write(Kind::Table, layout, &order, &sorted, &values, progress);
        }
        let mut pairs: Vec<(u32, u32)> = order.iter().map(|number| pair(*number)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let value = |number: u32| pairs.partition_point(|other| *other < pair(number)) as u32;
        let values = Values { of: &value, pairs: &pairs, host_bits: 0 };
        self.write(Kind::Table, layout, &order, &sorted, &values, progress)
    }

    /// Writes the image of a set. A certificate may repeat a name; it covers no more for that.
    pub(crate) fn write_identifiers(&self) -> Result<Vec<u8>, BuildError> {
        let mut order = self.sorted(&mut |_| {});
        order.dedup_by(|later, earlier| self.duplicate(*earlier, *later).is_some());
        if order.len() > IDENTIFIERS_MAX {
            return Err(BuildError::TooLarge);
        }
        let mut numbers = vec![0; self.entries.len()];
        for (rank, number) in (0_u32..).zip(&order) {
            numbers[*number as usize] = rank;
        }
        let value = |number: u32| numbers[number as usize];
        let values = Values { of: &value, pairs: &[], host_bits: 0 };
        self.write(Kind::Identifiers, Layout::Fast, &order, &[], &values, &mut |_| {})
    }

    fn write(
        &self,
        kind: Kind,
        layout: Layout,
        order: &[u32],
        groups: &[(u32, u32)],
        values: &Values<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<u8>, BuildError> {
        let class = |number: &u32| self.entry(*number).class;
        let names = order.partition_point(|number| matches!(class(number), Class::Name(_)));
        let (names, rest) = order.split_at(names);
        let addresses = rest.partition_point(|number| class(number) == Class::Address);
        let (addresses, catch_all) = rest.split_at(addresses);
        let (seed, placement) = self.place(names, progress)?;
        let draft = Draft {
            entries: self,
            kind,
            layout,
            seed,
            placement: &placement,
            names,
            addresses,
            catch_all: catch_all.first().copied(),
            groups,
            values,
        };
        draft.write(progress)
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

    /// The first seed under which every name can be placed.
    fn place(
        &self,
        names: &[u32],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(u32, Placement), BuildError> {
        for seed in 0..SEEDS_MAX {
            let hasher = Hasher::new(seed);
            let all: Vec<Hash> = names
                .iter()
                .map(|number| {
                    let entry = &self.entries[*number as usize];
                    hasher.hash_name(self.bytes_of(entry), entry.shape())
                })
                .collect();
            let of = perfect::buckets_for(all.len());
            let placement =
                perfect::place(&all, &mut |done| progress(Progress { stage: "placing", done, of }));
            if let Some(placement) = placement {
                return Ok((seed, placement));
            }
        }
        Err(BuildError::Inseparable)
    }
}

/// The values of an image's entries, by the entry's number.
pub(super) struct Values<'a> {
    pub(super) of: &'a dyn Fn(u32) -> u32,
    pub(super) pairs: &'a [(u32, u32)],
    pub(super) host_bits: u8,
}

/// Places of six bits in a number.
const PLACES: usize = 10;

/// The places of a name in canonical order from place `from` on. Sorting by all of them is sorting
/// by [`compare_names`]; zeros are places after the end.
fn order_places(name: &[u8], from: usize) -> u64 {
    let place = |byte: u8| match byte {
        b'-' => 2,
        b'0'..=b'9' => u64::from(byte - b'0') + 3,
        b'_' => 13,
        _ => u64::from(byte.saturating_sub(b'a')) + 14,
    };
    let (mut places, mut count) = (0, 0);
    // Where the label under way begins and ends, and how many places there were before it.
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

/// Why a table or an identifier set cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// Two entries have the same pattern. Entries are numbered in the order of adding.
    Duplicate {
        /// The earlier entry.
        earlier: u32,
        /// The later entry.
        later: u32,
    },
    /// An entry names a group that was not added before it.
    UnknownGroup {
        /// The group's number.
        group: u32,
    },
    /// The group was added before, with other policies.
    GroupConflict {
        /// The group's number.
        group: u32,
    },
    /// No seed keeps the names apart, which names that were not made for it do not do.
    Inseparable,
    /// More than [`ENTRIES_MAX`] entries, [`IDENTIFIERS_MAX`] identifiers, [`GROUPS_MAX`] groups,
    /// [`LONG_NAME_BYTES_MAX`](crate::limits::LONG_NAME_BYTES_MAX) bytes of long names, 4 GiB of
    /// names, or an image of 4 GiB.
    TooLarge,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { earlier, later } => {
                write!(f, "entries {earlier} and {later} have the same name")
            }
            Self::UnknownGroup { group } => write!(f, "group {group} was not added"),
            Self::GroupConflict { group } => {
                write!(f, "group {group} was added before with other policies")
            }
            Self::Inseparable => {
                write!(f, "none of {SEEDS_MAX} seeds keeps the hashes of these names apart")
            }
            Self::TooLarge => write!(
                f,
                "too large; at most {ENTRIES_MAX} entries, {IDENTIFIERS_MAX} identifiers, \
                 {GROUPS_MAX} groups and 4 GiB of names and of image allowed"
            ),
        }
    }
}

impl core::error::Error for BuildError {}

#[cfg(all(test, not(miri)))]
mod tests {
    use std::collections::HashMap;
    use std::format;

    use super::*;
    use crate::{AuthorityTable, GroupId, GroupPolicy, VirtualHostId};

    /// Attack: names that were made to meet wherever a pilot would put them. There is no pilot for
    /// both; another seed tells them apart.
    #[test]
    fn names_that_one_seed_cannot_separate_get_another() {
        // The slot is made of the lower half of a hash; of two names, one bit chooses the bucket.
        let meeting = |Hash(hash): Hash| (hash as u32, hash >> 63);
        let mut seen = HashMap::new();
        let (first, second) = (0_u32..1 << 20)
            .find_map(|number| {
                let name = format!("n{number}.test");
                let hash = Hasher::new(0).hash_name(name.as_bytes(), Shape::Exact);
                seen.insert(meeting(hash), name.clone()).map(|earlier| (earlier, name))
            })
            .expect("a pair among a million");
        for layout in [Layout::Fast, Layout::Compact] {
            let mut table = AuthorityTable::builder();
            table.layout(layout).group(GroupId::new(0), GroupPolicy::default()).unwrap();
            for (number, name) in (0..).zip([&first, &second]) {
                let pattern = NamePattern::parse(name.as_bytes()).unwrap();
                table.entry(pattern, VirtualHostId::new(number), GroupId::new(0)).unwrap();
            }
            let table = table.build().unwrap();
            assert_eq!(AuthorityTable::from_bytes(table.as_bytes()).map(|it| it.len()), Ok(2));
            for (number, name) in (0..).zip([&first, &second]) {
                let found = table.lookup_authority(name.as_bytes()).unwrap();
                assert_eq!(found.virtual_host, VirtualHostId::new(number), "{name}, {layout:?}");
            }
        }
    }
}
