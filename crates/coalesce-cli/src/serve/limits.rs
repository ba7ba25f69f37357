//! Every limit of the server, each with its source.

use std::time::Duration;

/// How long a request body that nobody wants is read before the answer is given all the same.
/// nginx's default for such reading.
pub(super) const DISCARD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long such a body may pause: a lost segment that is retransmitted after one timeout at its
/// least (RFC 6298 §2.4) still arrives.
pub(super) const DISCARD_PAUSE: Duration = Duration::from_secs(1);

/// Connections open at once, over all listeners. Beyond it none is accepted until one ends: they
/// wait in the kernel, where they cost least. Above what one process serves in comfort, below what
/// systems allow it in file descriptors once asked.
pub(super) const CONNECTIONS_MAX: usize = 10_000;

/// How long a client may take to send the preface of HTTP/2 once TLS is done.
pub(super) const PREFACE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may be without a request, at least; looked at once in this time, so at
/// most twice as long. Browsers close theirs after some minutes; nginx's default is 75 seconds.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// Requests of one connection that are accepted before anything else about it is looked at: as many
/// as a burst has, so that a look costs none of them anything.
pub(super) const ACCEPTED_IN_A_ROW_MAX: u32 = 128;

/// How long open requests may take once the server has been told to end.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a listener waits after the system refused a new connection.
pub(super) const ACCEPT_PAUSE: Duration = coalesce_http::limits::ACCEPT_PAUSE;

/// How long connecting to an upstream may take: two lost SYNs, retransmitted after one and three
/// seconds (RFC 6298 §2), still arrive.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an upstream may be silent before its answer begins, counted from the last byte that it
/// was sent. nginx's default for the same.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How often an upstream that is being waited for over HTTP/2 is pinged, and how long it may take
/// to answer: a lost one is found in half the time that [`ANSWER_TIMEOUT`] allows it.
pub(super) const UPSTREAM_PING_INTERVAL: Duration = Duration::from_secs(20);
/// See [`UPSTREAM_PING_INTERVAL`].
pub(super) const UPSTREAM_PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Idle connections kept open to one upstream.
pub(super) const UPSTREAM_IDLE_MAX: usize = 64;

/// The largest piece of content that is asked room for at once, in bytes: what HTTP/2 frames carry
/// by default (RFC 9113 §4.2), four times.
pub(super) const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// The receive window of one stream from an upstream over HTTP/2, in bytes: what a slow client
/// makes this server hold of one answer.
pub(super) const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// How long a client may leave no room for the next piece of an answer. nginx's default for the
/// same.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How long nothing must have happened in a folder before its files are read: those who write two
/// files, or one in two pieces, do so within a moment.
pub(super) const SETTLE_PAUSE: Duration = Duration::from_millis(200);

/// How long that is waited for where something happens all the time.
pub(super) const SETTLE_MAX: Duration = Duration::from_secs(2);

/// Symbolic links that are followed on the way to a file: as many as Linux does (`path_resolution`
/// of its manual, section 7).
pub(super) const LINKS_MAX: usize = 40;

/// How often is looked whether anybody still has an old configuration. Connections let go of it as
/// soon as they are told; handshakes that have begun with it may take some seconds.
pub(super) const RETIRE_PAUSE: Duration = Duration::from_millis(50);

/// Refusals for one reason, of one group or listener, that are logged in a second: enough to see what is going
/// on, and no disk full of it. All of them are counted.
pub(super) const REFUSALS_LOGGED_PER_SECOND: u64 = 10;

/// Groups that have metrics of their own, over the life of the process; those beyond share a label.
/// Each has some 20 series, and Prometheus advises against more than some thousands of them.
pub(super) const METERED_GROUPS_MAX: usize = 200;

/// Connections to the admin listener at once: a few scrapers.
pub(super) const ADMIN_CONNECTIONS_MAX: usize = 16;

/// How long a request to the admin listener may take to come, and its answer to be taken.
pub(super) const ADMIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Lines of the access log that wait for the disk; beyond them, lines are lost and counted. At some
/// hundreds of bytes a line, a few megabytes.
pub(super) const ACCESS_LINES_WAITING_MAX: usize = 16 * 1024;

/// Lines in a second about files of one folder that cannot be read, and about the folder itself: a
/// client can ask for them as often as it likes.
pub(super) const UNREADABLE_LOGGED_PER_SECOND: u64 = REFUSALS_LOGGED_PER_SECOND;

/// How long a reload may take before a line says that it is still going on: a table of ten million
/// names takes less. Each line after that waits for twice as long as the one before.
pub(super) const SLOW_RELOAD: Duration = Duration::from_secs(5);
