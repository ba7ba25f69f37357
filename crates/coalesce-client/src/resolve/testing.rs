//! Helpers of the tests of resolvers.

use super::contract::{EndpointStream, Question, ResolveError};
pub(super) use super::stream::collect;

pub(super) fn question(host: &str, port: u16) -> Question {
    Question { name: host.parse().unwrap(), port, https: true }
}

/// Returns all addresses, or the error if there is one.
pub(super) async fn addresses(stream: EndpointStream) -> Result<Vec<String>, ResolveError> {
    let found = collect(stream).await?;
    Ok(found.iter().map(|it| it.address.to_string()).collect())
}
