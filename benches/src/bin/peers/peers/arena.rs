//! A hash table of places in one arena, so that names need no separate allocations.

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::suffixes::{Exact, Stripping};
use super::{Built, Refusal};
use crate::sets::{NameSet, Pattern};

/// The place of a name in an [`Arena`], and its number.
#[derive(Clone, Copy)]
pub(super) struct Place {
    offset: u32,
    len: u8,
    pub(super) number: u32,
}

impl Place {
    pub(super) fn len(self) -> usize {
        self.len.into()
    }
}

/// Names, stored one after another.
#[derive(Default)]
pub(super) struct Arena(Vec<u8>);

impl Arena {
    pub(super) fn push(&mut self, name: &[u8], number: u32) -> Result<Place, Refusal> {
        let offset = u32::try_from(self.0.len()).map_err(Refusal::new)?;
        let len = u8::try_from(name.len()).map_err(Refusal::new)?;
        self.0.extend_from_slice(name);
        Ok(Place { offset, len, number })
    }

    #[inline]
    pub(super) fn is_at(&self, place: Place, name: &[u8]) -> bool {
        let offset = place.offset as usize;
        self.0.get(offset..offset + usize::from(place.len)) == Some(name)
    }

    pub(super) fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }
}

#[derive(Default)]
struct Tables {
    arena: Arena,
    exact: HashTable<Place>,
    wildcards: HashTable<Place>,
    hasher: RandomState,
}

impl Tables {
    #[inline]
    fn find(&self, table: &HashTable<Place>, name: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(name);
        table.find(hash, |place| self.arena.is_at(*place, name)).map(|place| place.number)
    }
}

impl Exact for Tables {
    #[inline]
    fn exact(&self, name: &[u8]) -> Option<u32> {
        self.find(&self.exact, name)
    }

    #[inline]
    fn wildcard(&self, suffix: &[u8]) -> Option<u32> {
        self.find(&self.wildcards, suffix)
    }
}

pub(super) fn build(set: &NameSet) -> Result<Built, Refusal> {
    let mut tables = Tables::default();
    let wildcards = set.iter().filter(|(_, pattern)| matches!(pattern, Pattern::Wildcard(_)));
    let wildcards = wildcards.count();
    // Reserve memory for all names at once, so that nothing is hashed twice.
    let again = |_: &Place| unreachable!("the table has room");
    tables.wildcards.reserve(wildcards, again);
    tables.exact.reserve(set.len() - wildcards, again);
    for (number, pattern) in set.iter() {
        let place = tables.arena.push(pattern.name(), number)?;
        let hash = tables.hasher.hash_one(pattern.name());
        match pattern {
            Pattern::Exact(_) => tables.exact.insert_unique(hash, place, again),
            Pattern::Wildcard(_) => tables.wildcards.insert_unique(hash, place, again),
        };
    }
    tables.arena.shrink();
    Ok(Stripping::built(set, tables))
}
