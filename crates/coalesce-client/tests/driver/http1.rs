//! Servers of HTTP/1.1.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{Accepted, Server};
use crate::support::{Ca, in_time, post, spawn_get, text};

/// Starts a server of HTTP/1.1, which closes each connection after `requests` of them. It counts
/// bytes that come before the answer to the request before.
async fn server(ca: &Ca, requests: usize, pipelined: &Arc<AtomicUsize>) -> Server {
    let pipelined = Arc::clone(pipelined);
    Server::start(ca, &["a.test", "b.test"], &["http/1.1"], move |server, number, stream| {
        let pipelined = Arc::clone(&pipelined);
        async move { serve(&server, number, stream, requests, &pipelined).await }
    })
    .await
}

async fn serve(
    server: &Server,
    number: usize,
    mut stream: Accepted,
    requests: usize,
    pipelined: &AtomicUsize,
) {
    for _ in 0..requests {
        let Some(head) = read_head(&mut stream).await else { return };
        let end = head.find("\r\n\r\n").unwrap() + 4;
        let mut rest = head.len() - end;
        let length = field(&head, "content-length").map_or(0, |it| it.parse().unwrap());
        while rest < length {
            rest += stream.read(&mut [0; 1_024]).await.unwrap();
        }
        pipelined.fetch_add(rest - length, Ordering::SeqCst);
        let target = head.split(' ').nth(1).unwrap();
        let host = field(&head, "host").unwrap();
        let request = http::Request::get(format!("https://{host}{target}")).body(()).unwrap();
        server.note(number, &request);
        let content = format!("{number} {host} {target}");
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", content.len());
        if stream.write_all((answer + &content).as_bytes()).await.is_err() {
            return;
        }
    }
    let _ = stream.shutdown().await;
}

async fn read_head(stream: &mut Accepted) -> Option<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|it| it == b"\r\n\r\n") {
        let mut buffer = [0; 1_024];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => head.extend_from_slice(&buffer[..read]),
        }
    }
    Some(String::from_utf8(head).unwrap())
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_is_reused_for_its_host_and_never_for_another() {
    in_time(async {
        let ca = Ca::new();
        let pipelined = Arc::default();
        let server = server(&ca, usize::MAX, &pipelined).await;
        let client = ca.client(server.address).build().unwrap();
        let port = server.address.port();
        for turn in 0..30 {
            let host = ["a.test", "b.test"][turn / 2 % 2];
            let answer = text(client.get(server.uri(host, "/x?y")).await.unwrap()).await;
            assert!(answer.ends_with(&format!("{host}:{port} /x?y")), "{answer}");
        }
        let answer = client.request(post(&server.uri("a.test", "/"), "content")).await.unwrap();
        assert!(text(answer).await.ends_with(&format!("a.test:{port} /")));
        // A connection whose end hyper has not read yet is not ready for the next request.
        assert!((2..=20).contains(&server.accepted()), "{}", server.accepted());
        let mut pairs: Vec<_> = server.seen();
        for (_, seen) in &mut pairs {
            seen.truncate("a.test".len());
        }
        pairs.sort();
        pairs.dedup();
        assert_eq!(pairs.len(), server.accepted(), "{pairs:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_requests_use_several_connections_and_are_not_pipelined() {
    in_time(async {
        let ca = Ca::new();
        let pipelined = Arc::default();
        let server = server(&ca, usize::MAX, &pipelined).await;
        let client = ca.client(server.address).connections_per_origin(4).build().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..100 {
            let (client, uri) = (client.clone(), server.uri("a.test", &format!("/{number}")));
            tasks.spawn(async move { text(client.get(uri).await.unwrap()).await });
        }
        let answers = tasks.join_all().await;
        assert_eq!(answers.len(), 100);
        assert_eq!(pipelined.load(Ordering::SeqCst), 0);
        assert!((1..=4).contains(&server.accepted()), "{}", server.accepted());
        assert_eq!(server.seen().len(), 100);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_that_the_server_closes_is_replaced() {
    in_time(async {
        let ca = Ca::new();
        let pipelined = Arc::default();
        let server = server(&ca, 1, &pipelined).await;
        let client = ca.client(server.address).build().unwrap();
        for number in 0..20 {
            let answer = text(client.get(server.uri("a.test", "/")).await.unwrap()).await;
            assert!(answer.starts_with(&format!("{number} ")), "{answer}");
        }
        assert_eq!(server.accepted(), 20);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_dropped_before_its_answer_does_not_leave_the_connection_in_use() {
    in_time(async {
        let ca = Ca::new();
        let asked = Arc::new(tokio::sync::Notify::new());
        let told = Arc::clone(&asked);
        let server =
            Server::start(&ca, &["a.test"], &["http/1.1"], move |server, number, stream| {
                let told = Arc::clone(&told);
                async move {
                    let mut stream = stream;
                    if number == 0 {
                        read_head(&mut stream).await;
                        told.notify_one();
                        let _ = stream.read(&mut [0]).await;
                    } else {
                        serve(&server, number, stream, usize::MAX, &AtomicUsize::new(0)).await;
                    }
                }
            })
            .await;
        let client = ca.client(server.address).connections_per_origin(1).build().unwrap();
        let sent = spawn_get(&client, server.uri("a.test", "/"));
        asked.notified().await;
        sent.abort();
        assert!(sent.await.is_err());
        let answer = text(client.get(server.uri("a.test", "/")).await.unwrap()).await;
        assert!(answer.starts_with("1 "), "{answer}");
    })
    .await;
}
