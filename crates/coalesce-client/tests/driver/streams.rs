//! The streams of a connection: their number, their refusal, and their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use coalesce_client::PoolConfig;
use h2::Reason;
use h2::server::{Builder, SendResponse};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;

use crate::server::{Server, reply};
use crate::support::{Ca, in_time, post, spawn_get, text};

#[tokio::test(flavor = "multi_thread")]
async fn thirty_requests_pass_ten_streams_and_none_is_processed_twice() {
    in_time(async {
        let ca = Ca::new();
        let mut builder = Builder::new();
        builder.max_concurrent_streams(10);
        let server = Server::answering(&ca, &["a.test"], builder, |_, _, respond| async {
            tokio::task::yield_now().await;
            reply(respond, 200, "done");
        })
        .await;
        let client = ca.client(server.address).build().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..30 {
            let (client, uri) = (client.clone(), server.uri("a.test", &format!("/{number}")));
            tasks.spawn(async move { text(client.get(uri).await.unwrap()).await });
        }
        while let Some(answer) = tasks.join_next().await {
            assert_eq!(answer.unwrap(), "done");
        }
        let mut paths: Vec<_> = server.seen().into_iter().map(|(_, path)| path).collect();
        paths.sort();
        let all = paths.len();
        paths.dedup();
        assert_eq!((all, paths.len()), (30, 30));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_never_opens_more_streams_than_the_server_allows() {
    in_time(async {
        let ca = Ca::new();
        let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut builder = Builder::new();
        builder.max_concurrent_streams(4);
        let (counted, highest) = (Arc::clone(&open), Arc::clone(&most));
        let server = Server::answering(&ca, &["a.test"], builder, move |_, _, respond| {
            let (open, most) = (Arc::clone(&counted), Arc::clone(&highest));
            async move {
                most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                open.fetch_sub(1, Ordering::SeqCst);
                reply(respond, 200, "");
            }
        })
        .await;
        let client = ca.client(server.address).connections_per_origin(1).build().unwrap();
        client.get(server.uri("a.test", "/")).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let (client, uri) = (client.clone(), server.uri("a.test", "/"));
            tasks.spawn(async move { client.get(uri).await.unwrap().status() });
        }
        while let Some(answer) = tasks.join_next().await {
            assert_eq!(answer.unwrap(), 200);
        }
        assert_eq!((server.accepted(), server.seen().len()), (1, 201));
        assert!(most.load(Ordering::SeqCst) <= 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_stream_is_sent_again() {
    in_time(async {
        let ca = Ca::new();
        let asked = Arc::new(AtomicUsize::new(0));
        let server =
            Server::answering(&ca, &["a.test"], Builder::new(), move |_, _, mut respond| {
                let refuse = asked.fetch_add(1, Ordering::SeqCst) == 0;
                async move {
                    if refuse {
                        respond.send_reset(Reason::REFUSED_STREAM);
                    } else {
                        reply(respond, 200, "");
                    }
                }
            })
            .await;
        let client = ca.client(server.address).build().unwrap();
        let response = client.request(post(&server.uri("a.test", "/"), "content")).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!((server.accepted(), server.seen().len()), (1, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reset_stream_fails_its_request_alone() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::answering(
            &ca,
            &["a.test"],
            Builder::new(),
            |_, request, mut respond| async move {
                if request.uri().path() == "/reset" {
                    respond.send_reset(Reason::INTERNAL_ERROR);
                } else {
                    reply(respond, 200, "");
                }
            },
        )
        .await;
        let client = ca.client(server.address).build().unwrap();
        client.get(server.uri("a.test", "/")).await.unwrap();
        client.get(server.uri("a.test", "/reset")).await.unwrap_err();
        client.get(server.uri("a.test", "/")).await.unwrap();
        assert_eq!((server.accepted(), server.seen().len()), (1, 3));
    })
    .await;
}

/// Starts a server with two streams for each client, which answers heads at once and contents
/// when it has a permit.
async fn holding_server(ca: &Ca, permits: &Arc<Semaphore>) -> Server {
    let mut builder = Builder::new();
    builder.max_concurrent_streams(2);
    let permits = Arc::clone(permits);
    Server::answering(ca, &["a.test"], builder, move |_, request, respond| {
        let permits = Arc::clone(&permits);
        async move { hold(&permits, &request, respond).await }
    })
    .await
}

async fn hold<T>(permits: &Semaphore, request: &Request<T>, mut respond: SendResponse<Bytes>) {
    if request.uri().path() != "/hold" {
        return reply(respond, 200, "");
    }
    let mut body = respond.send_response(Response::new(()), false).unwrap();
    tokio::select! {
        _ = permits.acquire() => {
            let _ = body.send_data(Bytes::from_static(b"end"), true);
        }
        _ = std::future::poll_fn(|context| body.poll_reset(context)) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_bodies_and_futures_free_their_streams() {
    in_time(async {
        let ca = Ca::new();
        let permits = Arc::new(Semaphore::new(0));
        let server = holding_server(&ca, &permits).await;
        let client = ca.client(server.address).connections_per_origin(1).build().unwrap();
        client.get(server.uri("a.test", "/")).await.unwrap();
        for _ in 0..20 {
            let one = client.get(server.uri("a.test", "/hold")).await.unwrap();
            let other = client.get(server.uri("a.test", "/hold")).await.unwrap();
            // Both streams are taken, so this request waits in the pool.
            let waiting = spawn_get(&client, server.uri("a.test", "/"));
            tokio::task::yield_now().await;
            drop(one);
            assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
            drop(other);
        }
        assert_eq!(server.accepted(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_request_that_waits_or_is_sent_is_forgotten() {
    in_time(async {
        let ca = Ca::new();
        let mut builder = Builder::new();
        builder.max_concurrent_streams(1);
        let asked = Arc::new(tokio::sync::Notify::new());
        let told = Arc::clone(&asked);
        let server =
            Server::answering(&ca, &["a.test"], builder, move |_, request, mut respond| {
                let told = Arc::clone(&told);
                async move {
                    if request.uri().path() == "/never" {
                        told.notify_one();
                        let _ = std::future::poll_fn(|context| respond.poll_reset(context)).await;
                    } else {
                        reply(respond, 200, "");
                    }
                }
            })
            .await;
        let client = ca.client(server.address).connections_per_origin(1).build().unwrap();
        client.get(server.uri("a.test", "/")).await.unwrap();
        for _ in 0..20 {
            let sent = spawn_get(&client, server.uri("a.test", "/never"));
            asked.notified().await;
            let waits = spawn_get(&client, server.uri("a.test", "/waits"));
            tokio::task::yield_now().await;
            waits.abort();
            sent.abort();
            assert!(waits.await.is_err());
            assert!(sent.await.is_err());
            assert_eq!(client.get(server.uri("a.test", "/")).await.unwrap().status(), 200);
        }
        assert_eq!(server.accepted(), 1);
        assert!(server.seen().iter().all(|(_, seen)| !seen.ends_with("/waits")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_do_not_block_other_streams() {
    in_time(async {
        let ca = Ca::new();
        let content = Bytes::from(vec![7; 4 << 20]);
        let server =
            Server::answering(&ca, &["a.test"], Builder::new(), move |_, request, respond| {
                let content = content.clone();
                async move {
                    if request.uri().path() == "/big" {
                        let mut respond = respond;
                        let mut body = respond.send_response(Response::new(()), false).unwrap();
                        let _ = body.send_data(content, true);
                    } else {
                        reply(respond, 200, "small");
                    }
                }
            })
            .await;
        let client = ca.client(server.address).build().unwrap();
        let mut unread = Vec::new();
        for _ in 0..8 {
            let mut response = client.get(server.uri("a.test", "/big")).await.unwrap();
            // The first bytes are here, so the server sends as fast as the windows allow.
            response.body_mut().frame().await.unwrap().unwrap();
            unread.push(response);
        }
        for _ in 0..20 {
            assert_eq!(text(client.get(server.uri("a.test", "/")).await.unwrap()).await, "small");
        }
        assert_eq!(server.accepted(), 1);
        for response in unread {
            let rest = response.into_body().collect().await.unwrap().to_bytes();
            assert!(!rest.is_empty());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_that_waits_for_its_answer_gets_it() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::answering(
            &ca,
            &["a.test"],
            Builder::new(),
            |_, mut request, mut respond| async move {
                let mut answer = respond.send_response(Response::new(()), false).unwrap();
                while let Some(Ok(data)) = request.body_mut().data().await {
                    let _ = request.body_mut().flow_control().release_capacity(data.len());
                    let _ = answer.send_data(data, false);
                }
                let _ = answer.send_data(Bytes::new(), true);
            },
        )
        .await;
        let client = ca.client(server.address).build().unwrap();
        let (mut sender, body) = http_body_util::channel::Channel::<Bytes, std::io::Error>::new(1);
        let request = Request::post(server.uri("a.test", "/")).body(body).unwrap();
        let mut response = client.request(request).await.unwrap();
        for part in ["one", "two", "three"] {
            sender.send_data(Bytes::from_static(part.as_bytes())).await.unwrap();
            let frame = response.body_mut().frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), part);
        }
        drop(sender);
        assert_eq!(text(response).await, "");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_over_the_limit_of_the_pool_fails_at_once() {
    in_time(async {
        let ca = Ca::new();
        let permits = Arc::new(Semaphore::new(0));
        let server = holding_server(&ca, &permits).await;
        let mut config = PoolConfig::default();
        config.requests_max = 1;
        let client = ca.client(server.address).pool(config).build().unwrap();
        let held = client.get(server.uri("a.test", "/hold")).await.unwrap();
        assert!(client.get(server.uri("a.test", "/")).await.is_err());
        drop(held);
        client.get(server.uri("a.test", "/")).await.unwrap();
    })
    .await;
}
