//! Tries over the bytes of reversed names, so that the shared parts of names come first.

use patricia_tree::PatriciaMap;

use super::normalise::Buffer;
use super::suffixes::{Backwards, Reversing, Walk, prefixes, reversed_key, sorted_keys};
use super::{Built, Refusal};
use crate::sets::{Depth, NameSet, Pattern};

// ------------------------------------------------------------------------------ patricia_tree

impl Backwards for PatriciaMap<u32> {
    #[inline]
    fn find(&self, name: &[u8], depth: Depth) -> Option<u32> {
        let mut walk = Walk::default();
        for (key, number) in self.common_prefixes(name) {
            walk.meet(name, key.len(), *number);
        }
        walk.answer(name, depth)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "all builders have the same type")]
pub(super) fn patricia(set: &NameSet) -> Result<Built, Refusal> {
    let keys = set.iter().map(|(number, pattern)| (reversed_key(pattern), number));
    Ok(Reversing::built(set, keys.collect::<PatriciaMap<u32>>()))
}

// ------------------------------------------------------------------------------ radix_trie

/// Two tries, because a name would hide the wildcard above it.
struct Radix {
    exact: radix_trie::Trie<Vec<u8>, u32>,
    wildcards: radix_trie::Trie<Vec<u8>, u32>,
}

impl Backwards for Radix {
    #[inline]
    fn find(&self, name: &[u8], depth: Depth) -> Option<u32> {
        let wildcard = || match depth {
            Depth::AnyDepth => self.wildcards.get_ancestor_value(name),
            Depth::OneLabel => self.wildcards.get(prefixes(name, depth).next()?),
        };
        self.exact.get(name).or_else(wildcard).copied()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "all builders have the same type")]
pub(super) fn radix(set: &NameSet) -> Result<Built, Refusal> {
    let mut tries = Radix { exact: radix_trie::Trie::new(), wildcards: radix_trie::Trie::new() };
    for (number, pattern) in set.iter() {
        match pattern {
            Pattern::Exact(_) => tries.exact.insert(reversed_key(pattern), number),
            Pattern::Wildcard(_) => tries.wildcards.insert(reversed_key(pattern), number),
        };
    }
    Ok(Reversing::built(set, tries))
}

// ------------------------------------------------------------------------------ qp-trie

impl Backwards for qp_trie::Trie<Vec<u8>, u32> {
    #[inline]
    fn find(&self, name: &[u8], depth: Depth) -> Option<u32> {
        let wildcard = || prefixes(name, depth).find_map(|prefix| self.get(prefix));
        self.get(name).or_else(wildcard).copied()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "all builders have the same type")]
pub(super) fn qp(set: &NameSet) -> Result<Built, Refusal> {
    let keys = set.iter().map(|(number, pattern)| (reversed_key(pattern), number));
    Ok(Reversing::built(set, keys.collect::<qp_trie::Trie<_, _>>()))
}

// ------------------------------------------------------------------------------ blart

/// A trie whose keys end in NUL, because no key may be a prefix of another.
struct Blart(blart::TreeMap<Box<[u8]>, u32>);

impl Backwards for Blart {
    #[inline]
    fn find(&self, name: &[u8], depth: Depth) -> Option<u32> {
        let mut buffer: Buffer = [0; 256];
        buffer.get_mut(..name.len())?.copy_from_slice(name);
        let found = self.0.get(&buffer[..=name.len()]);
        let wildcard = || {
            prefixes(name, depth).find_map(|prefix| {
                // From long to short, so the bytes behind the NUL are not needed again.
                buffer[prefix.len()] = 0;
                self.0.get(&buffer[..=prefix.len()])
            })
        };
        found.or_else(wildcard).copied()
    }
}

pub(super) fn blart(set: &NameSet) -> Result<Built, Refusal> {
    let mut map = blart::TreeMap::new();
    for (number, pattern) in set.iter() {
        let mut key = reversed_key(pattern);
        key.push(0);
        map.try_insert(key.into_boxed_slice(), number)
            .map_err(|_| Refusal::new("refused a key"))?;
    }
    Ok(Reversing::built(set, Blart(map)))
}

// ------------------------------------------------------------------------------ trie-hard

/// Two tries, because a name would hide the wildcard above it.
struct Hard {
    exact: trie_hard::TrieHard<'static, u32>,
    wildcards: trie_hard::TrieHard<'static, u32>,
}

impl Backwards for Hard {
    #[inline]
    fn find(&self, name: &[u8], depth: Depth) -> Option<u32> {
        let wildcard = || match depth {
            Depth::AnyDepth => self.wildcards.ancestor(name).map(|(_, number)| number),
            Depth::OneLabel => self.wildcards.get(prefixes(name, depth).next()?),
        };
        self.exact.get(name).or_else(wildcard)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "all builders have the same type")]
pub(super) fn trie_hard(set: &NameSet) -> Result<Built, Refusal> {
    // The trie borrows its keys. They are leaked on purpose, and counted.
    let keys = sorted_keys(set).into_iter().map(|(key, number)| (&*key.leak(), number));
    let (wildcards, exact): (Vec<_>, Vec<_>) = keys.partition(|(key, _)| key.ends_with(b"."));
    let tries = Hard {
        exact: trie_hard::TrieHard::new(exact),
        wildcards: trie_hard::TrieHard::new(wildcards),
    };
    Ok(Reversing::built(set, tries))
}
