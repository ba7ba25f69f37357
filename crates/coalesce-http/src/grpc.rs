//! Answers for gRPC clients.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::answer::NO_STORE;
use crate::refusal::Refusal;

/// Returns the fields of an answer to a gRPC client. The answer has no content.
///
/// A gRPC client reads `grpc-status` before the HTTP status (gRPC over HTTP/2, "Responses"). A 421
/// becomes UNAVAILABLE, the only code that allows the client to repeat the request. The other codes
/// are the ones that gRPC derives from the HTTP status.
///
/// # Examples
/// ```
/// use coalesce_http::{Refusal, grpc_fields};
///
/// assert_eq!(grpc_fields(Refusal::Misdirected)["grpc-status"], "14");
/// ```
#[must_use]
pub fn grpc_fields(refusal: Refusal) -> HeaderMap {
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

/// Returns whether the client reads gRPC: it sent a `POST` whose content type is
/// `application/grpc`, alone or before a `+`, a `;` or a space.
///
/// # Examples
/// ```
/// use coalesce_http::is_grpc;
/// use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
///
/// let mut headers = HeaderMap::new();
/// headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc+proto"));
/// assert!(is_grpc(&Method::POST, &headers));
/// assert!(!is_grpc(&Method::GET, &headers));
/// ```
#[must_use]
pub fn is_grpc(method: &Method, headers: &HeaderMap) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    if *method != Method::POST {
        return false;
    }
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let rest = content_type.and_then(|value| value.strip_prefix(GRPC));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn post_with_grpc_content_type_is_grpc() {
        let grpc = |method: Method, content_type: &'static str| {
            let fields = [(CONTENT_TYPE, HeaderValue::from_static(content_type))];
            is_grpc(&method, &fields.into_iter().collect())
        };
        for content_type in ["application/grpc", "application/grpc+proto", "application/grpc;x"] {
            assert!(grpc(Method::POST, content_type), "{content_type}");
            assert!(!grpc(Method::GET, content_type), "{content_type}");
        }
        // gRPC-Web uses another framing.
        for content_type in ["application/grpc-web", "application/json", ""] {
            assert!(!grpc(Method::POST, content_type), "{content_type}");
        }
    }
}
