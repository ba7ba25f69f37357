//! What is compared. Every peer answers from the raw bytes of an authority: it strips the port and
//! the trailing dot, folds case, and finds the number of the most specific entry.
//!
//! [`PEERS`] says of each what it is and how it is used, who keeps it up, and where its rules
//! differ; `--list` and the written results show the same table.

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

/// One lookup.
pub(crate) trait Lookup {
    /// The number of the most specific entry for an authority. Where a peer says only whether a
    /// name is covered, any number.
    fn find(&self, authority: &[u8]) -> Option<u32>;
}

/// Many lookups, so that one virtual call serves a whole block.
pub(crate) trait Peer {
    /// The answer to one query.
    fn answer(&self, authority: &[u8]) -> Option<u32>;

    /// Independent lookups, which a processor may overlap.
    fn overlapped(&self, queries: &[&[u8]]);

    /// Lookups of which each starts when the answer to the one before it is known.
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
        // Nobody but us knows that this is zero.
        let zero = black_box(0_u32);
        let mut next = 0;
        while let Some(query) = queries.get(next) {
            let answer = self.find(query).unwrap_or(u32::MAX);
            next += 1 + (answer & zero) as usize;
        }
        black_box(next);
    }
}

/// A peer, ready.
pub(crate) struct Built {
    pub(crate) peer: Box<dyn Peer>,
    /// How large it is, where that is not what the allocator counted.
    pub(crate) bytes: Option<usize>,
}

impl Built {
    fn new(peer: impl Peer + 'static) -> Self {
        Self { peer: Box::new(peer), bytes: None }
    }
}

/// Why a peer is not measured on a set.
#[derive(Clone, Debug)]
pub(crate) struct Refusal(pub(crate) String);

impl Refusal {
    pub(crate) fn new(reason: impl Display) -> Self {
        Self(reason.to_string())
    }
}

/// Which sets a peer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Any,
    /// It reads certificates.
    Certificates,
}

/// What a peer's answers are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// The number of the most specific entry.
    Number,
    /// Whether any entry matches.
    Coverage,
    /// Nothing: it is measured to know what the measuring costs.
    Nothing,
}

/// A known class of answers that differ from the rules of [`crate::oracle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// A wildcard is hidden by a longer entry that starts where the wildcard's label stands.
    HiddenWildcard,
}

impl Difference {
    /// Whether this explains that nothing was found: the answer is a wildcard's, and some other
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

/// A peer by its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerKind {
    pub(crate) name: &'static str,
    /// What it is and how it is used.
    pub(crate) about: &'static str,
    /// The release that is measured, and whose it is.
    pub(crate) upkeep: &'static str,
    pub(crate) scope: Scope,
    pub(crate) answers: Answers,
    /// The largest set it is measured on, in names.
    pub(crate) largest: usize,
    pub(crate) differences: &'static [Difference],
    pub(crate) build: fn(&NameSet) -> Result<Built, Refusal>,
}

impl PeerKind {
    /// Builds the peer for a set, if it is for such sets.
    pub(crate) fn build(&self, set: &NameSet) -> Result<Built, Refusal> {
        if self.scope == Scope::Certificates && !set.kind.certificate {
            return Err(Refusal::new("reads certificates only"));
        }
        if set.len() > self.largest {
            return Err(Refusal::new(format_args!("not above {} names", self.largest)));
        }
        (self.build)(set)
    }

    /// Whether an answer counts as right.
    pub(crate) fn agrees(&self, right: Option<u32>, given: Option<u32>) -> bool {
        match self.answers {
            Answers::Number => right == given,
            Answers::Coverage => right.is_some() == given.is_some(),
            Answers::Nothing => true,
        }
    }
}
