//! The output of `coalesce compile`: either the whole new table or the old content.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use coalesce_site::open_regular_file;

use crate::table_image::{Kind, is_start_of_compiled, start_of};
use crate::terminal::exit::Failure;

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
    /// Checks the existing file before the long work: only compiled files of this kind are
    /// replaced.
    pub(super) fn find(named: &Path, kind: Kind) -> Result<Self, Failure> {
        let path = match named.canonicalize() {
            Ok(path) => match kept(&path, kind) {
                Ok(None) => path,
                Ok(Some(found)) => {
                    return Err(Failure::usage(format_args!(
                        "--output {}: there is {found} with this name, which is not replaced",
                        named.display()
                    )));
                }
                Err(error) => return Err(Failure::cannot_write(named, &error)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => named.to_owned(),
            Err(error) => return Err(Failure::cannot_write(named, &error)),
        };
        let folder = match path.parent() {
            Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
            Some(folder) => folder.to_owned(),
            None => PathBuf::from("/"),
        };
        if !folder.is_dir() {
            return Err(Failure::cannot_write(named, &io::ErrorKind::NotFound.into()));
        }
        Ok(Self { named: named.to_owned(), path, folder })
    }

    /// Replaces the file's content by `bytes`. Every reader finds the old or the new content,
    /// whole, at any time and after any failure, even a power cut.
    pub(super) fn replace(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.try_replace(bytes).map_err(|error| Failure::cannot_write(&self.named, &error))
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

/// Returns a description of the file at `path` if it must stay. A file is replaced if it is
/// regular, and is empty or starts as a compiled file of this kind; another version may be of any
/// kind.
fn kept(path: &Path, kind: Kind) -> io::Result<Option<&'static str>> {
    if !fs::metadata(path)?.is_file() {
        return Ok(Some("something that is no file"));
    }
    let start = start_of(&open_regular_file(path)?)?;
    Ok(match Kind::of_start(&start) {
        Some(found) if found == kind => None,
        Some(Kind::Table) => Some("a table"),
        Some(Kind::Identifiers) => Some("an identifier set"),
        None if start.is_empty() || is_start_of_compiled(&start) => None,
        None => Some(match kind {
            Kind::Table => "a file that is no table",
            Kind::Identifiers => "a file that is no identifier set",
        }),
    })
}

#[cfg(test)]
mod tests {
    use coalesce_core::{AuthorityTable, IdentifierSet};

    use super::*;
    use crate::terminal::exit::Exit;

    fn table() -> Vec<u8> {
        AuthorityTable::builder().build().unwrap().as_bytes().to_vec()
    }

    #[test]
    fn only_a_table_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        let find =
            |path: &Path| OutputFile::find(path, Kind::Table).map_err(|failure| failure.exit());
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
    fn table_and_identifier_set_do_not_replace_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let set = IdentifierSet::build([]).unwrap().as_bytes().to_vec();
        for (content, kind, other, found) in [
            (&set, Kind::Identifiers, Kind::Table, "there is an identifier set with this name"),
            (&table(), Kind::Table, Kind::Identifiers, "there is a table with this name"),
        ] {
            fs::write(&path, content).unwrap();
            OutputFile::find(&path, kind).unwrap();
            let Err(Failure::Message(Exit::Usage, message)) = OutputFile::find(&path, other) else {
                panic!("{other:?} replaces {kind:?}")
            };
            assert!(message.contains(found), "{message}");
        }
        // Another version: the kind is unknown.
        fs::write(&path, b"COAL\x01\x09").unwrap();
        OutputFile::find(&path, Kind::Identifiers).unwrap();
    }

    #[test]
    fn symbolic_link_stays_and_its_target_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("table"), folder.path().join("link"));
        fs::write(&path, table()).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        OutputFile::find(&link, Kind::Table).unwrap().replace(b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn new_table_has_the_permissions_of_a_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, plain) = (folder.path().join("table"), folder.path().join("plain"));
        OutputFile::find(&path, Kind::Table).unwrap().replace(b"new").unwrap();
        fs::write(&plain, b"").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(path), mode(plain));
    }
}
