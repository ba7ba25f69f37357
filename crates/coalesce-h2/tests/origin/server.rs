//! The server, whose table the tests replace.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use coalesce_core::{
    AuthorityTable, ClientCertificates, GroupId, GroupPolicy, IdentifierSet, NamePattern,
    PresentedIdentifier, RequestTarget, ServerConnection, VirtualHostId, decide,
};
use coalesce_h2::{Accepted, Builder, OriginSet};
use http::{HeaderValue, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub(crate) type Table = AuthorityTable<Vec<u8>>;

const GROUP: GroupId = GroupId::new(7);
const OTHER: GroupId = GroupId::new(8);

/// Makes a table of names; those that begin with `other` are in another group.
pub(crate) fn table<'a>(names: impl IntoIterator<Item = &'a str>) -> Arc<Table> {
    let mut builder = AuthorityTable::builder();
    builder.group(GROUP, GroupPolicy::default()).unwrap();
    builder.group(OTHER, GroupPolicy::default()).unwrap();
    for (id, name) in (0..).zip(names) {
        let group = if name.starts_with("other") { OTHER } else { GROUP };
        let pattern = NamePattern::parse(name.as_bytes()).unwrap();
        builder.entry(pattern, VirtualHostId::new(id), group).unwrap();
    }
    Arc::new(builder.build().unwrap())
}

/// Returns the certificate names of every connection.
pub(crate) fn presented() -> IdentifierSet<Vec<u8>> {
    let names = [&b"a.test"[..], b"x.wild.test", b"gone.test", b"*.test", b"*.wild.test"];
    IdentifierSet::build(names.map(|name| PresentedIdentifier::parse_dns(name).unwrap())).unwrap()
}

pub(crate) fn connection(presented: &IdentifierSet<Vec<u8>>) -> ServerConnection<'_> {
    ServerConnection::tls(presented, GROUP, ClientCertificates::NotAsked, 443)
}

pub(crate) fn origins(table: &Table) -> OriginSet {
    OriginSet::new(table, &connection(&presented()))
}

/// A command to the server.
#[derive(Debug)]
pub(crate) enum News {
    /// Decide by another table, and announce it.
    Table(Arc<Table>),
    Shutdown,
}

/// Serves `table` on one connection.
pub(crate) fn spawn<T>(builder: Builder, io: T, table: Arc<Table>) -> UnboundedSender<News>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (tell, told) = unbounded_channel();
    tokio::spawn(serve(builder, io, table, told));
    tell
}

async fn serve<T>(builder: Builder, io: T, table: Arc<Table>, mut told: UnboundedReceiver<News>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let presented = presented();
    let newest = std::sync::RwLock::new(table);
    let judge = |target: &RequestTarget<'_>| {
        decide(&*newest.read().unwrap(), &connection(&presented), target)
    };
    let mut connection = builder.handshake(io, judge).await.unwrap();
    loop {
        tokio::select! {
            Some(news) = told.recv() => match news {
                News::Table(table) => {
                    connection.announce(&origins(&table));
                    *newest.write().unwrap() = table;
                }
                News::Shutdown => connection.graceful_shutdown(),
            },
            accepted = connection.accept() => match accepted {
                Some(Ok(accepted)) => answer(accepted),
                // The test has ended.
                Some(Err(_)) | None => return,
            },
        }
    }
}

/// Answers 200; `/fields` with fields that fill several frames.
fn answer(accepted: Accepted) {
    let (request, mut respond, _proof) = accepted.into_parts();
    let mut response = Response::new(());
    if request.uri().path() == "/fields" {
        for _ in 0..20 {
            let value = HeaderValue::from_str(&"~".repeat(2_000)).unwrap();
            response.headers_mut().append("x-long", value);
        }
    }
    let mut send = respond.send_response(response, false).unwrap();
    send.send_data(Bytes::from_static(b"hello\n"), true).unwrap();
}

/// A stream that takes one byte at a time, and none at every other call.
#[derive(Debug)]
pub(crate) struct Trickle<T> {
    pub(crate) io: T,
    pub(crate) ready: bool,
}

impl<T: AsyncRead + Unpin> AsyncRead for Trickle<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Trickle<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.ready = !self.ready;
        if !self.ready {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.io).poll_write(context, &bytes[..bytes.len().min(1)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().find(|slice| !slice.is_empty());
        self.poll_write(context, first.map(|slice| &**slice).unwrap_or_default())
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
