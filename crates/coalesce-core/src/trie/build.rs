//! Building images.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "numbers and places are made here, of lengths that limits bound"
)]

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

use super::checksum::checksum;
use super::compact;
use super::fast::{SLOT_LEN, long_key};
use super::format::{
    AddressKey, CHECKED_FROM, CHECKSUM_AT, Counts, HAS_CATCH_ALL, Kind, Layout, MAGIC, Sections,
    VERSION, address_key, bits, width,
};
use super::hash::{Hash, Hasher, Shape, key};
use super::list::compare_names;
use super::perfect::{self, Placement, VACANT};
use crate::limits::{ENTRIES_MAX, GROUPS_MAX, IDENTIFIERS_MAX, LONG_NAME_BYTES_MAX};
use crate::name::scan::{self, CODE_BITS, TAIL_CODES, TAIL_MASK};
use crate::pattern::NamePattern;

/// Seeds to try before the names are said not to be separable.
const SEEDS_MAX: u32 = 64;

/// Names between two calls of a progress function.
const PROGRESS_EVERY: usize = 1 << 16;

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
struct Entry {
    at: u32,
    virtual_host: u32,
    group: u16,
    len: u8,
    class: Class,
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

    fn bytes_of(&self, entry: &Entry) -> &[u8] {
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
            let ended = |places: u64| places % (1 << CODE_BITS) == 0 || places == u64::MAX;
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
        let entry = |number: &u32| &self.entries[*number as usize];
        let names = order.partition_point(|number| matches!(entry(number).class, Class::Name(_)));
        let (names, rest) = order.split_at(names);
        let (addresses, catch_all) =
            rest.split_at(rest.partition_point(|number| entry(number).class == Class::Address));
        let (seed, placement) = self.place(names, progress)?;

        let mut counts = Counts {
            names: names.len() as u32,
            slots: placement.owners.len() as u32,
            buckets: placement.pilots.len() as u32,
            seed,
            addresses: addresses.len() as u32,
            pairs: values.pairs.len() as u32,
            groups: groups.len() as u32,
            ..Counts::default()
        };
        counts.shape[0] = values.host_bits;
        let mut long_bytes = 0_usize;
        for number in names {
            let Entry { len, class, .. } = *entry(number);
            long_bytes += if usize::from(len) > TAIL_CODES { usize::from(len) } else { 0 };
            match class {
                Class::Name(Shape::Exact) => counts.shape[1] = counts.shape[1].max(len),
                Class::Name(Shape::OneLabel) => counts.shape[2] = counts.shape[2].max(len),
                _ => counts.any_depth[usize::from(len) / 64] |= 1 << (len % 64),
            }
        }
        if long_bytes > LONG_NAME_BYTES_MAX {
            return Err(BuildError::TooLarge);
        }
        counts.long_bytes = long_bytes as u32;
        if let [number] = catch_all {
            counts.shape[3] |= HAS_CATCH_ALL;
            counts.catch_all = (values.of)(*number);
        }
        let blocks = match layout {
            Layout::Fast => None,
            Layout::Compact => {
                let bits = super::format::value_bits(&counts, kind);
                let mut writer = compact::Writer::new(bits);
                let mut long_at = 0_usize;
                for (done, number) in names.iter().enumerate() {
                    if done % PROGRESS_EVERY == 0 {
                        progress(Progress { stage: "writing", done, of: names.len() });
                    }
                    let name = self.bytes_of(entry(number));
                    writer.push(name, shape_of(entry(number)), (values.of)(*number), long_at);
                    long_at += if name.len() > TAIL_CODES { name.len() } else { 0 };
                }
                Some(writer.finish().ok_or(BuildError::TooLarge)?)
            }
        };
        if let Some(blocks) = &blocks {
            counts.blocks = blocks.starts.len() as u32;
            counts.block_bytes = blocks.bytes.len() as u32;
        }
        let at = Sections::of(&counts, layout).ok_or(BuildError::TooLarge)?;
        let mut image = vec![0; at.end as usize];
        let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(4, &[VERSION, kind as u8, layout as u8, 0]);
        put(CHECKED_FROM, &counts.to_bytes());
        for (index, (id, policy)) in groups.iter().enumerate() {
            put(at.groups as usize + index * 8, &id.to_le_bytes());
            put(at.groups as usize + index * 8 + 4, &policy.to_le_bytes());
        }
        for (index, (host, group)) in values.pairs.iter().enumerate() {
            put(at.pairs as usize + index * 8, &host.to_le_bytes());
            put(at.pairs as usize + index * 8 + 4, &group.to_le_bytes());
        }
        for (index, number) in addresses.iter().enumerate() {
            let (family, octets) = self.address(entry(number));
            let at = at.addresses as usize + index * 24;
            put(at, &family.to_le_bytes());
            put(at + 4, &octets);
            put(at + 20, &(values.of)(*number).to_le_bytes());
        }
        put(at.pilots as usize, &placement.pilots);

        let hasher = Hasher::new(seed);
        let order_width = width(counts.slots);
        let place_width = compact::place_width(counts.blocks);
        // Long names stand in canonical order, so that the place of one follows from those before.
        let mut long_at = vec![];
        let mut next_long = 0_usize;
        for (rank, number) in names.iter().enumerate() {
            let name = self.bytes_of(entry(number));
            if name.len() > TAIL_CODES {
                put(at.long as usize + next_long, name);
                long_at.push((rank as u32, next_long as u32));
                next_long += name.len();
            }
        }
        for (slot, rank) in placement.owners.iter().enumerate() {
            if slot % PROGRESS_EVERY == 0 {
                let of = placement.owners.len();
                progress(Progress { stage: "writing", done: slot, of });
            }
            if *rank == VACANT {
                continue;
            }
            let entry = entry(&names[*rank as usize]);
            let (name, shape) = (self.bytes_of(entry), shape_of(entry));
            let hash = hash_of(hasher, name, shape);
            match layout {
                Layout::Fast => {
                    let words = if name.len() <= TAIL_CODES {
                        packed(name, shape)
                    } else {
                        let index = long_at.partition_point(|(other, _)| other < rank);
                        long_key(long_at[index].1 as usize, name.len(), shape)
                    };
                    put(at.tags as usize + slot, &[hash.tag()]);
                    let rank = *rank as usize;
                    let order_at = at.order as usize + rank * order_width;
                    put(order_at, &(slot as u32).to_le_bytes()[..order_width]);
                    let slot_at = at.slots as usize + slot * SLOT_LEN;
                    put(slot_at, words.map(u64::to_le_bytes).as_flattened());
                    put(slot_at + 24, &(values.of)(names[rank]).to_le_bytes());
                }
                Layout::Compact => {
                    let place = compact::place(hash, *rank, counts.blocks);
                    let place_at = at.places as usize + slot * place_width;
                    put(place_at, &place.to_le_bytes()[..place_width]);
                }
            }
        }
        if let Some(blocks) = blocks {
            put(at.block_starts as usize, blocks.starts.as_flattened());
            put(at.blocks as usize, &blocks.bytes);
        }
        let sum = checksum(&image[CHECKED_FROM..]);
        image[CHECKSUM_AT..CHECKED_FROM].copy_from_slice(&sum.to_le_bytes());
        Ok(image)
    }

    fn address(&self, entry: &Entry) -> AddressKey {
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
            let hashes: Vec<Hash> = names
                .iter()
                .map(|number| {
                    let entry = &self.entries[*number as usize];
                    hash_of(hasher, self.bytes_of(entry), shape_of(entry))
                })
                .collect();
            let of = perfect::buckets_for(hashes.len());
            let placement = perfect::place(&hashes, &mut |done| {
                progress(Progress { stage: "placing", done, of })
            });
            if let Some(placement) = placement {
                return Ok((seed, placement));
            }
        }
        Err(BuildError::Inseparable)
    }
}

/// The values of an image's entries, by the entry's number.
struct Values<'a> {
    of: &'a dyn Fn(u32) -> u32,
    pairs: &'a [(u32, u32)],
    host_bits: u8,
}

fn shape_of(entry: &Entry) -> Shape {
    match entry.class {
        Class::Name(shape) => shape,
        Class::Address | Class::CatchAll => Shape::Exact,
    }
}

/// The key of a short name.
fn packed(name: &[u8], shape: Shape) -> [u64; 3] {
    let [a, b, c] = scan::scan(name).words;
    key([a & TAIL_MASK, b, c], name.len(), shape)
}

fn hash_of(hasher: Hasher, name: &[u8], shape: Shape) -> Hash {
    if name.len() <= TAIL_CODES {
        hasher.hash(packed(name, shape))
    } else {
        hasher.hash_long(name, shape)
    }
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
    /// or an image of 4 GiB.
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
                "too large; at most {ENTRIES_MAX} entries, {IDENTIFIERS_MAX} identifiers and \
                 {GROUPS_MAX} groups allowed"
            ),
        }
    }
}

impl core::error::Error for BuildError {}
