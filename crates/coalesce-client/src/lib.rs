//! An HTTP client that coalesces hosts onto shared HTTP/2 connections.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)
)]

mod body;
mod builder;
mod client;
mod coalesce;
mod connect;
mod connection;
mod driver;
mod error;
mod metrics;
#[cfg(feature = "reqwest")]
mod middleware;
mod options;
mod resolve;
mod route;
mod service;
mod tls_config;
mod trail;
mod verify;

pub use body::{RequestBody, ResponseBody};
pub use builder::ClientBuilder;
pub use client::Client;
pub use coalesce::Coalesce;
pub use coalesce_pool::{DnsPolicy, Eligibility, Grounds, PoolConfig, Protocol, Refusal};
pub use connect::{Connector, PeerFacts, ProxyConfig, ProxyConfigError, TlsPeer};
pub use error::{BoxError, Error, ErrorKind};
#[cfg(feature = "reqwest")]
pub use middleware::CoalesceMiddleware;
pub use options::RequestOptions;
#[cfg(feature = "hickory")]
pub use resolve::{DnsConfigError, HickoryResolver};
pub use resolve::{
    EndpointStream, FixedAddress, FixedEntryError, FixedResolver, Question, Resolve, ResolveError,
    SystemResolver,
};
pub use rustls;
pub use service::ResponseFuture;
pub use tls_config::{TlsConfig, TlsConfigError};
pub use trail::{ExplainedCandidate, Explanation, Trail, TrailStep};
pub use verify::{PinMismatch, TransparencyMissing};
