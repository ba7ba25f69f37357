//! The limits that users meet, each with its source. Those of the transport stand where they hold.

use std::time::Duration;

/// Refusals in a row, without one served request between them, after which a connection ends with
/// `GOAWAY(ENHANCE_YOUR_CALM)`. Generous: a browser that coalesces wrongly learns from the first
/// 421 of each host, so only a client that never listens comes this far.
pub const REFUSED_IN_A_ROW_MAX: u32 = 10_000;

/// Concurrent streams announced to the client. RFC 9113 §6.5.2 advises at least 100.
pub const CONCURRENT_STREAMS_MAX: u32 = 250;

/// The size of a decoded header list that a request may have, in bytes (RFC 9113 §6.5.2). A larger
/// one is answered 431 by `h2`. Servers in the field allow 8 to 64 KiB.
pub const HEADER_LIST_BYTES_MAX: u32 = 32 * 1024;

/// The receive window of one stream, in bytes: enough for 50 Mbit/s at 40 ms (RFC 9113 §6.9.2).
pub const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// The receive window of a connection, in bytes.
pub const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// What waits in one stream for a client that does not read, in bytes, beyond the piece that its
/// application holds: four frames (RFC 9113 §4.2), so that the next is there when one is written.
/// `h2` would take 400 KiB of each stream, which a client with large windows makes it keep.
pub const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// How many streams that this end has reset are remembered, so that DATA already on its way is
/// ignored in silence (RFC 9113 §5.1): every one of [`CONCURRENT_STREAMS_MAX`], several times over.
pub const RESET_STREAMS_REMEMBERED: usize = 2_000;

/// How long they are remembered: no DATA is under way for longer than TCP keeps trying on a path
/// that works at all.
pub const RESET_STREAM_DURATION: Duration = Duration::from_secs(30);

/// The bytes of origins that a connection announces (RFC 8336 §2.1): what a client is prepared to
/// take in unasked, the first window of a connection (RFC 9113 §6.9.2). That is some two thousand
/// names, and what comes after them on a connection has to wait for them.
pub const ORIGIN_SET_BYTES_MAX: usize = 65_535;

/// Stream errors that `h2` answers by itself, over the life of a connection, before it ends it: no
/// fewer than the refusals that this adapter bears in a row.
pub const STREAM_ERRORS_MAX: usize = REFUSED_IN_A_ROW_MAX as usize;

/// Streams that a client may reset over the life of a connection, as many as
/// [`STREAM_ERRORS_MAX`]. `h2` keeps some 1,100 bytes of a stream that is reset while its answer
/// waits for the connection's window, until the connection ends: 11 MB of all
/// (`stream_that_is_reset_while_its_answer_waits_for_the_connection_is_kept` in
/// `tests/h2_behaviour`). From half of them on, no new streams are taken, which a client that has
/// its reasons survives (RFC 9113 §6.8); one that goes on is sent away.
pub const RESETS_MAX: u32 = 10_000;
