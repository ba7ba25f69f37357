use coalesce_http::MisdirectedContent;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};

use super::*;

fn answers() -> Answers {
    Answers::new(MisdirectedContent::default(), HeaderValue::from_static("GET"))
}

/// Status, fields but `date`, and content.
async fn sent(refusal: Refusal, request: http::request::Builder) -> (u16, HeaderMap, Bytes) {
    let request = request.body(Full::<Bytes>::default()).unwrap();
    let response = answer::<_, Full<Bytes>>(&answers(), refusal, &request);
    let (parts, body) = response.into_parts();
    (parts.status.as_u16(), parts.headers, body.collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn head_has_the_fields_without_the_content() {
    let get = sent(Refusal::Misdirected, Request::get("/")).await;
    let head = sent(Refusal::Misdirected, Request::head("/")).await;
    assert_eq!((get.0, &get.1), (head.0, &head.1));
    assert_eq!(get.2, r#"{"error":"misdirected_request"}"#);
    assert_eq!(get.1[CONTENT_LENGTH], "31");
    assert_eq!(head.2, "");
}

#[tokio::test]
async fn what_was_not_understood_ends_an_http1_connection() {
    for (refusal, status, closes) in [
        (Refusal::Misdirected, 421, false),
        (Refusal::MethodNotAllowed, 405, false),
        (Refusal::BadRequest, 400, true),
    ] {
        let (found, fields, _) = sent(refusal, Request::get("/")).await;
        assert_eq!((found, fields.contains_key(CONNECTION)), (status, closes));
        let http2 = Request::get("/").version(Version::HTTP_2);
        let (_, fields, _) = sent(refusal, http2).await;
        assert!(!fields.contains_key(CONNECTION), "RFC 9113 §8.2.2");
    }
}

#[test]
fn refusal_before_the_end_of_an_http1_request_ends_its_connection() {
    let closes = |refusal, version| {
        let request = Request::post("/").version(version).body(Full::new(Bytes::from("content")));
        let response = answer::<_, Full<Bytes>>(&answers(), refusal, &request.unwrap());
        response.headers().get(CONNECTION).is_some_and(|value| value == "close")
    };
    for refusal in [
        Refusal::Misdirected,
        Refusal::MethodNotAllowed,
        Refusal::BadRequest,
        Refusal::NoConnection,
    ] {
        assert!(closes(refusal, Version::HTTP_11), "{refusal:?}");
        assert!(closes(refusal, Version::HTTP_10), "{refusal:?}");
        assert!(!closes(refusal, Version::HTTP_2), "{refusal:?}");
    }
}

#[tokio::test]
async fn a_405_names_the_methods() {
    let (_, fields, _) = sent(Refusal::MethodNotAllowed, Request::get("/")).await;
    assert_eq!(fields[ALLOW], "GET");
}

#[tokio::test]
async fn grpc_client_gets_a_grpc_status() {
    let statuses = [
        (Refusal::Misdirected, 421, "14"),
        (Refusal::BadRequest, 400, "13"),
        (Refusal::MethodNotAllowed, 405, "12"),
        (Refusal::NoConnection, 500, "13"),
    ];
    for (refusal, status, code) in statuses {
        for content_type in ["application/grpc", "application/grpc+proto", "application/grpc;x"] {
            let request = Request::post("/").header(CONTENT_TYPE, content_type);
            let (found, fields, content) = sent(refusal, request).await;
            assert_eq!((found, &content[..]), (status, &b""[..]));
            assert_eq!(fields["grpc-status"], code);
            assert_eq!(fields[CONTENT_TYPE], "application/grpc");
        }
    }
    // gRPC-Web has another framing.
    for other in ["application/grpc-web", "application/json"] {
        let request = Request::post("/").header(CONTENT_TYPE, other);
        assert!(!sent(Refusal::Misdirected, request).await.1.contains_key("grpc-status"));
    }
}
