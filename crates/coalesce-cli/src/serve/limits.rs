//! Every limit of the server, each with its source.

use std::time::Duration;

/// How long an unneeded request body is read before the answer is sent all the same. nginx has the
/// same default (`lingering_time`).
pub(super) const DISCARD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long such a body may pause: a lost segment that is retransmitted after the shortest timeout
/// (RFC 6298 §2.4) still arrives.
pub(super) const DISCARD_PAUSE: Duration = Duration::from_secs(1);

/// Connections open at once, over all listeners. Further connections wait in the kernel, where they
/// cost least, until one ends. The number is above the comfortable load of one process, and below
/// the file descriptors that systems allow on request.
pub(super) const CONNECTIONS_MAX: usize = 10_000;

/// Open files that are kept for listeners, connections to the admin address, logs, and the files
/// that a reload reads. Those for [`ADMIN_CONNECTIONS_MAX`] are among them.
pub(super) const DESCRIPTORS_RESERVED: usize = 64;

/// The part of the other open files that content may have at least, one in so many, where the
/// system allows fewer than [`CONNECTIONS_MAX`] connections take.
pub(super) const DESCRIPTORS_FOR_CONTENT_MIN: usize = 4;

/// Lines in a second about requests for which there is no open file to spare.
pub(super) const DESCRIPTOR_LINES_PER_SECOND: u64 = 1;

/// How long a client may take to send the preface of HTTP/2 once TLS is done.
pub(super) const PREFACE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may be without a request, at least. It is checked once in this time, so
/// the longest time is twice as long. Browsers close theirs after some minutes; nginx's default is
/// 75 seconds.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// Requests of one connection that are accepted before its other events are checked: the size of a
/// burst, so that no request of a burst pays for the check.
pub(super) const ACCEPTED_IN_A_ROW_MAX: u32 = 128;

/// How long open requests may take once the server has been told to end.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a listener waits after the system refused a new connection.
pub(super) const ACCEPT_PAUSE: Duration = coalesce_http::limits::ACCEPT_PAUSE;

/// How long connecting to an upstream may take: two lost SYNs, retransmitted after one and three
/// seconds (RFC 6298 §2), still arrive.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an upstream may be silent before its answer begins, counted from the last byte sent to
/// it. nginx has the same default.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How often an upstream with open requests over HTTP/2 is pinged. A lost one is found in half the
/// time that [`ANSWER_TIMEOUT`] allows.
pub(super) const UPSTREAM_PING_INTERVAL: Duration = Duration::from_secs(20);
/// See [`UPSTREAM_PING_INTERVAL`].
pub(super) const UPSTREAM_PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Idle connections kept open to one upstream.
pub(super) const UPSTREAM_IDLE_MAX: usize = 64;

/// How long a connection to an upstream may be idle; looked at once in this time, so at most twice
/// as long. nginx's default for the same is 60 seconds.
pub(super) const UPSTREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Requests on one connection to an upstream over HTTP/2, if the upstream allows as many: the
/// smallest limit that RFC 9113 §6.5.2 advises. More requests take more connections.
pub(super) const UPSTREAM_STREAMS_MAX: usize = 100;

/// Requests of all clients that are under way to one upstream: one for each of
/// [`CONNECTIONS_MAX`].
pub(super) const UPSTREAM_REQUESTS_MAX: usize = CONNECTIONS_MAX;

/// Requests of one client connection that are under way to one upstream; others wait for one of
/// them to end. RFC 9113 §6.5.2 advises clients to expect room for as many.
pub(super) const UPSTREAM_REQUESTS_OF_CLIENT_MAX: usize = 100;

/// How long a request waits for another of its client to end: as long as an upstream may be silent.
pub(super) const PLACE_TIMEOUT: Duration = ANSWER_TIMEOUT;

/// The `retry-after` of a request beyond a limit.
pub(super) const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// The largest piece of content for which room is requested at once, in bytes: four frames of the
/// default size (RFC 9113 §4.2).
pub(super) const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// The receive window of one stream from an upstream over HTTP/2, in bytes: the most of one answer
/// that a slow client makes this server hold. Enough for 500 Mbit/s at 1 ms (RFC 9113 §6.9.2).
pub(super) const STREAM_WINDOW_BYTES: u32 = 64 * 1024;

/// The receive window of a connection to an upstream over HTTP/2, in bytes: the sum of its streams'
/// windows, so that clients that do not read cannot delay the others.
pub(super) const UPSTREAM_WINDOW_BYTES: u32 = STREAM_WINDOW_BYTES * 100;
const _: () =
    assert!(UPSTREAM_WINDOW_BYTES as usize / STREAM_WINDOW_BYTES as usize == UPSTREAM_STREAMS_MAX);

/// The bytes read ahead of an answer from an upstream over HTTP/1.1, with its head: as many as
/// [`STREAM_WINDOW_BYTES`]. hyper would read 400 KiB for a client that does not read.
pub(super) const UPSTREAM_BUFFER_BYTES_MAX: usize = STREAM_WINDOW_BYTES as usize;

/// The size of a decoded header list that an answer from an upstream over HTTP/2 may have, in bytes
/// (RFC 9113 §6.5.2): as large as that of a request.
pub(super) const UPSTREAM_HEADER_LIST_BYTES_MAX: u32 = coalesce_h2::limits::HEADER_LIST_BYTES_MAX;

/// How many streams that clients have ended early are remembered on a connection to an upstream, so
/// that DATA already on its way is ignored in silence (RFC 9113 §5.1).
pub(super) const UPSTREAM_RESETS_REMEMBERED: usize = coalesce_h2::limits::RESET_STREAMS_REMEMBERED;

/// How long a client may be waited for, all in all, while it takes or sends less than
/// [`PACE_BYTES_MIN`]. nginx's defaults (`send_timeout`, `client_body_timeout`) are as long.
pub(super) const PACE_TIME: Duration = Duration::from_secs(60);

/// The bytes that a client takes or sends in [`PACE_TIME`] at least: 240 in a second, which is
/// the lowest rate of Kestrel (`MinResponseDataRate`, `MinRequestBodyDataRate`).
pub(super) const PACE_BYTES_MIN: u64 = 240 * 60;

/// How long a folder must be quiet before its files are read: a program that writes two files, or
/// one in two pieces, does so within a moment.
pub(super) const SETTLE_PAUSE: Duration = Duration::from_millis(200);

/// The longest wait for a folder that is never quiet.
pub(super) const SETTLE_MAX: Duration = Duration::from_secs(2);

/// Symbolic links that are followed on the way to a file: as many as Linux does (`path_resolution`
/// of its manual, section 7).
pub(super) const LINKS_MAX: usize = 40;

/// How often the server checks whether an old configuration is still in use. Connections release it
/// as soon as they are notified; handshakes that began with it may take some seconds.
pub(super) const RETIRE_PAUSE: Duration = Duration::from_millis(50);

/// Refusals logged in a second for one reason of one group or listener: enough to see the problem,
/// too few to fill a disk. All refusals are counted.
pub(super) const REFUSALS_LOGGED_PER_SECOND: u64 = 10;

/// Groups with separate metrics, over the life of the process; those beyond share a label.
/// Each has some 50 series, and Prometheus advises against more than some thousands of them.
pub(super) const METERED_GROUPS_MAX: usize = 200;

/// Connections to the admin listener at once: a few scrapers and probes, each for a moment. Beyond
/// it, the oldest is closed.
pub(super) const ADMIN_CONNECTIONS_MAX: usize = 64;

/// The pause between two looks at the histograms, which keep each value until then: at 100,000
/// requests a second, less than a megabyte.
pub(super) const UPKEEP_PAUSE: Duration = Duration::from_secs(1);

/// Certificates that have a metric: those that end first. Prometheus advises against more than some
/// thousands of series.
pub(super) const METERED_CERTIFICATES_MAX: usize = 200;

/// How long a request to the admin listener may take to come, and its answer to be taken.
pub(super) const ADMIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The bytes of the access log that wait for the disk; beyond them, lines are lost and counted.
/// Some 16,000 lines of the usual length, which a disk that stops for a moment catches up with.
pub(super) const ACCESS_BYTES_WAITING_MAX: usize = 4 * 1024 * 1024;

/// The bytes of a request's path and query that the access log has: long enough for nearly all
/// that applications make, and a thirtieth of what a header block can hold.
pub(super) const LOGGED_PATH_BYTES_MAX: usize = 1024;

/// Lines in a second about files of one folder that cannot be read, and about the folder itself: a
/// client can ask for them as often as it likes.
pub(super) const UNREADABLE_LOGGED_PER_SECOND: u64 = REFUSALS_LOGGED_PER_SECOND;

/// How long a reload may take before a line says that it is still going on: a table of ten million
/// names takes less. Each line after that waits for twice as long as the one before.
pub(super) const SLOW_RELOAD: Duration = Duration::from_secs(5);
