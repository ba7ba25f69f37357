//! Silent clients: which connections are ended, and that new ones are served beside them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use axum::routing::get;
use axum::{Router, ServiceExt};
use coalesce_tower::{AxumServerAcceptor, ConnectionLimits, Listener};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::Layer;

use crate::common::{PUBLIC, echo, layer};
use crate::listener::{acceptor, listener};

/// Short, so that the tests are; no test depends on how long anything takes.
const SHORT: Duration = Duration::from_millis(100);

fn short() -> ConnectionLimits {
    ConnectionLimits::new().idle_timeout(SHORT).header_timeout(SHORT)
}

/// Limits that end nothing while a test runs.
fn patient() -> ConnectionLimits {
    ConnectionLimits::new().idle_timeout(None).header_timeout(None)
}

async fn cleartext(limits: ConnectionLimits) -> (Listener, SocketAddr) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listener = Listener::cleartext(socket, PUBLIC, [80]).with_limits(limits);
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn axum(limits: ConnectionLimits) -> SocketAddr {
    let (listener, address) = cleartext(limits).await;
    let router = Router::new().route("/", get(async || "hello"));
    tokio::spawn(axum::serve(listener, layer().around(router)).into_future());
    address
}

async fn hyper(limits: ConnectionLimits) -> SocketAddr {
    let (mut listener, address) = cleartext(limits).await;
    tokio::spawn(async move {
        loop {
            let (accepted, _) = listener.accept().await;
            let application = |request: http::Request<Incoming>, proof| async move {
                Ok::<_, Infallible>(echo(&request, &proof))
            };
            let service = layer().serve(accepted.info(), application);
            tokio::spawn(async move {
                // Without a timer: hyper itself ends nothing.
                let builder = auto::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(accepted), service).await;
            });
        }
    });
    address
}

async fn tonic(limits: ConnectionLimits) -> SocketAddr {
    let (listener, address) = cleartext(limits).await;
    let (_, health) = tonic_health::server::health_reporter();
    let server = tonic::transport::Server::builder().accept_http1(true).layer(layer());
    tokio::spawn({
        let mut server = server;
        server.add_service(health).serve_with_incoming(listener)
    });
    address
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 0, u8::try_from(payload.len()).unwrap(), kind, flags, 0, 0, 0, stream];
    frame.extend_from_slice(payload);
    frame
}

/// The preface, SETTINGS, and a request whose header block has these flags.
fn http2(authority: &str, flags: u8) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x84, 0x41, u8::try_from(authority.len()).unwrap()];
    block.extend_from_slice(authority.as_bytes());
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    [preface, frame(4, 0, 0, &[]), frame(1, flags, 1, &block)].concat()
}

const END_STREAM_AND_HEADERS: u8 = 5;

/// The bytes that a client sends before it is silent.
fn kinds() -> Vec<(&'static str, Vec<u8>)> {
    let http1 = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes();
    vec![
        ("nothing", Vec::new()),
        ("half a head", b"GET / HTTP/1.1\r\nHost".to_vec()),
        ("half a preface", b"PRI * HTTP/2.0\r\n".to_vec()),
        ("a preface", http2("", 0)[..24].to_vec()),
        ("HTTP/1.1, served", http1("b.test")),
        ("HTTP/1.1, misdirected", http1("staff.test")),
        ("HTTP/1.1, half of a second head", [http1("b.test"), b"GET".to_vec()].concat()),
        ("HTTP/2, served", http2("b.test", END_STREAM_AND_HEADERS)),
        ("HTTP/2, misdirected", http2("staff.test", END_STREAM_AND_HEADERS)),
        ("HTTP/2, half a header block", http2("b.test", 1)),
    ]
}

/// Reads until the server closes. Waits long enough for any machine.
async fn is_ended(mut stream: impl AsyncRead + Unpin, which: &str) {
    let mut bytes = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut bytes)).await;
    // A reset is an end as well.
    assert!(end.is_ok(), "{which} is still open");
}

#[tokio::test]
async fn every_kind_of_silent_connection_is_ended() {
    for address in [axum(short()).await, hyper(short()).await, tonic(short()).await] {
        for (kind, bytes) in kinds() {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(&bytes).await.unwrap();
            is_ended(client, kind).await;
        }
    }
}

/// Bytes that are no request do not keep a connection open: pings, and a head byte by byte.
#[tokio::test]
async fn connection_that_only_trickles_is_ended() {
    let address = axum(short()).await;
    let ping = frame(6, 0, 0, &[0; 8]);
    let begun = http2("b.test", END_STREAM_AND_HEADERS);
    for (begin, piece) in [(&begun[..], &ping[..]), (&b"GET /"[..], &b"a"[..])] {
        let (reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
        writer.write_all(begin).await.unwrap();
        let piece = piece.to_vec();
        let trickle = tokio::spawn(async move {
            while writer.write_all(&piece).await.is_ok() {
                tokio::time::sleep(SHORT / 10).await;
            }
        });
        is_ended(reader, "one that trickles").await;
        trickle.await.unwrap();
    }
}

fn axum_server(limits: ConnectionLimits) -> (SocketAddr, tokio_rustls::TlsConnector) {
    let (acceptor, connector) = acceptor();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    let router = Router::new().route("/", get(async || "hello"));
    let acceptor = AxumServerAcceptor::new(acceptor, [443]).with_limits(limits);
    let server = axum_server::from_tcp(socket).unwrap().acceptor(acceptor);
    let application = layer().layer(router);
    tokio::spawn(server.serve(ServiceExt::<Request>::into_make_service(application)));
    (address, connector)
}

#[tokio::test]
async fn silent_connections_of_axum_server_are_ended() {
    let (address, connector) = axum_server(short());
    for (kind, bytes) in kinds() {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("api.test").unwrap();
        let mut client = connector.connect(name, stream).await.unwrap();
        client.write_all(&bytes).await.unwrap();
        client.flush().await.unwrap();
        is_ended(client, kind).await;
    }
}

/// Returns the status of a request on this connection, which stays open.
async fn status(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n").await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    String::from_utf8(head[9..].to_vec()).unwrap()
}

#[tokio::test]
async fn new_client_is_served_beside_more_silent_ones_than_there_may_be() {
    let limits = patient().connections_max(4);
    for address in [axum(limits.clone()).await, hyper(limits).await] {
        let mut silent = Vec::new();
        for _ in 0..12 {
            silent.push(TcpStream::connect(address).await.unwrap());
            let mut client = TcpStream::connect(address).await.unwrap();
            assert_eq!(status(&mut client).await, "200");
            silent.push(client);
        }
        // The oldest ones gave way.
        for old in silent.drain(..silent.len() - 4) {
            is_ended(old, "an old one").await;
        }
    }
    let (address, connector) = axum_server(patient().connections_max(4));
    let mut silent = Vec::new();
    for _ in 0..12 {
        silent.push(TcpStream::connect(address).await.unwrap());
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("api.test").unwrap();
        let client = connector.connect(name, stream).await.unwrap();
        let (client, connection) = h2::client::handshake(client).await.unwrap();
        tokio::spawn(async { connection.await.ok() });
        let mut client = client.ready().await.unwrap();
        let request = http::Request::get("https://api.test/").body(()).unwrap();
        assert_eq!(client.send_request(request, true).unwrap().0.await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn silent_handshakes_give_way_to_new_ones() {
    let (listener, connector) = listener().await;
    let mut listener = listener.with_limits(patient().handshakes_max(3));
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut accepted = Vec::new();
        loop {
            accepted.push(listener.accept().await);
        }
    });
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(address).await.unwrap());
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("api.test").unwrap();
        connector.connect(name, stream).await.unwrap();
    }
    for old in silent.drain(..17) {
        is_ended(old, "an old one").await;
    }
}

/// A connection that came after the one in question, and was ended for its silence: so that one
/// would have been as well.
async fn another_is_ended(address: SocketAddr) {
    for _ in 0..2 {
        is_ended(TcpStream::connect(address).await.unwrap(), "another").await;
    }
}

/// An application that answers when it may.
async fn slow(head_first: bool) -> (SocketAddr, Arc<Semaphore>) {
    let (listener, address) = cleartext(short()).await;
    let gate = Arc::new(Semaphore::new(0));
    let wait = gate.clone();
    let router = Router::new().route(
        "/",
        get(async move || {
            if !head_first {
                drop(wait.acquire().await);
            }
            let body = async move {
                drop(wait.acquire().await);
                Ok::<_, Infallible>(http_body::Frame::data(Bytes::from_static(b"done")))
            };
            Response::new(Body::new(Late { body: Some(Box::pin(body)) }))
        }),
    );
    tokio::spawn(axum::serve(listener, layer().around(router)).into_future());
    (address, gate)
}

type Part =
    std::pin::Pin<Box<dyn Future<Output = Result<http_body::Frame<Bytes>, Infallible>> + Send>>;

/// A body of one part that comes late.
struct Late {
    body: Option<Part>,
}

impl http_body::Body for Late {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        let Some(body) = &mut self.body else { return std::task::Poll::Ready(None) };
        let part = std::task::ready!(body.as_mut().poll(context));
        self.body = None;
        std::task::Poll::Ready(Some(part))
    }
}

#[tokio::test]
async fn client_that_waits_for_its_application_is_not_idle() {
    for head_first in [false, true] {
        let (address, gate) = slow(head_first).await;
        let mut http1 = TcpStream::connect(address).await.unwrap();
        let head = b"GET / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n";
        http1.write_all(head).await.unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(async { connection.await.ok() });
        let mut client = client.ready().await.unwrap();
        let request = http::Request::get("http://b.test/").body(()).unwrap();
        let (response, _) = client.send_request(request, true).unwrap();
        another_is_ended(address).await;
        gate.close();
        let mut answer = String::new();
        http1.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("done"), "{answer}");
        let mut body = response.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "done");
    }
}

#[tokio::test]
async fn upgraded_connection_is_not_idle() {
    let (listener, address) = cleartext(short()).await;
    let upgrade = async |mut request: Request| {
        let upgraded = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut stream = TokioIo::new(upgraded.await.unwrap());
            let mut bytes = [0; 4];
            while stream.read_exact(&mut bytes).await.is_ok() {
                stream.write_all(&bytes).await.unwrap();
            }
        });
        let response = Response::builder().status(101).header("upgrade", "echo");
        response.header("connection", "upgrade").body(Body::empty()).unwrap()
    };
    let router = Router::new().route("/", get(upgrade));
    tokio::spawn(axum::serve(listener, layer().around(router)).into_future());
    let mut client = TcpStream::connect(address).await.unwrap();
    let head = b"GET / HTTP/1.1\r\nHost: b.test\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n";
    client.write_all(head).await.unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(client.read_u8().await.expect("a response"));
    }
    assert!(text.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&text));
    another_is_ended(address).await;
    client.write_all(b"ping").await.unwrap();
    let mut answer = [0; 4];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"ping");
}
