//! Two ways from a name to its most specific entry: stripping labels from the left of the name, or
//! walking the reversed name.

use std::ops::RangeInclusive;

use super::normalise::{Addresses, Buffer, Host, lower, reversed, split};
use super::{Built, Lookup};
use crate::sets::{Depth, NameSet, Pattern};

/// A structure that finds only whole names.
pub(super) trait Exact {
    fn exact(&self, name: &[u8]) -> Option<u32>;

    /// Returns the number of the wildcard with this suffix.
    fn wildcard(&self, suffix: &[u8]) -> Option<u32>;
}

/// Looks up the name first, then the name without its first label as a wildcard, then without its
/// second one. Lengths that no entry has are skipped, which limits the work for long names.
pub(super) struct Stripping<E> {
    inner: E,
    depth: Depth,
    exact: RangeInclusive<usize>,
    wildcards: RangeInclusive<usize>,
    addresses: Addresses,
}

impl<E: Exact + 'static> Stripping<E> {
    pub(super) fn built(set: &NameSet, inner: E) -> Built {
        let is_exact = |pattern: &Pattern<'_>| matches!(pattern, Pattern::Exact(_));
        Built::new(Self {
            inner,
            depth: set.kind.depth,
            exact: lengths(set, is_exact),
            wildcards: lengths(set, |pattern| !is_exact(pattern)),
            addresses: Addresses::new(set),
        })
    }
}

/// Returns the range of lengths, which is empty if there are none.
fn lengths(set: &NameSet, wanted: impl Fn(&Pattern<'_>) -> bool) -> RangeInclusive<usize> {
    let lengths = set.iter().filter(|(_, pattern)| wanted(pattern));
    let (min, max) = lengths.fold((usize::MAX, 0), |(min, max), (_, pattern)| {
        (min.min(pattern.name().len()), max.max(pattern.name().len()))
    });
    min..=max
}

impl<E: Exact> Lookup for Stripping<E> {
    #[inline]
    fn find(&self, authority: &[u8]) -> Option<u32> {
        let name = match split(authority)? {
            Host::Name(name) => name,
            Host::Address(address) => return self.addresses.find(address),
        };
        let mut buffer: Buffer = [0; 256];
        let name = lower(name, &mut buffer)?;
        if self.exact.contains(&name.len())
            && let Some(number) = self.inner.exact(name)
        {
            return Some(number);
        }
        let mut rest = name;
        if self.depth == Depth::AnyDepth {
            // One byte more than the longest suffix, for its dot.
            let skipped = rest.len().saturating_sub(self.wildcards.end() + 1);
            rest = &rest[skipped..];
        }
        while let Some(dot) = rest.iter().position(|byte| *byte == b'.') {
            rest = &rest[dot + 1..];
            if rest.len() < *self.wildcards.start() {
                return None;
            }
            if rest.len() <= *self.wildcards.end()
                && let Some(number) = self.inner.wildcard(rest)
            {
                return Some(number);
            }
            if self.depth == Depth::OneLabel {
                return None;
            }
        }
        None
    }
}

/// A structure that holds reversed names, and wildcards with their dot.
pub(super) trait Backwards {
    /// Returns the most specific entry for a reversed name.
    fn find(&self, name: &[u8], depth: Depth) -> Option<u32>;
}

/// Looks up names in reverse.
pub(super) struct Reversing<T> {
    inner: T,
    depth: Depth,
    addresses: Addresses,
}

impl<T: Backwards + 'static> Reversing<T> {
    pub(super) fn built(set: &NameSet, inner: T) -> Built {
        Built::new(Self { inner, depth: set.kind.depth, addresses: Addresses::new(set) })
    }
}

impl<T: Backwards> Lookup for Reversing<T> {
    #[inline]
    fn find(&self, authority: &[u8]) -> Option<u32> {
        match split(authority)? {
            Host::Address(address) => self.addresses.find(address),
            Host::Name(name) => {
                let mut buffer: Buffer = [0; 256];
                self.inner.find(reversed(name, &mut buffer)?, self.depth)
            }
        }
    }
}

/// Returns `moc.elpmaxe.www` for a name, `moc.elpmaxe.` for a wildcard.
pub(super) fn reversed_key(pattern: Pattern<'_>) -> Vec<u8> {
    let mut key: Vec<u8> = pattern.name().iter().rev().copied().collect();
    if let Pattern::Wildcard(_) = pattern {
        key.push(b'.');
    }
    key
}

/// Returns all keys in order, as the builders of frozen structures require.
pub(super) fn sorted_keys(set: &NameSet) -> Vec<(Vec<u8>, u32)> {
    let mut keys: Vec<_> =
        set.iter().map(|(number, pattern)| (reversed_key(pattern), number)).collect();
    keys.sort_unstable();
    keys
}

/// The best entry met so far on a walk along a reversed name.
#[derive(Default)]
pub(super) struct Walk {
    exact: Option<u32>,
    /// The longest wildcard so far, and its length with its dot.
    wildcard: Option<(usize, u32)>,
}

impl Walk {
    /// Meets an entry whose key is the first `len` bytes of `name`.
    #[inline]
    pub(super) fn meet(&mut self, name: &[u8], len: usize, number: u32) {
        if len == name.len() {
            self.exact = Some(number);
        } else if name[len - 1] == b'.' {
            self.wildcard = Some((len, number));
        }
    }

    #[inline]
    pub(super) fn answer(self, name: &[u8], depth: Depth) -> Option<u32> {
        let one_label = |len: usize| !name[len..].contains(&b'.');
        self.exact.or_else(|| {
            let (len, number) = self.wildcard?;
            (depth == Depth::AnyDepth || one_label(len)).then_some(number)
        })
    }
}

/// Returns the prefixes of a reversed name that end in a dot, the longest first. For one-label
/// sets, returns only the longest.
pub(super) fn prefixes(name: &[u8], depth: Depth) -> impl Iterator<Item = &[u8]> {
    let mut end = name.len();
    let all = std::iter::from_fn(move || {
        let dot = name[..end].iter().rposition(|byte| *byte == b'.')?;
        end = dot;
        Some(&name[..=dot])
    });
    all.take(if depth == Depth::OneLabel { 1 } else { usize::MAX })
}
