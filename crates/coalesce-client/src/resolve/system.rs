//! The resolver of the operating system.

use coalesce_pool::Endpoint;
use tokio::net::lookup_host;

use super::contract::{EndpointStream, Question, Resolve};
use super::stream;

/// Asks the operating system (`getaddrinfo`), which knows its own files and services, and no HTTPS
/// records.
///
/// All addresses come at once. The system sorts them (RFC 6724), and says no time to live.
///
/// # Examples
/// ```
/// use coalesce_client::{Resolve, SystemResolver};
///
/// /// Returns a resolver for a client.
/// fn resolver() -> impl Resolve {
///     SystemResolver::default()
/// }
/// # let _ = resolver();
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemResolver {}

impl Resolve for SystemResolver {
    fn resolve(&self, question: Question) -> EndpointStream {
        stream::stream(|endpoints| async move {
            let name = question.name.to_string();
            match lookup_host((name.as_str(), question.port)).await {
                Ok(found) => endpoints.send(found.map(Endpoint::new).collect()),
                Err(error) => endpoints.fail(format!("cannot resolve {name}: {error}").into()),
            }
        })
    }
}
