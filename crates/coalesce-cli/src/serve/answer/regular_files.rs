//! Opens the regular files of a folder that is served.

use std::fs::Metadata;
use std::future::{Ready, ready};
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use coalesce_site::open_regular_file;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::fs::{Backend, File};

/// Opens regular files, and finds folders. Reports everything else as missing: opening a named pipe
/// would block a thread until another process writes to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RegularFiles;

type Later<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

impl Backend for RegularFiles {
    type File = RegularFile;
    type Metadata = Metadata;
    type OpenFuture = Later<RegularFile>;
    type MetadataFuture = Later<Metadata>;

    fn open(&self, path: PathBuf) -> Later<RegularFile> {
        Box::pin(in_background(move || {
            let file = open_regular_file(path).map_err(not_there)?;
            let metadata = file.metadata()?;
            Ok(RegularFile { file: tokio::fs::File::from_std(file), metadata })
        }))
    }

    fn metadata(&self, path: PathBuf) -> Later<Metadata> {
        Box::pin(in_background(move || {
            let metadata = std::fs::metadata(path)?;
            let kind = metadata.file_type();
            if kind.is_file() || kind.is_dir() {
                return Ok(metadata);
            }
            Err(io::ErrorKind::NotFound.into())
        }))
    }
}

async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Turns the error for a file that is not regular into one for a missing file.
fn not_there(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::InvalidInput => io::ErrorKind::NotFound.into(),
        _ => error,
    }
}

/// An open file, with its metadata from the time of opening.
#[derive(Debug)]
pub(super) struct RegularFile {
    file: tokio::fs::File,
    metadata: Metadata,
}

impl File for RegularFile {
    type Metadata = Metadata;
    type MetadataFuture<'a> = Ready<io::Result<Metadata>>;

    fn metadata(&self) -> Ready<io::Result<Metadata>> {
        ready(Ok(self.metadata.clone()))
    }
}

impl AsyncRead for RegularFile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_read(context, buffer)
    }
}

impl AsyncSeek for RegularFile {
    fn start_seek(mut self: Pin<&mut Self>, position: io::SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.file).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.file).poll_complete(context)
    }
}
