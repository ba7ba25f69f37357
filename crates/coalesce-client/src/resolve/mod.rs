//! Resolvers: from a host to its endpoints.

#[cfg(feature = "hickory")]
mod cache;
mod contract;
mod fixed;
#[cfg(feature = "hickory")]
mod hickory;
#[cfg(feature = "hickory")]
mod limits;
#[cfg(feature = "hickory")]
mod merge;
#[cfg(feature = "hickory")]
mod records;
#[cfg(feature = "hickory")]
mod run;
mod stream;
mod system;

#[cfg(test)]
mod testing;

pub use contract::{EndpointStream, Question, Resolve, ResolveError};
pub use fixed::{FixedAddress, FixedEntryError, FixedResolver};
#[cfg(feature = "hickory")]
pub use hickory::{DnsConfigError, HickoryResolver};
pub(crate) use stream::{collect, next_endpoints};
pub use system::SystemResolver;
