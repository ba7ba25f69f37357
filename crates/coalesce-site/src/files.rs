//! Files that the builder names and the build reads.

use std::error::Error;
use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use coalesce_tls::PemError;

use crate::error::Reason;

/// The longest file that is read, in bytes: the bundle of every public CA is a quarter of it.
const FILE_LEN_MAX: u64 = 1 << 20;

/// Opens a regular file for reading. Opening a pipe can wait for ever, and a device may have
/// effects, so the error names the kind of file found.
///
/// [`Identity::from_pem_files`](crate::Identity::from_pem_files) and every other file of a site is
/// opened with this function.
///
/// # Errors
/// Those of the operating system, and one for everything that is no regular file. The check is made
/// on the open file, so nothing that takes its name in between is read.
///
/// # Examples
/// ```
/// use coalesce_site::open_regular_file;
///
/// let error = open_regular_file("/").unwrap_err();
/// assert_eq!(error.to_string(), "found a folder, expected a regular file");
/// ```
pub fn open_regular_file(path: impl AsRef<Path>) -> io::Result<File> {
    let path = path.as_ref();
    // Check before opening: opening a device may have effects, and opening a socket fails without a
    // reason.
    check(&fs::metadata(path)?)?;
    let file = options().open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Opens for reading without waiting for a writer, in case a pipe has taken the name since the
/// first check, and without making a terminal the controlling one of this process.
#[cfg(unix)]
fn options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    options
}

#[cfg(not(unix))]
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}

fn check(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let found = kind(metadata);
    let message = format!("found {found}, expected a regular file");
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// Returns the kind of a file that is not regular.
fn kind(metadata: &Metadata) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        if kind.is_fifo() {
            return "a named pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    if metadata.is_dir() { "a folder" } else { "another kind of file" }
}

/// Reads a file and parses it; the error names the file.
pub(crate) fn read<T, E: Into<Reason>>(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<T, FileError> {
    let mut bytes = Vec::new();
    let read = open_regular_file(path)
        .and_then(|file| file.take(FILE_LEN_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|error| FileError { path: path.to_owned(), found: Found::Unreadable(error) })?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > FILE_LEN_MAX) {
        return Err(FileError::content(
            path,
            format!("more than the {FILE_LEN_MAX} bytes allowed"),
        ));
    }
    parse(&bytes).map_err(|error| FileError::content(path, error))
}

/// A file that cannot be read, or whose content is invalid.
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
                // Remove the error number that the standard library appends.
                let text = text.rsplit_once(" (os error ").map_or(text.as_str(), |(text, _)| text);
                write!(f, "cannot read {path}: {text}")
            }
            Found::Content(reason) => {
                write!(f, "{path}: {reason}")?;
                let conversion = reason.downcast_ref::<PemError>();
                let conversion = conversion.and_then(|it| it.conversion(&path.to_string()));
                match conversion {
                    Some(command) => write!(f, "; convert it with: {command}"),
                    None => Ok(()),
                }
            }
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

    fn message(path: &Path) -> String {
        read(path, |_| Ok::<_, io::Error>(())).unwrap_err().to_string()
    }

    #[test]
    fn too_long_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long");
        File::create(&path).unwrap().set_len(FILE_LEN_MAX).unwrap();
        assert!(read(&path, |_| Ok::<_, io::Error>(())).is_ok());
        File::create(&path).unwrap().set_len(FILE_LEN_MAX + 1).unwrap();
        assert!(message(&path).ends_with("long: more than the 1048576 bytes allowed"));
    }

    #[cfg(unix)]
    #[test]
    fn file_that_is_not_regular_is_refused_with_its_kind() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        let cases = [
            (folder.path(), "a folder"),
            (&socket, "a socket"),
            (Path::new("/dev/zero"), "a device"),
            (&link, "a device"),
        ];
        for (path, kind) in cases {
            let expected =
                format!("cannot read {}: found {kind}, expected a regular file", path.display());
            assert_eq!(message(path), expected);
        }
    }

    /// These pipes have no writer, so a function that waits for one never returns.
    #[cfg(unix)]
    #[test]
    fn named_pipe_is_refused_without_waiting_even_if_it_takes_the_name_late() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert!(message(&pipe).ends_with("pipe: found a named pipe, expected a regular file"));
        // After the first check has passed.
        let opened = options().open(&pipe).unwrap();
        assert!(check(&opened.metadata().unwrap()).is_err());
    }
}
