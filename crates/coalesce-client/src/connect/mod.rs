//! New connections: TCP with Happy Eyeballs, proxies, TLS.

mod connector;
mod dialer;
mod error;
mod eyeballs;
mod limits;
#[cfg(feature = "hyper-rustls")]
mod maybe_https;
mod peer_facts;
mod proxy;
mod target;
mod tcp;
mod tls;
mod tunnel;

#[cfg(test)]
mod proxy_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use connector::Connector;
pub(crate) use dialer::{Dialer, DialerConfig};
pub(crate) use error::ConnectError;
pub use peer_facts::{PeerFacts, TlsPeer};
pub use proxy::{ProxyConfig, ProxyConfigError};
pub(crate) use target::{DialTarget, Dialed, Io, PeerTls};
