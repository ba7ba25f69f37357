//! The limits of the crate, each with its source.

use core::time::Duration;

/// The most origins in one received origin set. A frame of 16,384 bytes (RFC 9113 §4.2) has room
/// for about 700 names of usual length, and servers send one frame or a few.
pub const ORIGINS_MAX: usize = 2_048;

/// The most bytes of the names in one received origin set: four frames of 16,384 bytes (RFC 9113
/// §4.2).
pub const ORIGIN_BYTES_MAX: usize = 65_536;

/// The most entries in the memory of refusals. The most popular pages use fewer than 200 hosts, so
/// the limit leaves room for several pages whose hosts all refuse.
pub const REFUSALS_MAX: usize = 1_024;

/// The time for which a refusal is remembered. A server changes its routing at a reload, and a user
/// should not wait longer than some minutes for the new one.
pub const REFUSAL_TTL: Duration = Duration::from_secs(600);

/// The most origins that one connection remembers as refused. A connection that refuses more is
/// used for the origin that it was made for, and for no other.
pub const REFUSED_PER_CONNECTION_MAX: usize = 1_024;

/// The most results of the verifier that one connection remembers. Beyond it, the connection
/// forgets all of them, and the verifier runs again.
pub const VERIFICATIONS_PER_CONNECTION_MAX: usize = 1_024;

/// The limit of concurrent streams until the server's SETTINGS arrive. RFC 9113 §6.5.2 recommends
/// that servers allow no fewer than 100.
pub const STREAMS_BEFORE_SETTINGS: u32 = 100;

/// The default of [`Policy::connections_per_origin`](crate::Policy::connections_per_origin).
/// Browsers allow six for HTTP/1.1, whose connections carry one request each; four connections of
/// 100 streams are enough for most servers.
pub const CONNECTIONS_PER_ORIGIN: u32 = 4;

/// The most steps in one trail: the candidates of several decisions on a usual page, in less memory
/// than the head of a response takes.
pub const TRAIL_STEPS_MAX: usize = 64;

/// The default of [`PoolConfig::leader_wait`](crate::PoolConfig::leader_wait). Browsers start the
/// next connection attempt after 250 ms (RFC 8305 §5), so a wait of this length delays nothing that
/// a silent server would not delay as well.
pub const LEADER_WAIT: Duration = Duration::from_millis(250);

/// The default of [`PoolConfig::stream_wait`](crate::PoolConfig::stream_wait): the round trip to a
/// far server. Short requests end within it, so a burst of them needs no second connection.
pub const STREAM_WAIT: Duration = Duration::from_millis(100);

/// The default of [`PoolConfig::idle_timeout`](crate::PoolConfig::idle_timeout), as in Go's and
/// Rust's usual clients.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// The default of [`PoolConfig::connections_max`](crate::PoolConfig::connections_max), connections
/// and attempts together: the limit of sockets in the pools of Chromium.
pub const CONNECTIONS_MAX: usize = 256;

/// The default of [`PoolConfig::requests_max`](crate::PoolConfig::requests_max). Each request takes
/// about a kilobyte, so the limit is some 16 megabytes.
pub const REQUESTS_MAX: usize = 16_384;

/// The default of [`PoolConfig::streams_max`](crate::PoolConfig::streams_max). Servers rarely allow
/// more, and more would wait for the window of the connection (RFC 9113 §6.9.2).
pub const STREAMS_MAX: u32 = 1_000;

/// The most endpoints of one host: more than any resolver returns in one answer of 4,096 bytes.
pub const ENDPOINTS_MAX: usize = 256;

/// The most times that one request is sent again because a server did not process it (RFC 9113
/// §8.7). A server that refuses more often is overloaded.
pub const UNPROCESSED_RETRIES_MAX: u8 = 3;

/// The most times that one request is sent again because a connection that had served others ended
/// before the answer. All connections of an origin may have become stale at the same time, so the
/// limit is [`CONNECTIONS_PER_ORIGIN`].
pub const LOST_RETRIES_MAX: u8 = 4;

/// The seconds whose requests and retries the budget of retries counts, as in tower's.
pub const RETRY_WINDOW_SECONDS: u8 = 10;

/// The default of [`PoolConfig::retry_percent`](crate::PoolConfig::retry_percent), as in tower's
/// budget.
pub const RETRY_PERCENT: u32 = 20;

/// The default of [`PoolConfig::retries_min`](crate::PoolConfig::retries_min): one for each stream
/// of a full connection ([`STREAMS_MAX`]), because a server that answers 421 on it meets all of
/// them.
pub const RETRIES_MIN: u32 = 1_000;

/// The most servers whose hosts are remembered for the next cold start: more than a page with many
/// third parties uses.
pub const SERVERS_MAX: usize = 256;

/// The most hosts that are remembered of one server. With [`SERVERS_MAX`] and names of 30 bytes,
/// the memory is half a megabyte.
pub const SERVED_HOSTS_MAX: usize = 32;

/// The time for which the hosts of a server are remembered. Pages are visited again within a day,
/// and an entry that is out of date costs one wait.
pub const SERVED_HOSTS_TTL: Duration = Duration::from_secs(86_400);

/// The most different kinds of waiting requests of one origin that are judged at an event. Usual
/// clients have one or two: with one policy, ordinary requests and extended `CONNECT`.
pub const WAITING_KINDS_MAX: usize = 16;
