//! A folder of files.

use std::io;
use std::path::Path;

use bytes::Bytes;
use h2::server::SendResponse;
use http::{Method, Request, StatusCode};
use http_body::Body;
use tower_http::services::ServeDir;

use crate::serve::answer::text::Text;
use crate::serve::answer::{body, head};

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

    pub(super) async fn send(&self, request: Request<()>, mut respond: SendResponse<Bytes>) {
        let method = request.method().clone();
        let found = self.files.clone().try_call(request).await;
        let (parts, content) = match found {
            Ok(found) => found.into_parts(),
            Err(error) if is_not_there(&error) => return self.not_found.send(&method, respond),
            Err(error) => {
                tracing::error!(%error, "cannot read a file");
                return self.unreadable.send(&method, respond);
            }
        };
        let status = parts.status;
        if status == StatusCode::NOT_FOUND {
            return self.not_found.send(&method, respond);
        }
        let no_content = method == Method::HEAD || content.is_end_stream();
        let Ok(mut stream) = respond.send_response(head(status, parts.headers), no_content) else {
            return;
        };
        if !no_content && let Err(error) = body::send(&mut stream, content).await {
            tracing::debug!(%error, "answer broken off");
            return;
        }
        tracing::debug!(status = status.as_u16(), %method, "answered");
    }
}

/// What may not be read is not there, for a stranger.
fn is_not_there(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
    )
}
