//! Files mapped into memory: the one place of this crate that needs `unsafe`.

use std::fmt;
use std::io;
use std::path::Path;

use coalesce_site::open_regular_file;
use memmap2::{Mmap, MmapOptions};

/// A whole file, mapped for reading. Nothing is read until it is looked at, and every process that
/// maps the same file shares the memory.
pub(crate) struct MappedFile {
    map: Mmap,
}

impl MappedFile {
    /// Maps the regular file `path`.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = open_regular_file(path)?;
        // SAFETY: the map is private and for reading only, it outlives every slice of it that is
        // handed out, and no code of this process writes to it. What cannot be kept from here is
        // that another process changes the file in place while it is mapped, and then Rust promises
        // nothing of a `&[u8]` whose bytes change. What that comes to with this program's readers:
        // they are total on any bytes, keep only the numbers of the header, and check each offset
        // that they make of what they read against the length of the slice, so that they give wrong
        // answers, and read nothing outside the map. A file that is cut short ends the process with
        // SIGBUS, at the first read behind its new end. `coalesce compile` does neither: it puts a
        // new file in the place of the old one, and whoever has mapped the old one keeps that.
        #[allow(unsafe_code, reason = "mapping a file is unsafe by nature; see SAFETY above")]
        let map = unsafe { MmapOptions::new().map_copy_read_only(&file)? };
        Ok(Self { map })
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

/// A table of millions of names is no debug output.
impl fmt::Debug for MappedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedFile").field("len", &self.map.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_mapped_whole_and_outlives_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"content").unwrap();
        let mapped = MappedFile::open(&path).unwrap();
        std::fs::write(folder.path().join("new"), b"another").unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        assert_eq!(mapped.as_ref(), b"content");
        assert_eq!(MappedFile::open(&path).unwrap().as_ref(), b"another");
        std::fs::write(&path, b"").unwrap();
        assert_eq!(MappedFile::open(&path).unwrap().as_ref(), b"");
    }

    #[test]
    fn what_is_no_regular_file_is_refused() {
        for (path, found) in [("/dev/zero", "a device"), ("/", "a folder")] {
            let error = MappedFile::open(Path::new(path)).unwrap_err();
            assert_eq!(error.to_string(), format!("found {found}, expected a regular file"));
        }
    }
}
