//! The answers that the layer gives itself.

use bytes::Bytes;
use coalesce_http::{Answers, Refusal, grpc_fields, is_grpc};
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, Version};
use http_body::Body;

use crate::body::{AnswerBody, AnswerContent};

/// Returns whether content is still to come, on a connection that is closed because of it.
pub(crate) fn leaves_content<B: Body>(request: &Request<B>) -> bool {
    request.version() < Version::HTTP_2 && !request.body().is_end_stream()
}

/// Makes the answer to a refused request. The body of the request is not read: the server library
/// drains, resets or closes as its protocol wants when the request is dropped.
pub(crate) fn answer<B: Body, R: AnswerBody>(
    answers: &Answers,
    refusal: Refusal,
    request: &Request<B>,
) -> Response<R> {
    let coming = !request.body().is_end_stream();
    let answer = answers.get(refusal);
    let is_grpc = is_grpc(request.method(), request.headers());
    // A gRPC client reads the reason in the fields.
    let content = if is_grpc { Bytes::new() } else { answer.content(request.method()) };
    let mut content = AnswerContent::new(content);
    if coming && request.version() >= Version::HTTP_2 {
        content = content.with_late_end();
    }
    let mut response = Response::new(R::answer(content));
    *response.headers_mut() = if is_grpc { grpc_fields(refusal) } else { answer.fields().clone() };
    *response.status_mut() = answer.status();
    // After a malformed HTTP/1 request, the start of the next one is unknown. Content that is still
    // to come is not read, so no request may follow it (RFC 9112 §9.3). The answer must say so
    // (§9.6), because hyper may write its head before it finds the content.
    let is_unclear = refusal == Refusal::BadRequest && request.version() < Version::HTTP_2;
    if is_unclear || leaves_content(request) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests;
