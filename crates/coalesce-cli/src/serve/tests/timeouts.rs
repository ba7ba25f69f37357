//! The limits in time of a connection, with real sockets and a clock that runs ahead.
//!
//! The clock is stopped once everything is as the test wants it; from then on it jumps to the next
//! limit whenever there is nothing to do.

use std::sync::Arc;
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
use crate::serve::limits::{DRAIN_TIMEOUT, IDLE_TIMEOUT, PREFACE_TIMEOUT};
use crate::serve::observe::recorder::Observers;
use crate::serve::server::{Running, Server};

/// What a limit may be exceeded by: the machine's own time before the clock was stopped, and the
/// farewells after it.
const MARGIN: Duration = Duration::from_secs(5);

struct TestServer {
    running: Running,
    address: std::net::SocketAddr,
    client: Arc<ClientConfig>,
    _folder: TempDir,
}

/// A server of `a.test`, which answers by itself, and of `b.test` behind `upstream`.
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

    /// A connection, and how it ended.
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
async fn a_connection_without_requests_is_told_to_go() {
    let server = start("http://127.0.0.1:1").await;
    let (send, ended) = server.connect().await;
    assert_eq!(answered(&send, server.get("a.test")).await, 200);
    // One that is misdirected is a use of the connection as well.
    assert_eq!(answered(&send, server.get("c.test")).await, 421);
    pause();
    let begun = Instant::now();
    ended.await.unwrap().unwrap();
    // The refusal is seen at the first end of the limit, and the limit begins anew.
    let took = begun.elapsed();
    assert!(took <= 2 * IDLE_TIMEOUT + DRAIN_TIMEOUT + MARGIN, "{took:?}");
    assert!(took + MARGIN >= 2 * IDLE_TIMEOUT, "{took:?}");
}

#[tokio::test]
async fn a_client_that_says_nothing_after_tls_is_not_waited_for() {
    let server = start("http://127.0.0.1:1").await;
    let mut stream = server.tls().await;
    // The server is that far as well when it has sent what follows its handshake.
    pause();
    let begun = Instant::now();
    let mut bytes = Vec::new();
    // What has come until then is no matter, nor whether the end was a polite one.
    let _ = stream.read_to_end(&mut bytes).await;
    within(begun, PREFACE_TIMEOUT);
}

#[tokio::test]
async fn an_end_waits_for_open_requests_so_long_and_no_longer() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = start(&format!("http://{}", upstream.local_addr().unwrap())).await;
    let (send, ended) = server.connect().await;
    let request = server.get("b.test");
    let (answer, _) = send.ready().await.unwrap().send_request(request, true).unwrap();
    let silent = upstream.accept().await.unwrap();
    pause();
    let begun = Instant::now();
    // Connection and server have the same limit, and either may be the first to act on it.
    let _ = server.running.end().await;
    within(begun, DRAIN_TIMEOUT);
    answer.await.unwrap_err();
    // Whether the client sees an error depends on what it was doing.
    let _ = ended.await.unwrap();
    drop(silent);
}
