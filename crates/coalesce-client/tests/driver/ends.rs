//! The ends of connections: GOAWAY, a server that dies, and a client that closes.

use bytes::Bytes;
use h2::server::Builder;
use http::Response;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{Accepted, Server, reply};
use crate::support::{Ca, in_time, post, text};

/// Answers the first stream and refuses all others with GOAWAY, when three have come.
async fn answer_one_stream(stream: &mut Accepted) {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    stream.write_all(&frame(4, 0, 0, &[])).await.unwrap();
    let mut requests = 0;
    while requests < 3 {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload).await.unwrap();
        requests += usize::from(head[3] == 1);
    }
    // GOAWAY with the last stream 1, and `:status 200` on stream 1.
    stream.write_all(&frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0])).await.unwrap();
    stream.write_all(&frame(1, 5, 1, &[0x88])).await.unwrap();
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_above_the_last_one_of_goaway_are_sent_again_elsewhere() {
    in_time(async {
        let ca = Ca::new();
        let server =
            Server::start(&ca, &["a.test"], &["h2"], |server, number, stream| async move {
                let mut stream = stream;
                if number == 0 {
                    return answer_one_stream(&mut stream).await;
                }
                let mut connection = Builder::new().handshake::<_, Bytes>(stream).await.unwrap();
                while let Some(Ok((request, respond))) = connection.accept().await {
                    server.note(number, &request);
                    reply(respond, 200, "second");
                }
            })
            .await;
        let client = ca.client(server.address).build().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..10 {
            let (client, uri) = (client.clone(), server.uri("a.test", &format!("/{number}")));
            tasks.spawn(async move { text(client.request(post(&uri, "x")).await.unwrap()).await });
        }
        let mut answers: Vec<_> = tasks.join_all().await;
        answers.sort();
        assert_eq!(answers[0], "");
        assert!(answers[1..].iter().all(|it| it == "second"), "{answers:?}");
        let mut seen = server.seen();
        seen.sort();
        seen.dedup();
        assert_eq!((seen.len(), server.accepted()), (9, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn graceful_goaway_finishes_open_streams_and_new_ones_go_elsewhere() {
    in_time(async {
        let ca = Ca::new();
        let server =
            Server::start(&ca, &["a.test"], &["h2"], |server, number, stream| async move {
                let mut connection = Builder::new().handshake::<_, Bytes>(stream).await.unwrap();
                let mut held = None;
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    server.note(number, &request);
                    if request.uri().path() == "/hold" {
                        held = Some(respond.send_response(Response::new(()), false).unwrap());
                        connection.graceful_shutdown();
                    } else {
                        reply(respond, 200, "");
                    }
                    if let Some(mut body) = held.take() {
                        body.send_data(Bytes::from_static(b"held"), true).unwrap();
                    }
                }
            })
            .await;
        let client = ca.client(server.address).build().unwrap();
        let held = client.get(server.uri("a.test", "/hold")).await.unwrap();
        assert_eq!(text(held).await, "held");
        for _ in 0..3 {
            assert_eq!(client.get(server.uri("a.test", "/")).await.unwrap().status(), 200);
        }
        assert_eq!(server.accepted(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_dies_in_a_body_fails_that_body_and_the_next_request_reconnects() {
    in_time(async {
        let ca = Ca::new();
        let server =
            Server::start(&ca, &["a.test"], &["h2"], |server, number, stream| async move {
                let mut connection = Builder::new().handshake::<_, Bytes>(stream).await.unwrap();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    server.note(number, &request);
                    if number > 0 {
                        reply(respond, 200, "");
                        continue;
                    }
                    let head = Response::builder().header("content-length", 100).body(()).unwrap();
                    let mut body = respond.send_response(head, false).unwrap();
                    body.send_data(Bytes::from_static(b"part"), false).unwrap();
                    // The connection writes its buffered frames, and is then dropped.
                    let write = std::future::poll_fn(|context| connection.poll_closed(context));
                    let _ = tokio::time::timeout(std::time::Duration::from_millis(50), write).await;
                    return;
                }
            })
            .await;
        let client = ca.client(server.address).build().unwrap();
        let response = client.get(server.uri("a.test", "/")).await.unwrap();
        response.into_body().collect().await.unwrap_err();
        assert_eq!(client.get(server.uri("a.test", "/")).await.unwrap().status(), 200);
        assert_eq!(server.accepted(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_closes_before_http_fails_the_request() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::start(&ca, &["a.test"], &["h2"], |_, _, mut stream| async move {
            let _ = stream.shutdown().await;
        })
        .await;
        let client = ca.client(server.address).build().unwrap();
        client.get(server.uri("a.test", "/")).await.unwrap_err();
        client.get(server.uri("a.test", "/")).await.unwrap_err();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn host_without_address_and_port_without_server_fail_with_their_source() {
    in_time(async {
        let ca = Ca::new();
        let client = ca.client("127.0.0.1:1".parse().unwrap()).build().unwrap();
        let error = client.get("https://a.test:1/").await.unwrap_err();
        assert!(std::error::Error::source(&error).is_some(), "{error:?}");
        client.get("https://unknown.test/").await.unwrap_err();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_client_waits_for_open_bodies_and_says_goaway() {
    in_time(async {
        let ca = Ca::new();
        let (ended, mut closed) = tokio::sync::mpsc::unbounded_channel();
        let server = Server::start(&ca, &["a.test"], &["h2"], move |server, number, stream| {
            let ended = ended.clone();
            async move {
                let mut connection = Builder::new().handshake::<_, Bytes>(stream).await.unwrap();
                while let Some(Ok((request, respond))) = connection.accept().await {
                    server.note(number, &request);
                    reply(respond, 200, "content");
                }
                ended.send(number).unwrap();
            }
        })
        .await;
        let client = ca.client(server.address).build().unwrap();
        let response = client.get(server.uri("a.test", "/")).await.unwrap();
        let own = client.clone();
        let closing = tokio::spawn(async move { own.close().await });
        while client.get(server.uri("a.test", "/")).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!closing.is_finished());
        assert_eq!(text(response).await, "content");
        closing.await.unwrap();
        assert_eq!(closed.recv().await, Some(0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_a_dropped_client_end_after_the_last_body() {
    in_time(async {
        let ca = Ca::new();
        let (ended, mut closed) = tokio::sync::mpsc::unbounded_channel();
        let server = Server::start(&ca, &["a.test"], &["h2"], move |_, number, stream| {
            let ended = ended.clone();
            async move {
                let mut connection = Builder::new().handshake::<_, Bytes>(stream).await.unwrap();
                while let Some(Ok((_, respond))) = connection.accept().await {
                    reply(respond, 200, "content");
                }
                ended.send(number).unwrap();
            }
        })
        .await;
        let client = ca.client(server.address).build().unwrap();
        let response = client.get(server.uri("a.test", "/")).await.unwrap();
        drop(client);
        assert_eq!(text(response).await, "content");
        assert_eq!(closed.recv().await, Some(0));
    })
    .await;
}
