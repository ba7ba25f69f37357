//! Perfect hashing, then one comparison with the only candidate.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;
use ptr_hash::{FastPtrHash, PtrHashParams};

use super::arena::{Arena, Place};
use super::suffixes::{Exact, Stripping};
use super::{Built, Refusal};
use crate::sets::{NameSet, Pattern};

/// Names, each in the slot of its hash.
struct Slots {
    index: Option<FastPtrHash>,
    slots: Vec<Option<Place>>,
}

impl Slots {
    fn build(arena: &mut Arena, names: &[(&[u8], u32)]) -> Result<Self, Refusal> {
        if names.is_empty() {
            return Ok(Self { index: None, slots: Vec::new() });
        }
        let hashes: Vec<u64> = names.iter().map(|(name, _)| hash(name)).collect();
        let index = FastPtrHash::try_new(&hashes, PtrHashParams::default_fast())
            .ok_or_else(|| Refusal::new("found no perfect hash"))?;
        let mut slots = vec![None; index.max_index()];
        for ((name, number), hash) in names.iter().zip(&hashes) {
            slots[index.index(hash)] = Some(arena.push(name, *number)?);
        }
        Ok(Self { index: Some(index), slots })
    }

    #[inline]
    fn find(&self, arena: &Arena, name: &[u8]) -> Option<u32> {
        let at = self.index.as_ref()?.index(&hash(name));
        let place = (*self.slots.get(at)?)?;
        arena.is_at(place, name).then_some(place.number)
    }
}

#[inline]
fn hash(name: &[u8]) -> u64 {
    FixedState::with_seed(1).hash_one(name)
}

struct Perfect {
    arena: Arena,
    exact: Slots,
    wildcards: Slots,
}

impl Exact for Perfect {
    #[inline]
    fn exact(&self, name: &[u8]) -> Option<u32> {
        self.exact.find(&self.arena, name)
    }

    #[inline]
    fn wildcard(&self, suffix: &[u8]) -> Option<u32> {
        self.wildcards.find(&self.arena, suffix)
    }
}

pub(super) fn build(set: &NameSet) -> Result<Built, Refusal> {
    let (mut exact, mut wildcards) = (Vec::new(), Vec::new());
    for (number, pattern) in set.iter() {
        match pattern {
            Pattern::Exact(name) => exact.push((name, number)),
            Pattern::Wildcard(suffix) => wildcards.push((suffix, number)),
        }
    }
    let mut arena = Arena::default();
    let exact = Slots::build(&mut arena, &exact)?;
    let wildcards = Slots::build(&mut arena, &wildcards)?;
    arena.shrink();
    Ok(Stripping::built(set, Perfect { arena, exact, wildcards }))
}
