//! The limits that users meet, each with its source. Those of listeners are there with them.

#[cfg(feature = "proxy-protocol")]
use std::time::Duration;

#[cfg(feature = "listener")]
pub use coalesce_http::limits::ACCEPT_PAUSE;

/// TLS handshakes and gateway headers under way at once on one listener: as many connections as
/// the system queues for a listener by default (`net.core.somaxconn`); those beyond it wait there.
#[cfg(feature = "listener")]
pub const HANDSHAKES_MAX: usize = 4096;

/// The longest PROXY protocol header that is read, in bytes after its fixed part: the largest
/// addresses (216), a server name (255) and the TLVs of TLS fit many times over.
#[cfg(feature = "proxy-protocol")]
pub const PROXY_HEADER_LEN_MAX: usize = 4096;

/// How long a gateway may take to send it. The header comes before all else and in one piece; a
/// segment that is lost three times in a row still arrives (RFC 6298 §2, §5.5: 1 + 2 + 4 s).
#[cfg(feature = "proxy-protocol")]
pub const PROXY_HEADER_TIMEOUT: Duration = Duration::from_secs(10);
