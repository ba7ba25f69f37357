//! Decides which open connection of a client may carry a request, and what follows a 421.
//!
//! [`Pool`] is the state machine of a whole client pool on top of these decisions: requests that
//! wait, attempts to connect, streams, retries, and the end of connections.
//!
//! This crate does not open sockets, resolve names, verify certificates, speak HTTP or read a
//! clock. You give it the facts of connections, requests and answers, and the time, and it decides.
//! It knows HTTP/2 and HTTP/1.1, and not HTTP/3.
//!
//! ```text
//!  handshake ──► ConnectionFacts ──┐
//!  SETTINGS, ORIGIN, GOAWAY,       ├─► Candidate ─┐
//!  421 ────────► ConnectionStatus ─┘              │
//!  request ────► RequestFacts ─┐                  ├─► choose ─► Reuse | Verify | Resolve
//!  DNS ────────► Endpoint ... ─┼─► Inquiry ───────┘             Wait | Connect
//!  421 ────────► RefusalMemory ┘
//!
//!  answer ─────► Answer ─► record_answer ─► Deliver | RetryAlone
//!
//!  events and times ──► Pool ──► Resolve, Connect, Verify, Send, Deliver, Close, next timeout
//! ```
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use coalesce_core::{IdentifierSet, PresentedIdentifier};
//! use coalesce_pool::{
//!     Candidate, Choice, ConnectionFacts, ConnectionStatus, Endpoint, Grounds, Inquiry,
//!     LeafDigest, PoolKey, Protocol, RefusalMemory, RequestFacts, TlsFacts, Verification, choose,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Duration::ZERO;
//! // A connection for `a`, whose certificate covers all of `*.example.test`.
//! let names = IdentifierSet::build([PresentedIdentifier::parse_dns(b"*.example.test")?])?;
//! let key = PoolKey::new("https://a.example.test".parse()?);
//! let mut facts = ConnectionFacts::new(key, "192.0.2.10:443".parse()?, Protocol::Http2);
//! let expires_at = now + Duration::from_secs(86_400);
//! facts.tls = Some(TlsFacts::new(Arc::new(names), LeafDigest::new([7; 32]), expires_at));
//! let mut status = ConnectionStatus::default();
//! status.settings_received = true;
//!
//! // A request for `b`, which has the same address.
//! let request = RequestFacts::new(PoolKey::new("https://b.example.test".parse()?));
//! let endpoints = [Endpoint::new("192.0.2.10:443".parse()?)];
//! let memory = RefusalMemory::default();
//! let inquiry = Inquiry::new(&request, Some(&endpoints), &memory, now);
//!
//! let choice = choose([(1, Candidate::connected(&facts, &status))], &inquiry, |_, _| {});
//! assert_eq!(choice, Choice::Verify { candidate: 1 });
//! // You run your verifier on the chain of the connection, for the host of the request.
//! status.verified(&request.key.origin.as_origin().host(), Verification::Accepted);
//! let choice = choose([(1, Candidate::connected(&facts, &status))], &inquiry, |_, _| {});
//! assert_eq!(choice, Choice::Reuse { candidate: 1, grounds: Grounds::Covered });
//! # Ok(()) }
//! ```
//!
//! # Crate features
//!
//! None. The crate needs an allocator and no standard library.
//!
//! # External types
//!
//! | crates | with |
//! | --- | --- |
//! | `coalesce-core` | always |
//!
//! # Limits
//!
//! Every limit is a named constant in [`limits`] or a field of [`PoolConfig`]. No input makes this
//! crate panic. A decision on one candidate allocates nothing.
//!
//! | memory | bytes |
//! | --- | --- |
//! | an idle connection, without its certificate's names | some 1,000 |
//! | an origin of a received set, with a name of 25 bytes | some 90 |
//! | a received set at its limits | below 220,000 |
//!
//! `tests/no_allocation.rs` counts them.
//!
//! An event of the pool makes it look once at each origin that waits. Only requests that the event
//! may have helped are judged again, with all connections. So a request costs work in proportion to
//! the connections, and nothing for the other requests in flight.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
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

extern crate alloc;
#[cfg(test)]
extern crate std;

mod answer;
mod candidate;
mod choose;
mod endpoint;
mod judge;
mod key;
pub mod limits;
mod memory;
mod origin_set;
mod pool;
mod refusal;
mod request;
mod send_and_sync;
mod sorted;
mod superseded;
mod trail;

pub use answer::{Answer, AnswerAction, judge_answer, record_answer};
pub use candidate::{
    Candidate, ConnectionFacts, ConnectionState, ConnectionStatus, HandshakeCheck, Protocol,
    TlsFacts, Verification, VerifierKind,
};
pub use choose::{Choice, choose};
pub use endpoint::{Alpn, Endpoint};
pub use judge::{Eligibility, Inquiry, judge};
pub use key::{Partition, PoolKey, Proxy, TlsConfigurationId};
pub use memory::{LeafDigest, RefusalMemory, ServerIdentity};
pub use origin_set::{OriginFrame, OriginSet};
pub use pool::{Failure, Output, Pool, PoolConfig, Progress, ServerSettings, Unprocessed};
pub use refusal::{Grounds, Refusal};
pub use request::{Coalescing, DnsPolicy, Policy, RequestBody, RequestFacts, RequestKind};
pub use superseded::{Closing, superseded};
pub use trail::{AttemptId, CandidateId, ConnectionId, RequestId, Trail, TrailStep};
