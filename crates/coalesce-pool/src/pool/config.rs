//! The limits and times of a pool.

use core::time::Duration;

use crate::limits::{
    CONNECTIONS_MAX, IDLE_TIMEOUT, LEADER_WAIT, REQUESTS_MAX, STREAM_WAIT, STREAMS_MAX,
};

/// The limits and times of a [`Pool`](crate::Pool).
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// use coalesce_pool::PoolConfig;
///
/// let mut config = PoolConfig::default();
/// config.idle_timeout = Duration::from_secs(10);
/// assert_eq!(config.leader_wait, Duration::from_millis(250));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolConfig {
    /// How long requests wait for the connection of another origin that is being made and may
    /// carry them: for its handshake, and as long again for its SETTINGS.
    pub leader_wait: Duration,
    /// How long requests wait for a stream before the pool makes another connection.
    pub stream_wait: Duration,
    /// How long a connection without requests stays open.
    pub idle_timeout: Duration,
    /// The client's limit of concurrent streams on a connection. The server's limit holds as well.
    pub streams_max: u32,
    /// The most connections and attempts. Memory: a received origin set is at most some 200
    /// kilobytes, and most connections have none.
    pub connections_max: usize,
    /// The most requests that wait or are on a connection.
    pub requests_max: usize,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            leader_wait: LEADER_WAIT,
            stream_wait: STREAM_WAIT,
            idle_timeout: IDLE_TIMEOUT,
            streams_max: STREAMS_MAX,
            connections_max: CONNECTIONS_MAX,
            requests_max: REQUESTS_MAX,
        }
    }
}
