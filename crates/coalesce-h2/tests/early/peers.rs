//! A real client, which ends the connection if the server breaks the protocol.

use std::time::Duration;

use bytes::Bytes;
use coalesce_h2::Builder;
use h2::client::SendRequest;
use http::{Request, Version};
use tokio::time::timeout;

use super::server::{BODY_421, Server};

/// The number of requests before and after the change; every eighth has a body in its answer.
const REQUESTS: usize = 1_000;

async fn get(client: SendRequest<Bytes>, nth: usize, body_len: usize) {
    let (host, path) = if nth.is_multiple_of(8) { ("api", body_len) } else { ("cdn", nth) };
    let uri = format!("https://{host}.test/{path}");
    let request = Request::get(uri).version(Version::HTTP_2).body(()).unwrap();
    let (response, _) = client.ready().await.unwrap().send_request(request, true).unwrap();
    let response = response.await.unwrap();
    let status = response.status();
    let mut stream = response.into_body();
    let mut content = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data.unwrap();
        stream.flow_control().release_capacity(data.len()).unwrap();
        content.extend_from_slice(&data);
    }
    if host == "cdn" {
        assert_eq!((status.as_u16(), &*content), (421, BODY_421));
    } else {
        assert_eq!((status.as_u16(), content.len()), (200, body_len));
    }
}

/// Runs all requests, 50 at a time; in the middle the stream's window becomes `later`.
async fn run(stream_window: u32, connection_window: u32, later: u32) {
    let (near, far) = tokio::io::duplex(16 * 1024);
    let server = Server::new(Builder::new(), near);
    let (client, mut connection) = h2::client::Builder::new()
        .initial_window_size(stream_window)
        .initial_connection_window_size(connection_window)
        .handshake(far)
        .await
        .unwrap();
    let (change, changed) = tokio::sync::oneshot::channel();
    let driver = tokio::spawn(async move {
        tokio::select! {
            ended = &mut connection => return ended,
            _ = changed => {}
        }
        connection.set_initial_window_size(later).unwrap();
        connection.await
    });
    // At most a few hundred windows.
    let body_len = 40_000.min(300 * stream_window.min(later) as usize);
    all(&client, body_len).await;
    change.send(()).unwrap();
    all(&client, body_len).await;
    drop(client);
    driver.await.unwrap().unwrap();
    assert_eq!(server.decided().len(), 2 * REQUESTS);
    assert!(server.task.await.unwrap().is_none());
}

async fn all(client: &SendRequest<Bytes>, body_len: usize) {
    let mut open = tokio::task::JoinSet::new();
    for nth in 0..REQUESTS {
        open.spawn(get(client.clone(), nth, body_len));
        if open.len() == 50 {
            open.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(done) = open.join_next().await {
        done.unwrap();
    }
}

/// A client with any windows, however they change, gets all its answers and no more than it
/// granted.
#[tokio::test]
async fn client_with_any_windows_gets_all_its_answers() {
    const DEFAULT: u32 = 65_535;
    const HUGE: u32 = (1 << 31) - 1;
    for (stream, connection, later) in [
        (DEFAULT, DEFAULT, DEFAULT),
        (DEFAULT, 16 << 20, 20),
        (20, DEFAULT, DEFAULT),
        (31, 16 << 20, 30),
        (HUGE, HUGE, 2),
        (1 << 20, 100_000, 0x4000),
    ] {
        timeout(Duration::from_secs(120), run(stream, connection, later))
            .await
            .unwrap_or_else(|_| panic!("{stream}, {connection}, {later}: the connection stalls"));
    }
}
