//! What users see: trails, explanations, errors, options, the tower service, kept bodies.

use std::time::Duration;

use bytes::Bytes;
use coalesce_client::{
    Client, Coalesce, ErrorKind, Grounds, Protocol, RequestBody, RequestOptions, Trail,
};
use h2::server::Builder;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use tower::ServiceExt;

use crate::server::{Server, reply};
use crate::support::{Ca, in_time, text};

/// A stream of two frames that announces its length, and cannot be read twice.
struct Announced {
    frames: Vec<&'static str>,
    length: u64,
}

impl Body for Announced {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let next = (!self.frames.is_empty()).then(|| self.frames.remove(0));
        std::task::Poll::Ready(next.map(|text| Ok(Frame::data(text.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

/// Starts a server that echoes the body of each request. On the first connection, its status for
/// `b` is 421.
async fn echo(ca: &Ca) -> Server {
    let names = ["a.test", "b.test"];
    Server::answering(ca, &names, Builder::new(), |number, mut request, respond| async move {
        let refused = number == 0 && request.uri().host() == Some("b.test");
        let mut content = Vec::new();
        while let Some(Ok(data)) = request.body_mut().data().await {
            let _ = request.body_mut().flow_control().release_capacity(data.len());
            content.extend_from_slice(&data);
        }
        reply(respond, if refused { 421 } else { 200 }, &String::from_utf8(content).unwrap());
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn trail_names_the_connection_the_grounds_and_the_refusals() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::plain(&ca, &["a.test", "b.test"]).await;
        let client = ca.client(server.address).build().unwrap();
        let first = client.get(server.uri("a.test", "/")).await.unwrap();
        let first = first.extensions().get::<Trail>().unwrap();
        assert_eq!((first.grounds(), first.is_coalesced()), (Some(Grounds::SameOrigin), false));
        let response = client.get(server.uri("b.test", "/")).await.unwrap();
        let trail = response.extensions().get::<Trail>().unwrap();
        assert_eq!((trail.grounds(), trail.is_coalesced()), (Some(Grounds::Covered), true));
        assert_eq!(trail.connection(), first.connection());
        assert_eq!((trail.peer(), trail.protocol()), (Some(server.address), Some(Protocol::Http2)));
        assert_eq!(trail.made_for().unwrap() + "/", server.uri("a.test", "/"));
        let (port, number) = (server.address.port(), trail.connection().unwrap());
        let last = format!(
            "connection {number} (127.0.0.1:{port}, HTTP/2, for https://a.test:{port}): sent, \
             because the certificate covers the host, which has the connected address (covered)"
        );
        assert_eq!(trail.to_string().lines().last(), Some(last.as_str()), "{trail}");

        let own = client.get(server.uri("c.test", "/")).await.unwrap_err();
        let trail = own.trail().unwrap();
        assert!(trail.steps().iter().any(|step| step.code() == "certificate"), "{trail}");
        assert_eq!((own.kind(), own.code()), (ErrorKind::Connect, "connect"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn misdirected_answer_is_a_step_of_the_trail() {
    in_time(async {
        let ca = Ca::new();
        let server = echo(&ca).await;
        let client = ca.client(server.address).build().unwrap();
        client.get(server.uri("a.test", "/")).await.unwrap();
        let response = client.get(server.uri("b.test", "/")).await.unwrap();
        let trail = response.extensions().get::<Trail>().unwrap();
        assert_eq!((trail.misdirected(), response.status().as_u16()), (1, 200));
        assert!(trail.to_string().contains("answered 421"), "{trail}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn explanation_agrees_with_the_request_that_follows() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::plain(&ca, &["a.test", "b.test"]).await;
        let client = ca.client(server.address).build().unwrap();
        let uri = server.uri("b.test", "/");
        let empty = client.explain(uri.clone()).await.unwrap();
        assert_eq!((empty.candidates().count(), empty.has_connection()), (0, false));
        client.get(server.uri("a.test", "/")).await.unwrap();
        client.get(uri.clone()).await.unwrap();
        let found = client.explain(uri).await.unwrap();
        let codes: Vec<_> = found.candidates().map(|it| it.code()).collect();
        assert_eq!((codes, found.has_connection()), (vec!["covered"], true), "{found}");
        let other = client.explain(server.uri("c.test", "/")).await.unwrap();
        assert_eq!(other.candidates().map(|it| it.code()).collect::<Vec<_>>(), ["certificate"]);
        assert!(other.to_string().ends_with("not valid for the host (certificate)"), "{other}");
    })
    .await;
}

#[tokio::test]
async fn requests_that_cannot_be_sent_are_refused_with_the_reason() {
    let ca = Ca::new();
    let client = ca.client("127.0.0.1:1".parse().unwrap()).build().unwrap();
    for (uri, reason) in [
        ("/path", "expected an absolute URI"),
        ("me:secret@a.test", "expected an absolute URI"),
        ("ftp://a.test/", "ftp://a.test"),
        ("https://me:secret@a.test/", "user information"),
        ("not a uri", "invalid"),
    ] {
        let error = client.get(uri).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request, "{uri}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(reason), "{uri}: {source}");
        assert!(!source.contains("secret"), "{source}");
    }
    for host in ["b.test", "a.test:80", "", "a.test, a.test"] {
        let request = Request::get("https://a.test/").header("host", host);
        let error = client.request(request.body(String::new()).unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request, "{host}");
    }
    let error = ca.client("127.0.0.1:1".parse().unwrap()).coalesce_for("a b", Coalesce::Off);
    assert_eq!(error.build().unwrap_err().kind(), ErrorKind::Settings);
}

#[tokio::test(flavor = "multi_thread")]
async fn host_field_of_the_same_authority_is_sent_once() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::plain(&ca, &["a.test"]).await;
        let client = ca.client(server.address).build().unwrap();
        let host = format!("A.test:{}", server.address.port());
        let request = Request::get(server.uri("a.test", "/")).header("host", host);
        let response = client.request(request.body(String::new()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn options_keep_a_request_apart() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::plain(&ca, &["a.test", "b.test"]).await;
        let client = ca.client(server.address).coalesce_for("a.test", Coalesce::OwnOrigin);
        let client = client.build().unwrap();
        let on = async |host: &str, options: RequestOptions| {
            let request = Request::get(server.uri(host, "/")).extension(options);
            let request = request.body(RequestBody::default()).unwrap();
            text(client.request(request).await.unwrap()).await
        };
        assert_eq!(on("b.test", RequestOptions::new()).await, "0");
        assert_eq!(on("b.test", RequestOptions::new().partition("site")).await, "1");
        assert_eq!(on("b.test", RequestOptions::new().partition("site")).await, "1");
        // The choice for the host holds, whatever the request says.
        assert_eq!(on("a.test", RequestOptions::new().coalesce(Coalesce::Address)).await, "2");
        assert_eq!(on("b.test", RequestOptions::new()).await, "0");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_may_share_less_than_the_choice_for_its_host() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::plain(&ca, &["a.test", "b.test"]).await;
        let client = ca.client(server.address).coalesce_for("b.test", Coalesce::Address);
        let client = client.build().unwrap();
        assert_eq!(text(client.get(server.uri("a.test", "/")).await.unwrap()).await, "0");
        for (choice, connection) in [
            (Coalesce::Origins, "0"),
            (Coalesce::Address, "0"),
            (Coalesce::OwnOrigin, "1"),
            (Coalesce::Off, "1"),
        ] {
            let options = RequestOptions::new().coalesce(choice);
            let request = Request::get(server.uri("b.test", "/")).extension(options);
            let request = request.body(RequestBody::default()).unwrap();
            let answer = text(client.request(request).await.unwrap()).await;
            assert_eq!(answer, connection, "{choice:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_stream_is_sent_again_after_a_421() {
    in_time(async {
        let ca = Ca::new();
        let body = || Announced { frames: vec!["one ", "two"], length: 7 };
        for (limit, status, content) in [(7, 200, "one two"), (6, 421, "one two")] {
            let server = echo(&ca).await;
            let client = ca.client(server.address).replay_limit(limit).build().unwrap();
            client.get(server.uri("a.test", "/")).await.unwrap();
            let request = Request::post(server.uri("b.test", "/")).body(body()).unwrap();
            let response = client.request(request).await.unwrap();
            assert_eq!(response.status(), status, "{limit}");
            assert_eq!(text(response).await, content);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_stream_that_is_longer_than_announced_fails() {
    in_time(async {
        let ca = Ca::new();
        let server = echo(&ca).await;
        let client = ca.client(server.address).replay_limit(100).build().unwrap();
        let body = Announced { frames: vec!["one ", "two"], length: 5 };
        let request = Request::post(server.uri("a.test", "/")).body(body).unwrap();
        assert!(client.request(request).await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_limit_of_a_request_gives_a_timeout() {
    in_time(async {
        let ca = Ca::new();
        let server =
            Server::answering(&ca, &["a.test"], Builder::new(), |_, _, respond| async move {
                let _kept = respond;
                std::future::pending::<()>().await;
            })
            .await;
        let client = ca.client(server.address).request_timeout(Duration::from_millis(200));
        let error = client.build().unwrap().get(server.uri("a.test", "/")).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Timeout, "timeout"));
        assert_eq!(error.to_string(), "there is no answer within the time limit");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_is_a_tower_service_and_its_clones_share_the_pool() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::plain(&ca, &["a.test", "b.test"]).await;
        let client: Client = ca.client(server.address).build().unwrap();
        for host in ["a.test", "b.test"] {
            let request = Request::get(server.uri(host, "/")).body(RequestBody::default()).unwrap();
            let response = client.clone().oneshot(request).await.unwrap();
            assert_eq!(text(response).await, "0");
        }
        assert_eq!(server.accepted(), 1);
    })
    .await;
}
