//! A client of reqwest whose requests go through the pool.

use std::time::Duration;

use bytes::Bytes;
use coalesce_client::{CoalesceMiddleware, Error, Trail};
use h2::server::Builder;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};

use crate::server::{Server, reply};
use crate::support::{Ca, in_time};

fn client(ca: &Ca, server: &Server) -> ClientWithMiddleware {
    // reqwest also makes a TLS configuration. Another member of the workspace may have switched the
    // default provider of reqwest off. The call fails if another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = ca.client(server.address).build().unwrap();
    ClientBuilder::new(reqwest::Client::new()).with(CoalesceMiddleware::new(client)).build()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_reqwest_share_a_connection() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::plain(&ca, &["a.test", "b.test"]).await;
        let client = client(&ca, &server);
        for host in ["a.test", "b.test"] {
            let uri = server.uri(host, "/page?x=1");
            let response = client.get(&uri).send().await.unwrap();
            assert_eq!((response.status().as_u16(), response.url().as_str()), (200, &uri[..]));
            assert!(response.extensions().get::<Trail>().is_some());
            assert_eq!(response.text().await.unwrap(), "0");
        }
        assert_eq!(server.accepted(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn body_of_bytes_is_sent_again_after_a_421() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::answering(
            &ca,
            &["a.test", "b.test"],
            Builder::new(),
            |number, request, respond| async move {
                let misdirected = number == 0 && request.uri().host() == Some("b.test");
                let mut content = Vec::new();
                let mut body = request.into_body();
                while let Some(Ok(data)) = body.data().await {
                    content.extend_from_slice(&data);
                }
                let status = if misdirected { 421 } else { 200 };
                reply(respond, status, &String::from_utf8(content).unwrap());
            },
        )
        .await;
        let client = client(&ca, &server);
        client.get(server.uri("a.test", "/")).send().await.unwrap();
        let request = client.post(server.uri("b.test", "/")).body(Bytes::from_static(b"content"));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.text().await.unwrap(), "content");
        assert_eq!(server.accepted(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_the_time_limit_of_a_request_arrive() {
    in_time(async {
        let ca = Ca::new();
        let never = |_, _, respond| async move {
            std::future::pending::<()>().await;
            drop::<h2::server::SendResponse<Bytes>>(respond);
        };
        let server = Server::answering(&ca, &["a.test"], Builder::new(), never).await;
        let client = client(&ca, &server);
        let request = client.get(server.uri("a.test", "/")).timeout(Duration::from_millis(50));
        let reqwest_middleware::Error::Middleware(error) = request.send().await.unwrap_err() else {
            panic!("not of the middleware");
        };
        assert!(error.is::<tokio::time::error::Elapsed>(), "{error:?}");
        let error = client.get(server.uri("unknown.test", "/")).send().await.unwrap_err();
        let reqwest_middleware::Error::Middleware(error) = error else {
            panic!("not of the middleware");
        };
        assert!(error.is::<Error>(), "{error:?}");
    })
    .await;
}
