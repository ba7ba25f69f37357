//! An [`h2`] server that gives the application only what its connection may serve, and answers
//! everything else itself: one 421 on one stream, the connection left alone.
//!
//! It does not open sockets, speak TLS or choose certificates: it takes any byte stream and a
//! [`Decide`], which is a closure over the facts of one handshake and the newest authority table.
//!
//! ```text
//!  byte stream ─► Transport ─► h2 ─► one request ─► Decide ─┬─ Serve ──────► Accepted ─► application
//!                    │                    ▲                 ├─ Misdirected ► 421, stream over
//!                    └─ what h2 hides ────┘                 └─ Malformed ──► 400, 405 or reset
//! ```
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use bytes::Bytes;
//! use coalesce_core::{
//!     AuthorityTable, ClientCertificates, GroupId, IdentifierSet, RequestTarget,
//!     ServerConnection, decide,
//! };
//! use tokio::io::{AsyncRead, AsyncWrite};
//!
//! /// Serves one connection whose handshake chose `group` and presented `certificate`.
//! async fn serve<T: AsyncRead + AsyncWrite + Unpin>(
//!     io: T,
//!     table: Arc<AuthorityTable>,
//!     certificate: Arc<IdentifierSet>,
//!     group: GroupId,
//! ) -> Result<(), coalesce_h2::Error> {
//!     // Its handshake asked the client for no certificate, and its listener answers for 443.
//!     let clients = ClientCertificates::NotAsked;
//!     let connection = ServerConnection::tls(certificate, group, clients, 443);
//!     let decide = move |target: &RequestTarget<'_>| decide(&table, &connection, target);
//!     let mut connection = coalesce_h2::Builder::new().handshake(io, decide).await?;
//!     while let Some(accepted) = connection.accept().await {
//!         // `proof` says which virtual host; nothing misdirected ever gets here.
//!         let (request, mut respond, proof) = accepted?.into_parts();
//!         let body = format!("{} of {:?}\n", request.uri().path(), proof.virtual_host());
//!         if let Ok(mut send) = respond.send_response(http::Response::new(()), false) {
//!             // The stream may be gone by now; that is the client's business.
//!             let _ = send.send_data(Bytes::from(body), true);
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # What the client sees
//!
//! | verdict | answer |
//! | --- | --- |
//! | misdirected | 421, `cache-control: no-store`, the same bytes for every reason |
//! | malformed as HTTP/2 (RFC 9113 §8.1.1), in fields or trailers | `RST_STREAM(PROTOCOL_ERROR)` |
//! | a target that neither `h2` nor the transport saw whole | `RST_STREAM(PROTOCOL_ERROR)` |
//! | malformed as HTTP (RFC 9110 §7.2, RFC 3986) | 400 |
//! | `CONNECT` that the policy does not take | 405 |
//! | too many refusals in a row, or resets by the client | `GOAWAY(ENHANCE_YOUR_CALM)` |
//!
//! A request body that is still coming is not kept: the answer ends the stream,
//! `RST_STREAM(NO_ERROR)` follows, and the connection's flow-control window is given back. Where
//! the client has granted no window for the answer's content, the content and the reset wait until
//! it has, and what comes of the body meanwhile is let go.
//!
//! # What the client is told
//!
//! [`Builder::origin_set`] announces what a connection is for, in ORIGIN frames (RFC 8336) right
//! after SETTINGS, and [`Connection::announce`] what came to that with another table. An
//! [`OriginSet`] has the exact names that the table would serve on the connection, by the decision
//! itself, and is made once for all connections of a certificate and group:
//!
//! ```
//! use coalesce_core::{
//!     AuthorityTable, ClientCertificates, GroupId, IdentifierSet, ServerConnection,
//! };
//! use coalesce_h2::{Builder, OriginSet};
//!
//! fn settings(
//!     table: &AuthorityTable,
//!     certificate: &IdentifierSet,
//!     group: GroupId,
//! ) -> Builder {
//!     let clients = ClientCertificates::NotAsked;
//!     let connection = ServerConnection::tls(certificate, group, clients, 443);
//!     Builder::new().origin_set(OriginSet::new(table, &connection))
//! }
//! ```
//!
//! A client that heeds it uses the connection for nothing else but the origin of the server name,
//! so hosts that are known by wildcards alone stay out (RFC 8336 Appendix B).
//!
//! # What it costs
//!
//! A served request costs what it costs with `h2` alone, and a 421 a fraction of that. Where its
//! header block alone shows that a request is misdirected, it is answered without a stream being
//! made ([`Builder::answer_early`]), and the answers of a burst leave in few writes
//! ([`Builder::batch_writes`]). Figures, and the commands that make them, are in
//! `docs/performance.md`.
//!
//! # Crate features
//!
//! None. The crate needs `std`.
//!
//! # External types
//!
//! The public API has types and traits of other crates. A breaking change of one of them is a
//! breaking change of this crate. The crate re-exports `h2`.
//!
//! | crates | public |
//! | --- | --- |
//! | `bytes`, `coalesce-core`, `coalesce-http`, `h2`, `http`, `tokio` | always |
//!
//! # Limits
//!
//! Limits are named constants in [`limits`], most of them adjustable in [`Builder`]. Nothing
//! in this crate panics on anything a peer can send.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)
)]

// The harness of the fuzz targets, which the tests share, names this crate.
#[cfg(test)]
extern crate self as coalesce_h2;

mod answer;
mod date;
mod engine;
mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz_bridge;
pub mod limits;
mod origin;
mod refusal_limit;
mod send_and_sync;
mod server;
mod target;
mod transport;
mod uploads;

pub use coalesce_http::{Decide, MisdirectedContent};
pub use date::date;
pub use error::Error;
pub use h2;
pub use origin::OriginSet;
pub use server::{Accepted, Builder, Connection};
