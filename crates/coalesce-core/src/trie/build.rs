//! Builds images from collected entries.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "this code makes all numbers and indices itself, and limits bound the lengths"
)]

use alloc::vec;
use alloc::vec::Vec;

use super::build_error::{BuildError, Duplicate, Progress, SEEDS_MAX, Stage};
use super::bytes::bits;
use super::entries::{Class, Entries};
use super::format::{Kind, Layout};
use super::hash::{Hash, Hasher};
use super::perfect::{self, Placement};
use super::write::{Draft, Values};
use crate::limits::{GROUPS_MAX, IDENTIFIERS_MAX};

/// Writes the image of a trie: patterns and their values.
pub(super) fn names(
    entries: &Entries,
    layout: Layout,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<u8>, BuildError> {
    let order = sorted(entries, progress)?;
    let value = |number: u32| entries.entry(number).value;
    let value_bits = bits(entries.largest_value()) as u8;
    let values = Values { value_of: &value, pairs: &[], host_bits: value_bits };
    write(entries, Kind::Names, layout, &order, &[], &values, progress)
}

/// Writes the image of a table. `groups` are ids and policy bits; the row of an entry is an index
/// into them.
pub(crate) fn table(
    entries: &Entries,
    layout: Layout,
    groups: &[(u32, u32)],
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<u8>, BuildError> {
    if groups.len() > GROUPS_MAX {
        return Err(BuildError::TooLarge);
    }
    let order = sorted(entries, progress)?;
    let mut sorted = groups.to_vec();
    sorted.sort_unstable();
    let places: Vec<u32> =
        groups.iter().map(|group| sorted.partition_point(|other| other < group) as u32).collect();
    let pair = |number: u32| {
        let entry = entries.entry(number);
        (entry.value, places[usize::from(entry.row)])
    };
    // A value holds the virtual host and the row if 32 bits are enough for all entries. Otherwise
    // the pairs get a section, and a value is the number of a pair.
    let host_bits = bits(entries.largest_value());
    let group_bits = bits(groups.len().saturating_sub(1) as u32);
    if host_bits + group_bits <= u32::BITS {
        let value = |number: u32| {
            let (host, group) = pair(number);
            host | group.checked_shl(host_bits).unwrap_or(0)
        };
        let values = Values { value_of: &value, pairs: &[], host_bits: host_bits as u8 };
        return write(entries, Kind::Table, layout, &order, &sorted, &values, progress);
    }
    let mut pairs: Vec<(u32, u32)> = order.iter().map(|number| pair(*number)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let value = |number: u32| pairs.partition_point(|other| *other < pair(number)) as u32;
    let values = Values { value_of: &value, pairs: &pairs, host_bits: 0 };
    write(entries, Kind::Table, layout, &order, &sorted, &values, progress)
}

/// Writes the image of a set. A certificate may repeat a name, so duplicates are not an error.
pub(crate) fn identifiers(entries: &Entries) -> Result<Vec<u8>, BuildError> {
    let mut order = entries.sorted(&mut |_| {});
    order.dedup_by(|later, earlier| entries.duplicate(*earlier, *later).is_some());
    if order.len() > IDENTIFIERS_MAX {
        return Err(BuildError::TooLarge);
    }
    let mut numbers = vec![0; entries.len()];
    for (rank, number) in (0_u32..).zip(&order) {
        numbers[*number as usize] = rank;
    }
    let value = |number: u32| numbers[number as usize];
    let values = Values { value_of: &value, pairs: &[], host_bits: 0 };
    write(entries, Kind::Identifiers, Layout::Fast, &order, &[], &values, &mut |_| {})
}

/// Returns the numbers of the entries in canonical order, or an error if two have the same pattern.
fn sorted(entries: &Entries, progress: &mut dyn FnMut(Progress)) -> Result<Vec<u32>, BuildError> {
    let order = entries.sorted(progress);
    let duplicate = order.windows(2).find_map(|pair| entries.duplicate(pair[0], pair[1]));
    match duplicate {
        Some(Duplicate { earlier, later, .. }) => Err(BuildError::Duplicate { earlier, later }),
        None => Ok(order),
    }
}

fn write(
    entries: &Entries,
    kind: Kind,
    layout: Layout,
    order: &[u32],
    groups: &[(u32, u32)],
    values: &Values<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<u8>, BuildError> {
    let class = |number: &u32| entries.entry(*number).class;
    let names = order.partition_point(|number| matches!(class(number), Class::Name(_)));
    let (names, rest) = order.split_at(names);
    let addresses = rest.partition_point(|number| class(number) == Class::Address);
    let (addresses, catch_all) = rest.split_at(addresses);
    let (seed, placement) = place(entries, names, progress)?;
    let draft = Draft {
        entries,
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

/// Returns the first seed under which every name can be placed.
fn place(
    entries: &Entries,
    names: &[u32],
    progress: &mut dyn FnMut(Progress),
) -> Result<(u32, Placement), BuildError> {
    for seed in 0..SEEDS_MAX {
        let hasher = Hasher::new(seed);
        let all: Vec<Hash> = names
            .iter()
            .map(|number| {
                let entry = entries.entry(*number);
                hasher.hash_name(entries.bytes_of(entry), entry.shape())
            })
            .collect();
        let of = perfect::buckets_for(all.len());
        let mut placed = |done| progress(Progress { stage: Stage::Placing, done, of });
        if let Some(placement) = perfect::place(&all, &mut placed) {
            return Ok((seed, placement));
        }
    }
    Err(BuildError::Inseparable)
}

#[cfg(all(test, not(miri)))]
mod tests {
    use std::collections::HashMap;
    use std::format;

    use super::super::hash::Shape;
    use super::*;
    use crate::NamePattern;
    use crate::{AuthorityTable, GroupId, GroupPolicy, VirtualHostId};

    /// An attacker chooses names that share a slot under every pilot. No pilot fits both, but
    /// another seed separates them.
    #[test]
    fn names_that_collide_under_a_seed_get_another_seed() {
        // The slot depends on the lower half of the hash. With two names, one bit chooses the
        // bucket.
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
