//! The answers that the layer gives itself.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;

use crate::body::{AnswerBody, AnswerContent};
use crate::target::Head;

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

/// What becomes of a request that the application does not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Misdirected,
    BadRequest,
    MethodNotAllowed,
    /// Nobody said what connection this is: a fault of this server's.
    NoConnection,
}

/// Every answer, made once and shared by all connections.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    misdirected: Answer,
    bad_request: Answer,
    method_not_allowed: Answer,
    no_connection: Answer,
}

impl Answers {
    pub(crate) fn new(content: &MisdirectedContent, allow: HeaderValue) -> Self {
        let status = StatusCode::MISDIRECTED_REQUEST;
        let misdirected = match content {
            MisdirectedContent::Json => Answer::json(status, br#"{"error":"misdirected_request"}"#),
            MisdirectedContent::Empty => Answer::new(status, None, Bytes::new()),
            MisdirectedContent::Custom { content_type, body } => {
                Answer::new(status, Some(content_type.clone()), body.clone())
            }
        };
        let bad_request = Answer::json(StatusCode::BAD_REQUEST, br#"{"error":"bad_request"}"#);
        // RFC 9110 §15.5.6: a 405 names the methods that are allowed.
        let mut method_not_allowed =
            Answer::json(StatusCode::METHOD_NOT_ALLOWED, br#"{"error":"method_not_allowed"}"#);
        method_not_allowed.fields.insert(ALLOW, allow);
        let no_connection = Answer::json(
            StatusCode::INTERNAL_SERVER_ERROR,
            br#"{"error":"internal_server_error"}"#,
        );
        Self { misdirected, bad_request, method_not_allowed, no_connection }
    }

    /// The answer to a request that is refused. Its body is not read: the server library drains,
    /// resets or closes as its protocol wants when the request is dropped.
    pub(crate) fn answer<B: Body, R: AnswerBody>(
        &self,
        refusal: Refusal,
        request: &Request<B>,
    ) -> Response<R> {
        let coming = !request.body().is_end_stream();
        let request = Head::of(request);
        let answer = match refusal {
            Refusal::Misdirected => &self.misdirected,
            Refusal::BadRequest => &self.bad_request,
            Refusal::MethodNotAllowed => &self.method_not_allowed,
            Refusal::NoConnection => &self.no_connection,
        };
        let grpc = is_grpc(request);
        // RFC 9110 §9.3.2: the answer to HEAD has the fields and no content. gRPC has its own place
        // for what there is to say.
        let empty = grpc || *request.method == Method::HEAD;
        let content = if empty { Bytes::new() } else { answer.body.clone() };
        let mut content = AnswerContent::new(content);
        if coming && request.version >= Version::HTTP_2 {
            content = content.with_late_end();
        }
        let mut response = Response::new(R::answer(content));
        *response.headers_mut() =
            if grpc { fields_for_grpc(refusal) } else { answer.fields.clone() };
        *response.status_mut() = answer.status;
        // Where an HTTP/1 request was not understood, nor is where the next one begins; RFC 9112
        // §9.3 makes it one version's affair.
        if refusal == Refusal::BadRequest && request.version < Version::HTTP_2 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// One answer: status, fields, content.
#[derive(Clone, Debug)]
struct Answer {
    status: StatusCode,
    fields: HeaderMap,
    body: Bytes,
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

impl Answer {
    fn json(status: StatusCode, body: &'static [u8]) -> Self {
        let json = HeaderValue::from_static("application/json");
        Self::new(status, Some(json), Bytes::from_static(body))
    }

    fn new(status: StatusCode, content_type: Option<HeaderValue>, body: Bytes) -> Self {
        let mut fields = HeaderMap::with_capacity(4);
        // RFC 9110 §15.1 lets nobody cache a 421 by heuristics; this says it to everybody else.
        fields.insert(CACHE_CONTROL, NO_STORE);
        fields.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        if let Some(content_type) = content_type {
            fields.insert(CONTENT_TYPE, content_type);
        }
        Self { status, fields, body }
    }
}

/// As a gRPC client reads it: a response of fields alone, whose `grpc-status` comes before the
/// HTTP status (gRPC over HTTP/2, "Responses"). 421 is UNAVAILABLE, the one code that says
/// "elsewhere or later, as it was sent"; the others are those that gRPC infers from the status.
fn fields_for_grpc(refusal: Refusal) -> HeaderMap {
    const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
    const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
    let (code, message) = match refusal {
        Refusal::Misdirected => ("14", "misdirected request"),
        Refusal::BadRequest => ("13", "bad request"),
        Refusal::MethodNotAllowed => ("12", "method not allowed"),
        Refusal::NoConnection => ("13", "internal server error"),
    };
    let mut fields = HeaderMap::with_capacity(4);
    fields.insert(CACHE_CONTROL, NO_STORE);
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    fields.insert(GRPC_STATUS, HeaderValue::from_static(code));
    fields.insert(GRPC_MESSAGE, HeaderValue::from_static(message));
    fields
}

/// Whether the client reads gRPC: a `POST` of `application/grpc`, or of that with a `+` or `;` and
/// more.
fn is_grpc(request: Head<'_>) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    if *request.method != Method::POST {
        return false;
    }
    let content_type = request.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let rest = content_type.and_then(|value| value.strip_prefix(GRPC));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

#[cfg(test)]
mod tests;
