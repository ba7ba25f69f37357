//! Upstream servers for the tests of `coalesce serve`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// The protocol of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    H2c,
}

type Content = BoxBody<bytes::Bytes, hyper::Error>;

/// Starts an upstream that answers by path: `/echo` with the content as it arrives, all others with
/// the request's head as text.
pub(crate) async fn start(protocol: Protocol) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            tokio::spawn(converse(protocol, listener.accept().await.unwrap().0));
        }
    });
    address
}

async fn converse(protocol: Protocol, stream: TcpStream) {
    let (io, service) = (TokioIo::new(stream), service_fn(answer));
    // A client that leaves is not an error of the test.
    let _ = match protocol {
        Protocol::Http1 => http1::Builder::new().serve_connection(io, service).await,
        Protocol::H2c => {
            http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await
        }
    };
}

async fn answer(request: Request<Incoming>) -> Result<Response<Content>, Infallible> {
    let full = |text: String| Full::from(text).map_err(|never| match never {}).boxed();
    let response = match request.uri().path() {
        "/echo" => Response::new(request.into_body().boxed()),
        "/hop" => {
            let mut response = Response::builder().header("x-kept", "1");
            // HTTP/2 cannot carry these fields.
            if request.version() == http::Version::HTTP_11 {
                response = response
                    .header("connection", "x-own")
                    .header("x-own", "1")
                    .header("keep-alive", "timeout=5");
            }
            response.body(full(String::new())).unwrap()
        }
        _ => Response::new(full(head(&request))),
    };
    Ok(response)
}

fn head(request: &Request<Incoming>) -> String {
    let mut lines = vec![format!("{} {}", request.method(), request.uri())];
    for (name, value) in request.headers() {
        lines.push(format!("{name}: {}", value.to_str().unwrap()));
    }
    lines.join("\n")
}

/// Starts an upstream that answers every connection with the same bytes, and closes it.
pub(crate) async fn start_raw(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let mut stream = listener.accept().await.unwrap().0;
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(bytes).await;
        }
    });
    address
}

/// An upstream that takes one request, and holds its answer back until the test releases it.
pub(crate) struct HeldUpstream {
    pub(crate) address: SocketAddr,
    asked: oneshot::Receiver<()>,
    release: oneshot::Sender<()>,
}

impl HeldUpstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (was_asked, asked) = oneshot::channel();
        let (release, released) = oneshot::channel();
        tokio::spawn(async move {
            let mut stream = listener.accept().await.unwrap().0;
            let mut head = [0; 1024];
            assert_ne!(stream.read(&mut head).await.unwrap(), 0);
            was_asked.send(()).unwrap();
            released.await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nheld\n").await.unwrap();
        });
        Self { address, asked, release }
    }

    /// Waits until the request has arrived.
    pub(crate) async fn asked(&mut self) {
        (&mut self.asked).await.unwrap();
    }

    /// Sends the answer.
    pub(crate) fn release(self) {
        self.release.send(()).unwrap();
    }
}

/// An upstream over HTTP/2 whose first connection gets these bytes and is closed; all others are
/// answered. Counts the connections.
pub(crate) async fn start_raw_once(bytes: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    tokio::spawn(async move {
        loop {
            let mut stream = listener.accept().await.unwrap().0;
            if count.fetch_add(1, Ordering::Relaxed) == 0 {
                let mut head = [0; 1024];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(bytes).await;
            } else {
                tokio::spawn(converse(Protocol::H2c, stream));
            }
        }
    });
    (address, connections)
}

/// The length of the content of `/large` of a [`Counted`] upstream: more than all buffers on the
/// way to a client hold.
pub(crate) const LARGE: usize = 1_000_000;

/// An upstream that counts its requests. `/large` has [`LARGE`] bytes; for anything else it reads
/// the content to its end, and answers with the length.
pub(crate) struct Counted {
    pub(crate) address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

impl Counted {
    /// Starts an upstream that allows this many streams on a connection over HTTP/2.
    pub(crate) async fn start(protocol: Protocol, streams_max: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::<Counts>::default();
        let counting = counts.clone();
        tokio::spawn(async move {
            loop {
                let io = TokioIo::new(listener.accept().await.unwrap().0);
                let counts = counting.clone();
                let service = service_fn(move |request| count(request, counts.clone()));
                tokio::spawn(async move {
                    let _ = match protocol {
                        Protocol::Http1 => {
                            http1::Builder::new().serve_connection(io, service).await
                        }
                        Protocol::H2c => {
                            http2::Builder::new(TokioExecutor::new())
                                .max_concurrent_streams(u32::try_from(streams_max).unwrap())
                                .serve_connection(io, service)
                                .await
                        }
                    };
                });
            }
        });
        Self { address, counts }
    }

    /// Waits until the content of this many requests has begun.
    pub(crate) async fn has_begun(&self, count: usize) {
        while self.counts.begun.load(Ordering::Relaxed) < count {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Returns the number of answered requests.
    pub(crate) fn ended(&self) -> usize {
        self.counts.ended.load(Ordering::Relaxed)
    }
}

async fn count(
    request: Request<Incoming>,
    counts: Arc<Counts>,
) -> Result<Response<Full<bytes::Bytes>>, hyper::Error> {
    static CONTENT: [u8; LARGE] = [b'x'; LARGE];
    let content = if request.uri().path() == "/large" {
        bytes::Bytes::from_static(&CONTENT)
    } else {
        let (mut content, mut length) = (request.into_body(), 0);
        counts.begun.fetch_add(1, Ordering::Relaxed);
        while let Some(frame) = content.frame().await {
            length += frame?.into_data().map_or(0, |data| data.len());
        }
        length.to_string().into()
    };
    counts.ended.fetch_add(1, Ordering::Relaxed);
    Ok(Response::new(Full::new(content)))
}
