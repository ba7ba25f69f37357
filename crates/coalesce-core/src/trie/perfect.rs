//! Searches for pilots under which no two keys share a slot: the perfect hash.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "this code makes all numbers and indices itself, and limits bound the lengths"
)]

use alloc::collections::BinaryHeap;
use alloc::vec;
use alloc::vec::Vec;

use super::hash::{Hash, bucket_shift};

/// The average number of keys in a bucket, at most; it is at least half of that. Smaller buckets
/// need more pilots, larger ones take longer to place.
const KEYS_PER_BUCKET: usize = 3;

/// The number of moves per bucket after which the builder tries another seed.
const MOVES_PER_BUCKET: usize = 32;

/// The number of buckets placed last that must not be moved, because otherwise two buckets could
/// displace each other forever.
const RECENT: usize = 16;

/// Marks a slot without a key.
pub(crate) const VACANT: u32 = u32::MAX;

pub(crate) const fn buckets_for(keys: usize) -> usize {
    // One more, so that there are at least two buckets.
    (keys / KEYS_PER_BUCKET + 2).next_power_of_two()
}

/// The number of keys up to which one slot in five stays vacant, so that identifier sets of
/// certificates are built quickly.
const FEW: usize = 256;

/// Returns the number of slots. In a large table one slot in a hundred stays vacant.
pub(crate) const fn slots_for(keys: usize) -> usize {
    keys + if keys <= FEW { keys / 4 } else { keys / 100 } + 1
}

/// The pilots of the buckets, and the key in each slot.
#[derive(Debug)]
pub(crate) struct Placement {
    pub(crate) pilots: Vec<u8>,
    pub(crate) owners: Vec<u32>,
}

/// Places every key. Returns `None` if it gives up; the caller then tries another seed.
///
/// Buckets are placed from the largest to the smallest. If a bucket fits nowhere, it takes the
/// slots that cost the least, and the buckets there are placed again.
pub(crate) fn place(hashes: &[Hash], progress: &mut dyn FnMut(usize)) -> Option<Placement> {
    let buckets = u32::try_from(buckets_for(hashes.len())).ok()?;
    let slots = u32::try_from(slots_for(hashes.len())).ok()?;
    let shift = bucket_shift(buckets)?;
    let keys = Buckets::group(hashes, buckets, shift);
    let mut work = Work {
        hashes,
        slots,
        shift,
        keys,
        pilots: vec![0; buckets as usize],
        owners: vec![VACANT; slots as usize],
        recent: [VACANT; RECENT],
        moves: (buckets as usize).saturating_mul(MOVES_PER_BUCKET).saturating_add(1_000),
    };
    let mut queue = BinaryHeap::new();
    for (done, bucket) in work.keys.by_size().into_iter().enumerate() {
        if done % 4_096 == 0 {
            progress(done);
        }
        queue.push((work.keys.len(bucket), bucket));
        while let Some((_, bucket)) = queue.pop() {
            work.place(bucket, &mut queue)?;
        }
    }
    Some(Placement { pilots: work.pilots, owners: work.owners })
}

/// The keys, grouped by bucket.
struct Buckets {
    starts: Vec<u32>,
    keys: Vec<u32>,
}

impl Buckets {
    // A counting sort: count the keys of each bucket, add up the counts, then write each key.
    fn group(hashes: &[Hash], buckets: u32, shift: u32) -> Self {
        let mut starts = vec![0_u32; buckets as usize + 1];
        for hash in hashes {
            starts[hash.bucket(shift) as usize + 1] += 1;
        }
        for bucket in 1..starts.len() {
            starts[bucket] += starts[bucket - 1];
        }
        let mut ends = starts.clone();
        let mut keys = vec![0; hashes.len()];
        for (key, hash) in (0_u32..).zip(hashes) {
            let end = &mut ends[hash.bucket(shift) as usize];
            keys[*end as usize] = key;
            *end += 1;
        }
        Self { starts, keys }
    }

    fn len(&self, bucket: u32) -> u32 {
        self.starts[bucket as usize + 1] - self.starts[bucket as usize]
    }

    fn in_bucket(&self, bucket: u32) -> &[u32] {
        let bucket = bucket as usize;
        &self.keys[self.starts[bucket] as usize..self.starts[bucket + 1] as usize]
    }

    /// Returns every bucket that has keys, the largest first, by counting sort.
    fn by_size(&self) -> Vec<u32> {
        let buckets = self.starts.len() as u32 - 1;
        let largest = (0..buckets).map(|bucket| self.len(bucket)).max().unwrap_or(0);
        let mut starts = vec![0_u32; largest as usize + 2];
        for bucket in 0..buckets {
            starts[(largest - self.len(bucket)) as usize + 1] += 1;
        }
        for size in 1..starts.len() {
            starts[size] += starts[size - 1];
        }
        let empty = starts[largest as usize];
        let mut sorted = vec![0; buckets as usize];
        for bucket in 0..buckets {
            let start = &mut starts[(largest - self.len(bucket)) as usize];
            sorted[*start as usize] = bucket;
            *start += 1;
        }
        sorted.truncate(empty as usize);
        sorted
    }
}

struct Work<'a> {
    hashes: &'a [Hash],
    slots: u32,
    shift: u32,
    keys: Buckets,
    pilots: Vec<u8>,
    owners: Vec<u32>,
    recent: [u32; RECENT],
    moves: usize,
}

impl Work<'_> {
    fn place(&mut self, bucket: u32, queue: &mut BinaryHeap<(u32, u32)>) -> Option<()> {
        let pilot = if let Some(pilot) = self.free_pilot(bucket) {
            pilot
        } else {
            let pilot = self.cheapest_pilot(bucket)?;
            self.evict(bucket, pilot, queue);
            self.moves = self.moves.checked_sub(1)?;
            let next = self.moves % RECENT;
            self.recent[next] = bucket;
            pilot
        };
        self.pilots[bucket as usize] = pilot;
        for key in self.keys.in_bucket(bucket) {
            let slot = self.hashes[*key as usize].slot(pilot, self.slots);
            self.owners[slot as usize] = *key;
        }
        Some(())
    }

    /// Returns the first pilot that gives every key of the bucket its own vacant slot.
    fn free_pilot(&self, bucket: u32) -> Option<u8> {
        let keys = self.keys.in_bucket(bucket);
        (0..=u8::MAX).find(|pilot| {
            let vacant = |key: &u32| {
                self.owners[self.hashes[*key as usize].slot(*pilot, self.slots) as usize] == VACANT
            };
            keys.iter().all(vacant) && self.apart(keys, *pilot)
        })
    }

    /// Returns whether no two of the keys share a slot under this pilot.
    fn apart(&self, keys: &[u32], pilot: u8) -> bool {
        let slot = |key: &u32| self.hashes[*key as usize].slot(pilot, self.slots);
        keys.iter()
            .enumerate()
            .all(|(at, key)| keys[..at].iter().all(|other| slot(other) != slot(key)))
    }

    /// Returns the pilot with the least cost. Each key that it displaces costs the square of its
    /// bucket's size, because large buckets are hard to place again.
    fn cheapest_pilot(&self, bucket: u32) -> Option<u8> {
        let keys = self.keys.in_bucket(bucket);
        // Start at a different pilot each time, because otherwise buckets of equal cost could
        // displace each other in turn.
        let first = (self.moves as u8).wrapping_mul(0x9d);
        let mut best: Option<(u32, u8)> = None;
        for step in 0..=u8::MAX {
            let pilot = first.wrapping_add(step);
            let cost = keys.iter().try_fold(0_u32, |cost, key| {
                let owner =
                    self.owners[self.hashes[*key as usize].slot(pilot, self.slots) as usize];
                if owner == VACANT {
                    return Some(cost);
                }
                let other = self.hashes[owner as usize].bucket(self.shift);
                let size = self.keys.len(other);
                (!self.recent.contains(&other))
                    .then(|| cost.saturating_add(size.saturating_mul(size)))
            });
            let Some(cost) = cost else { continue };
            if best.is_none_or(|(least, _)| cost < least) && self.apart(keys, pilot) {
                best = Some((cost, pilot));
            }
        }
        best.map(|(_, pilot)| pilot)
    }

    fn evict(&mut self, bucket: u32, pilot: u8, queue: &mut BinaryHeap<(u32, u32)>) {
        for key in self.keys.in_bucket(bucket) {
            let owner = self.owners[self.hashes[*key as usize].slot(pilot, self.slots) as usize];
            if owner == VACANT {
                continue;
            }
            let other = self.hashes[owner as usize].bucket(self.shift);
            for key in self.keys.in_bucket(other) {
                let slot = self.hashes[*key as usize].slot(self.pilots[other as usize], self.slots);
                self.owners[slot as usize] = VACANT;
            }
            queue.push((self.keys.len(other), other));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::slots_for;

    #[test]
    fn slots_for_leaves_one_in_five_or_one_in_a_hundred_vacant() {
        assert_eq!([0, 1, 4, 256, 257, 10_000].map(slots_for), [1, 2, 6, 321, 260, 10_101]);
    }
}
