//! Writes an image after its names are sorted and placed.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "this code makes all numbers and indices itself, and limits bound the lengths"
)]

use alloc::vec;
use alloc::vec::Vec;

use super::build_error::{BuildError, Progress, Stage};
use super::bytes::width;
use super::checksum::checksum;
use super::compact;
use super::entries::{Entries, Entry};
use super::format::{
    ADDRESS_LEN, CHECKED_FROM, CHECKSUM_AT, Counts, GROUP_LEN, HAS_CATCH_ALL, Kind, Layout, MAGIC,
    PAIR_LEN, SLOT_LEN, Sections, VERSION, place_width, value_bits,
};
use super::hash::{Hasher, Shape, key_of};
use super::perfect::{Placement, VACANT};
use super::stored::long_key;
use crate::limits::LONG_NAME_BYTES_MAX;
use crate::packed::TAIL_CODES;

/// The number of names between two calls of a progress function.
const PROGRESS_EVERY: usize = 1 << 16;

/// All parts of an image. Entries are given by their numbers, in canonical order.
pub(super) struct Draft<'a> {
    pub(super) entries: &'a Entries,
    pub(super) kind: Kind,
    pub(super) layout: Layout,
    pub(super) seed: u32,
    pub(super) placement: &'a Placement,
    pub(super) names: &'a [u32],
    pub(super) addresses: &'a [u32],
    pub(super) catch_all: Option<u32>,
    /// Ids and policy bits, sorted by id.
    pub(super) groups: &'a [(u32, u32)],
    pub(super) values: &'a Values<'a>,
}

/// The values of an image's entries. `value_of` takes the entry's number.
pub(super) struct Values<'a> {
    pub(super) value_of: &'a dyn Fn(u32) -> u32,
    pub(super) pairs: &'a [(u32, u32)],
    pub(super) host_bits: u8,
}

/// The bytes of an unfinished image.
struct Image(Vec<u8>);

impl Image {
    fn put(&mut self, section: u32, at: usize, bytes: &[u8]) {
        self.0[section as usize + at..][..bytes.len()].copy_from_slice(bytes);
    }
}

impl Draft<'_> {
    pub(super) fn write(&self, progress: &mut dyn FnMut(Progress)) -> Result<Vec<u8>, BuildError> {
        let mut counts = self.counts()?;
        let blocks = match self.layout {
            Layout::Fast => None,
            Layout::Compact => Some(self.blocks(&counts, progress).ok_or(BuildError::TooLarge)?),
        };
        if let Some(blocks) = &blocks {
            counts.blocks = blocks.starts.len() as u32;
            counts.block_bytes = blocks.bytes.len() as u32;
        }
        let at = Sections::from_counts(&counts, self.layout).ok_or(BuildError::TooLarge)?;
        let mut image = Image(vec![0; at.end as usize]);
        image.put(0, 0, &MAGIC);
        image.put(0, MAGIC.len(), &[VERSION, self.kind as u8, self.layout as u8, 0]);
        image.put(0, CHECKED_FROM, &counts.to_bytes());
        self.tables(&mut image, &at);
        image.put(at.pilots, 0, &self.placement.pilots);
        match blocks {
            None => self.slots(&mut image, &at, &counts, progress),
            Some(blocks) => {
                self.places(&mut image, &at, &counts, progress);
                image.put(at.block_starts, 0, blocks.starts.as_flattened());
                image.put(at.blocks, 0, &blocks.bytes);
            }
        }
        let sum = checksum(&image.0[CHECKED_FROM..]);
        image.put(0, CHECKSUM_AT, &sum.to_le_bytes());
        Ok(image.0)
    }

    fn name(&self, rank: usize) -> (&Entry, &[u8]) {
        let entry = self.entries.entry(self.names[rank]);
        (entry, self.entries.bytes_of(entry))
    }

    fn counts(&self) -> Result<Counts, BuildError> {
        let mut counts = Counts {
            names: self.names.len() as u32,
            slots: self.placement.owners.len() as u32,
            buckets: self.placement.pilots.len() as u32,
            seed: self.seed,
            addresses: self.addresses.len() as u32,
            pairs: self.values.pairs.len() as u32,
            groups: self.groups.len() as u32,
            ..Counts::default()
        };
        counts.shape[0] = self.values.host_bits;
        let mut long_bytes = 0_usize;
        for rank in 0..self.names.len() {
            let (entry, name) = self.name(rank);
            let len = name.len() as u8;
            long_bytes += if name.len() > TAIL_CODES { name.len() } else { 0 };
            match entry.shape() {
                Shape::Exact => counts.shape[1] = counts.shape[1].max(len),
                Shape::OneLabel => counts.shape[2] = counts.shape[2].max(len),
                Shape::AnyDepth => counts.any_depth[name.len() / 64] |= 1 << (len % 64),
            }
        }
        if long_bytes > LONG_NAME_BYTES_MAX {
            return Err(BuildError::TooLarge);
        }
        counts.long_bytes = long_bytes as u32;
        if let Some(number) = self.catch_all {
            counts.shape[3] |= HAS_CATCH_ALL;
            counts.catch_all = (self.values.value_of)(number);
        }
        Ok(counts)
    }

    /// Writes groups, pairs, addresses and long names.
    fn tables(&self, image: &mut Image, at: &Sections) {
        let pairs = |image: &mut Image, section: u32, pairs: &[(u32, u32)]| {
            for (index, (first, second)) in pairs.iter().enumerate() {
                let both = [first.to_le_bytes(), second.to_le_bytes()];
                image.put(section, index * PAIR_LEN, both.as_flattened());
            }
        };
        const { assert!(GROUP_LEN == PAIR_LEN) };
        pairs(image, at.groups, self.groups);
        pairs(image, at.pairs, self.values.pairs);
        for (index, number) in self.addresses.iter().enumerate() {
            let (family, octets) = self.entries.address(self.entries.entry(*number));
            let start = index * ADDRESS_LEN;
            image.put(at.addresses, start, &family.to_le_bytes());
            image.put(at.addresses, start + 4, &octets);
            image.put(at.addresses, start + 20, &(self.values.value_of)(*number).to_le_bytes());
        }
        let mut next = 0;
        for rank in 0..self.names.len() {
            let (_, name) = self.name(rank);
            if name.len() > TAIL_CODES {
                image.put(at.long, next, name);
                next += name.len();
            }
        }
    }

    /// Returns the rank and the offset of each long name. Long names are stored in canonical order.
    fn long_names(&self) -> Vec<(u32, u32)> {
        let mut long = Vec::new();
        let mut next = 0;
        for rank in 0..self.names.len() {
            let len = self.name(rank).1.len();
            if len > TAIL_CODES {
                long.push((rank as u32, next));
                next += len as u32;
            }
        }
        long
    }

    /// Calls `put` with each occupied slot and the rank of its name.
    fn each_slot(&self, progress: &mut dyn FnMut(Progress), mut put: impl FnMut(usize, usize)) {
        let of = self.placement.owners.len();
        for (slot, rank) in self.placement.owners.iter().enumerate() {
            if slot.is_multiple_of(PROGRESS_EVERY) {
                progress(Progress { stage: Stage::Writing, done: slot, of });
            }
            if *rank != VACANT {
                put(slot, *rank as usize);
            }
        }
        progress(Progress { stage: Stage::Writing, done: of, of });
    }

    /// Writes the sections of the fast layout.
    fn slots(
        &self,
        image: &mut Image,
        at: &Sections,
        counts: &Counts,
        progress: &mut dyn FnMut(Progress),
    ) {
        let hasher = Hasher::new(self.seed);
        let width = width(counts.slots);
        let long = self.long_names();
        self.each_slot(progress, |slot, rank| {
            let (entry, name) = self.name(rank);
            let shape = entry.shape();
            let words = if name.len() <= TAIL_CODES {
                key_of(name, shape)
            } else {
                let index = long.partition_point(|(other, _)| (*other as usize) < rank);
                long_key(long[index].1 as usize, name.len(), shape)
            };
            image.put(at.tags, slot, &[hasher.hash_name(name, shape).tag()]);
            image.put(at.order, rank * width, &(slot as u32).to_le_bytes()[..width]);
            image.put(at.slots, slot * SLOT_LEN, words.map(u64::to_le_bytes).as_flattened());
            let value = (self.values.value_of)(self.names[rank]);
            image.put(at.slots, slot * SLOT_LEN + 24, &value.to_le_bytes());
        });
    }

    /// Writes the places of the compact layout.
    fn places(
        &self,
        image: &mut Image,
        at: &Sections,
        counts: &Counts,
        progress: &mut dyn FnMut(Progress),
    ) {
        let hasher = Hasher::new(self.seed);
        let width = place_width(counts.blocks);
        self.each_slot(progress, |slot, rank| {
            let (entry, name) = self.name(rank);
            let hash = hasher.hash_name(name, entry.shape());
            let place = compact::place(hash, rank as u32, counts.blocks);
            image.put(at.places, slot * width, &place.to_le_bytes()[..width]);
        });
    }

    fn blocks(
        &self,
        counts: &Counts,
        progress: &mut dyn FnMut(Progress),
    ) -> Option<compact::Writer> {
        let of = self.names.len();
        let mut writer = compact::Writer::new(value_bits(counts, self.kind));
        let mut long_at = 0;
        for rank in 0..of {
            if rank.is_multiple_of(PROGRESS_EVERY) {
                progress(Progress { stage: Stage::Sharing, done: rank, of });
            }
            let (entry, name) = self.name(rank);
            writer.push(name, entry.shape(), (self.values.value_of)(self.names[rank]), long_at);
            long_at += if name.len() > TAIL_CODES { name.len() } else { 0 };
        }
        progress(Progress { stage: Stage::Sharing, done: of, of });
        writer.finish()
    }
}
