//! The program's own client, which checks every answer.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{PingPong, SendStream};
use http::header::{ACCEPT, USER_AGENT};
use http::{Method, Request, Version};
use rustls::crypto::ring::{self, cipher_suite};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::BufWriter;
use tokio::net::TcpStream;
use tokio::runtime::{self, Runtime};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::case::{CONTENT, Case, SERVED, UPLOAD};
use crate::world::World;

/// The limit for one run of the client. No server takes that long, even under valgrind.
const PATIENCE: Duration = Duration::from_secs(120);
/// The buffer for a burst of uploads.
const BURST_BYTES: usize = 1 << 18;

/// Makes connections to servers. Everything runs on the calling thread.
pub(crate) struct Client {
    runtime: Runtime,
    tls: TlsConnector,
}

/// A connection whose handshake named [`SERVED`].
pub(crate) struct Connection {
    send: SendRequest<Bytes>,
    ping: PingPong,
}

/// A complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// All fields by name. The value of `date` is removed.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) content: Vec<u8>,
}

/// A request without an answer yet.
pub(crate) struct Open {
    response: ResponseFuture,
    /// Kept, because dropping it would end the request.
    body: SendStream<Bytes>,
}

impl Client {
    pub(crate) fn new(world: &World) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(world.ca.clone())?;
        let mut provider = ring::default_provider();
        // The same cipher for all measurements, whatever a server prefers.
        provider.cipher_suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256];
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Runs `work` to its end, within a time limit.
    pub(crate) fn run<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.runtime
            .block_on(async { timeout(PATIENCE, work).await })
            .context("a server did not answer in time")?
    }

    /// Makes one request and returns the answer. Returns an error for a wrong answer.
    pub(crate) fn check(&self, server: SocketAddr, case: Case) -> Result<Answer> {
        self.run(async {
            let mut connection = self.connect(server).await?;
            let open = connection.ask(case).await?;
            let answer = open.answer().await?;
            answer.check(case)?;
            Ok(answer)
        })
    }

    pub(crate) async fn connect(&self, server: SocketAddr) -> Result<Connection> {
        let socket = TcpStream::connect(server).await?;
        socket.set_nodelay(true)?;
        // A burst is one write, so that a server reads all of it or nothing.
        let socket = BufWriter::with_capacity(BURST_BYTES, socket);
        let stream = self.tls.connect(ServerName::try_from(SERVED)?, socket).await?;
        ensure!(stream.get_ref().1.alpn_protocol() == Some(b"h2"), "the server does not speak h2");
        let (send, mut connection) = h2::client::handshake(stream).await?;
        let ping = connection.ping_pong().context("pings are taken")?;
        // When the connection ends, every request that waits for an answer gets an error.
        tokio::spawn(async move { drop(connection.await) });
        let mut connection = Connection { send, ping };
        // From here on the server's settings are known, and the server is idle.
        connection.settle().await?;
        Ok(connection)
    }
}

impl Connection {
    /// Returns when the server has seen everything that was sent so far.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        self.ping.ping(h2::Ping::opaque()).await?;
        Ok(())
    }

    /// Sends a request with the same fields as curl.
    pub(crate) async fn ask(&mut self, case: Case) -> Result<Open> {
        let uri = format!("https://{}/", case.authority());
        let upload = case == Case::UploadRefused;
        let method = if upload { Method::POST } else { Method::GET };
        let request = Request::builder()
            .method(method)
            .version(Version::HTTP_2)
            .uri(uri)
            .header(USER_AGENT, "coalesce-benches")
            .header(ACCEPT, "*/*")
            .body(())?;
        let mut open = self.send(request, !upload).await?;
        if upload {
            open.body.send_data(Bytes::from_static(&UPLOAD), false)?;
        }
        Ok(open)
    }

    /// Starts an upload to the served host that never continues.
    pub(crate) async fn withhold(&mut self) -> Result<Open> {
        let uri = format!("https://{SERVED}/");
        let request =
            Request::builder().method(Method::POST).version(Version::HTTP_2).uri(uri).body(())?;
        self.send(request, false).await
    }

    async fn send(&mut self, request: Request<()>, end: bool) -> Result<Open> {
        poll_fn(|context| self.send.poll_ready(context)).await?;
        let (response, body) = self.send.send_request(request, end)?;
        Ok(Open { response, body })
    }

    /// Sends this number of requests at once and waits for all answers.
    pub(crate) async fn burst(&mut self, case: Case, requests: usize) -> Result<()> {
        let mut open = Vec::with_capacity(requests);
        for _ in 0..requests {
            open.push(self.ask(case).await?);
        }
        for open in open {
            open.answer().await?.check(case)?;
        }
        Ok(())
    }
}

impl Open {
    /// Returns whether an answer has already arrived.
    pub(crate) async fn is_answered(&mut self) -> bool {
        poll_fn(|context| Poll::Ready(Pin::new(&mut self.response).poll(context).is_ready())).await
    }

    pub(crate) async fn answer(self) -> Result<Answer> {
        let (parts, mut body) = self.response.await?.into_parts();
        let mut content = Vec::new();
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            content.extend_from_slice(&data);
        }
        let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let value = if name == http::header::DATE { "" } else { value.to_str()? };
            Ok((name.as_str().to_owned(), value.to_owned()))
        };
        let mut fields = parts.headers.iter().map(field).collect::<Result<Vec<_>>>()?;
        fields.sort_unstable();
        Ok(Answer { status: parts.status.as_u16(), fields, content })
    }
}

impl Answer {
    /// Returns an error for a wrong answer.
    pub(crate) fn check(&self, case: Case) -> Result<()> {
        ensure!(self.status == case.status(), "expected {}, found {}", case.status(), self.status);
        if case == Case::Served && self.content != CONTENT {
            bail!(
                "expected the content {:?}, found {:?}",
                CONTENT.escape_ascii().to_string(),
                self.content.escape_ascii().to_string()
            );
        }
        Ok(())
    }
}
