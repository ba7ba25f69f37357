//! The sets of names for lookups.
//!
//! | set | names | wildcards |
//! | --- | --- | --- |
//! | `cert-1` … `cert-1000` | a certificate's presented identifiers | every fifth is `*.x`: one label |
//! | `table-1e2` … `table-1e7` | an authority table's entries | every fifth is `**.x`: any depth |
//! | `table-1e6-one-label` | as `table-1e6` | every fifth is `*.x` |
//!
//! Names are distinct and in random order, and the value of each is its number. Sets of 100 names
//! or more also have four addresses, numbered after the names.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::generator::{Generator, LENGTH};

/// The depth of a wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Exactly one label (RFC 9525 §6.3).
    OneLabel,
    /// One or more labels.
    AnyDepth,
}

/// The description of a set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SetKind {
    pub(crate) name: &'static str,
    pub(crate) count: usize,
    pub(crate) depth: Depth,
    pub(crate) certificate: bool,
    /// Whether the set is measured by default.
    pub(crate) usual: bool,
}

const fn certificate(name: &'static str, count: usize) -> SetKind {
    SetKind { name, count, depth: Depth::OneLabel, certificate: true, usual: true }
}

const fn table(name: &'static str, count: usize) -> SetKind {
    SetKind { name, count, depth: Depth::AnyDepth, certificate: false, usual: true }
}

pub(crate) const SETS: [SetKind; 12] = [
    certificate("cert-1", 1),
    certificate("cert-2", 2),
    certificate("cert-10", 10),
    certificate("cert-100", 100),
    certificate("cert-1000", 1000),
    table("table-1e2", 100),
    table("table-1e3", 1000),
    table("table-1e4", 10_000),
    table("table-1e5", 100_000),
    table("table-1e6", 1_000_000),
    SetKind { usual: false, ..table("table-1e7", 10_000_000) },
    SetKind { depth: Depth::OneLabel, usual: false, ..table("table-1e6-one-label", 1_000_000) },
];

/// One in this many names is a wildcard.
const WILDCARD_EVERY: usize = 5;

/// The size from which sets have [`ADDRESSES`].
const ADDRESSES_FROM: usize = 100;

/// The documentation ranges of RFC 5737 and RFC 3849.
const ADDRESSES: [&str; 4] = ["192.0.2.17", "203.0.113.250", "2001:db8::7", "2001:db8:0:5::a:1"];

/// The pattern of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern<'a> {
    Exact(&'a [u8]),
    /// The part after the `*.` or `**.`.
    Wildcard(&'a [u8]),
}

impl<'a> Pattern<'a> {
    /// Returns the name, or the part after the wildcard.
    pub(crate) const fn name(self) -> &'a [u8] {
        match self {
            Self::Exact(name) | Self::Wildcard(name) => name,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Span {
    offset: u32,
    len: u8,
    wildcard: bool,
}

/// The names of one set, in one arena.
#[derive(Debug)]
pub(crate) struct NameSet {
    pub(crate) kind: SetKind,
    arena: Vec<u8>,
    spans: Vec<Span>,
    addresses: Vec<IpAddr>,
}

impl NameSet {
    /// Makes the set, the same one in every run.
    pub(crate) fn generate(kind: SetKind) -> Self {
        // A certificate and a table of the same size share no names.
        let mut generator = Generator::new(if kind.certificate { 0xce47 } else { 0x7ab1e });
        let mut set = Self {
            kind,
            arena: Vec::new(),
            spans: Vec::with_capacity(kind.count),
            addresses: vec![],
        };
        set.arena.reserve(kind.count * 22);
        let mut seen = HashSet::with_capacity(kind.count);
        let mut name = String::new();
        let star = if kind.depth == Depth::OneLabel { "*.".len() } else { "**.".len() };
        while set.spans.len() < kind.count {
            let wildcard = set.spans.len() % WILDCARD_EVERY == WILDCARD_EVERY - 1;
            if wildcard {
                generator.suffix(&mut name);
            } else {
                generator.name(&mut name);
            }
            let len = name.len() + if wildcard { star } else { 0 };
            if LENGTH.contains(&len) && seen.insert(fingerprint(name.as_bytes(), wildcard)) {
                set.push(name.as_bytes(), wildcard);
            }
        }
        generator.random.shuffle(&mut set.spans);
        if kind.count >= ADDRESSES_FROM {
            set.addresses.extend(ADDRESSES.iter().filter_map(|text| text.parse::<IpAddr>().ok()));
        }
        set
    }

    fn push(&mut self, name: &[u8], wildcard: bool) {
        let offset = u32::try_from(self.arena.len()).expect("a set stays below 4 GiB");
        let len = u8::try_from(name.len()).expect("names are short");
        self.arena.extend_from_slice(name);
        self.spans.push(Span { offset, len, wildcard });
    }

    /// Returns the number of names, without addresses.
    pub(crate) const fn len(&self) -> usize {
        self.spans.len()
    }

    /// Returns the entry with this number, which must be below [`len`](Self::len).
    pub(crate) fn get(&self, number: u32) -> Pattern<'_> {
        let span = self.spans[number as usize];
        let offset = span.offset as usize;
        let name = &self.arena[offset..offset + usize::from(span.len)];
        if span.wildcard { Pattern::Wildcard(name) } else { Pattern::Exact(name) }
    }

    /// Returns all names with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Pattern<'_>)> {
        (0..).zip(0..self.len()).map(|(number, _)| (number, self.get(number)))
    }

    /// Returns the addresses with their numbers.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (u32, IpAddr)> {
        let first = u32::try_from(self.len()).expect("a set has fewer than 2^32 names");
        (first..).zip(self.addresses.iter().copied())
    }
}

/// Computes FNV-1a. Among ten million names, two share a fingerprint with a probability of about 1
/// in 400,000; then one of them is omitted.
fn fingerprint(name: &[u8], wildcard: bool) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.iter().fold(step(0xcbf2_9ce4_8422_2325, wildcard.into()), |hash, byte| step(hash, *byte))
}
