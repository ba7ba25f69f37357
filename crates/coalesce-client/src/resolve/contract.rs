//! The contract of resolvers.

use std::fmt;
use std::pin::Pin;

use coalesce_core::DnsNameBuf;
use coalesce_pool::Endpoint;
use futures_core::Stream;

use crate::error::BoxError;

/// The host for which endpoints are asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Question {
    /// The host.
    pub name: DnsNameBuf,
    /// The port of the origin. An HTTPS record may name another one.
    pub port: u16,
    /// Whether the origin is `https`, so that HTTPS records count.
    pub https: bool,
}

/// The reason why a host has no endpoints.
pub type ResolveError = BoxError;

/// The endpoints of a host, as they arrive. The stream ends when no more follow.
pub type EndpointStream =
    Pin<Box<dyn Stream<Item = Result<Vec<Endpoint>, ResolveError>> + Send + 'static>>;

/// Finds the endpoints of a host.
pub trait Resolve: fmt::Debug + Send + Sync + 'static {
    /// Starts a resolution.
    fn resolve(&self, question: Question) -> EndpointStream;
}
