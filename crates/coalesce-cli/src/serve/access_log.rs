//! The access log: one JSON object on one line for each request, once it is answered.
//!
//! Lines are written by a thread of their own; a request never waits for the disk. When the disk is
//! slower than the clients, lines are lost, and counted.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde::Serialize;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::exit::Failure;
use crate::serve::limits::ACCESS_LINES_WAITING_MAX;
use crate::text::without_code;

/// The name that stands for standard output.
const STDOUT: &str = "-";

/// Where lines go.
#[derive(Clone, Debug)]
pub(super) struct AccessLog {
    lines: NonBlocking,
    reopen: Arc<AtomicBool>,
}

impl AccessLog {
    /// Opens the file `path`, which lines are added to, or standard output for `-`. What waits is
    /// written when the guard is dropped.
    pub(super) fn open(path: &Path) -> Result<(Self, WorkerGuard), Failure> {
        let reopen = Arc::new(AtomicBool::new(false));
        let builder = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(ACCESS_LINES_WAITING_MAX)
            .thread_name("access-log");
        let (lines, guard) = if path == Path::new(STDOUT) {
            builder.finish(io::stdout())
        } else {
            let file = append(path).map_err(|error| {
                let (path, error) = (path.display(), without_code(&error));
                Failure::runtime(format_args!("cannot write to {path}: {error}"))
            })?;
            let (path, reopen) = (path.to_owned(), reopen.clone());
            builder.finish(LogFile { path, file: io::BufWriter::new(file), reopen })
        };
        Ok((Self { lines, reopen }, guard))
    }

    /// Has the file opened anew before the next line: it may have been moved away.
    pub(super) fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }

    /// How many lines were lost.
    pub(super) fn lost(&self) -> usize {
        self.lines.error_counter().dropped_lines()
    }

    pub(super) fn write(&self, line: &Line<'_>) {
        // Nothing in a line can fail to be JSON, and one that is lost is counted where it is.
        let Ok(mut bytes) = serde_json::to_vec(line) else { return };
        bytes.push(b'\n');
        let _ = self.lines.clone().write(&bytes);
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// A file whose name may come to mean another.
struct LogFile {
    path: PathBuf,
    file: io::BufWriter<File>,
    reopen: Arc<AtomicBool>,
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.reopen.swap(false, Ordering::Relaxed) {
            self.file.flush()?;
            match append(&self.path) {
                Ok(file) => self.file = io::BufWriter::new(file),
                Err(error) => {
                    let (path, reason) = (self.path.display(), without_code(&error));
                    tracing::error!(%path, reason, "cannot open the access log again");
                }
            }
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// One line.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    pub(super) time: String,
    pub(super) peer: SocketAddr,
    pub(super) listener: &'a str,
    pub(super) server_name: Option<&'a str>,
    pub(super) group: &'a str,
    pub(super) authority: &'a str,
    pub(super) method: Option<&'a str>,
    pub(super) path: Option<&'a str>,
    pub(super) verdict: &'static str,
    pub(super) reason: &'static str,
    pub(super) step: u8,
    pub(super) observed: Option<&'static str>,
    pub(super) virtual_host: Option<&'a str>,
    pub(super) status: Option<u16>,
    pub(super) bytes: u64,
    pub(super) complete: bool,
    pub(super) seconds: f64,
}

/// The time, as the log on standard error has it (RFC 3339, UTC).
pub(super) fn time() -> String {
    let mut text = String::with_capacity(32);
    // Nothing can go wrong in a string.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

/// What the lines of one connection have in common.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) log: AccessLog,
    pub(super) peer: SocketAddr,
    pub(super) listener: String,
    pub(super) server_name: Option<String>,
    pub(super) group: String,
}

impl Source {
    /// Notes a refusal, which is answered at once.
    pub(super) fn refused(&self, refused: &Refused<'_>) {
        let Refused { authority, verdict, reason, step, status } = *refused;
        let refused = Line { status, ..self.line(authority, verdict, reason, step) };
        self.log.write(&refused);
    }

    fn line<'a>(
        &'a self,
        authority: &'a str,
        verdict: &'static str,
        reason: &'static str,
        step: u8,
    ) -> Line<'a> {
        Line {
            time: time(),
            peer: self.peer,
            listener: &self.listener,
            server_name: self.server_name.as_deref(),
            group: &self.group,
            authority,
            method: None,
            path: None,
            verdict,
            reason,
            step,
            observed: None,
            virtual_host: None,
            status: None,
            bytes: 0,
            complete: true,
            seconds: 0.0,
        }
    }
}

/// A refusal to be noted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused<'a> {
    pub(super) authority: &'a str,
    pub(super) verdict: &'static str,
    pub(super) reason: &'static str,
    pub(super) step: u8,
    /// `None` where the stream is reset instead.
    pub(super) status: Option<u16>,
}

/// A request that is being answered; noted when it is dropped, however that comes about.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) source: Arc<Source>,
    pub(super) begun: Instant,
    pub(super) authority: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) reason: &'static str,
    /// Why it would be refused, were its group not observed only.
    pub(super) observed: Option<&'static str>,
    pub(super) virtual_host: Option<String>,
    /// `None` until the answer has begun.
    pub(super) status: Option<u16>,
    /// Of content, that was handed to the connection.
    pub(super) bytes: u64,
    /// Whether all of the answer was.
    pub(super) complete: bool,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let step = coalesce_core::Step::Serve.number();
        let line = Line {
            method: Some(&self.method),
            path: Some(&self.path),
            observed: self.observed,
            virtual_host: self.virtual_host.as_deref(),
            status: self.status,
            bytes: self.bytes,
            complete: self.complete,
            seconds: self.begun.elapsed().as_secs_f64(),
            ..self.source.line(&self.authority, super::meters::SERVE, self.reason, step)
        };
        self.source.log.write(&line);
    }
}

/// A line for the test of the document that lists its fields.
#[cfg(test)]
pub(super) fn sample_line() -> Line<'static> {
    Line {
        time: time(),
        peer: SocketAddr::from(([127, 0, 0, 1], 1)),
        listener: "main",
        server_name: None,
        group: "default",
        authority: "",
        method: None,
        path: None,
        verdict: super::meters::SERVE,
        reason: super::meters::SERVED,
        step: 8,
        observed: None,
        virtual_host: None,
        status: None,
        bytes: 0,
        complete: true,
        seconds: 0.0,
    }
}
