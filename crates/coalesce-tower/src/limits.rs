//! The limits that users meet, each with its source. Those of listeners are there with them.

#[cfg(feature = "listener")]
use std::time::Duration;

#[cfg(feature = "listener")]
pub use coalesce_http::limits::ACCEPT_PAUSE;

/// Connections of one listener that are open at once, those in their handshake among them. Beyond
/// it, the one that is without a request the longest is ended. Above what one process serves in
/// comfort; `coalesce serve` has the same.
#[cfg(feature = "listener")]
pub const CONNECTIONS_MAX: usize = 10_000;

/// How many of the descriptors that the process may open are for connections: three quarters, so
/// that the application can open files and connections whatever clients do.
#[cfg(feature = "listener")]
pub const DESCRIPTORS_PERCENT: usize = 75;

/// TLS handshakes and gateway headers under way at once on one listener. Beyond it, the oldest is
/// ended. As many connections as the system queues for a listener by default
/// (`net.core.somaxconn`).
#[cfg(feature = "listener")]
pub const HANDSHAKES_MAX: usize = 4096;

/// How long a connection may be without a request, or take no byte of a response. Browsers close
/// theirs after some minutes; nginx's default (`keepalive_timeout`) is 75 seconds.
#[cfg(feature = "listener")]
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// How long the head of a request may take. hyper's default for HTTP/1, where it has a timer.
#[cfg(feature = "listener")]
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// The bytes of unwanted content that are read and dropped before an HTTP/1 connection is closed.
/// Closing over unread bytes resets the connection, and the client loses the answer (RFC 9112
/// §9.6). As much as Linux buffers on both ends by default (`tcp_rmem`, `tcp_wmem`: 6 and 4 MiB):
/// all that a client has sent before it can hear of the answer. [`HEADER_TIMEOUT`] bounds the time.
#[cfg(feature = "listener")]
pub const LINGER_BYTES_MAX: usize = 10 * 1024 * 1024;

/// The longest pause between two checks of all connections. A connection may be ended as much later
/// than its timeout says. One check of 10,000 connections takes some tenths of a millisecond.
#[cfg(feature = "listener")]
pub const SWEEP_PAUSE_MAX: Duration = Duration::from_secs(1);

/// The lines of one kind about the limits of a listener that are logged in a second.
#[cfg(feature = "listener")]
pub const LIMIT_LINES_PER_SECOND: u64 = 1;

/// The longest PROXY protocol header that is read, in bytes after its fixed part: the largest
/// addresses (216), a server name (255) and the TLVs of TLS fit many times over.
#[cfg(feature = "proxy-protocol")]
pub const PROXY_HEADER_LEN_MAX: usize = 4096;

/// How long a gateway may take to send it. The header comes before all else and in one piece; a
/// segment that is lost three times in a row still arrives (RFC 6298 §2, §5.5: 1 + 2 + 4 s).
#[cfg(feature = "proxy-protocol")]
pub const PROXY_HEADER_TIMEOUT: Duration = Duration::from_secs(10);
