//! The error of an attempt to connect.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use coalesce_core::OriginBuf;
use coalesce_pool::Proxy;

use crate::error::BoxError;

/// The reason why an attempt made no connection. Its text names the origin, the address and the
/// cause.
#[derive(Debug)]
pub(crate) struct ConnectError {
    origin: OriginBuf,
    cause: Cause,
}

/// The step that failed.
#[derive(Debug)]
pub(crate) enum Cause {
    /// No endpoint has a usable address.
    NoAddress,
    /// No address accepted the connection. Each is here with its error.
    Tcp(Vec<(SocketAddr, io::Error)>),
    /// The host cannot be a server name of TLS.
    ServerName,
    /// The client has no such TLS configuration.
    TlsConfiguration(u32),
    /// The handshake failed.
    Tls { peer: SocketAddr, error: io::Error },
    /// The client has no such proxy.
    UnknownProxy(Proxy),
    /// The proxy could not be reached, or opened no tunnel.
    Proxy { proxy: Proxy, cause: Box<Cause> },
    /// The host has no addresses.
    Resolve(BoxError),
    /// The connector of the user made no usable connection.
    Connector(BoxError),
    /// The proxy opened no tunnel.
    Tunnel { peer: SocketAddr, error: io::Error },
    /// The time limit passed.
    Timeout(Duration),
}

impl ConnectError {
    pub(crate) const fn new(origin: OriginBuf, cause: Cause) -> Self {
        Self { origin, cause }
    }

    /// Returns whether a time limit passed, here or in the kernel.
    pub(crate) fn is_timeout(&self) -> bool {
        self.cause.is_timeout()
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot connect to {}: {}", self.origin, self.cause)
    }
}

impl StdError for ConnectError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.source()
    }
}

impl Cause {
    /// Adds the origin.
    pub(crate) fn of(self, origin: &OriginBuf) -> BoxError {
        ConnectError::new(origin.clone(), self).into()
    }

    fn is_timeout(&self) -> bool {
        match self {
            Self::Timeout(_) => true,
            Self::Proxy { cause, .. } => cause.is_timeout(),
            Self::Tcp(failed) => {
                failed.last().is_some_and(|(_, it)| it.kind() == io::ErrorKind::TimedOut)
            }
            _ => false,
        }
    }

    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Tcp(failed) => failed.last().map(|(_, error)| error as _),
            Self::Tls { error, .. } | Self::Tunnel { error, .. } => Some(error),
            Self::Proxy { cause, .. } => cause.source(),
            Self::Resolve(error) | Self::Connector(error) => Some(error.as_ref()),
            _ => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => f.write_str("no address for TCP"),
            Self::Tcp(failed) => failed.iter().enumerate().try_for_each(|(at, (peer, error))| {
                let separator = if at == 0 { "" } else { "; " };
                write!(f, "{separator}{peer}: {error}")
            }),
            Self::ServerName => f.write_str("the host is neither a DNS name nor an address"),
            Self::TlsConfiguration(number) => write!(f, "no TLS configuration {number}"),
            Self::Tls { peer, error } => write!(f, "TLS with {peer}: {error}"),
            Self::UnknownProxy(proxy) => write!(f, "no proxy {}", proxy.as_str()),
            Self::Proxy { proxy, cause } => write!(f, "proxy {}: {cause}", proxy.as_str()),
            Self::Resolve(error) | Self::Connector(error) => error.fmt(f),
            Self::Tunnel { peer, error } => write!(f, "{peer}: {error}"),
            Self::Timeout(limit) => write!(f, "no connection after {} ms", limit.as_millis()),
        }
    }
}
