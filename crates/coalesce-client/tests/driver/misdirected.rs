//! What follows a 421.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::server::Builder;
use http::Request;
use http_body_util::StreamBody;

use crate::server::{Server, reply};
use crate::support::{Ca, in_time, post, text};

/// Starts a server that answers 421 for `b` on the first connection.
async fn server_with_421(ca: &Ca) -> Server {
    Server::answering(
        ca,
        &["a.test", "b.test"],
        Builder::new(),
        |number, request, respond| async move {
            let refused = number == 0 && request.uri().host() == Some("b.test");
            reply(respond, if refused { 421 } else { 200 }, "");
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn misdirected_request_is_sent_once_more_alone_and_the_refusal_is_remembered() {
    in_time(async {
        let ca = Ca::new();
        let server = server_with_421(&ca).await;
        let client = ca.client(server.address).build().unwrap();
        for host in ["a.test", "b.test", "b.test", "a.test"] {
            assert_eq!(client.get(server.uri(host, "/")).await.unwrap().status(), 200);
        }
        let seen: Vec<_> = server.seen().into_iter().map(|(at, it)| format!("{at} {it}")).collect();
        assert_eq!(seen, ["0 a.test /", "0 b.test /", "1 b.test /", "1 b.test /", "0 a.test /"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn misdirected_post_with_kept_body_is_sent_again() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::answering(&ca, &["a.test", "b.test"], Builder::new(), {
            |number, mut request, respond| async move {
                let mut content = Vec::new();
                while let Some(Ok(data)) = request.body_mut().data().await {
                    content.extend_from_slice(&data);
                }
                let refused = number == 0 && request.uri().host() == Some("b.test");
                let content = String::from_utf8(content).unwrap();
                reply(respond, if refused { 421 } else { 200 }, &content);
            }
        })
        .await;
        let client = ca.client(server.address).build().unwrap();
        client.get(server.uri("a.test", "/")).await.unwrap();
        let response = client.request(post(&server.uri("b.test", "/"), "content")).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(text(response).await, "content");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn misdirected_upload_that_is_a_stream_is_delivered() {
    in_time(async {
        let ca = Ca::new();
        let server = server_with_421(&ca).await;
        let client = ca.client(server.address).build().unwrap();
        client.get(server.uri("a.test", "/")).await.unwrap();
        let frames = Frames(vec![Bytes::from_static(b"one")]);
        let request = Request::post(server.uri("b.test", "/")).body(StreamBody::new(frames));
        let response = client.request(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), 421);
        assert_eq!(server.accepted(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_that_an_error_has_answered_is_cancelled() {
    in_time(async {
        let ca = Ca::new();
        let (reset, mut resets) = tokio::sync::mpsc::unbounded_channel();
        let answer = move |_, mut request: Request<h2::RecvStream>, respond| {
            let reset = reset.clone();
            async move {
                reply(respond, 421, "");
                while let Some(data) = request.body_mut().data().await {
                    if let Err(error) = data {
                        reset.send(error.reason()).unwrap();
                    }
                }
            }
        };
        let server = Server::answering(&ca, &["a.test"], Builder::new(), answer).await;
        let client = ca.client(server.address).build().unwrap();
        let (_sender, body) = http_body_util::channel::Channel::<Bytes, std::io::Error>::new(1);
        let request = Request::post(server.uri("a.test", "/")).body(body).unwrap();
        assert_eq!(client.request(request).await.unwrap().status(), 421);
        assert_eq!(resets.recv().await, Some(Some(h2::Reason::CANCEL)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_always_answers_421_gets_a_request_twice_at_most() {
    in_time(async {
        let ca = Ca::new();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let names = ["a.test", "b.test"];
        let server = Server::answering(&ca, &names, Builder::new(), move |_, request, respond| {
            let refused = request.uri().host() == Some("b.test");
            counted.fetch_add(usize::from(refused), Ordering::SeqCst);
            async move { reply(respond, if refused { 421 } else { 200 }, "") }
        })
        .await;
        let client = ca.client(server.address).build().unwrap();
        client.get(server.uri("a.test", "/")).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..1_000 {
            let (client, uri) = (client.clone(), server.uri("b.test", "/"));
            tasks.spawn(async move { client.get(uri).await.unwrap().status() });
        }
        while let Some(answer) = tasks.join_next().await {
            assert_eq!(answer.unwrap(), 421);
        }
        let sent = count.load(Ordering::SeqCst);
        assert!((1_000..=2_000).contains(&sent), "{sent}");
    })
    .await;
}

/// A stream of frames, which is gone when it is read.
struct Frames(Vec<Bytes>);

impl futures_core::Stream for Frames {
    type Item = Result<http_body::Frame<Bytes>, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let next = (!self.0.is_empty()).then(|| Ok(http_body::Frame::data(self.0.remove(0))));
        std::task::Poll::Ready(next)
    }
}
