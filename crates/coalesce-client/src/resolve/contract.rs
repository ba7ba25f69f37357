//! The contract of resolvers.

use std::fmt;
use std::pin::Pin;

use coalesce_core::DnsNameBuf;
use coalesce_pool::Endpoint;
use futures_core::Stream;

use crate::error::BoxError;

/// The host for which endpoints are asked.
///
/// # Examples
/// ```
/// use coalesce_client::Question;
///
/// fn origin(question: &Question) -> String {
///     let scheme = if question.https { "https" } else { "http" };
///     format!("{scheme}://{}:{}", question.name, question.port)
/// }
/// ```
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
///
/// # Examples
/// ```
/// use coalesce_client::ResolveError;
///
/// let error: ResolveError = "the host is blocked".into();
/// assert_eq!(error.to_string(), "the host is blocked");
/// ```
pub type ResolveError = BoxError;

/// The endpoints of a host, as they arrive. The stream ends when no more follow.
///
/// # Examples
/// ```
/// use coalesce_client::EndpointStream;
///
/// async fn has_endpoints(mut stream: EndpointStream) -> bool {
///     let first = std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await;
///     matches!(first, Some(Ok(_)))
/// }
/// ```
pub type EndpointStream =
    Pin<Box<dyn Stream<Item = Result<Vec<Endpoint>, ResolveError>> + Send + 'static>>;

/// Finds the endpoints of a host.
///
/// # Examples
/// ```
/// use coalesce_client::{EndpointStream, Question, Resolve, SystemResolver};
///
/// /// Prints the hosts that are resolved.
/// #[derive(Debug)]
/// struct Printing(SystemResolver);
///
/// impl Resolve for Printing {
///     fn resolve(&self, question: Question) -> EndpointStream {
///         println!("{question:?}");
///         self.0.resolve(question)
///     }
/// }
/// ```
pub trait Resolve: fmt::Debug + Send + Sync + 'static {
    /// Starts a resolution.
    fn resolve(&self, question: Question) -> EndpointStream;
}
