//! The output of `coalesce compile`: either the whole new table or the old content.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use coalesce_site::open_regular_file;

use crate::table_image;
use crate::terminal::exit::Failure;
use crate::terminal::text::without_code;

/// A file to create or to replace.
#[derive(Debug)]
pub(super) struct OutputFile {
    /// The path as the user wrote it.
    named: PathBuf,
    /// The path behind all symbolic links. The links stay, and their target is replaced.
    path: PathBuf,
    folder: PathBuf,
}

/// The permissions of a new file, before the process's umask.
const MODE: u32 = 0o666;

impl OutputFile {
    /// Checks the existing file before the long work: only tables are replaced.
    pub(super) fn find(named: &Path) -> Result<Self, Failure> {
        let path = match named.canonicalize() {
            Ok(path) => {
                let kept = |what| {
                    Failure::usage(format_args!(
                        "--output {}: there is {what} with this name, which is not replaced",
                        named.display()
                    ))
                };
                match is_replaceable(&path) {
                    Ok(true) => path,
                    Ok(false) if path.is_file() => return Err(kept("a file that is no table")),
                    Ok(false) => return Err(kept("something that is no file")),
                    Err(error) => return Err(cannot_write(named, &error)),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => named.to_owned(),
            Err(error) => return Err(cannot_write(named, &error)),
        };
        let folder = match path.parent() {
            Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
            Some(folder) => folder.to_owned(),
            None => PathBuf::from("/"),
        };
        if !folder.is_dir() {
            return Err(cannot_write(named, &io::ErrorKind::NotFound.into()));
        }
        Ok(Self { named: named.to_owned(), path, folder })
    }

    /// Replaces the file's content by `bytes`. Every reader finds the old or the new content,
    /// whole, at any time and after any failure, even a power cut.
    pub(super) fn replace(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.try_replace(bytes).map_err(|error| cannot_write(&self.named, &error))
    }

    fn try_replace(&self, bytes: &[u8]) -> io::Result<()> {
        let mut name = OsStr::new(".").to_owned();
        name.push(self.path.file_name().unwrap_or_default());
        // In the same folder, because a rename cannot cross file systems. Removed on failure.
        let mut file = tempfile::Builder::new()
            .prefix(&name)
            .suffix(".tmp")
            .permissions(Permissions::from_mode(MODE))
            .tempfile_in(&self.folder)?;
        file.write_all(bytes)?;
        // Write the content to disk before the name; otherwise a power cut could leave an empty
        // file.
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        File::open(&self.folder)?.sync_all()
    }
}

/// Returns true if `path` is a regular file that is empty or begins as every table does.
fn is_replaceable(path: &Path) -> io::Result<bool> {
    if !fs::metadata(path)?.is_file() {
        return Ok(false);
    }
    let start = table_image::start_of(&open_regular_file(path)?)?;
    Ok(start.is_empty() || table_image::is_start_of_table(&start))
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::runtime(format_args!("cannot write {}: {}", path.display(), without_code(error)))
}

#[cfg(test)]
mod tests {
    use coalesce_core::AuthorityTable;

    use super::*;
    use crate::terminal::exit::Exit;

    fn table() -> Vec<u8> {
        AuthorityTable::builder().build().unwrap().as_bytes().to_vec()
    }

    #[test]
    fn only_a_table_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        let find = |path: &Path| OutputFile::find(path).map_err(|failure| failure.exit());
        find(&path).unwrap().replace(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(find(&path).unwrap_err(), Exit::Usage, "no table");
        for replaceable in [b"".as_slice(), &table()] {
            fs::write(&path, replaceable).unwrap();
            find(&path).unwrap().replace(b"newer").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"newer");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
        assert_eq!(find(folder.path()).unwrap_err(), Exit::Usage, "a folder");
        assert_eq!(find(Path::new("/dev/null")).unwrap_err(), Exit::Usage, "a device");
        assert_eq!(find(&folder.path().join("no/table")).unwrap_err(), Exit::Runtime);
    }

    #[test]
    fn symbolic_link_stays_and_its_target_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("table"), folder.path().join("link"));
        fs::write(&path, table()).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        OutputFile::find(&link).unwrap().replace(b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn new_table_has_the_permissions_of_a_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, plain) = (folder.path().join("table"), folder.path().join("plain"));
        OutputFile::find(&path).unwrap().replace(b"new").unwrap();
        fs::write(&plain, b"").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(path), mode(plain));
    }
}
