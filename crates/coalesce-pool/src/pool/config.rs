//! The limits and times of a pool.

use core::time::Duration;

use crate::limits::{
    CONNECTIONS_MAX, IDLE_TIMEOUT, LEADER_WAIT, REQUESTS_MAX, RETRIES_MIN, RETRY_PERCENT,
    STREAM_WAIT, STREAMS_MAX,
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
    /// The most retries within ten seconds, in percent of the requests. They count after a 421,
    /// after a request that the server did not process, and after a lost connection. A request that
    /// was not sent costs the server nothing, so it does not count.
    pub retry_percent: u32,
    /// The retries within ten seconds that are allowed beyond this share, for clients with few
    /// requests.
    pub retries_min: u32,
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
            retry_percent: RETRY_PERCENT,
            retries_min: RETRIES_MIN,
        }
    }
}
