//! The origin servers: one certificate for each operator, HTTP/2 with ORIGIN frames, and HTTP/1.1.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use coalesce_core::{
    AuthorityTable, ClientCertificates, DnsName, GroupId, GroupPolicy, IdentifierSet, NamePattern,
    RequestTarget, ServerConnection, Verdict, VirtualHostId, decide,
};
use coalesce_h2::OriginSet;
use coalesce_tls::PresentedNames;
use http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use rustls::HandshakeKind;
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::certificates::Authority;
use crate::counts::Counters;
use crate::drivers::SERVED_BY;
use crate::trace::Trace;

/// The content of each answer is the start of this.
static CONTENT: [u8; 500_001] = [b'.'; 500_001];

/// The group of all hosts. Only their certificates tell connections apart.
const GROUP: GroupId = GroupId::new(0);

/// The port of all servers.
const PORT: u16 = 443;

/// The facts of one certificate.
#[derive(Debug)]
struct Operator {
    key: Arc<CertifiedKey>,
    names: Arc<IdentifierSet>,
    origins: OriginSet,
}

/// What the servers know.
pub(crate) struct Origins {
    operators: Arc<Operators>,
    table: AuthorityTable<Vec<u8>>,
    tls: TlsAcceptor,
    counters: Arc<Counters>,
}

/// The certificate of each host.
#[derive(Debug, Default)]
struct Operators(HashMap<String, Arc<Operator>>);

impl ResolvesServerCert for Operators {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.get(hello.server_name()?)?.key.clone())
    }
}

impl Origins {
    /// Makes certificates for the operators of all pages.
    pub(crate) fn make(
        traces: &[Trace],
        authority: &Authority,
        counters: Arc<Counters>,
    ) -> Result<Self> {
        let table = table(traces)?;
        let mut operators = Operators::default();
        for operator in traces.iter().flat_map(|trace| &trace.operators) {
            let hosts: Vec<String> = operator.hosts.iter().map(|host| host.name.clone()).collect();
            let key = authority.issue(hosts.clone())?;
            let leaf = key.cert.first().context("no certificate")?;
            let names = PresentedNames::read_der(leaf)?.identifiers().clone();
            let clients = ClientCertificates::NotAsked;
            let connection = ServerConnection::tls(&*names, GROUP, clients, PORT);
            let origins = OriginSet::new(&table, &connection);
            let made = Arc::new(Operator { key: Arc::new(key), names, origins });
            operators.0.extend(hosts.into_iter().map(|host| (host, made.clone())));
        }
        let operators = Arc::new(operators);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(operators.clone());
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        tls.ticketer = rustls::crypto::ring::Ticketer::new()?;
        Ok(Self { operators, table, tls: TlsAcceptor::from(Arc::new(tls)), counters })
    }

    /// Accepts connections until the listener fails.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) -> Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            self.counters.accepted.add();
            stream.set_nodelay(true)?;
            let origins = self.clone();
            // A client may close its connection at any time, which is no error of the server.
            tokio::spawn(async move { origins.connection(stream).await.ok() });
        }
    }

    async fn connection(&self, stream: TcpStream) -> Result<()> {
        let stream = self.tls.accept(stream).await.inspect_err(|_| self.counters.given_up.add())?;
        let (_, tls) = stream.get_ref();
        match tls.handshake_kind() {
            Some(HandshakeKind::Resumed) => self.counters.resumed.add(),
            _ => self.counters.full.add(),
        }
        let is_http2 = tls.alpn_protocol() == Some(b"h2");
        let name = tls.server_name().context("no server name")?;
        let operator = self.operators.0.get(name).context("an unknown host")?.clone();
        let name = name.to_owned();
        let decide = |target: &RequestTarget<'_>| {
            let server_name = DnsName::parse(name.as_bytes()).ok();
            let clients = ClientCertificates::NotAsked;
            let connection = ServerConnection::tls(&*operator.names, GROUP, clients, PORT);
            let connection = connection.with_server_name(server_name);
            let verdict = decide(&self.table, &connection, target);
            if matches!(verdict, Verdict::Misdirected(_)) {
                self.counters.misdirected.add();
            }
            verdict
        };
        if is_http2 {
            self.http2(stream, &operator, decide).await
        } else {
            self.http1(stream, &name).await
        }
    }

    async fn http2(
        &self,
        stream: TlsStream<TcpStream>,
        operator: &Operator,
        decide: impl Fn(&RequestTarget<'_>) -> Verdict,
    ) -> Result<()> {
        let builder = coalesce_h2::Builder::new()
            .origin_set(operator.origins.clone())
            .concurrent_streams(coalesce_h2::limits::CONCURRENT_STREAMS_MAX);
        let mut connection = builder.handshake(stream, decide).await?;
        while let Some(accepted) = connection.accept().await {
            let (request, mut respond, _) = accepted?.into_parts();
            self.counters.http2.add();
            let host = request.uri().host().unwrap_or_default();
            let (head, content) = answer(host, request.uri().path());
            let mut body = respond.send_response(head, false)?;
            body.send_data(content, true)?;
        }
        Ok(())
    }

    /// Serves HTTP/1.1 for one host. Its clients do not share connections between hosts.
    async fn http1(&self, stream: TlsStream<TcpStream>, name: &str) -> Result<()> {
        let service = hyper::service::service_fn(async |request: Request<_>| {
            let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
            let response = if host == Some(name.as_bytes()) {
                self.counters.http1.add();
                let (head, content) = answer(name, request.uri().path());
                head.map(|()| Full::new(content))
            } else {
                self.counters.misdirected.add();
                let mut response = Response::new(Full::default());
                *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
                response
            };
            Ok::<_, Infallible>(response)
        });
        let builder = hyper::server::conn::http1::Builder::new();
        Ok(builder.serve_connection(TokioIo::new(stream), service).await?)
    }
}

/// Returns the answer to a path `/NUMBER/BYTES`.
fn answer(host: &str, path: &str) -> (Response<()>, Bytes) {
    let bytes = path.rsplit('/').next().and_then(|bytes| bytes.parse().ok());
    let content = bytes.and_then(|bytes: usize| CONTENT.get(..bytes)).unwrap_or_default();
    let mut head = Response::new(());
    head.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(content.len()));
    if let Ok(host) = HeaderValue::from_str(host) {
        head.headers_mut().insert(HeaderName::from_static(SERVED_BY), host);
    }
    (head, Bytes::from_static(content))
}

fn table(traces: &[Trace]) -> Result<AuthorityTable<Vec<u8>>> {
    let mut table = AuthorityTable::builder();
    table.group(GROUP, GroupPolicy::default())?;
    let operators = traces.iter().flat_map(|trace| &trace.operators);
    for (id, host) in (0..).zip(operators.flat_map(|operator| &operator.hosts)) {
        let name = NamePattern::parse(host.name.as_bytes())?;
        table.entry(name, VirtualHostId::new(id), GROUP)?;
    }
    Ok(table.build()?)
}
