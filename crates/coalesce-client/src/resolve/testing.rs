//! Helpers of the tests of resolvers.

use std::future::poll_fn;

use coalesce_pool::Endpoint;

use super::contract::{EndpointStream, Question, ResolveError};

pub(super) fn question(host: &str, port: u16) -> Question {
    Question { name: host.parse().unwrap(), port, https: true }
}

/// Returns all addresses, or the error if there is one.
pub(super) async fn addresses(stream: EndpointStream) -> Result<Vec<String>, ResolveError> {
    let found = collect(stream).await?;
    Ok(found.iter().map(|it| it.address.to_string()).collect())
}

/// Returns all endpoints, or the error if there is one.
pub(super) async fn collect(mut stream: EndpointStream) -> Result<Vec<Endpoint>, ResolveError> {
    let mut found = Vec::new();
    while let Some(item) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
        found.extend(item?);
    }
    Ok(found)
}
