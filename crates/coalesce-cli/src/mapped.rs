//! Files mapped into memory: the one place of this crate that needs `unsafe`.

use std::fmt;
use std::fs::File;
use std::io;

use memmap2::{Mmap, MmapOptions};

/// A whole file, mapped for reading. Nothing is read until it is looked at, and every process that
/// maps the same file shares the memory.
///
/// The file must not change while it is mapped. Only an operator who asks for a mapped table gets
/// one, and answers for that; [`PrivateMemory`](crate::private_memory::PrivateMemory) is the
/// default.
pub(crate) struct MappedFile {
    map: Mmap,
}

impl MappedFile {
    /// Maps a regular file.
    pub(crate) fn new(file: &File) -> io::Result<Self> {
        // SAFETY: the map is private and for reading only, it outlives every slice of it that is
        // handed out, and no code of this process writes to it. This process cannot prevent that
        // another one changes the file in place while it is mapped, and then Rust promises nothing
        // of a `&[u8]` whose bytes change: that is the operator's part of the contract, which the
        // setting `map_table` and the flag `--map` name, and which their documentation states. What
        // a breach comes to with this program's readers: they are total on any bytes, keep only the
        // numbers of the header, and check each offset that they make of what they read against the
        // length of the slice, so that they give wrong answers, and read nothing outside the map. A
        // file that is cut short ends the process with SIGBUS, at the first read behind its new
        // end. `coalesce compile` does neither: it renames a new file to the name of the old one,
        // and a process that has mapped the old one keeps that.
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
