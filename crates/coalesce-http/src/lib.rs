//! The parts that every server adapter of Coalesce needs: the trait that decides, the prebuilt
//! 421, 400 and 405, the rules of a request target, and the log events.
//!
//! This crate does not read or write HTTP. An adapter turns a request of its server library into a
//! [`RequestTarget`](coalesce_core::RequestTarget), asks a [`Decide`], and sends one of the
//! [`Answers`]. `coalesce-h2` and `coalesce-tower` re-export the parts that their users need.
//!
//! ```text
//!  server library ─► adapter ─► target: method_kind, path_is_well_formed, host_field
//!                       │          │
//!                       │          ▼
//!                       │       Decide ─┬─ Serve ──────► application
//!                       │               ├─ Misdirected ► Refusal ─► Answers ─► 421
//!                       │               └─ Malformed ──► Refusal ─► Answers ─► 400, 405 (or a reset)
//!                       ▼
//!                    log: the reason, for the operator only
//! ```
//!
//! # Example
//!
//! ```
//! use bytes::Bytes;
//! use coalesce_core::{RequestTarget, Verdict};
//! use coalesce_http::{Answers, Decide, Refusal, log};
//! use http::{Method, Response};
//!
//! /// Returns the answer to a request that must not reach the application.
//! fn refuse<D>(
//!     decide: &D,
//!     answers: &Answers,
//!     target: &RequestTarget<'_>,
//! ) -> Option<Response<Bytes>>
//! where
//!     D: for<'a> Decide<RequestTarget<'a>>,
//! {
//!     let verdict = decide.decide(target);
//!     log::verdict(target, &verdict, |reason| decide.hint(target, reason));
//!     let refusal = match verdict {
//!         Verdict::Serve(_) => return None,
//!         Verdict::Misdirected(_) => Refusal::Misdirected,
//!         // `None` asks for a reset, which HTTP/1.1 does not have.
//!         Verdict::Malformed(reason) => {
//!             Refusal::from_malformed(reason.answer()).unwrap_or(Refusal::BadRequest)
//!         }
//!     };
//!     let answer = answers.get(refusal);
//!     let mut response = Response::new(answer.content(&Method::GET));
//!     *response.status_mut() = answer.status();
//!     *response.headers_mut() = answer.fields().clone();
//!     Some(response)
//! }
//!
//! # use coalesce_core::{AuthorityTable, ServerConnection, GroupId, IdentifierSet, decide};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let table = AuthorityTable::builder().build()?;
//! # let presented = IdentifierSet::build([])?;
//! # let clients = coalesce_core::ClientCertificates::NotAsked;
//! let connection = ServerConnection::tls(&presented, GroupId::new(1), clients, 443);
//! let decide = |target: &RequestTarget<'_>| decide(&table, &connection, target);
//! let target = RequestTarget::https(b"elsewhere.test");
//! let response = refuse(&decide, &Answers::default(), &target);
//! assert_eq!(response.map(|response| response.status().as_u16()), Some(421));
//! # Ok(()) }
//! ```
//!
//! # Crate features
//!
//! None. The crate needs `std`.
//!
//! # External types
//!
//! The public API has types and traits of other crates. A breaking change of one of them is a
//! breaking change of this crate.
//!
//! | crates | public |
//! | --- | --- |
//! | `bytes`, `coalesce-core`, `http` | always |
//!
//! # Limits
//!
//! Limits are named constants in [`limits`]. No input from a peer makes this crate panic.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)
)]

mod answer;
mod decide;
mod grpc;
pub mod limits;
pub mod log;
mod rate_limit;
mod refusal;
mod send_and_sync;
pub mod target;

pub use answer::{Answer, Answers, MisdirectedContent};
pub use decide::Decide;
pub use grpc::{grpc_fields, is_grpc};
pub use refusal::Refusal;
