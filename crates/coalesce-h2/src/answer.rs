//! The answers that the adapter gives itself.

use bytes::Bytes;
use h2::server::SendResponse;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use crate::date::date;

/// The content of a 421. Never a routing detail: the same bytes for every reason, so that nobody
/// learns from them which names exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MisdirectedContent {
    /// `{"error":"misdirected_request"}` as `application/json`.
    #[default]
    Json,
    /// None.
    Empty,
    /// The user's own.
    Custom {
        /// The `content-type` field.
        content_type: HeaderValue,
        /// The bytes.
        body: Bytes,
    },
}

/// The answers of one connection, made once and shared by its streams.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    pub(crate) misdirected: Answer,
    pub(crate) bad_request: Answer,
    pub(crate) method_not_allowed: Answer,
}

impl Answers {
    pub(crate) fn new(content: &MisdirectedContent, allow: HeaderValue) -> Self {
        let misdirected = match content {
            MisdirectedContent::Json => {
                Answer::json(StatusCode::MISDIRECTED_REQUEST, br#"{"error":"misdirected_request"}"#)
            }
            MisdirectedContent::Empty => {
                Answer::new(StatusCode::MISDIRECTED_REQUEST, None, Bytes::new())
            }
            MisdirectedContent::Custom { content_type, body } => Answer::new(
                StatusCode::MISDIRECTED_REQUEST,
                Some(content_type.clone()),
                body.clone(),
            ),
        };
        let bad_request = Answer::json(StatusCode::BAD_REQUEST, br#"{"error":"bad_request"}"#);
        // RFC 9110 §15.5.6: a 405 names the methods that are allowed.
        let mut method_not_allowed =
            Answer::json(StatusCode::METHOD_NOT_ALLOWED, br#"{"error":"method_not_allowed"}"#);
        method_not_allowed.fields.insert(ALLOW, allow);
        Self { misdirected, bad_request, method_not_allowed }
    }
}

/// One answer: status, fields, content.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    fields: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(status: StatusCode, body: &'static [u8]) -> Self {
        let json = HeaderValue::from_static("application/json");
        Self::new(status, Some(json), Bytes::from_static(body))
    }

    fn new(status: StatusCode, content_type: Option<HeaderValue>, body: Bytes) -> Self {
        let mut fields = HeaderMap::with_capacity(4);
        // RFC 9110 §15.1 lets nobody cache a 421 by heuristics; this says it to everybody else.
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        fields.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        if let Some(content_type) = content_type {
            fields.insert(CONTENT_TYPE, content_type);
        }
        Self { status, fields, body }
    }

    /// Answers a stream and ends it.
    ///
    /// When the request's body is still coming, `h2` sends `RST_STREAM(NO_ERROR)` (RFC 9113 §8.1)
    /// as soon as the body's handle is dropped, and gives the connection's window back for whatever
    /// arrives late.
    ///
    /// # Errors
    /// The stream is gone already: nobody is left to be told.
    pub(crate) fn send(
        &self,
        method: &Method,
        mut respond: SendResponse<Bytes>,
    ) -> Result<(), h2::Error> {
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.fields.clone();
        response.headers_mut().insert(DATE, date());
        // RFC 9110 §9.3.2: the answer to HEAD has the fields and no content.
        let no_content = self.body.is_empty() || *method == Method::HEAD;
        let mut stream = respond.send_response(response, no_content)?;
        if no_content { Ok(()) } else { stream.send_data(self.body.clone(), true) }
    }
}
