//! The limits that a user can set.

use std::time::Duration;

use crate::limits::{
    CONNECTIONS_MAX, DESCRIPTORS_PERCENT, HANDSHAKES_MAX, HEADER_TIMEOUT, IDLE_TIMEOUT,
};

/// How many connections a listener has, and how long they may be silent.
///
/// | limit | default | beyond it |
/// | --- | --- | --- |
/// | [`connections_max`](Self::connections_max) | [`CONNECTIONS_MAX`], or three quarters of the descriptors that the process may open | the connection that is without a request the longest is ended |
/// | [`handshakes_max`](Self::handshakes_max) | [`HANDSHAKES_MAX`] | the oldest handshake is ended |
/// | [`handshake_timeout`](Self::handshake_timeout) | that of the `Acceptor`, and `PROXY_HEADER_TIMEOUT` | the handshake is ended |
/// | [`idle_timeout`](Self::idle_timeout) | [`IDLE_TIMEOUT`] | the connection is ended |
/// | [`header_timeout`](Self::header_timeout) | [`HEADER_TIMEOUT`] | the connection is ended |
///
/// A new connection is always preferred to a silent one, so silent clients shut no other client
/// out. A line at the level `warn`, at most once a second, says that a limit was reached.
///
/// [`CoalesceLayer`](crate::CoalesceLayer) counts the open requests of each connection, so a
/// connection that waits for its application is never idle. A server without the layer holds
/// [`ConnectionInfo::open_request`](crate::ConnectionInfo::open_request) while it answers, or
/// switches both timeouts off.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// use coalesce_tower::{ConnectionLimits, Listener};
///
/// fn with_limits(listener: Listener) -> Listener {
///     let limits = ConnectionLimits::new()
///         .connections_max(50_000)
///         .idle_timeout(Duration::from_secs(20));
///     listener.with_limits(limits)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    pub(crate) connections_max: usize,
    pub(crate) handshakes_max: usize,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) header_timeout: Option<Duration>,
}

impl ConnectionLimits {
    /// Returns the defaults. They look at the limit of descriptors (`RLIMIT_NOFILE`), so raise that
    /// one first.
    pub fn new() -> Self {
        Self {
            connections_max: share_of(descriptors()),
            handshakes_max: HANDSHAKES_MAX,
            handshake_timeout: None,
            idle_timeout: Some(IDLE_TIMEOUT),
            header_timeout: Some(HEADER_TIMEOUT),
        }
    }

    /// Sets how many connections may be open at once, those in their handshake among them.
    #[must_use]
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections.max(1);
        self
    }

    /// Sets how many connections may be in their handshake at once.
    #[must_use]
    pub fn handshakes_max(mut self, handshakes: usize) -> Self {
        self.handshakes_max = handshakes.max(1);
        self
    }

    /// Sets how long a handshake may take, and the header of a gateway.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = Some(timeout);
        self
    }

    /// Sets how long a connection may be without a request, or take no byte of a response. `None`
    /// switches it off.
    ///
    /// Bytes that belong to no request, like those of a `PING`, do not count. A connection on which
    /// a tunnel or a WebSocket was opened is not idle.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = timeout.into();
        self
    }

    /// Sets how long the head of a request may take, from its first byte to its last: on HTTP/1 the
    /// request line and the fields, on HTTP/2 a header block with its `CONTINUATION` frames, and
    /// the preface. `None` switches it off.
    #[must_use]
    pub fn header_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.header_timeout = timeout.into();
        self
    }
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns how many connections leave room for the descriptors of the application.
fn share_of(descriptors: Option<usize>) -> usize {
    let share = descriptors.map(|count| count.saturating_mul(DESCRIPTORS_PERCENT).div_euclid(100));
    share.map_or(CONNECTIONS_MAX, |share| share.clamp(1, CONNECTIONS_MAX))
}

/// Returns how many descriptors the process may open, if there is a limit.
fn descriptors() -> Option<usize> {
    #[cfg(unix)]
    let soft = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    let soft = None::<u64>;
    soft.and_then(|soft| usize::try_from(soft).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_a_quarter_of_the_descriptors() {
        assert_eq!(share_of(Some(256)), 192);
        assert_eq!(share_of(Some(1_000_000)), CONNECTIONS_MAX);
        assert_eq!(share_of(Some(0)), 1);
        assert_eq!(share_of(None), CONNECTIONS_MAX);
    }
}
