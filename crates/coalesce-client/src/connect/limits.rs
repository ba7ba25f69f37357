//! The limits of an attempt to connect.

use std::time::Duration;

/// The time for an attempt to connect: TCP, the proxy, and TLS. Linux itself gives up a TCP connect
/// after two minutes, which is too long for a request.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// The time between two TCP connects of one attempt (RFC 8305 §5, "Connection Attempt Delay").
pub(crate) const HAPPY_EYEBALLS_DELAY: Duration = Duration::from_millis(250);

/// The shortest such time: RFC 8305 §5 says that it must not be less.
pub(crate) const HAPPY_EYEBALLS_DELAY_MIN: Duration = Duration::from_millis(10);

/// The most addresses that one attempt tries. With the usual delay, an attempt to more addresses
/// would start the last of them after 8 seconds.
pub(crate) const ADDRESSES_MAX: usize = 32;

/// The longest head of a proxy's answer to `CONNECT`. Servers commonly allow heads of 8 to 16 KiB.
pub(crate) const PROXY_HEAD_MAX: usize = 16 * 1024;
