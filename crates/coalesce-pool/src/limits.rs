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
