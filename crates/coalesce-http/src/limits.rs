//! The limits that adapters share, each with its source.

use std::time::Duration;

/// The bytes of a client's authority that are written to a log: longer than any name with a port
/// that could be served (RFC 1035 §2.3.4, 253 bytes as text).
pub const LOGGED_BYTES_MAX: usize = 300;

/// How long a listener waits after the system had no connection to give, mostly because file
/// descriptors ran out: long enough to keep the processor free, too short to be noticed.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
