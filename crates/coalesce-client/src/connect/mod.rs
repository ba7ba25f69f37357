//! New connections: TCP with Happy Eyeballs, proxies, TLS.

mod dialer;
mod error;
mod eyeballs;
mod limits;
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

pub(crate) use dialer::{Dialer, DialerConfig};
pub(crate) use error::ConnectError;
pub use proxy::{ProxyConfig, ProxyConfigError};
pub(crate) use target::{DialTarget, Dialed, Io, PeerTls};
