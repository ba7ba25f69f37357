//! The access log: one JSON object on one line for each request, once it is answered.
//!
//! Lines go through a queue, so a request never waits for the disk. If the disk is slower than the
//! clients, lines are lost and counted, and the log reports their number.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use coalesce_core::Step;
use serde::Serialize;
use tracing::field::display;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::serve::limits::{ACCESS_BYTES_WAITING_MAX, LOGGED_PATH_BYTES_MAX};
use crate::serve::observe::events;
use crate::serve::observe::meters::{ACCESS_LOG, GroupMeters, SERVE};
use crate::terminal::exit::Failure;
use crate::terminal::log_queue::{FlushGuard, LogQueue, LostLines};
use crate::terminal::text::without_code;

/// The file name for standard output.
const STDOUT: &str = "-";

/// The destination of the lines.
#[derive(Clone, Debug)]
pub(in crate::serve) struct AccessLog {
    lines: LogQueue,
    reopen: Arc<AtomicBool>,
}

impl AccessLog {
    /// Opens the file `path`, which lines are added to, or standard output for `-`. What waits is
    /// written when the guard is dropped.
    pub(in crate::serve) fn open(path: &Path) -> Result<(Self, FlushGuard), Failure> {
        let cannot = |error: &io::Error| {
            let (path, error) = (path.display(), without_code(error));
            Failure::runtime(format_args!("cannot write to {path}: {error}"))
        };
        let reopen = Arc::new(AtomicBool::new(false));
        let sink: Box<dyn Write + Send> = if path == Path::new(STDOUT) {
            Box::new(io::stdout())
        } else {
            let file = append(path).map_err(|error| cannot(&error))?;
            Box::new(LogFile { path: path.to_owned(), file, reopen: reopen.clone() })
        };
        let lost = |LostLines { lines, reason }| events::lost_lines(ACCESS_LOG, lines, reason);
        let queue = LogQueue::start("access-log", ACCESS_BYTES_WAITING_MAX, sink, lost);
        let (lines, guard) = queue.map_err(|error| cannot(&error))?;
        Ok((Self { lines, reopen }, guard))
    }

    /// Reopens the file before the next line, because it may have been moved.
    pub(in crate::serve) fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }

    /// Returns the number of lost lines.
    pub(in crate::serve) fn lost(&self) -> u64 {
        self.lines.lost()
    }

    pub(in crate::serve) fn write(&self, line: &AccessLine<'_>) {
        // A line always serialises to JSON.
        let Ok(mut bytes) = serde_json::to_vec(line) else { return };
        bytes.push(b'\n');
        self.lines.push(&bytes);
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// A log file that can be reopened by its name.
struct LogFile {
    path: PathBuf,
    file: File,
    reopen: Arc<AtomicBool>,
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.reopen.swap(false, Ordering::Relaxed) {
            match append(&self.path) {
                Ok(file) => self.file = file,
                Err(error) => {
                    let (path, reason) = (self.path.display(), without_code(&error));
                    events::cannot_reopen_access_log(display(path), reason);
                }
            }
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Returns the path and query of a request for the log: escaped, and cut at a limit.
pub(in crate::serve) fn logged_path(path: &str) -> String {
    let path = path.as_bytes();
    path.get(..LOGGED_PATH_BYTES_MAX).unwrap_or(path).escape_ascii().to_string()
}

/// One line.
#[derive(Debug, Serialize)]
pub(in crate::serve) struct AccessLine<'a> {
    pub(in crate::serve) time: String,
    pub(in crate::serve) peer: SocketAddr,
    pub(in crate::serve) listener: &'a str,
    pub(in crate::serve) server_name: Option<&'a str>,
    pub(in crate::serve) group: &'a str,
    pub(in crate::serve) client_certificate: bool,
    pub(in crate::serve) authority: &'a str,
    pub(in crate::serve) method: Option<&'a str>,
    pub(in crate::serve) path: Option<&'a str>,
    pub(in crate::serve) verdict: &'static str,
    pub(in crate::serve) reason: &'static str,
    pub(in crate::serve) step: u8,
    pub(in crate::serve) observed: Option<&'static str>,
    pub(in crate::serve) virtual_host: Option<&'a str>,
    pub(in crate::serve) status: Option<u16>,
    pub(in crate::serve) bytes: u64,
    pub(in crate::serve) complete: bool,
    pub(in crate::serve) seconds: f64,
}

impl<'a> AccessLine<'a> {
    /// Makes a line with the fields of the connection only.
    pub(in crate::serve) fn new(peer: SocketAddr, listener: &'a str, group: &'a str) -> Self {
        Self {
            time: time(),
            peer,
            listener,
            server_name: None,
            group,
            client_certificate: false,
            authority: "",
            method: None,
            path: None,
            verdict: SERVE,
            reason: "",
            step: Step::Serve.number(),
            observed: None,
            virtual_host: None,
            status: None,
            bytes: 0,
            complete: true,
            seconds: 0.0,
        }
    }
}

/// Returns the time in the format of the log on standard error (RFC 3339, UTC).
pub(in crate::serve) fn time() -> String {
    let mut text = String::with_capacity(32);
    // Writing to a string cannot fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(in crate::serve) struct LoggedPeer {
    pub(in crate::serve) address: SocketAddr,
    /// True if the client showed a certificate, which the handshake has verified.
    pub(in crate::serve) has_certificate: bool,
}

/// The fields that the lines of one connection share.
#[derive(Debug)]
pub(in crate::serve) struct ConnectionLog {
    pub(in crate::serve) log: AccessLog,
    pub(in crate::serve) peer: LoggedPeer,
    pub(in crate::serve) listener: String,
    pub(in crate::serve) server_name: Option<String>,
    pub(in crate::serve) group: String,
}

impl ConnectionLog {
    /// Makes a line about which only the connection is known.
    fn line(&self) -> AccessLine<'_> {
        AccessLine {
            client_certificate: self.peer.has_certificate,
            ..AccessLine::new(self.peer.address, &self.listener, &self.group)
        }
    }

    /// Writes the line of a refusal, which is answered at once.
    pub(in crate::serve) fn refused(&self, refused: &RefusalRecord<'_>) {
        let RefusalRecord { authority, verdict, reason, step, status } = *refused;
        let base = self.line();
        let server_name = self.server_name.as_deref();
        let line = AccessLine { server_name, authority, verdict, reason, step, status, ..base };
        self.log.write(&line);
    }
}

/// The fields of a refusal.
#[derive(Clone, Copy, Debug)]
pub(in crate::serve) struct RefusalRecord<'a> {
    pub(in crate::serve) authority: &'a str,
    pub(in crate::serve) verdict: &'static str,
    pub(in crate::serve) reason: &'static str,
    pub(in crate::serve) step: u8,
    /// The status; `None` if the stream is reset.
    pub(in crate::serve) status: Option<u16>,
}

/// A request that is being answered. Dropping the record counts the request and writes its line, so
/// both happen however the answer ends.
#[derive(Debug)]
pub(in crate::serve) struct RequestRecord {
    pub(in crate::serve) meters: Arc<GroupMeters>,
    pub(in crate::serve) begun: Instant,
    /// `None` until the answer has begun.
    pub(in crate::serve) status: Option<u16>,
    /// The bytes of content passed to the connection.
    pub(in crate::serve) bytes: u64,
    /// True if the whole answer was passed on.
    pub(in crate::serve) complete: bool,
    /// `None` without an access log.
    pub(in crate::serve) line: Option<RequestLine>,
}

/// What a line says of a request before it is answered.
#[derive(Debug)]
pub(in crate::serve) struct RequestLine {
    pub(in crate::serve) connection: Arc<ConnectionLog>,
    pub(in crate::serve) authority: String,
    pub(in crate::serve) method: String,
    pub(in crate::serve) path: String,
    pub(in crate::serve) reason: &'static str,
    /// The reason for which the request would be refused if its group were not only observed.
    pub(in crate::serve) observed: Option<&'static str>,
    pub(in crate::serve) virtual_host: Option<String>,
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        let took = self.begun.elapsed();
        self.meters.served_within(took, self.status);
        let Some(request) = &self.line else { return };
        let connection = request.connection.as_ref();
        let base = connection.line();
        let line = AccessLine {
            server_name: connection.server_name.as_deref(),
            authority: &request.authority,
            method: Some(&request.method),
            path: Some(&request.path),
            reason: request.reason,
            observed: request.observed,
            virtual_host: request.virtual_host.as_deref(),
            status: self.status,
            bytes: self.bytes,
            complete: self.complete,
            seconds: took.as_secs_f64(),
            ..base
        };
        connection.log.write(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logged_path_is_short_and_printable() {
        assert_eq!(logged_path("/x?y=%22z"), "/x?y=%22z");
        assert_eq!(logged_path("/\u{202e}\u{2028}"), r"/\xe2\x80\xae\xe2\x80\xa8");
        assert_eq!(logged_path(&"/a".repeat(20_000)).len(), LOGGED_PATH_BYTES_MAX);
    }
}
