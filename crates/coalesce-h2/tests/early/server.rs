//! The attacked server.

use std::sync::{Arc, Mutex, RwLock};

use bytes::Bytes;
use coalesce_core::{
    AuthorityTable, ClientCertificates, GroupId, GroupPolicy, IdentifierSet, NamePattern,
    PresentedIdentifier, RequestTarget, ServerConnection, VirtualHostId, decide,
};
use coalesce_h2::{Accepted, Builder};
use http::{HeaderValue, Response};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::task::JoinHandle;

use super::client::{Raw, WINDOW};

pub(crate) type Table = AuthorityTable<Vec<u8>>;

const GROUP: GroupId = GroupId::new(7);

/// The content of every 421.
pub(crate) const BODY_421: &[u8] = br#"{"error":"misdirected_request"}"#;

/// More window than any answer of a test needs.
pub(crate) const PLENTY: u32 = 1 << 20;

/// A table in which `names` are virtual hosts of one group.
pub(crate) fn table(names: &[&str]) -> Table {
    let mut builder = AuthorityTable::builder();
    builder.group(GROUP, GroupPolicy::default()).unwrap();
    for (id, name) in (0..).zip(names) {
        let pattern = NamePattern::parse(name.as_bytes()).unwrap();
        builder.entry(pattern, VirtualHostId::new(id), GROUP).unwrap();
    }
    builder.build().unwrap()
}

/// A request as the application gets it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Served {
    pub(crate) stream: u32,
    pub(crate) uri: String,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
}

/// The log of the server.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The authorities that were decided.
    pub(crate) decided: Vec<String>,
    pub(crate) served: Vec<Served>,
}

/// A server whose certificate covers `api.test`, `cov.test` and `aaaa`.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) log: Arc<Mutex<Log>>,
    pub(crate) table: Arc<RwLock<Table>>,
    pub(crate) task: JoinHandle<Option<coalesce_h2::Error>>,
}

impl Server {
    pub(crate) fn new<T>(builder: Builder, io: T) -> Self
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let log = Arc::new(Mutex::new(Log::default()));
        let table = Arc::new(RwLock::new(table(&["api.test", "cov.test", "aaaa", "cdn.test"])));
        let task = tokio::spawn(serve(builder, io, Arc::clone(&log), Arc::clone(&table)));
        Self { log, table, task }
    }

    pub(crate) fn served(&self) -> Vec<u32> {
        self.log.lock().unwrap().served.iter().map(|served| served.stream).collect()
    }

    pub(crate) fn decided(&self) -> Vec<String> {
        self.log.lock().unwrap().decided.clone()
    }
}

/// Connects a client to a server, with this window granted to the connection.
pub(crate) async fn connect(builder: Builder, window: u32) -> (Server, Raw) {
    let (near, far) = tokio::io::duplex(256 * 1024);
    let server = Server::new(builder, near);
    (server, client(far, window).await)
}

/// Makes a client that has granted `window` more, and read the server's SETTINGS.
pub(crate) async fn client(io: DuplexStream, window: u32) -> Raw {
    let mut raw = Raw::new(io, &[]).await;
    if window > 0 {
        let grant = raw.grant(0, window);
        raw.send(&grant).await;
    }
    raw.settle().await;
    assert_eq!(raw.window, i64::from(WINDOW) + i64::from(window));
    raw
}

async fn serve<T>(
    builder: Builder,
    io: T,
    log: Arc<Mutex<Log>>,
    table: Arc<RwLock<Table>>,
) -> Option<coalesce_h2::Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let names = [&b"api.test"[..], b"cov.test", b"aaaa"];
    let presented = names.map(|name| PresentedIdentifier::parse_dns(name).unwrap());
    let presented = IdentifierSet::build(presented).unwrap();
    let decide = |target: &RequestTarget<'_>| {
        let authority = target.authority.unwrap_or_default();
        log.lock().unwrap().decided.push(String::from_utf8_lossy(authority).into_owned());
        let connection =
            ServerConnection::tls(&presented, GROUP, ClientCertificates::NotAsked, 443);
        decide(&*table.read().unwrap(), &connection, target)
    };
    let mut connection = builder.handshake(io, decide).await.unwrap();
    while let Some(accepted) = connection.accept().await {
        match accepted {
            Ok(accepted) => {
                if accepted.request().uri().path() == "/shutdown" {
                    connection.graceful_shutdown();
                }
                answer(&log, accepted);
            }
            Err(error) => return Some(error),
        }
    }
    None
}

/// Answers 200 with as many bytes as the path names; `/fields` answers with fields that fill
/// frames.
fn answer(log: &Mutex<Log>, accepted: Accepted) {
    let (request, mut respond, _proof) = accepted.into_parts();
    let fields = request.headers().iter();
    let fields = fields.map(|(name, value)| (name.as_str().into(), value.as_bytes().into()));
    log.lock().unwrap().served.push(Served {
        stream: respond.stream_id().as_u32(),
        uri: request.uri().to_string(),
        fields: fields.collect(),
    });
    let len = request.uri().path().trim_start_matches('/').parse().unwrap_or(0);
    // The client may have reset the stream.
    let mut response = Response::new(());
    if request.uri().path() == "/fields" {
        for _ in 0..20 {
            let value = HeaderValue::from_str(&"~".repeat(2_000)).unwrap();
            response.headers_mut().append("x-long", value);
        }
    }
    let Ok(mut send) = respond.send_response(response, false) else { return };
    let _ = send.send_data(Bytes::from(vec![b'x'; len]), true);
}
