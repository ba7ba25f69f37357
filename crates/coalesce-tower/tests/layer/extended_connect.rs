//! A `WebSocket` over HTTP/2 (RFC 8441): announced where the policy takes it, and nowhere else.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use coalesce_core::ConnectPolicy;
use coalesce_tower::Listener;
use h2::client::SendRequest;
use http::Method;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::common::{CHAT, PUBLIC, layer, table};

/// An application that sends back the bytes that come through a tunnel.
async fn echo_tunnel(mut request: Request) -> Response {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgraded));
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    });
    Response::new(Body::empty())
}

/// `axum::serve` on connections of this group.
async fn serve(group: coalesce_core::GroupId) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let listener = Listener::cleartext(socket, group, [80]).extended_connect(|info| {
        let policy = table().group_policy(info.connection().group()).unwrap();
        policy.connect != ConnectPolicy::Refuse
    });
    let router = Router::new().route("/", any(echo_tunnel));
    tokio::spawn(axum::serve(listener, layer().around(router)).into_future());
    address
}

/// A client that has seen the server's settings.
async fn connect(address: SocketAddr, host: &str) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async { connection.await.ok() });
    let mut client = client.ready().await.unwrap();
    let request = http::Request::head(format!("http://{host}/")).body(()).unwrap();
    assert_eq!(client.send_request(request, true).unwrap().0.await.unwrap().status(), 200);
    client.ready().await.unwrap()
}

fn websocket(uri: &str) -> http::Request<()> {
    let mut request = http::Request::builder().method(Method::CONNECT).uri(uri).body(()).unwrap();
    request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
    request
}

#[tokio::test]
async fn tunnel_of_a_group_that_takes_it_is_announced_and_works() {
    let mut client = connect(serve(CHAT).await, "chat.test").await;
    assert!(client.is_extended_connect_protocol_enabled());
    let (other, _) = client.send_request(websocket("http://api.test/"), false).unwrap();
    assert_eq!(other.await.unwrap().status(), 421, "of another group");
    let mut client = client.ready().await.unwrap();
    let (response, mut stream) =
        client.send_request(websocket("http://chat.test/"), false).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    for message in ["one", "two"] {
        stream.send_data(Bytes::from(message), false).unwrap();
        assert_eq!(body.data().await.unwrap().unwrap(), message);
        body.flow_control().release_capacity(message.len()).unwrap();
    }
}

#[tokio::test]
async fn group_that_refuses_it_announces_none() {
    let client = connect(serve(PUBLIC).await, "b.test").await;
    assert!(!client.is_extended_connect_protocol_enabled());
}

/// The WebSocket of a client that finds no announcement.
#[tokio::test]
async fn upgrade_over_http1_is_an_ordinary_request() {
    let upgrade = async |request: Request| {
        let mut response = echo_tunnel(request).await;
        *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert("upgrade", "websocket".parse().unwrap());
        response.headers_mut().insert("connection", "upgrade".parse().unwrap());
        response
    };
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let router = Router::new().route("/", any(upgrade));
    let listener = Listener::cleartext(socket, PUBLIC, [80]);
    tokio::spawn(axum::serve(listener, layer().around(router)).into_future());
    let mut client = TcpStream::connect(address).await.unwrap();
    let head =
        "GET / HTTP/1.1\r\nHost: b.test\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(client.read_u8().await.expect("a response"));
    }
    assert!(text.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&text));
    client.write_all(b"ping").await.unwrap();
    let mut answer = [0; 4];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"ping");
}
