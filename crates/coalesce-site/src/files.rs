//! Files that the builder names and the build reads.

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::error::Reason;

/// The longest file that is read, in bytes: the bundle of every public CA is a quarter of it.
const FILE_LEN_MAX: u64 = 1 << 20;

/// Reads a file and parses it; the error names the file.
pub(crate) fn read<T, E: Into<Reason>>(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<T, FileError> {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(FILE_LEN_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|error| FileError { path: path.to_owned(), found: Found::Unreadable(error) })?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > FILE_LEN_MAX) {
        return Err(FileError::content(
            path,
            format!("more than the {FILE_LEN_MAX} bytes allowed"),
        ));
    }
    parse(&bytes).map_err(|error| FileError::content(path, error))
}

/// A file that cannot be read, or does not have the content that it should.
#[derive(Debug)]
pub(crate) struct FileError {
    path: PathBuf,
    found: Found,
}

#[derive(Debug)]
enum Found {
    Unreadable(io::Error),
    Content(Reason),
}

impl FileError {
    pub(crate) fn content(path: &Path, reason: impl Into<Reason>) -> Self {
        Self { path: path.to_owned(), found: Found::Content(reason.into()) }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.found {
            Found::Unreadable(error) => {
                let text = error.to_string();
                // The standard library appends the number of the error.
                let text = text.rsplit_once(" (os error ").map_or(text.as_str(), |(text, _)| text);
                write!(f, "cannot read {path}: {text}")
            }
            Found::Content(reason) => write!(f, "{path}: {reason}"),
        }
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.found {
            Found::Unreadable(error) => Some(error),
            Found::Content(reason) => reason.source(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_that_never_ends_is_refused() {
        let endless = read(Path::new("/dev/zero"), |_| Ok::<_, io::Error>(())).unwrap_err();
        assert_eq!(endless.to_string(), "/dev/zero: more than the 1048576 bytes allowed");
    }
}
