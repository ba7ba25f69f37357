//! Resolvers: from a host to its endpoints.

mod contract;
mod fixed;
mod stream;
mod system;

#[cfg(test)]
mod testing;

pub use contract::{EndpointStream, Question, Resolve, ResolveError};
pub use fixed::{FixedAddress, FixedEntryError, FixedResolver};
pub use system::SystemResolver;
