//! Decides which authorities may share one HTTP/2 connection, without allocating.
//!
//! This crate does not open sockets, read certificates, resolve names or speak TLS. You give it the
//! facts of a connection and the target of a request, and it returns a [`Verdict`].
//!
//! ```text
//!  certificate ──► IdentifierSet ─┐
//!  ClientHello ──► server name  ──┼─► ServerConnection ─┐
//!                  group, ports ──┘                     ├─► decide ─► Serve(Authoritative)
//!  configuration ─► AuthorityTable ─────────────────────┤             Misdirected(reason) → 421
//!  HEADERS ───────► RequestTarget ──────────────────────┘             Malformed(reason) → 400, reset
//! ```
//!
//! # Example
//!
#![cfg_attr(feature = "alloc", doc = "```")]
#![cfg_attr(not(feature = "alloc"), doc = "```ignore")]
//! use coalesce_core::{
//!     AuthorityTable, ClientCertificates, GroupId, GroupPolicy, IdentifierSet, NamePattern,
//!     PresentedIdentifier, RequestTarget, ServerConnection, Verdict, VirtualHostId, decide,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The server's side: the names it answers for, and which may share a connection.
//! let public = GroupId::new(1);
//! let mut table = AuthorityTable::builder();
//! table.group(public, GroupPolicy::default())?;
//! table.entry(NamePattern::parse(b"a.example.test")?, VirtualHostId::new(0), public)?;
//! table.entry(NamePattern::parse(b"cdn.example.test")?, VirtualHostId::new(1), public)?;
//! let table = table.build()?;
//!
//! // The handshake's side: the certificate of this connection covers only `a`.
//! let presented = IdentifierSet::build([PresentedIdentifier::parse_dns(b"a.example.test")?])?;
//! let clients = ClientCertificates::NotAsked;
//! let connection = ServerConnection::tls(&presented, public, clients, 443);
//!
//! let own = decide(&table, &connection, &RequestTarget::https(b"A.example.test:443"));
//! let Verdict::Serve(proof) = own else { panic!("{own:?}") };
//! assert_eq!(proof.virtual_host(), Some(VirtualHostId::new(0)));
//!
//! let other = decide(&table, &connection, &RequestTarget::https(b"cdn.example.test"));
//! assert!(matches!(other, Verdict::Misdirected(reason) if reason.code() == "certificate"));
//! # Ok(()) }
//! ```
//!
//! # Crate features
//!
//! * none: parsing, reading tables and identifier sets from bytes, deciding.
//! * `alloc`: building tables and identifier sets; owned names, hosts, authorities and origins.
//! * `std` (default): implies `alloc`, and lets an x86-64 program detect AVX2 when it runs. Without
//!   `std`, the crate uses AVX2 only if it is compiled with `-C target-feature=+avx2,+bmi1,+bmi2`;
//!   otherwise lookups take more instructions. Answers and compiled tables are the same either way.
//!
//! # Errors
//!
//! An error holds the value found, the limit and the place. It holds no text and allocates nothing.
//! Error enums may get more variants, so a `match` needs a last arm. The fields of a variant do not
//! change, so your tests can compare whole errors.
//!
//! # External types
//!
//! None: the public API uses only types of this crate and of `core`, `alloc` and `std`.
//!
//! # Limits
//!
//! Every limit is a named constant in [`limits`]. No input makes this crate panic. Only the
//! builders and the owned forms of names, hosts, authorities and origins allocate.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]
#![allow(
    clippy::inline_always,
    reason = "the compiler must inline a kernel whole into the code of each instruction set"
)]
#![allow(clippy::many_single_char_names, reason = "the words of a key differ only in position")]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod authorities;
mod authority;
mod decide;
mod folded;
mod forms;
mod hint;
mod host;
mod identifier;
mod identifier_set;
pub mod limits;
mod listener;
mod name;
mod origin;
mod origin_set;
mod packed;
mod pattern;
mod policy;
mod ports;
mod reason;
mod request;
mod send_and_sync;
mod simd;
mod storage;
mod table;
mod trie;

pub use authorities::{Authorities, Entry};
#[cfg(feature = "alloc")]
pub use authority::AuthorityBuf;
pub use authority::{Authority, AuthorityError};
pub use decide::{Authoritative, Memo, ServedAs, ServerConnection, Verdict, decide};
pub use hint::RefusalHint;
pub use host::Host;
#[cfg(feature = "alloc")]
pub use host::HostBuf;
pub use identifier::{IdentifierError, PresentedIdentifier};
pub use identifier_set::{IdentifierSet, PresentedSet};
#[cfg(feature = "alloc")]
pub use listener::ListenerTable;
pub use listener::PortListeners;
#[cfg(feature = "alloc")]
pub use name::DnsNameBuf;
pub use name::{DnsName, NameError};
#[cfg(feature = "alloc")]
pub use origin::OriginBuf;
pub use origin::{Origin, OriginError};
pub use origin_set::Listing;
pub use pattern::{NamePattern, PatternError};
pub use policy::{
    ClientCertificates, CoalescePolicy, ConnectPolicy, Enforcement, GroupId, GroupPolicy,
    HandshakeRules, ListenerId, UnknownAuthority, VirtualHostId,
};
pub use ports::Ports;
pub use reason::{Malformed, MalformedAnswer, Misdirected, Step};
pub use request::{HostField, MethodKind, RequestTarget, Scheme};
#[cfg(feature = "alloc")]
pub use table::AuthorityTableBuilder;
pub use table::{AuthorityTable, TableEntry};
#[cfg(feature = "alloc")]
pub use trie::{BuildError, Duplicate, NameTrieBuilder, Progress, Stage};
pub use trie::{FormatError, Layout, NameTrie, StoredPattern};
