//! The answers that adapters send themselves, made once for all connections.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::refusal::Refusal;

/// The content of a 421. It has the same bytes for every reason, so that clients cannot find out
/// which names exist.
///
/// # Examples
/// ```
/// use bytes::Bytes;
/// use coalesce_http::MisdirectedContent;
/// use http::HeaderValue;
///
/// let content = MisdirectedContent::Custom {
///     content_type: HeaderValue::from_static("text/plain"),
///     body: Bytes::from_static(b"misdirected\n"),
/// };
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MisdirectedContent {
    /// `{"error":"misdirected_request"}` as `application/json`.
    #[default]
    Json,
    /// No content.
    Empty,
    /// Your own content.
    Custom {
        /// The `content-type` field.
        content_type: HeaderValue,
        /// The bytes.
        body: Bytes,
    },
}

/// The prebuilt answers of a server. Its connections share them.
///
/// # Examples
/// ```
/// use coalesce_http::{Answers, MisdirectedContent, Refusal};
/// use http::{HeaderValue, StatusCode};
///
/// let allow = HeaderValue::from_static("GET, HEAD, POST");
/// let answers = Answers::new(MisdirectedContent::Empty, allow.clone());
/// assert_eq!(answers.get(Refusal::Misdirected).status(), StatusCode::MISDIRECTED_REQUEST);
/// assert_eq!(answers.get(Refusal::MethodNotAllowed).fields()["allow"], allow);
/// ```
#[derive(Clone, Debug)]
pub struct Answers {
    misdirected: Answer,
    bad_request: Answer,
    method_not_allowed: Answer,
    no_connection: Answer,
}

impl Answers {
    /// The methods that every general-purpose server supports (RFC 9110 §9.1), for the `allow`
    /// field of a 405.
    pub const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD");

    /// Makes the answers. `allow` lists the methods in the `allow` field of a 405.
    #[must_use]
    pub fn new(content: MisdirectedContent, allow: HeaderValue) -> Self {
        // RFC 9110 §15.5.6: a 405 names the methods that are allowed.
        let mut method_not_allowed =
            Answer::json(StatusCode::METHOD_NOT_ALLOWED, br#"{"error":"method_not_allowed"}"#);
        method_not_allowed.fields.insert(ALLOW, allow);
        Self {
            misdirected: Answer::misdirected(content),
            bad_request: Answer::json(StatusCode::BAD_REQUEST, br#"{"error":"bad_request"}"#),
            method_not_allowed,
            no_connection: Answer::json(
                StatusCode::INTERNAL_SERVER_ERROR,
                br#"{"error":"internal_server_error"}"#,
            ),
        }
    }

    /// Returns the answer to a refused request.
    #[must_use]
    pub const fn get(&self, refusal: Refusal) -> &Answer {
        match refusal {
            Refusal::Misdirected => &self.misdirected,
            Refusal::BadRequest => &self.bad_request,
            Refusal::MethodNotAllowed => &self.method_not_allowed,
            Refusal::NoConnection => &self.no_connection,
        }
    }

    /// Replaces the content of the 421.
    pub fn set_misdirected_content(&mut self, content: MisdirectedContent) {
        self.misdirected = Answer::misdirected(content);
    }

    /// Replaces the methods in the `allow` field of the 405 (RFC 9110 §10.2.1).
    pub fn set_allow(&mut self, methods: HeaderValue) {
        self.method_not_allowed.fields.insert(ALLOW, methods);
    }
}

impl Default for Answers {
    fn default() -> Self {
        Self::new(MisdirectedContent::default(), Self::ALLOWED_METHODS)
    }
}

/// One answer: status, fields, content.
///
/// # Examples
/// ```
/// use coalesce_http::{Answers, Refusal};
/// use http::Method;
///
/// let answers = Answers::default();
/// let answer = answers.get(Refusal::Misdirected);
/// assert_eq!(answer.fields()["cache-control"], "no-store");
/// assert_eq!(answer.content(&Method::GET), r#"{"error":"misdirected_request"}"#);
/// assert!(answer.content(&Method::HEAD).is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Answer {
    status: StatusCode,
    fields: HeaderMap,
    content: Bytes,
}

/// Forbids caches to keep an answer. RFC 9110 §15.1 already forbids them to keep a 421 by
/// heuristics; this field also binds caches that do not know the status.
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

impl Answer {
    fn misdirected(content: MisdirectedContent) -> Self {
        let status = StatusCode::MISDIRECTED_REQUEST;
        match content {
            MisdirectedContent::Json => Self::json(status, br#"{"error":"misdirected_request"}"#),
            MisdirectedContent::Empty => Self::new(status, None, Bytes::new()),
            MisdirectedContent::Custom { content_type, body } => {
                Self::new(status, Some(content_type), body)
            }
        }
    }

    fn json(status: StatusCode, content: &'static [u8]) -> Self {
        let json = HeaderValue::from_static("application/json");
        Self::new(status, Some(json), Bytes::from_static(content))
    }

    fn new(status: StatusCode, content_type: Option<HeaderValue>, content: Bytes) -> Self {
        let mut fields = HeaderMap::with_capacity(4);
        fields.insert(CACHE_CONTROL, NO_STORE);
        fields.insert(CONTENT_LENGTH, HeaderValue::from(content.len()));
        if let Some(content_type) = content_type {
            fields.insert(CONTENT_TYPE, content_type);
        }
        Self { status, fields, content }
    }

    /// Returns the status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the fields: all but `date`.
    #[must_use]
    pub const fn fields(&self) -> &HeaderMap {
        &self.fields
    }

    /// Returns the content for a request with this method. The answer to `HEAD` has the same fields
    /// and no content (RFC 9110 §9.3.2).
    #[must_use]
    pub fn content(&self, method: &Method) -> Bytes {
        if *method == Method::HEAD { Bytes::new() } else { self.content.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_length_and_is_not_stored() {
        let answers = Answers::default();
        for (refusal, status, content) in [
            (Refusal::Misdirected, 421, r#"{"error":"misdirected_request"}"#),
            (Refusal::BadRequest, 400, r#"{"error":"bad_request"}"#),
            (Refusal::MethodNotAllowed, 405, r#"{"error":"method_not_allowed"}"#),
            (Refusal::NoConnection, 500, r#"{"error":"internal_server_error"}"#),
        ] {
            let answer = answers.get(refusal);
            assert_eq!(answer.status(), status);
            assert_eq!(answer.content(&Method::GET), content);
            assert_eq!(answer.content(&Method::HEAD), "");
            assert_eq!(answer.fields()[CONTENT_LENGTH], content.len().to_string());
            assert_eq!(answer.fields()[CONTENT_TYPE], "application/json");
            assert_eq!(answer.fields()[CACHE_CONTROL], "no-store");
        }
    }

    #[test]
    fn allow_field_is_in_the_405_only() {
        let mut answers = Answers::default();
        assert_eq!(answers.get(Refusal::MethodNotAllowed).fields()[ALLOW], "GET, HEAD");
        answers.set_allow(HeaderValue::from_static("POST"));
        assert_eq!(answers.get(Refusal::MethodNotAllowed).fields()[ALLOW], "POST");
        for other in [Refusal::Misdirected, Refusal::BadRequest, Refusal::NoConnection] {
            assert!(!answers.get(other).fields().contains_key(ALLOW), "{other:?}");
        }
    }

    #[test]
    fn misdirected_content_changes_the_421_only() {
        let mut answers = Answers::default();
        let custom = MisdirectedContent::Custom {
            content_type: HeaderValue::from_static("text/plain"),
            body: Bytes::from_static(b"elsewhere"),
        };
        for (content, kind, bytes) in
            [(custom, Some("text/plain"), "elsewhere"), (MisdirectedContent::Empty, None, "")]
        {
            answers.set_misdirected_content(content);
            let answer = answers.get(Refusal::Misdirected);
            assert_eq!(answer.content(&Method::GET), bytes);
            assert_eq!(answer.fields().get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap()), kind);
            assert_eq!(answer.fields()[CONTENT_LENGTH], bytes.len().to_string());
            let other = answers.get(Refusal::BadRequest);
            assert_eq!(other.content(&Method::GET), r#"{"error":"bad_request"}"#);
        }
    }
}
