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
//! ```
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
//! * none: certificates, handshake tables and choices, without I/O and with any rustls provider.
//! * `tokio` (default): `Acceptor`.
//!
//! # External types
//!
//! The public API has types and traits of other crates. A breaking change of one of them is a
//! breaking change of this crate. The crate re-exports `rustls`.
//!
//! | crates | public |
//! | --- | --- |
//! | `coalesce-core`, `rustls`, `rustls-pki-types`, `rustls-webpki` | always |
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
mod builder;
mod builder_error;
mod certificate_id;
mod choice;
mod client_offer;
// This file is not part of the crate. Examples include it.
#[cfg(doctest)]
mod doc_example;
mod facts;
#[cfg(feature = "tokio")]
mod failure;
mod file_format;
#[cfg(feature = "tokio")]
mod first_bytes;
mod group;
#[cfg(feature = "tokio")]
mod hello_names;
pub mod limits;
mod pem;
mod policy;
mod presented;
mod send_and_sync;
mod server_certificate;
mod sessions;
mod table;
mod validity;

#[cfg(feature = "tokio")]
pub use acceptor::{AcceptError, Acceptor};
pub use builder::{HandshakeTableBuilder, ServerNamePolicy};
pub use builder_error::HandshakeTableError;
pub use certificate_id::CertificateId;
pub use choice::{HandshakeChoice, HandshakeRefused};
pub use facts::HandshakeFacts;
#[cfg(feature = "tokio")]
pub use failure::HandshakeFailure;
pub use file_format::FileFormat;
pub use group::client_verifier;
pub use pem::{
    CertificateSyntaxError, PemError, certificates_from_pem, client_cas_from_pem,
    private_key_from_pem, revocation_lists_from_pem_or_der,
};
pub use policy::{
    CipherSuites, ClientAuth, ClientRules, ClientRulesError, TlsPolicy, TlsVersion,
    cipher_suite_name,
};
pub use presented::{CertificateError, IgnoredName, IgnoredReason, PresentedNames};
pub use rustls;
pub use server_certificate::ServerCertificate;
pub use sessions::{SessionStores, TicketerFactory};
pub use table::HandshakeTable;
pub use validity::{CertificateTime, Validity, ValidityPeriod};
