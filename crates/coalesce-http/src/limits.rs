//! The limits of all adapters, each with its source.

use std::time::Duration;

/// The bytes of a client's authority that a log line contains. The longest name has 253 bytes as
/// text (RFC 1035 §2.3.4), so every authority that a server could serve fits.
pub const LOGGED_BYTES_MAX: usize = 300;

/// The number of refusals of one kind that are logged in a second. That is enough to see the kind
/// of a flood without filling the disk. The next logged line counts the refusals that were not
/// logged.
pub const REFUSALS_LOGGED_PER_SECOND: u64 = 10;

/// How long a listener waits after the system could not give it a connection, usually because file
/// descriptors ran out. The pause keeps the processor free and is too short to be noticed.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
