//! A folder of files.

use std::io;
use std::path::Path;

use http::{Request, StatusCode};
use tower_http::services::ServeDir;
use tracing::field::display;

use crate::serve::answer::body::send_streaming;
use crate::serve::answer::reply::Reply;
use crate::serve::answer::text::Text;
use crate::serve::observe::events;

/// The files below one folder; whatever is not there is a 404.
#[derive(Debug)]
pub(super) struct Folder {
    files: ServeDir,
    not_found: Text,
    unreadable: Text,
}

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            files: ServeDir::new(path),
            not_found: Text::error(StatusCode::NOT_FOUND),
            unreadable: Text::error(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    pub(super) async fn send(&self, request: Request<()>, reply: Reply) {
        let method = request.method().clone();
        let found = self.files.clone().try_call(request).await;
        let answer = match found {
            Ok(answer) => answer,
            Err(error) if is_not_there(&error) => return self.not_found.send(&method, reply),
            Err(error) => {
                events::cannot_read_file(display(error));
                return self.unreadable.send(&method, reply);
            }
        };
        if answer.status() == StatusCode::NOT_FOUND {
            return self.not_found.send(&method, reply);
        }
        send_streaming(answer, reply, &method).await;
    }
}

/// What may not be read is not there, for a stranger.
fn is_not_there(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
    )
}
