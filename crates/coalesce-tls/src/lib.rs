//! Turns certificates and TLS handshakes into the connection facts that Coalesce decides on.
//!
//! This crate chooses the certificate and the TLS policy for a ClientHello, and returns the facts
//! of the handshake. It opens no sockets, verifies no server certificates, speaks no HTTP and
//! decides no requests.
//!
//! ```text
//!  certificate + key ──► PresentedNames ──┐
//!  group: client CAs, version, ALPN ──────┼─► HandshakeTable
//!  server name pattern ───────────────────┘         │
//!                                                   ▼
//!  ClientHello (server name) ──────────────────► choose ─► ServerConfig     → rustls
//!                                                   │      HandshakeFacts   → decide
//!                                                   └────► HandshakeRefused → unrecognized_name
//! ```
//!
//! # Example
//!
#![cfg_attr(feature = "rustls", doc = "```")]
#![cfg_attr(not(feature = "rustls"), doc = "```ignore")]
//! use std::sync::Arc;
//!
//! use coalesce_core::{
//!     AuthorityTable, GroupId, GroupPolicy, NamePattern, RequestTarget, Verdict, VirtualHostId,
//!     decide,
//! };
//! use coalesce_tls::{HandshakeTableBuilder, TlsPolicy};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let made = rcgen::generate_simple_self_signed(["*.example.test".to_owned()])?;
//! # let chain_pem = made.cert.pem();
//! # let key_pem = made.signing_key.serialize_pem();
//! let chain = coalesce_tls::certificates_from_pem(chain_pem.as_bytes())?;
//! let key = coalesce_tls::private_key_from_pem(key_pem.as_bytes())?;
//!
//! // One group, one certificate, and the server names that get them.
//! let public = GroupId::new(1);
//! let a = NamePattern::parse(b"a.example.test")?;
//! let b = NamePattern::parse(b"b.example.test")?;
//! let provider = Arc::new(rustls::crypto::ring::default_provider());
//! let mut builder = HandshakeTableBuilder::new(provider);
//! builder.group(public, TlsPolicy::default())?;
//! let certificate = builder.certificate(chain, key)?;
//! builder.server_name(a, public, certificate)?;
//! builder.server_name(b, public, certificate)?;
//! let handshakes = builder.build()?;
//!
//! // A ClientHello for `a` gets that certificate; a ClientHello without a name is refused.
//! let choice = handshakes.choose_by_name(Some("A.example.test"))?;
//! assert_eq!(choice.facts.presented().names(), ["DNS:*.example.test"]);
//! assert!(handshakes.choose_by_name(None).is_err());
//!
//! // On that connection, a request for `b` is served: the same group, and the same certificate.
//! let mut table = AuthorityTable::builder();
//! table.group(public, GroupPolicy::default())?;
//! table.entry(a, VirtualHostId::new(0), public)?;
//! table.entry(b, VirtualHostId::new(1), public)?;
//! let table = table.build()?;
//! let connection = choice.facts.connection(443);
//! let verdict = decide(&table, &connection, &RequestTarget::https(b"b.example.test"));
//! assert!(matches!(verdict, Verdict::Serve(_)));
//! # Ok(()) }
//! ```
//!
//! With tokio, `Acceptor::accept` makes the whole handshake and returns the stream and its facts.
//!
//! # Crate features
//!
//! * none: the identifiers and the dates of certificates, without rustls.
//! * `rustls`: handshake tables, choices and PEM files, without I/O and with any rustls provider.
//! * `tokio` (default): implies `rustls`, and adds `Acceptor`.
//!
//! # External types
//!
//! The public API has types and traits of other crates. A breaking change of one of them is a
//! breaking change of this crate. With the feature `rustls`, it re-exports that crate.
//!
//! | crates | public |
//! | --- | --- |
//! | `coalesce-core` | always |
//! | `rustls`, `rustls-pki-types`, `rustls-webpki` | with `rustls` |
//! | `tokio`, `tokio-rustls` | with `tokio` |
//!
//! # Limits
//!
//! Every limit is a named constant in [`limits`]. The server refuses a client that cannot verify
//! signatures of any certificate for a server name. A client certificate is verified once for each
//! session, and not again when the session is resumed.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)
)]

#[cfg(feature = "tokio")]
mod acceptor;
#[cfg(feature = "rustls")]
mod builder;
#[cfg(feature = "rustls")]
mod builder_error;
#[cfg(feature = "rustls")]
mod certificate_id;
#[cfg(feature = "rustls")]
mod choice;
#[cfg(feature = "rustls")]
mod client_offer;
// This file is not part of the crate. Examples include it.
#[cfg(doctest)]
mod doc_example;
#[cfg(feature = "rustls")]
mod facts;
#[cfg(feature = "tokio")]
mod failure;
#[cfg(feature = "rustls")]
mod file_format;
#[cfg(feature = "tokio")]
mod first_bytes;
#[cfg(feature = "rustls")]
mod group;
#[cfg(feature = "tokio")]
mod hello_names;
pub mod limits;
#[cfg(feature = "rustls")]
mod pem;
#[cfg(feature = "rustls")]
mod policy;
mod presented;
mod send_and_sync;
#[cfg(feature = "rustls")]
mod server_certificate;
#[cfg(feature = "rustls")]
mod sessions;
#[cfg(feature = "rustls")]
mod table;
mod validity;

#[cfg(feature = "tokio")]
pub use acceptor::{AcceptError, Acceptor};
#[cfg(feature = "rustls")]
pub use builder::{HandshakeTableBuilder, ServerNamePolicy};
#[cfg(feature = "rustls")]
pub use builder_error::HandshakeTableError;
#[cfg(feature = "rustls")]
pub use certificate_id::CertificateId;
#[cfg(feature = "rustls")]
pub use choice::{HandshakeChoice, HandshakeRefused};
#[cfg(feature = "rustls")]
pub use facts::HandshakeFacts;
#[cfg(feature = "tokio")]
pub use failure::HandshakeFailure;
#[cfg(feature = "rustls")]
pub use file_format::FileFormat;
#[cfg(feature = "rustls")]
pub use group::client_verifier;
#[cfg(feature = "rustls")]
pub use pem::{
    CertificateSyntaxError, PemError, certificates_from_pem, client_cas_from_pem,
    private_key_from_pem, revocation_lists_from_pem_or_der,
};
#[cfg(feature = "rustls")]
pub use policy::{
    CipherSuites, ClientAuth, ClientRules, ClientRulesError, TlsPolicy, TlsVersion,
    cipher_suite_name,
};
pub use presented::{CertificateError, IgnoredName, IgnoredReason, PresentedNames};
#[cfg(feature = "rustls")]
pub use rustls;
#[cfg(feature = "rustls")]
pub use server_certificate::ServerCertificate;
#[cfg(feature = "rustls")]
pub use sessions::{SessionStores, TicketerFactory};
#[cfg(feature = "rustls")]
pub use table::HandshakeTable;
pub use validity::{CertificateTime, Validity, ValidityPeriod};
