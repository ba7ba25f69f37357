//! A folder of files.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use coalesce_http::log::{LogDecision, RateLimit};
use http::{Request, StatusCode};
use tower_http::services::ServeDir;
use tower_http::services::fs::DefaultServeDirFallback;
use tracing::field::display;

use crate::config::check_folder;
use crate::serve::answer::body::send_streaming;
use crate::serve::answer::regular_files::RegularFiles;
use crate::serve::answer::reply::Reply;
use crate::serve::answer::text::Text;
use crate::serve::descriptors::Descriptors;
use crate::serve::limits::UNREADABLE_LOGGED_PER_SECOND;
use crate::serve::observe::events;
use crate::serve::shares::ClientId;
use crate::terminal::text::without_code;

/// The files below one folder; a missing file is a 404.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    files: ServeDir<DefaultServeDirFallback, RegularFiles>,
    not_found: Text,
    unreadable: Text,
    unavailable: Text,
    descriptors: Descriptors,
    unreadable_lines: RateLimit,
    checks: RateLimit,
}

impl Folder {
    pub(super) fn new(path: &Path, descriptors: &Descriptors) -> Self {
        Self {
            path: path.to_owned(),
            files: ServeDir::with_backend(path, RegularFiles),
            not_found: Text::error(StatusCode::NOT_FOUND),
            unreadable: Text::error(StatusCode::INTERNAL_SERVER_ERROR),
            unavailable: Text::unavailable(),
            descriptors: descriptors.clone(),
            unreadable_lines: RateLimit::per_second(UNREADABLE_LOGGED_PER_SECOND),
            checks: RateLimit::per_second(UNREADABLE_LOGGED_PER_SECOND),
        }
    }

    pub(super) async fn send(&self, request: Request<()>, reply: Reply, client: ClientId) {
        let method = request.method().clone();
        // Held until the answer is sent, because the file is open as long.
        let Some(_descriptor) = self.descriptors.take(client) else {
            return self.unavailable.send(&method, reply);
        };
        let found = self.files.clone().try_call(request).await;
        let answer = match found {
            Ok(answer) if answer.status() != StatusCode::NOT_FOUND => answer,
            Err(error) if !is_not_there(&error) => {
                if let LogDecision::Log { unlogged_before } =
                    self.unreadable_lines.decide(Instant::now())
                {
                    events::cannot_read_file(display(error), unlogged_before);
                }
                return self.unreadable.send(&method, reply);
            }
            Ok(_) | Err(_) => {
                self.not_found.send(&method, reply);
                return self.check().await;
            }
        };
        send_streaming(answer, reply, &method).await;
    }

    /// Checks whether the folder itself is the reason for a missing file, and logs it.
    async fn check(&self) {
        let LogDecision::Log { .. } = self.checks.decide(Instant::now()) else { return };
        let path = self.path.clone();
        let checked = tokio::task::spawn_blocking(move || check_folder(&path)).await;
        if let Ok(Err(error)) = checked {
            events::cannot_read_folder(display(self.path.display()), without_code(&error));
        }
    }
}

/// Returns true for the errors that are answered 404: a client must not learn of files that it may
/// not read.
fn is_not_there(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
    )
}
