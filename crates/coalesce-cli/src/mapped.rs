//! Files mapped into memory: the only module of this crate that needs `unsafe`.

use std::fmt;
use std::fs::File;
use std::io;

use memmap2::{Mmap, MmapOptions};

/// A whole file, mapped for reading. A page is read from disk at its first access, and all
/// processes that map the file share the memory.
///
/// The file must not change while it is mapped. Only operators who ask for a mapped table get one,
/// and they must ensure this; [`PrivateMemory`](crate::private_memory::PrivateMemory) is the
/// default.
pub(crate) struct MappedFile {
    map: Mmap,
}

impl MappedFile {
    /// Maps a regular file.
    pub(crate) fn new(file: &File) -> io::Result<Self> {
        // SAFETY: the map is private and read-only, it outlives every slice of it, and no code of
        // this process writes to it. This process cannot prevent that another one changes the file
        // in place while it is mapped, and Rust makes no promise for a `&[u8]` whose bytes change.
        // The operator must ensure that the file does not change, as the documentation of the
        // setting `map_table` and the flag `--map` requires. If the file changes all the same, this
        // program's readers give wrong answers but read nothing outside of the map: they accept any
        // bytes, keep only the numbers of the header, and check each offset against the length of
        // the slice. If the file is truncated, the first read behind its new end ends the process
        // with SIGBUS. `coalesce compile` does neither: it renames a new file to the old name, and
        // a process that has mapped the old file keeps it.
        #[allow(unsafe_code, reason = "mapping a file is unsafe by nature; see SAFETY above")]
        let map = unsafe { MmapOptions::new().map_copy_read_only(file)? };
        Ok(Self { map })
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

/// Prints no content, because a table may have millions of names.
impl fmt::Debug for MappedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedFile").field("len", &self.map.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_file_is_whole_and_outlives_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let map = || MappedFile::new(&File::open(&path).unwrap()).unwrap();
        std::fs::write(&path, b"content").unwrap();
        let mapped = map();
        std::fs::write(folder.path().join("new"), b"another").unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        assert_eq!(mapped.as_ref(), b"content");
        assert_eq!(map().as_ref(), b"another");
        std::fs::write(&path, b"").unwrap();
        assert_eq!(map().as_ref(), b"");
    }
}
