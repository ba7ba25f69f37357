//! The limits of `coalesce get`, each with its source.

/// The most URLs of one command: each may need its own connection, and a pool has at most 256 of
/// them. With a file for each, 512 descriptors are below the usual limit of 1,024.
pub(super) const URLS_MAX: usize = coalesce_pool::limits::CONNECTIONS_MAX;

/// The default of `--max-filesize`: contents are not kept in memory, so this only ends a response
/// that never ends by itself.
pub(super) const CONTENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// The most bytes of `--data @FILE`, which are kept in memory so that a request can be sent again
/// after a 421.
pub(super) const DATA_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The most bytes of the name of a file in `--output-folder`. File systems allow 255, and a number
/// may be appended.
pub(super) const FILE_NAME_BYTES_MAX: usize = 200;

/// The longest time of an option, a day. No user waits longer for a page.
pub(super) const SECONDS_MAX: f64 = 86_400.0;

/// The width of the report for people, in columns.
pub(super) const WIDTH: usize = 100;
