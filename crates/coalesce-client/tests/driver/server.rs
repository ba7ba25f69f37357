//! A small HTTP/2 server. Each test decides how the server uses a connection.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::{Request, Response};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::support::Ca;

/// A byte stream of a client.
pub(crate) type Accepted = TlsStream<TcpStream>;

/// A request as the server saw it: the number of its connection, and `authority path`.
pub(crate) type Seen = (usize, String);

/// A server on loopback. It ends with its runtime.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

type Future1 = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Server {
    /// Starts a TLS server, which gives each connection with its number to `serve`.
    pub(crate) async fn start<F>(
        ca: &Ca,
        names: &[&str],
        alpn: &[&str],
        serve: impl Fn(Self, usize, Accepted) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (chain, key) = ca.issue(names);
        let config =
            ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
        let config = config.with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
        config.alpn_protocols = alpn.iter().map(|it| it.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            accepted: Arc::default(),
            seen: Arc::default(),
        };
        let own = server.clone();
        let serve =
            Arc::new(move |own, number, stream| Box::pin(serve(own, number, stream)) as Future1);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = own.accepted.fetch_add(1, Ordering::SeqCst);
                let (acceptor, serve, own) = (acceptor.clone(), Arc::clone(&serve), own.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(own, number, stream).await;
                    }
                });
            }
        });
        server
    }

    /// Starts an HTTP/2 server, which answers each request in a task.
    pub(crate) async fn answering<F>(
        ca: &Ca,
        names: &[&str],
        builder: Builder,
        answer: impl Fn(usize, Request<RecvStream>, SendResponse<Bytes>) -> F
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::start(ca, names, &["h2"], move |server, number, stream| {
            let (builder, answer) = (builder.clone(), answer.clone());
            async move {
                let Ok(mut connection) = builder.handshake(stream).await else { return };
                while let Some(Ok((request, respond))) = connection.accept().await {
                    server.note(number, &request);
                    tokio::spawn(answer(number, request, respond));
                }
            }
        })
        .await
    }

    /// Starts an HTTP/2 server that answers each request with its number of the connection.
    pub(crate) async fn plain(ca: &Ca, names: &[&str]) -> Self {
        Self::answering(ca, names, Builder::new(), |number, _, respond| async move {
            reply(respond, 200, &number.to_string());
        })
        .await
    }

    /// Returns the URI of a host on this server.
    pub(crate) fn uri(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.address.port())
    }

    /// Returns the number of connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Notes a request.
    pub(crate) fn note<T>(&self, connection: usize, request: &Request<T>) {
        let host = request.uri().host().unwrap_or_default();
        let seen = format!("{host} {}", request.uri().path());
        self.seen.lock().unwrap().push((connection, seen));
    }

    /// Returns the requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// Sends a whole answer.
pub(crate) fn reply(mut respond: SendResponse<Bytes>, status: u16, content: &str) {
    let head = Response::builder().status(status).body(()).unwrap();
    // The client may have reset the stream.
    if let Ok(mut body) = respond.send_response(head, content.is_empty())
        && !content.is_empty()
    {
        let _ = body.send_data(Bytes::copy_from_slice(content.as_bytes()), true);
    }
}
