//! The limits that adapters share, each with its source.

use std::time::Duration;

/// The bytes of a client's authority that are written to a log: longer than any name with a port
/// that could be served (RFC 1035 §2.3.4, 253 bytes as text).
pub const LOGGED_BYTES_MAX: usize = 300;

/// The refusals of one kind that are logged in a second: enough to see what is going on, and no
/// disk full of it. The next line that is logged counts those that were not.
pub const REFUSALS_LOGGED_PER_SECOND: u64 = 10;

/// How long a listener waits after the system had no connection to give, mostly because file
/// descriptors ran out: long enough to keep the processor free, too short to be noticed.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
