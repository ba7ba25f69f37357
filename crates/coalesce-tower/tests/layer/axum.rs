//! axum on a listener, in the clear; over TLS it is the examples' affair.

use std::net::SocketAddr;

use axum::extract::Request;
use axum::routing::get;
use axum::{Router, ServiceExt};
use coalesce_tower::{AxumServerAcceptor, ConnectionInfo, Listener, VirtualHost};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::Layer;

use crate::common::{CONTENT_421, PUBLIC, layer};
use crate::listener::acceptor;

/// Returns the whole answer to a request on a new connection.
pub(crate) async fn ask(address: SocketAddr, preamble: &[u8], fields: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\n{fields}\r\nConnection: close\r\n\r\n");
    stream.write_all(preamble).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

pub(crate) async fn serve(listener: Listener) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    let hello =
        |host: VirtualHost| async move { format!("host {} of {}", host.id(), host.group()) };
    let router = Router::new().route("/", get(hello));
    tokio::spawn(axum::serve(listener, layer().around(router)).into_future());
    address
}

#[tokio::test]
async fn extractor_gives_the_virtual_host() {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = serve(Listener::cleartext(socket, PUBLIC, [80])).await;
    let own = ask(address, b"", "Host: b.test").await;
    assert!(own.starts_with("HTTP/1.1 200") && own.ends_with("\r\n\r\nhost 1 of 1"), "{own}");
    let other = ask(address, b"", "Host: staff.test").await;
    assert!(other.starts_with("HTTP/1.1 421") && other.ends_with(CONTENT_421), "{other}");
}

#[tokio::test]
async fn handler_does_not_run_without_the_layer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = Listener::cleartext(listener, PUBLIC, [80]);
    let router = Router::new().route("/", get(|_: VirtualHost| async { "not to be served" }));
    let service = router.into_make_service_with_connect_info::<ConnectionInfo>();
    tokio::spawn(axum::serve(listener, service).into_future());
    let answer = ask(address, b"", "Host: b.test").await;
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
}

/// axum calls the layer later than hyper does, after hyper has begun to write: the answer itself
/// must say that the connection ends (RFC 9112 §9.6), and its content is no request.
#[tokio::test]
async fn content_of_a_misdirected_request_is_no_request() {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = serve(Listener::cleartext(socket, PUBLIC, [80])).await;
    let inner = "GET / HTTP/1.1\r\nHost: b.test\r\n\r\n";
    for content in [inner.to_owned(), String::new()] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let head = "POST / HTTP/1.1\r\nHost: staff.test\r\nContent-Length: 1000\r\n\r\n";
        client.write_all(format!("{head}{content}").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The server may close before it has read the content, which resets the connection.
        let _ = client.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    }
}

/// Closing over unread bytes would reset the connection, and the client would lose the answer.
#[tokio::test]
async fn client_that_sends_all_its_content_first_reads_the_421() {
    let (acceptor, connector) = acceptor();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = serve(Listener::cleartext(socket, PUBLIC, [80])).await;
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tls = serve(Listener::tls(socket, acceptor, [443])).await;
    let mut upload =
        b"POST / HTTP/1.1\r\nHost: staff.test\r\nContent-Length: 4000000\r\n\r\n".to_vec();
    upload.resize(upload.len() + 4_000_000, b'x');
    for over_tls in [false, true] {
        let mut answer = Vec::new();
        if over_tls {
            let stream = TcpStream::connect(tls).await.unwrap();
            let name = rustls::pki_types::ServerName::try_from("api.test").unwrap();
            let mut client = connector.connect(name, stream).await.unwrap();
            client.write_all(&upload).await.unwrap();
            client.read_to_end(&mut answer).await.unwrap();
        } else {
            let mut client = TcpStream::connect(plain).await.unwrap();
            client.write_all(&upload).await.unwrap();
            client.read_to_end(&mut answer).await.unwrap();
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 421") && answer.ends_with(CONTENT_421), "{answer}");
    }
}

/// RFC 9113 §3.3.
#[tokio::test]
async fn http2_with_prior_knowledge_is_decided_as_well() {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = serve(Listener::cleartext(socket, PUBLIC, [80])).await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async { connection.await.unwrap() });
    let mut client = client.ready().await.unwrap();
    for (uri, status) in [
        ("http://b.test/", 200),
        ("http://staff.test/", 421),
        ("https://b.test:80/", 421),
        ("http://b.test:8080/", 421),
        ("http://api.test/", 200),
    ] {
        let request = http::Request::get(uri).body(()).unwrap();
        let response = client.send_request(request, true).unwrap().0.await.unwrap();
        assert_eq!(response.status(), status, "{uri}");
    }
}

#[tokio::test]
async fn axum_server_gets_its_facts_from_the_acceptor() {
    let (acceptor, connector) = acceptor();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    let hello = |host: VirtualHost| async move { host.id().to_string() };
    let application = layer().layer(Router::new().route("/", get(hello)));
    let server = axum_server::from_tcp(socket).unwrap();
    let server = server.acceptor(AxumServerAcceptor::new(acceptor, [443]));
    tokio::spawn(server.serve(ServiceExt::<Request>::into_make_service(application)));

    let stream = TcpStream::connect(address).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("api.test").unwrap();
    let stream = connector.connect(name, stream).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async { connection.await.unwrap() });
    let mut client = client.ready().await.unwrap();
    for (uri, status) in
        [("https://b.test/", 200), ("https://cdn.test/", 421), ("https://api.test/", 200)]
    {
        let request = http::Request::get(uri).body(()).unwrap();
        let response = client.send_request(request, true).unwrap().0.await.unwrap();
        assert_eq!(response.status(), status, "{uri}");
    }
}
