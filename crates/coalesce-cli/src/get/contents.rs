//! The contents of responses, on standard output or in files.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use http::response::Parts;

use crate::get::plan::Place;
use crate::get::trail;
use crate::terminal::exit::Failure;

/// An open place for a content.
#[derive(Debug)]
pub(super) enum Sink {
    Nowhere,
    Stdout,
    File { path: PathBuf, file: BufWriter<File> },
}

impl Sink {
    /// Opens a place. A file of the same name is replaced.
    pub(super) fn open(place: &Place) -> Result<Self, Failure> {
        Ok(match place {
            Place::Nowhere => Self::Nowhere,
            Place::Stdout => Self::Stdout,
            Place::File(path) => {
                let file =
                    File::create(path).map_err(|error| Failure::cannot_write(path, &error))?;
                Self::File { path: path.clone(), file: BufWriter::new(file) }
            }
        })
    }

    /// Writes the status line and the fields as in HTTP/1.1 (RFC 9112 §2.1).
    pub(super) fn write_head(&mut self, head: &Parts) -> Result<(), Failure> {
        let reason =
            head.status.canonical_reason().filter(|_| head.version < http::Version::HTTP_2);
        let mut bytes = format!("{} {}", trail::version(head.version), head.status.as_str());
        if let Some(reason) = reason {
            bytes = format!("{bytes} {reason}");
        }
        let mut bytes = bytes.into_bytes();
        for (name, value) in &head.headers {
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        self.write(&bytes)
    }

    pub(super) fn write(&mut self, data: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Nowhere => Ok(()),
            // Each piece at once, because a reader may wait for it.
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                let written = stdout.write_all(data).and_then(|()| stdout.flush());
                written.map_err(|error| Failure::output(&error))
            }
            Self::File { path, file } => {
                file.write_all(data).map_err(|error| Failure::cannot_write(path, &error))
            }
        }
    }

    /// Writes the rest.
    pub(super) fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Nowhere | Self::Stdout => Ok(()),
            Self::File { path, mut file } => {
                file.flush().map_err(|error| Failure::cannot_write(&path, &error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{Response, Version};

    use super::*;

    fn head(version: Version) -> Parts {
        let response = Response::builder().status(404).version(version).header("a", "b");
        response.body(()).unwrap().into_parts().0
    }

    #[test]
    fn file_has_head_and_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("content");
        for (version, expected) in [
            (Version::HTTP_11, "HTTP/1.1 404 Not Found\r\na: b\r\n\r\ncontent"),
            (Version::HTTP_2, "HTTP/2 404\r\na: b\r\n\r\ncontent"),
        ] {
            let mut sink = Sink::open(&Place::File(path.clone())).unwrap();
            sink.write_head(&head(version)).unwrap();
            sink.write(b"content").unwrap();
            sink.finish().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        }
    }

    #[test]
    fn file_that_cannot_be_made_is_named() {
        let failure = Sink::open(&Place::File("no/such/file".into())).unwrap_err();
        let Failure::Message(_, message) = failure else { panic!("{failure:?}") };
        assert_eq!(message, "cannot write no/such/file: No such file or directory");
    }
}
