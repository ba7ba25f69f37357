//! A running `coalesce serve`, and an HTTP/2 client that checks certificates.

use std::future::poll_fn;
use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use http::response::Parts;
use http::{Method, Request};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::world::World;

/// The longest wait for a log line: enough for a busy machine.
const LOGGED_WITHIN: Duration = Duration::from_secs(30);

/// A server process, killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) addresses: Vec<SocketAddr>,
    /// Standard output after the lines with the addresses.
    output: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Server {
    /// Starts `coalesce serve` on `site.toml` and waits until it listens on all of its listeners.
    pub(crate) fn start(world: &World, listeners: usize) -> Self {
        Self::start_with(world, listeners, &[])
    }

    /// Starts `coalesce serve` with further arguments.
    pub(crate) fn start_with(world: &World, listeners: usize, more: &[&str]) -> Self {
        let mut command = world.command();
        command.args(["serve", "--config", "site.toml"]).args(more);
        Self::run(world, listeners, command)
    }

    /// Starts `coalesce serve` with a soft limit of some open files, and this hard limit.
    pub(crate) fn start_with_open_files(world: &World, limit: u32) -> Self {
        let binary = world.command();
        let mut command = std::process::Command::new("sh");
        command.current_dir(world.folder()).env_remove("RUST_LOG");
        command.args(["-c", "ulimit -n $1 && ulimit -Sn 64 && exec $2 serve --config site.toml"]);
        command.arg("sh").arg(limit.to_string()).arg(binary.get_program());
        Self::run(world, 1, command)
    }

    fn run(world: &World, listeners: usize, mut command: std::process::Command) -> Self {
        let log = world.path("log");
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let addresses = (0..listeners)
            .map(|_| {
                let line = output.next().unwrap().unwrap();
                line.strip_prefix("listening on ").unwrap().parse().unwrap()
            })
            .collect();
        Self { child, addresses, output, log }
    }

    /// Returns the next line of standard output.
    pub(crate) fn line(&mut self) -> String {
        self.output.next().unwrap().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until `times` lines of the log contain `text`; returns the last of them.
    pub(crate) async fn logged(&self, text: &str, times: usize) -> String {
        let begun = Instant::now();
        loop {
            let log = self.log();
            if let Some(line) = log.lines().filter(|line| line.contains(text)).nth(times - 1) {
                return line.to_owned();
            }
            assert!(begun.elapsed() < LOGGED_WITHIN, "no {times} times {text:?} in:\n{log}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    /// Returns the process number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, such as `-USR1`.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        let status = std::process::Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end; returns the exit code and the log.
    pub(crate) fn end(mut self, within: Duration) -> (Option<i32>, String) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < within, "the server did not end in {within:?}");
            std::thread::sleep(Duration::from_millis(10));
        };
        (status.code(), self.log())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails if the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An HTTP/2 connection to a server, under one server name.
#[derive(Clone)]
pub(crate) struct Client {
    send: SendRequest<Bytes>,
    port: u16,
    /// The server's certificate in DER.
    pub(crate) shown: Vec<u8>,
    /// True if the session was resumed.
    pub(crate) resumed: bool,
}

/// Makes a client configuration that trusts the certificates of `world`, and remembers sessions.
pub(crate) fn config(world: &World) -> Arc<ClientConfig> {
    config_of(world, rustls::ALL_VERSIONS)
}

/// Makes the same configuration for some versions of TLS only.
pub(crate) fn config_of(
    world: &World,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let ca = std::fs::read(world.path("certs/ca.pem")).unwrap();
    roots.add(CertificateDer::from_pem_slice(&ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// Makes a client configuration that trusts the certificates of `world`, and presents this
/// certificate.
pub(crate) fn config_with_client_certificate(
    world: &World,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let ca = std::fs::read(world.path("certs/ca.pem")).unwrap();
    roots.add(CertificateDer::from_pem_slice(&ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

impl Client {
    pub(crate) async fn connect(world: &World, address: SocketAddr, server_name: &str) -> Self {
        Self::connect_with(&config(world), address, server_name).await
    }

    /// Connects with `config` and the sessions that it remembers.
    pub(crate) async fn connect_with(
        config: &Arc<ClientConfig>,
        address: SocketAddr,
        server_name: &str,
    ) -> Self {
        let builder = h2::client::Builder::new();
        Self::connect_by(&builder, config, address, server_name).await
    }

    /// A connection whose streams have a window of this many bytes.
    pub(crate) async fn connect_with_window(
        world: &World,
        address: SocketAddr,
        server_name: &str,
        window: u32,
    ) -> Self {
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window);
        Self::connect_by(&builder, &config(world), address, server_name).await
    }

    async fn connect_by(
        builder: &h2::client::Builder,
        config: &Arc<ClientConfig>,
        address: SocketAddr,
        server_name: &str,
    ) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from(server_name.to_owned()).unwrap();
        let stream = TlsConnector::from(config.clone()).connect(name, stream).await.unwrap();
        let tls = stream.get_ref().1;
        let shown = tls.peer_certificates().unwrap()[0].to_vec();
        let resumed = tls.handshake_kind() == Some(HandshakeKind::Resumed);
        let (send, connection) = builder.handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self { send, port: address.port(), shown, resumed }
    }

    /// Makes a request for `path` of `host`, at the port of this connection.
    pub(crate) fn request(&self, method: Method, host: &str, path: &str) -> Request<()> {
        let uri = format!("https://{host}:{}{path}", self.port);
        Request::builder().method(method).uri(uri).body(()).unwrap()
    }

    /// Sends the head of a request whose content follows.
    pub(crate) async fn begin(
        &self,
        request: Request<()>,
        no_content: bool,
    ) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
        self.send.clone().ready().await.unwrap().send_request(request, no_content).unwrap()
    }

    /// Sends a request without content, unless the connection is ending.
    pub(crate) async fn try_begin(
        &self,
        request: Request<()>,
    ) -> Result<h2::client::ResponseFuture, h2::Error> {
        Ok(self.send.clone().ready().await?.send_request(request, true)?.0)
    }

    pub(crate) async fn ask(&self, request: Request<()>) -> (Parts, Bytes) {
        let (response, _) = self.begin(request, true).await;
        let (parts, mut content) = response.await.unwrap().into_parts();
        (parts, read(&mut content).await.unwrap())
    }

    pub(crate) async fn get(&self, host: &str, path: &str) -> (Parts, Bytes) {
        self.ask(self.request(Method::GET, host, path)).await
    }
}

/// Reads content to its end, and returns the window as it reads.
pub(crate) async fn read(content: &mut h2::RecvStream) -> Result<Bytes, h2::Error> {
    let mut all = BytesMut::new();
    while let Some(data) = content.data().await {
        let data = data?;
        content.flow_control().release_capacity(data.len())?;
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

/// Sends content to its end as the window allows.
pub(crate) async fn write(stream: &mut h2::SendStream<Bytes>, mut content: Bytes) {
    while !content.is_empty() {
        stream.reserve_capacity(content.len());
        let room = poll_fn(|context| stream.poll_capacity(context)).await.unwrap().unwrap();
        let piece = content.split_to(room.min(content.len()));
        stream.send_data(piece, content.is_empty()).unwrap();
    }
}
