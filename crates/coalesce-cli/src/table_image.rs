//! Authority tables as the commands hold them, and the file that `coalesce compile` writes.

use std::fmt;
use std::path::Path;

use bytes::Bytes;
use coalesce_core::{AuthorityTable, Entry, Host, Layout};

use crate::mapped::MappedFile;
use crate::terminal::exit::Failure;
use crate::terminal::text::without_code;

/// An authority table from anywhere: made by this process, or in a file that is shared with every
/// process that has mapped it.
pub(crate) type Table = AuthorityTable<Bytes>;

/// Maps the file `path`.
pub(crate) fn map(path: &Path) -> Result<Bytes, OpenError> {
    let file = MappedFile::open(path).map_err(|error| {
        OpenError::Unreadable(format!("cannot read {}: {}", path.display(), without_code(&error)))
    })?;
    Ok(Bytes::from_owner(file))
}

/// Maps the compiled table in the file `path`, and checks all of it.
pub(crate) fn open(path: &Path) -> Result<Table, OpenError> {
    AuthorityTable::from_bytes(map(path)?)
        .map_err(|error| OpenError::NoTable(format!("{}: {error}", path.display())))
}

/// Why a file gives no table; the messages name the file.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// It cannot be read.
    Unreadable(String),
    /// It can, and holds something else.
    NoTable(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(message) | Self::NoTable(message) => f.write_str(message),
        }
    }
}

/// The entry that stands for `host`, with its pattern.
pub(crate) fn matched(table: &Table, host: &Host<'_>) -> Option<Matched> {
    let (pattern, entry) = table.lookup_pattern(host)?;
    Some(Matched { pattern: pattern.to_string(), entry })
}

/// The answer of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matched {
    pub(crate) pattern: String,
    pub(crate) entry: Entry,
}

/// The layout as the command line calls it.
pub(crate) fn layout_name(layout: Layout) -> &'static str {
    match layout {
        Layout::Compact => "compact",
        _ => "fast",
    }
}

/// The checksum as text: not every reader of JSON keeps 64 bits of a number.
pub(crate) fn checksum<S: AsRef<[u8]>>(table: &AuthorityTable<S>) -> String {
    format!("{:016x}", table.checksum())
}

/// What one name costs; 0 for a table without names.
#[allow(clippy::cast_precision_loss, reason = "tables are far smaller than 2^52 bytes")]
pub(crate) fn bytes_per_name<S: AsRef<[u8]>>(table: &AuthorityTable<S>) -> f64 {
    if table.is_empty() { 0.0 } else { table.as_bytes().len() as f64 / table.len() as f64 }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Unreadable(message) => Self::usage(message),
            OpenError::NoTable(message) => Self::configuration(message),
        }
    }
}
