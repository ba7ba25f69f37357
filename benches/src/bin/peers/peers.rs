//! The compared implementations. Every peer answers from the raw bytes of an authority: it strips
//! the port and the trailing dot, folds case, and finds the number of the most specific entry.
//!
//! [`PEERS`] describes each peer, its use, its maintainer, and the differences in its rules.
//! `--list` and the written results show the same table.

mod arena;
mod automata;
mod byte_tries;
mod certificate;
mod maps;
mod matchit;
mod normalise;
mod null;
#[cfg(feature = "openssl")]
mod openssl;
mod ptr_hash;
mod registry;
mod scan;
#[cfg(feature = "sozu")]
mod sozu;
mod suffixes;

use std::fmt::Display;
use std::hint::black_box;

use crate::sets::{NameSet, Pattern};

pub(crate) use registry::{OURS, PEERS, REFERENCE, is_ours};

/// An implementation of one lookup.
pub(crate) trait Lookup {
    /// Returns the number of the most specific entry for an authority. A peer that only reports
    /// coverage returns any number.
    fn find(&self, authority: &[u8]) -> Option<u32>;
}

/// An implementation of many lookups, so that one virtual call serves a whole block.
pub(crate) trait Peer {
    /// Returns the answer to one query.
    fn answer(&self, authority: &[u8]) -> Option<u32>;

    /// Does independent lookups, which a processor may overlap.
    fn overlapped(&self, queries: &[&[u8]]);

    /// Does lookups that each start after the answer to the previous one is known.
    fn dependent(&self, queries: &[&[u8]]);
}

impl<T: Lookup> Peer for T {
    fn answer(&self, authority: &[u8]) -> Option<u32> {
        self.find(authority)
    }

    fn overlapped(&self, queries: &[&[u8]]) {
        let mut sum = 0_u64;
        for query in queries {
            sum = sum.wrapping_add(self.find(query).map_or(u64::MAX, u64::from));
        }
        black_box(sum);
    }

    fn dependent(&self, queries: &[&[u8]]) {
        // The compiler does not know that this is zero.
        let zero = black_box(0_u32);
        let mut next = 0;
        while let Some(query) = queries.get(next) {
            let answer = self.find(query).unwrap_or(u32::MAX);
            next += 1 + (answer & zero) as usize;
        }
        black_box(next);
    }
}

/// A built peer.
pub(crate) struct Built {
    pub(crate) peer: Box<dyn Peer>,
    /// The size, if the allocator cannot count it.
    pub(crate) bytes: Option<usize>,
}

impl Built {
    fn new(peer: impl Peer + 'static) -> Self {
        Self { peer: Box::new(peer), bytes: None }
    }
}

/// The reason why a peer is not measured on a set.
#[derive(Clone, Debug)]
pub(crate) struct Refusal(pub(crate) String);

impl Refusal {
    pub(crate) fn new(reason: impl Display) -> Self {
        Self(reason.to_string())
    }
}

/// The sets that a peer supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Any,
    /// Only sets of certificates, because the peer reads certificates.
    Certificates,
}

/// The meaning of a peer's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// The number of the most specific entry.
    Number,
    /// Whether any entry matches.
    Coverage,
    /// Nothing. The peer shows the cost of measuring.
    Nothing,
}

/// A known class of answers that differ from the rules of [`crate::oracle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// A wildcard is hidden by a longer entry that shares the labels below the wildcard.
    HiddenWildcard,
}

impl Difference {
    /// Returns whether this explains a missing answer: the right answer is a wildcard, and another
    /// entry goes through the same labels.
    pub(crate) fn explains(self, set: &NameSet, right: Option<u32>, given: Option<u32>) -> bool {
        match self {
            Self::HiddenWildcard => {
                let wildcard = |number| matches!(set.get(number), Pattern::Wildcard(_));
                given != right && right.is_some_and(wildcard)
            }
        }
    }

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::HiddenWildcard => {
                "an entry below a label hides the wildcard that stands for the label: with \
                 `*.example.com` and `a.www.example.com`, `www.example.com` is not found"
            }
        }
    }
}

/// The description of a peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerKind {
    pub(crate) name: &'static str,
    /// The peer and its use.
    pub(crate) about: &'static str,
    /// The measured release, and its maintainer.
    pub(crate) upkeep: &'static str,
    pub(crate) scope: Scope,
    pub(crate) answers: Answers,
    /// The largest set on which the peer is measured, in names.
    pub(crate) largest: usize,
    pub(crate) differences: &'static [Difference],
    pub(crate) build: fn(&NameSet) -> Result<Built, Refusal>,
}

impl PeerKind {
    /// Builds the peer for a set, if it supports the set.
    pub(crate) fn build(&self, set: &NameSet) -> Result<Built, Refusal> {
        if self.scope == Scope::Certificates && !set.kind.certificate {
            return Err(Refusal::new("reads certificates only"));
        }
        if set.len() > self.largest {
            return Err(Refusal::new(format_args!("not above {} names", self.largest)));
        }
        (self.build)(set)
    }

    /// Returns whether an answer counts as right.
    pub(crate) fn agrees(&self, right: Option<u32>, given: Option<u32>) -> bool {
        match self.answers {
            Answers::Number => right == given,
            Answers::Coverage => right.is_some() == given.is_some(),
            Answers::Nothing => true,
        }
    }
}
