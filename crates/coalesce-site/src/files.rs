//! Files that the builder names and the build reads.

use std::fs;
use std::path::Path;

use crate::error::{FileError, Reason};

/// Reads a file and parses it; the error names the file.
pub(crate) fn read<T, E: Into<Reason>>(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<T, FileError> {
    let error = |reason: Reason| FileError { path: path.to_owned(), reason };
    let bytes = fs::read(path).map_err(|found| error(found.into()))?;
    parse(&bytes).map_err(|found| error(found.into()))
}
