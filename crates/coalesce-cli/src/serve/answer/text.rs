//! The same answer for every request.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::config::TextAnswer;
use crate::serve::answer::reply::{Reply, head};
use crate::serve::limits::RETRY_PAUSE;

/// A text, ready to be sent.
#[derive(Debug)]
pub(super) struct Text {
    status: StatusCode,
    fields: HeaderMap,
    body: Bytes,
}

impl Text {
    pub(super) fn new(answer: &TextAnswer) -> Self {
        let mut fields = HeaderMap::with_capacity(4);
        if !answer.body.is_empty() {
            fields.insert(CONTENT_TYPE, answer.content_type.clone());
        }
        // RFC 9110 §8.6: a 204 has none; in a 304 the length would be that of other content.
        if ![StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&answer.status) {
            fields.insert(CONTENT_LENGTH, HeaderValue::from(answer.body.len()));
        }
        Self { status: answer.status, fields, body: answer.body.clone() }
    }

    /// Makes an error answer of this server, in the form of its 421.
    pub(super) fn error(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or("error");
        let name = reason.to_ascii_lowercase().replace(' ', "_");
        Self::new(&TextAnswer {
            status,
            content_type: HeaderValue::from_static("application/json"),
            body: Bytes::from(format!("{{\"error\":\"{name}\"}}")),
        })
    }

    /// Makes the error answer for a request beyond a limit; the client may repeat it a little
    /// later.
    pub(super) fn unavailable() -> Self {
        let mut text = Self::error(StatusCode::SERVICE_UNAVAILABLE);
        text.fields.insert(RETRY_AFTER, HeaderValue::from(RETRY_PAUSE.as_secs()));
        text
    }

    /// Answers, and ends this side of the stream.
    pub(super) fn send(&self, method: &Method, reply: Reply) {
        let no_content = self.body.is_empty() || *method == Method::HEAD;
        let begun = reply.begin(head(self.status, self.fields.clone()), no_content);
        // The bytes are shared, not copied, so that waiting for the window in `h2` costs nothing.
        let sent =
            begun.and_then(
                |mut sending| {
                    if no_content { Ok(()) } else { sending.data(self.body.clone(), true) }
                },
            );
        match sent {
            Ok(()) => tracing::debug!(status = self.status.as_u16(), %method, "answered"),
            Err(error) => tracing::debug!(%error, "the stream was gone before its answer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_look_like_the_421() {
        let not_found = Text::error(StatusCode::NOT_FOUND);
        assert_eq!(not_found.body, r#"{"error":"not_found"}"#);
        assert_eq!(not_found.fields[CONTENT_TYPE], "application/json");
        assert_eq!(not_found.fields[CONTENT_LENGTH], "21");
    }

    #[test]
    fn no_content_has_no_length() {
        let nothing = Text::new(&TextAnswer {
            status: StatusCode::NO_CONTENT,
            content_type: HeaderValue::from_static("text/plain"),
            body: Bytes::new(),
        });
        assert!(nothing.fields.is_empty());
    }
}
