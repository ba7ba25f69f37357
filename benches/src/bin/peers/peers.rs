//! What is compared. Every peer answers from the raw bytes of an authority: it strips the port and
//! the trailing dot, folds case, and finds the number of the most specific entry.
//!
//! [`PEERS`] says of each why it is there, how it is used, who keeps it up, and where its rules
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
mod scan;
#[cfg(feature = "sozu")]
mod sozu;
mod suffixes;

use std::fmt::Display;
use std::hint::black_box;

use crate::sets::NameSet;

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
                let wildcard =
                    |number| matches!(set.get(number), crate::sets::Pattern::Wildcard(_));
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
    /// What it is, why it is here, how it is used.
    pub(crate) about: &'static str,
    /// Who keeps it up.
    pub(crate) upkeep: &'static str,
    pub(crate) scope: Scope,
    pub(crate) answers: Answers,
    /// The largest set it is measured on: what more would cost is in `about` or plain.
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

/// Sets up to here are measured with everything.
const SMALL: usize = 10_000;
/// Peers that take hundreds of bytes for a name, or seconds to build beyond this.
const MEDIUM: usize = 100_000;
/// Peers that would need more than a tenth of the memory for ten million names.
const LARGE: usize = 1_000_000;
/// The largest set.
const ALL: usize = 10_000_000;

const fn peer(
    name: &'static str,
    largest: usize,
    build: fn(&NameSet) -> Result<Built, Refusal>,
    about: &'static str,
    upkeep: &'static str,
) -> PeerKind {
    PeerKind {
        name,
        about,
        upkeep,
        scope: Scope::Any,
        answers: Answers::Number,
        largest,
        differences: &[],
        build,
    }
}

const fn reads_certificates(peer: PeerKind) -> PeerKind {
    PeerKind { scope: Scope::Certificates, ..peer }
}

const fn says_covered(peer: PeerKind) -> PeerKind {
    PeerKind { answers: Answers::Coverage, ..peer }
}

/// The peer all ratios are against.
pub(crate) const OURS: &str = "ours";

/// The peer that a user would otherwise write.
pub(crate) const REFERENCE: &str = "hashbrown-foldhash";

/// All peers, in the order of the tables.
pub(crate) const PEERS: &[PeerKind] = &[
    peer(
        OURS,
        ALL,
        crate::ours::build,
        "`IdentifierSet::find` or `AuthorityTable::lookup` behind `Authority::parse`",
        "this workspace",
    ),
    peer(
        REFERENCE,
        ALL,
        maps::hashbrown_foldhash,
        "`hashbrown` 0.17 with `foldhash`, one map for names and one for wildcards, label stripping between bounds on length: what a user would otherwise write; the reference",
        "rust-lang, released 2026",
    ),
    peer(
        "std-siphash",
        LARGE,
        maps::std_siphash,
        "`std::collections::HashMap` as it comes, label stripping",
        "the standard library",
    ),
    peer(
        "std-ahash",
        LARGE,
        maps::std_ahash,
        "`HashMap` with `ahash`, label stripping",
        "1 maintainer, released 2025",
    ),
    peer(
        "std-foldhash",
        LARGE,
        maps::std_foldhash,
        "`HashMap` with `foldhash`, label stripping",
        "1 maintainer, released 2025",
    ),
    peer(
        "std-fx",
        LARGE,
        maps::std_fx,
        "`HashMap` with `rustc-hash`, label stripping; not meant for names that strangers choose",
        "rust-lang, released 2026",
    ),
    peer(
        "hashbrown-arena",
        ALL,
        arena::build,
        "`hashbrown::HashTable` of offsets into one arena, `foldhash`: the compact way to write a map",
        "rust-lang, released 2026",
    ),
    peer(
        "ptr-hash",
        ALL,
        ptr_hash::build,
        "perfect hashing (`ptr_hash`) into entries that are compared with the name",
        "1 maintainer, released 2026",
    ),
    peer(
        "linear",
        SMALL,
        scan::linear,
        "a scan over names in one arena, lengths first: what a first version of anything has",
        "no dependency",
    ),
    reads_certificates(peer(
        "x509-scan",
        SMALL,
        certificate::x509_scan,
        "a scan over the parsed `GeneralName`s of `x509-parser`",
        "rusticata, released 2025",
    )),
    says_covered(reads_certificates(peer(
        "webpki",
        SMALL,
        certificate::webpki,
        "`rustls-webpki`, `verify_is_valid_for_subject_name` on a parsed certificate, `ServerName` made for each query: what rustls clients do",
        "rustls, released 2026",
    ))),
    says_covered(reads_certificates(peer(
        "openssl",
        SMALL,
        openssl_build,
        "OpenSSL's `X509_check_host` and `X509_check_ip` on a parsed certificate; feature `openssl`",
        "the OpenSSL project",
    ))),
    PeerKind {
        differences: &[Difference::HiddenWildcard],
        ..peer(
            "sozu",
            LARGE,
            sozu_build,
            "the pattern trie of Sōzu's router; its wildcards stand for one label, so that any depth takes a second trie and stripping; feature `sozu`, AGPL-3.0",
            "Clever Cloud, released 2026",
        )
    },
    peer(
        "matchit",
        MEDIUM,
        matchit::build,
        "`matchit`, axum's router: labels reversed into a path, wildcards as `{x}` or `{*x}`",
        "1 maintainer, released 2025",
    ),
    peer(
        "radix-trie",
        LARGE,
        byte_tries::radix,
        "`radix_trie`, names reversed byte by byte; allocates a key for each step",
        "1 maintainer, released 2025",
    ),
    peer(
        "patricia-tree",
        ALL,
        byte_tries::patricia,
        "`patricia_tree`, names reversed byte by byte, one walk over common prefixes",
        "1 maintainer, released 2025",
    ),
    peer(
        "qp-trie",
        LARGE,
        byte_tries::qp,
        "`qp-trie`, names reversed, label stripping",
        "1 maintainer, released 2024",
    ),
    peer(
        "blart",
        LARGE,
        byte_tries::blart,
        "`blart`, an adaptive radix tree, names reversed and closed by NUL, label stripping",
        "1 maintainer, released 2026",
    ),
    peer(
        "trie-hard",
        MEDIUM,
        byte_tries::trie_hard,
        "`trie-hard`, names reversed, `ancestor` for wildcards",
        "Cloudflare, released 2026",
    ),
    peer(
        "fst",
        ALL,
        automata::fst,
        "`fst`, one automaton over reversed names, walked once by its raw nodes",
        "1 maintainer, released 2021",
    ),
    peer(
        "yada",
        ALL,
        automata::yada,
        "`yada`, a double array over reversed names, one common-prefix search",
        "1 maintainer, released 2026",
    ),
    peer(
        "crawdad",
        ALL,
        automata::crawdad,
        "`crawdad`, a double array over characters, reversed, one common-prefix search",
        "1 maintainer, released 2024",
    ),
    PeerKind {
        answers: Answers::Nothing,
        ..peer(
            "null",
            ALL,
            null::build,
            "reads one byte of the query: what measuring itself costs",
            "no dependency",
        )
    },
];

#[cfg(feature = "openssl")]
use openssl::build as openssl_build;
#[cfg(feature = "sozu")]
use sozu::build as sozu_build;

#[cfg(not(feature = "openssl"))]
fn openssl_build(_: &NameSet) -> Result<Built, Refusal> {
    Err(Refusal::new("built without the feature `openssl`"))
}

#[cfg(not(feature = "sozu"))]
fn sozu_build(_: &NameSet) -> Result<Built, Refusal> {
    Err(Refusal::new("built without the feature `sozu`"))
}
