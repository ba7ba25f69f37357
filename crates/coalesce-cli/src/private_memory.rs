//! Files read into memory that no other process can change.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};

use memmap2::{Mmap, MmapMut};

/// The whole content of a file, in read-only memory of this process.
///
/// Overwriting, truncating or removing the file afterwards does not change the content.
pub(crate) struct PrivateMemory {
    /// `None` for an empty file, because a mapping cannot be empty.
    map: Option<Mmap>,
}

/// The size of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// Huge pages if the system has them, for fewer TLB misses.
    Huge,
    /// The system's default pages.
    #[cfg(test)]
    Default,
}

impl PrivateMemory {
    /// Reads the `len` bytes of `file`.
    ///
    /// # Errors
    /// If reading fails, or if the length of the file has changed.
    pub(crate) fn read(mut file: &File, len: usize, pages: Pages) -> io::Result<Self> {
        let changed = || io::Error::other("its length changed while it was read");
        let mut memory = if len == 0 { None } else { Some(MmapMut::map_anon(len)?) };
        if let Some(memory) = &mut memory {
            if pages == Pages::Huge {
                advise_huge_pages(memory);
            }
            file.read_exact(memory).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => changed(),
                _ => error,
            })?;
        }
        if file.read(&mut [0])? != 0 {
            return Err(changed());
        }
        let map = memory.map(MmapMut::make_read_only).transpose()?;
        Ok(Self { map })
    }
}

/// Requests huge pages before the first byte is written: the kernel would copy small pages later,
/// if at all. A system without huge pages is only slower.
#[cfg(target_os = "linux")]
fn advise_huge_pages(memory: &MmapMut) {
    if let Err(error) = memory.advise(memmap2::Advice::HugePage) {
        tracing::debug!(%error, "no huge pages for a table");
    }
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages(_: &MmapMut) {}

impl AsRef<[u8]> for PrivateMemory {
    fn as_ref(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }
}

/// Prints no content, because a table may have millions of names.
impl fmt::Debug for PrivateMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateMemory").field("len", &self.as_ref().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Seek, Write};

    use super::*;

    #[test]
    fn content_stays_when_its_file_is_overwritten_and_cut_short() {
        let mut file = tempfile::tempfile().unwrap();
        // More than one page: a mapped file would end the process below.
        let content: Vec<u8> = (0..100_000_u32).map(|number| number.to_le_bytes()[1]).collect();
        file.write_all(&content).unwrap();
        file.rewind().unwrap();
        let memory = PrivateMemory::read(&file, content.len(), Pages::Huge).unwrap();
        file.rewind().unwrap();
        file.write_all(&vec![7; 50_000]).unwrap();
        file.set_len(1).unwrap();
        assert!(memory.as_ref() == content);
    }

    #[test]
    fn file_of_another_length_than_expected_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "content").unwrap();
        let read = |len| {
            let memory = PrivateMemory::read(&File::open(&path).unwrap(), len, Pages::Default);
            memory.map(|memory| memory.as_ref().to_vec()).map_err(|error| error.to_string())
        };
        let changed = Err("its length changed while it was read".to_owned());
        assert_eq!(read(7), Ok(b"content".to_vec()));
        for len in [0, 6, 8, 1 << 20] {
            assert_eq!(read(len), changed, "{len}");
        }
        fs::write(&path, "").unwrap();
        assert_eq!(read(0), Ok(Vec::new()));
    }
}
