//! An [`h2`] server that passes on only the requests that its connection may serve. It answers all
//! others itself, each with one 421 on its own stream, and leaves the connection alone.
//!
//! The crate opens no sockets, speaks no TLS and chooses no certificates. It takes any byte stream
//! and a [`Decide`]: a closure over the facts of one handshake and the newest authority table.
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
//!     // The handshake asked for no client certificate, and the listener answers for port 443.
//!     let clients = ClientCertificates::NotAsked;
//!     let connection = ServerConnection::tls(certificate, group, clients, 443);
//!     let decide = move |target: &RequestTarget<'_>| decide(&table, &connection, target);
//!     let mut connection = coalesce_h2::Builder::new().handshake(io, decide).await?;
//!     while let Some(accepted) = connection.accept().await {
//!         // `proof` names the virtual host. A misdirected request never gets here.
//!         let (request, mut respond, proof) = accepted?.into_parts();
//!         let body = format!("{} of {:?}\n", request.uri().path(), proof.virtual_host());
//!         if let Ok(mut send) = respond.send_response(http::Response::new(()), false) {
//!             // The client may have reset the stream, which is no error of the server.
//!             let _ = send.send_data(Bytes::from(body), true);
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Answers
//!
//! | verdict | answer |
//! | --- | --- |
//! | misdirected | 421, `cache-control: no-store`, the same bytes for every reason |
//! | malformed as HTTP/2 (RFC 9113 §8.1.1), in fields or trailers | `RST_STREAM(PROTOCOL_ERROR)` |
//! | a target that neither `h2` nor the transport saw whole | `RST_STREAM(PROTOCOL_ERROR)` |
//! | malformed as HTTP (RFC 9110 §7.2, RFC 3986) | 400 |
//! | `CONNECT` that the policy refuses | 405 |
//! | too many refusals in a row, or resets by the client | `GOAWAY(ENHANCE_YOUR_CALM)` |
//!
//! If the body of a refused request is still arriving, the answer ends the stream,
//! `RST_STREAM(NO_ERROR)` follows, and the flow-control window returns to the connection. If the
//! client has granted no window for the content of the answer, the content and the reset wait for
//! it. Until then the crate discards the body.
//!
//! # ORIGIN frames
//!
//! [`Builder::origin_set`] announces the origins of a connection in ORIGIN frames (RFC 8336) right
//! after SETTINGS. [`Connection::announce`] adds the origins of a newer table. An [`OriginSet`]
//! contains the exact names that the decision would serve on the connection. Make it once for all
//! connections of a certificate and group:
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
//! A client that heeds the set uses the connection for its origins and for the server name, and for
//! no other host. Hosts that the table knows only by a wildcard are then not coalesced (RFC 8336
//! Appendix B).
//!
//! # Cost
//!
//! A served request costs as much as with `h2` alone, and a 421 a fraction of that. If the header
//! block alone shows that a request is misdirected, the crate answers it without making a stream
//! ([`Builder::answer_early`]). The answers of a burst leave in few writes
//! ([`Builder::batch_writes`]). `docs/performance.md` has the figures and the commands that measure
//! them.
//!
//! # Crate features
//!
//! * `client`: reports of SETTINGS, GOAWAY and ORIGIN frames for clients on `h2` or hyper.
//!
//! The crate needs `std`.
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
//! Limits are named constants in [`limits`], and [`Builder`] can change most of them. No input of a
//! peer makes this crate panic.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)
)]

// The tests share the harness of the fuzz targets, which imports this crate by its name.
#[cfg(test)]
extern crate self as coalesce_h2;

mod answer;
#[cfg(feature = "client")]
pub mod client;
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
