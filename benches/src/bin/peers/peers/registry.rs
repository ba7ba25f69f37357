//! All peers, one row each.

#[cfg(feature = "openssl")]
use super::openssl::build as openssl_build;
#[cfg(feature = "sozu")]
use super::sozu::build as sozu_build;
use super::{
    Answers, Built, Difference, PeerKind, Refusal, Scope, arena, automata, byte_tries, certificate,
    maps, matchit, null, ptr_hash, scan,
};
use crate::sets::NameSet;

/// The largest set. All peers that are measured on it fit into 6 GiB together.
const ALL: usize = 10_000_000;
/// Above this size a peer would need gigabytes, or adds nothing to the figures of a similar peer.
const LARGE: usize = 1_000_000;
/// Above this size a peer would take hundreds of bytes for a name and many seconds to build.
const MEDIUM: usize = 100_000;
/// Above this size a peer would scan names for milliseconds.
const SMALL: usize = 10_000;

/// The usual choice of a user without Coalesce.
pub(crate) const REFERENCE: &str = "hashbrown-foldhash";

/// The peer that all ratios are against.
pub(crate) const OURS: &str = "ours";

/// Returns whether a peer is Coalesce, in any layout or form of lookup.
pub(crate) fn is_ours(peer: &str) -> bool {
    peer.starts_with(OURS)
}

const fn peer(name: &'static str, build: fn(&NameSet) -> Result<Built, Refusal>) -> PeerKind {
    PeerKind {
        name,
        about: "",
        upkeep: "",
        scope: Scope::Any,
        answers: Answers::Number,
        largest: ALL,
        differences: &[],
        build,
    }
}

impl PeerKind {
    const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    const fn upkeep(self, upkeep: &'static str) -> Self {
        Self { upkeep, ..self }
    }

    const fn up_to(self, largest: usize) -> Self {
        Self { largest, ..self }
    }

    const fn reads_certificates(self) -> Self {
        Self { scope: Scope::Certificates, ..self }
    }

    const fn answers(self, answers: Answers) -> Self {
        Self { answers, ..self }
    }

    const fn differs(self, differences: &'static [Difference]) -> Self {
        Self { differences, ..self }
    }
}

/// All peers, in the order of the tables.
pub(crate) const PEERS: &[PeerKind] = &[
    peer(OURS, crate::ours::build)
        .about("`IdentifierSet::find_authority` or `AuthorityTable::lookup_authority`")
        .upkeep("this workspace"),
    peer("ours-compact", crate::ours::build_compact)
        .about("the same with `Layout::Compact`; tables only")
        .upkeep("this workspace"),
    peer("ours-batch", crate::ours::build_batch)
        .about("`AuthorityTable::lookup_authorities`; dependent lookups cannot be batched")
        .upkeep("this workspace"),
    peer(REFERENCE, maps::hashbrown_foldhash)
        .about(
            "`hashbrown` with `foldhash`: one map for names, one for wildcards, labels stripped; \
             what a user would otherwise write, and the reference",
        )
        .upkeep("0.17.1, May 2026, rust-lang"),
    peer("hashbrown-arena", arena::build)
        .about("`hashbrown::HashTable` of places in one arena, `foldhash`: the compact hash map")
        .upkeep("0.17.1, May 2026, rust-lang"),
    peer("std-siphash", maps::std_siphash)
        .about("`std::collections::HashMap` as it comes, labels stripped")
        .upkeep("the standard library")
        .up_to(LARGE),
    peer("std-ahash", maps::std_ahash)
        .about("`HashMap` with `ahash`, labels stripped")
        .upkeep("0.8.12, May 2025, one author")
        .up_to(LARGE),
    peer("std-foldhash", maps::std_foldhash)
        .about("`HashMap` with `foldhash`, labels stripped")
        .upkeep("0.2.0, August 2025, one author")
        .up_to(LARGE),
    peer("std-fx", maps::std_fx)
        .about("`HashMap` with `rustc-hash`, labels stripped; not for names that strangers choose")
        .upkeep("2.1.3, July 2026, rust-lang")
        .up_to(LARGE),
    peer("ptr-hash", ptr_hash::build)
        .about("perfect hashing, then one comparison with the name in an arena; labels stripped")
        .upkeep("2.1.3, October 2026, one author"),
    peer("linear", scan::linear)
        .about("a scan over names in one arena, lengths first: what a first version has")
        .upkeep("written here")
        .up_to(SMALL),
    peer("x509-scan", certificate::x509_scan)
        .about("a scan over the names of a certificate as `x509-parser` gives them")
        .upkeep("0.18.1, February 2026, rusticata")
        .reads_certificates(),
    peer("webpki", certificate::webpki)
        .about(
            "`rustls-webpki`: `verify_is_valid_for_subject_name` on a parsed certificate, with a \
             `ServerName` made for each query, as rustls clients do",
        )
        .upkeep("0.103.16, October 2026, rustls")
        .reads_certificates()
        .answers(Answers::Coverage),
    peer("openssl", openssl_build)
        .about("`X509_check_host`, `X509_check_ip` on a parsed certificate; feature `openssl`")
        .upkeep("the system's OpenSSL")
        .reads_certificates()
        .answers(Answers::Coverage),
    peer("sozu", sozu_build)
        .about(
            "the pattern trie of Sōzu's router; its wildcards stand for one label, so that any \
             depth takes a second trie and stripping; feature `sozu`, AGPL-3.0",
        )
        .upkeep("2.1.0, June 2026, Clever Cloud")
        .up_to(LARGE)
        .differs(&[Difference::HiddenWildcard]),
    peer("matchit", matchit::build)
        .about("axum's router: labels reversed into a path, wildcards as `{x}` or `{*x}`")
        .upkeep("0.9.2, April 2026, one author")
        .up_to(MEDIUM),
    peer("radix-trie", byte_tries::radix)
        .about("`radix_trie` over reversed names; allocates a key for each step")
        .upkeep("0.3.0, September 2025, one author")
        .up_to(LARGE),
    peer("patricia-tree", byte_tries::patricia)
        .about("`patricia_tree` over reversed names, one walk over common prefixes")
        .upkeep("0.10.2, September 2026, one author"),
    peer("qp-trie", byte_tries::qp)
        .about("`qp-trie` over reversed names, labels stripped; MPL-2.0")
        .upkeep("0.8.2, October 2023, one author")
        .up_to(LARGE),
    peer("blart", byte_tries::blart)
        .about("an adaptive radix tree over reversed names that end in NUL, labels stripped")
        .upkeep("0.6.0, September 2026, one author")
        .up_to(LARGE),
    peer("trie-hard", byte_tries::trie_hard)
        .about("`trie-hard` over reversed names, `ancestor` for wildcards of any depth")
        .upkeep("0.2.0, March 2026, Cloudflare")
        .up_to(MEDIUM),
    peer("fst", automata::fst)
        .about("`fst` over reversed names, its nodes walked once")
        .upkeep("0.4.7, June 2021, one author"),
    peer("yada", automata::yada)
        .about("a double array over reversed names, one search for common prefixes")
        .upkeep("0.7.0, June 2026, one author"),
    peer("crawdad", automata::crawdad)
        .about("a double array over reversed characters, one search for common prefixes")
        .upkeep("0.4.1, August 2026, one author"),
    peer("null", null::build)
        .about("reads one byte of the query: what measuring itself costs")
        .upkeep("written here")
        .answers(Answers::Nothing),
];

#[cfg(not(feature = "openssl"))]
fn openssl_build(_: &NameSet) -> Result<Built, Refusal> {
    Err(Refusal::new("built without the feature `openssl`"))
}

#[cfg(not(feature = "sozu"))]
fn sozu_build(_: &NameSet) -> Result<Built, Refusal> {
    Err(Refusal::new("built without the feature `sozu`"))
}
