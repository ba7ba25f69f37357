//! The time limits of a connection, with real sockets and a paused clock.
//!
//! Each test pauses the clock once its connections are set up. The clock then jumps to the next
//! timer whenever all tasks are idle.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, pause};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::Configuration;
use crate::serve::limits::{
    ANSWER_TIMEOUT, CONNECT_TIMEOUT, DRAIN_TIMEOUT, IDLE_TIMEOUT, PACE_TIME, PREFACE_TIMEOUT,
};
use crate::serve::observe::recorder::Observers;
use crate::serve::server::{Running, Server};

/// The allowed excess over a limit: the real time before the clock was paused, and the GOAWAY
/// exchange.
const MARGIN: Duration = Duration::from_secs(5);

struct TestServer {
    running: Running,
    address: std::net::SocketAddr,
    client: Arc<ClientConfig>,
    _folder: TempDir,
}

/// Starts a server of `a.test`, which answers itself, and of `b.test` behind `upstream`.
async fn start(upstream: &str) -> TestServer {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["a.test", "b.test"].map(str::to_owned)).unwrap();
    std::fs::write(folder.path().join("c.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("c.key"), made.signing_key.serialize_pem()).unwrap();
    let host = |name: &str, answer: &str| {
        format!(
            "[[virtual_host]]\nname = \"{name}\"\nnames = [\"{name}.test\"]\n\
             certificate = \"c.pem\"\nkey = \"c.key\"\nanswer = {{ {answer} }}\n"
        )
    };
    let (a, b) = (host("a", "text = \"a\""), host("b", &format!("upstream = \"{upstream}\"")));
    let path = folder.path().join("site.toml");
    std::fs::write(&path, format!("[[listener]]\naddress = \"127.0.0.1:0\"\n{a}{b}")).unwrap();
    let loaded = Configuration::load(&path).unwrap();
    let server = Server::bind(loaded, Observers::default()).await.unwrap();
    let address = server.addresses().next().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let mut client = ClientConfig::builder_with_provider(crate::config::crypto_provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    TestServer { running: server.start(), address, client: Arc::new(client), _folder: folder }
}

impl TestServer {
    async fn tls(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("a.test").unwrap();
        TlsConnector::from(self.client.clone()).connect(name, stream).await.unwrap()
    }

    /// Opens a connection; the task returns how it ended.
    async fn connect(&self) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
        let (send, connection) = h2::client::handshake(self.tls().await).await.unwrap();
        (send, tokio::spawn(connection))
    }

    fn get(&self, host: &str) -> Request<()> {
        let port = self.address.port();
        Request::get(format!("https://{host}:{port}/")).body(()).unwrap()
    }
}

async fn answered(send: &SendRequest<Bytes>, request: Request<()>) -> u16 {
    let mut send = send.clone().ready().await.unwrap();
    send.send_request(request, true).unwrap().0.await.unwrap().status().as_u16()
}

#[track_caller]
fn within(begun: Instant, limit: Duration) {
    let took = begun.elapsed();
    assert!(took + MARGIN >= limit && took <= limit + MARGIN, "{took:?}, and {limit:?} expected");
}

#[tokio::test]
async fn connection_without_requests_gets_goaway() {
    let server = start("http://127.0.0.1:1").await;
    let (send, ended) = server.connect().await;
    assert_eq!(answered(&send, server.get("a.test")).await, 200);
    // A misdirected request counts as use of the connection.
    assert_eq!(answered(&send, server.get("c.test")).await, 421);
    pause();
    let begun = Instant::now();
    ended.await.unwrap().unwrap();
    // The refusal is noticed at the first end of the limit, which then starts again.
    let took = begun.elapsed();
    assert!(took <= 2 * IDLE_TIMEOUT + DRAIN_TIMEOUT + MARGIN, "{took:?}");
    assert!(took + MARGIN >= 2 * IDLE_TIMEOUT, "{took:?}");
}

#[tokio::test]
async fn client_that_is_silent_after_tls_is_disconnected() {
    let server = start("http://127.0.0.1:1").await;
    let mut stream = server.tls().await;
    // Once the server has sent its first frames, it waits for the preface.
    pause();
    let begun = Instant::now();
    let mut bytes = Vec::new();
    // Neither the received bytes nor the kind of end matter.
    let _ = stream.read_to_end(&mut bytes).await;
    within(begun, PREFACE_TIMEOUT);
}

#[tokio::test]
async fn shutdown_waits_for_open_requests_until_the_limit() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = start(&format!("http://{}", upstream.local_addr().unwrap())).await;
    let (send, ended) = server.connect().await;
    let request = server.get("b.test");
    let (answer, _) = send.ready().await.unwrap().send_request(request, true).unwrap();
    let silent = upstream.accept().await.unwrap();
    pause();
    let begun = Instant::now();
    // Connection and server have the same limit, and either may act first.
    let _ = server.running.end().await;
    within(begun, DRAIN_TIMEOUT);
    answer.await.unwrap_err();
    // The client may or may not see an error.
    let _ = ended.await.unwrap();
    drop(silent);
}

/// An upstream that accepts connections and sends nothing; counts them.
async fn silent_upstream() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, connections) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = connections.clone();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            kept.push(listener.accept().await.unwrap());
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    (address, connections)
}

#[tokio::test]
async fn requests_to_a_dead_upstream_fail_together_with_one_status() {
    for (scheme, attempts, limit) in [("h2c", 1, CONNECT_TIMEOUT), ("http", 14, ANSWER_TIMEOUT)] {
        let (upstream, connections) = silent_upstream().await;
        let server = start(&format!("{scheme}://{upstream}")).await;
        let (send, _ended) = server.connect().await;
        let mut asked = Vec::new();
        for _ in 0..14 {
            let send = send.clone().ready().await.unwrap();
            asked.push({ send }.send_request(server.get("b.test"), true).unwrap().0);
        }
        while connections.load(Ordering::Relaxed) < attempts {
            tokio::task::yield_now().await;
        }
        pause();
        let begun = Instant::now();
        for answer in asked {
            assert_eq!(answer.await.unwrap().status(), 502, "{scheme}");
        }
        within(begun, limit);
        assert_eq!(connections.load(Ordering::Relaxed), attempts, "{scheme}");
        tokio::time::resume();
    }
}

/// Reads one request over HTTP/2 or HTTP/1.1, and returns when its content has broken off.
async fn upload_breaks_off(upstream: TcpListener, over_http2: bool) {
    let mut stream = upstream.accept().await.unwrap().0;
    if !over_http2 {
        let mut bytes = vec![0; 1024];
        while stream.read(&mut bytes).await.unwrap() > 0 {}
        return;
    }
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let (request, _respond) = connection.accept().await.unwrap().unwrap();
    let content = tokio::spawn(async move {
        let mut content = request.into_body();
        while let Some(Ok(_)) = content.data().await {}
        assert!(!content.is_end_stream(), "a part is no whole");
    });
    tokio::select! {
        ended = content => ended.unwrap(),
        other = connection.accept() => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn upload_below_the_lowest_pace_is_ended_here_and_upstream() {
    for scheme in ["h2c", "http"] {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = start(&format!("{scheme}://{}", upstream.local_addr().unwrap())).await;
        let upstream_ended = tokio::spawn(upload_breaks_off(upstream, scheme == "h2c"));
        let (send, _ended) = server.connect().await;
        let mut request = server.get("b.test");
        *request.method_mut() = http::Method::POST;
        let mut send = send.ready().await.unwrap();
        let (answer, mut upload) = send.send_request(request, false).unwrap();
        upload.send_data(Bytes::from_static(b"x"), false).unwrap();
        pause();
        let dribble = async {
            loop {
                tokio::time::sleep(Duration::from_secs(20)).await;
                if upload.send_data(Bytes::from_static(b"x"), false).is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let begun = Instant::now();
        tokio::select! {
            answer = answer => assert_eq!(answer.unwrap().status(), 408, "{scheme}"),
            () = dribble => {}
        }
        within(begun, PACE_TIME);
        upstream_ended.await.unwrap();
        tokio::time::resume();
    }
}
