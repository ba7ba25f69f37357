//! New connections: TCP with Happy Eyeballs, proxies, TLS.

mod dialer;
mod error;
mod eyeballs;
mod limits;
mod target;
mod tcp;
mod tls;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use dialer::{Dialer, DialerConfig};
pub(crate) use error::ConnectError;
pub(crate) use limits::{CONNECT_TIMEOUT, HAPPY_EYEBALLS_DELAY};
pub(crate) use target::{DialTarget, Dialed, Io, PeerTls};
