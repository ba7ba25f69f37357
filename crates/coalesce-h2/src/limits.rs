//! The limits that users can change or notice, each with its source.

use std::time::Duration;

/// Refusals in a row, without a served request between them, that end a connection with
/// `GOAWAY(ENHANCE_YOUR_CALM)`. A browser that coalesces wrongly learns from the first 421 of each
/// host, so only a client that ignores 421 reaches this number.
pub const REFUSED_IN_A_ROW_MAX: u32 = 10_000;

/// Concurrent streams announced to the client. RFC 9113 §6.5.2 advises at least 100.
pub const CONCURRENT_STREAMS_MAX: u32 = 250;

/// The largest decoded header list of a request, in bytes (RFC 9113 §6.5.2). `h2` answers a larger
/// one with 431. Common servers allow 8 to 64 KiB.
pub const HEADER_LIST_BYTES_MAX: u32 = 32 * 1024;

/// The receive window of one stream, in bytes: enough for 50 Mbit/s at 40 ms (RFC 9113 §6.9.2).
pub const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// The receive window of a connection, in bytes.
pub const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// Bytes of one stream that wait for a client that does not read, besides the piece that the
/// application holds. Four frames (RFC 9113 §4.2) are enough: the next is ready when one is
/// written. The default of `h2` is 400 KiB, which a client with large windows can make it keep.
pub const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// The number of streams reset by the server that `h2` remembers, so that it ignores DATA that was
/// already on its way (RFC 9113 §5.1): several times [`CONCURRENT_STREAMS_MAX`].
pub const RESET_STREAMS_REMEMBERED: usize = 2_000;

/// The time for which `h2` remembers a stream that the server reset. On a working path, TCP
/// delivers DATA sooner.
pub const RESET_STREAM_DURATION: Duration = Duration::from_secs(30);

/// The bytes of origins that a connection announces (RFC 8336 §2.1): the initial window of a
/// connection, which every client accepts unasked (RFC 9113 §6.9.2). This is space for about two
/// thousand names. Later frames of the connection wait for them.
pub const ORIGIN_SET_BYTES_MAX: usize = 65_535;

/// Bytes of received ORIGIN frames that wait for the owner of a client connection: as many as a
/// server of this crate announces ([`ORIGIN_SET_BYTES_MAX`]), in whole frames.
#[cfg(feature = "client")]
pub const UNREAD_ORIGIN_BYTES_MAX: usize = 64 * 1024;

/// Stream errors, over the life of a connection, after which `h2` ends it: as many as the refusals
/// in a row that end a connection.
pub const STREAM_ERRORS_MAX: usize = REFUSED_IN_A_ROW_MAX as usize;

/// Streams that a client may reset over the life of a connection, as many as
/// [`STREAM_ERRORS_MAX`]. If a client resets a stream while its answer waits for the connection's
/// window, `h2` keeps about 1,100 bytes until the connection ends, so 11 MB for all of them
/// (`stream_that_is_reset_while_its_answer_waits_for_the_connection_is_kept` in
/// `tests/h2_behaviour`). At half of this number the connection accepts no new streams, which an
/// honest client survives (RFC 9113 §6.8). At the full number it ends.
pub const RESETS_MAX: u32 = 10_000;
