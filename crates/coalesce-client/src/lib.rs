//! An HTTP client for tokio whose hosts share HTTP/2 connections where they may, and which knows
//! what a 421 means.
//!
//! A host shares the connection of another one if the certificate covers it and its address is that
//! of the connection (RFC 9113 §9.1.1), or if the server's ORIGIN frame says so and you allow it
//! (RFC 8336). The client makes fewer connections, TLS handshakes and, with ORIGIN, DNS queries. Do
//! not expect faster pages: on a real network the time is about the same.
//!
//! | you have | you use |
//! | --- | --- |
//! | nothing | [`Client`]: `client.get(uri).await` |
//! | tower, tonic, tower-http, axum | [`Client`] is a `Service<http::Request<B>>` for any body |
//! | a connector for hyper | [`Connector`], with the feature `hyper-rustls` for that of hyper-rustls |
//! | reqwest | `CoalesceMiddleware`, a middleware of `reqwest-middleware` (feature `reqwest`) |
//! | no tokio | `coalesce-pool`, which makes the decisions without IO |
//!
//! # Example
//!
//! Two hosts of one server. The [`Trail`] in each response says which connection carried the
//! request, and why.
//!
//! ```
//! use coalesce_client::{Client, FixedResolver, TlsConfig, Trail};
//!
//! # use std::sync::Arc;
//! # use coalesce_client::rustls::{self, RootCertStore, ServerConfig};
//! # type Started = Result<(RootCertStore, std::net::SocketAddr), Box<dyn std::error::Error>>;
//! # async fn server() -> Started {
//! #     let names = ["a.example.test".to_owned(), "b.example.test".to_owned()];
//! #     let made = rcgen::generate_simple_self_signed(names)?;
//! #     let mut roots = RootCertStore::empty();
//! #     roots.add(made.cert.der().clone())?;
//! #     let key = made.signing_key.serialize_der().into();
//! #     let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key);
//! #     let provider = Arc::new(rustls::crypto::ring::default_provider());
//! #     let mut config = ServerConfig::builder_with_provider(provider)
//! #         .with_safe_default_protocol_versions()?
//! #         .with_no_client_auth()
//! #         .with_single_cert(vec![made.cert.der().clone()], key)?;
//! #     config.alpn_protocols = vec![b"h2".to_vec()];
//! #     let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
//! #     let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! #     let address = listener.local_addr()?;
//! #     tokio::spawn(async move {
//! #         while let Ok((stream, _)) = listener.accept().await {
//! #             let stream = acceptor.accept(stream).await.unwrap();
//! #             let mut connection = h2::server::handshake(stream).await.unwrap();
//! #             tokio::spawn(async move {
//! #                 while let Some(Ok((_, mut respond))) = connection.accept().await {
//! #                     let head = http::Response::new(());
//! #                     let mut body = respond.send_response(head, false).unwrap();
//! #                     body.send_data(bytes::Bytes::from_static(b"hello"), true).unwrap();
//! #                 }
//! #             });
//! #         }
//! #     });
//! #     Ok((roots, address))
//! # }
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (roots, address) = server().await?;
//! // Without these two lines: the roots of the operating system, and its DNS servers.
//! let tls = TlsConfig::with_roots(roots)?;
//! let resolver = FixedResolver::new()
//!     .host("a.example.test", [address])
//!     .host("b.example.test", [address]);
//! let client = Client::builder().tls(tls).resolver(resolver).build()?;
//!
//! let mut connections = Vec::new();
//! for host in ["a.example.test", "b.example.test"] {
//!     let response = client.get(format!("https://{host}:{}/", address.port())).await?;
//!     assert_eq!(response.status(), 200);
//!     let trail = response.extensions().get::<Trail>().ok_or("no trail")?;
//!     println!("{trail}");
//!     connections.push(trail.connection());
//! }
//! assert_eq!(connections[0], connections[1]);
//! # Ok(()) }
//! ```
//!
//! # Coalescing
//!
//! [`ClientBuilder::coalesce`] sets the rule for all hosts, `coalesce_for` that of one host.
//!
//! | [`Coalesce`] | a host uses | ORIGIN frames |
//! | --- | --- | --- |
//! | `Off` | its own connections, which carry no other host | ignored |
//! | `OwnOrigin` | its own connections, which may carry others | ignored |
//! | `Address`, the default | also connections to its address whose certificate covers it | limit |
//! | `Origins` | the same, and those whose origin set has it | limit and extend |
//!
//! `dns_policy` says whether an origin set replaces the comparison of addresses. A connection is
//! never shared if its verifier cannot be run again, if a client certificate was sent on it (unless
//! you list both hosts), or if it goes through a proxy.
//!
//! # A 421
//!
//! A server answers 421 if a request is misdirected. The client then sends the request once more,
//! on a connection that it makes for this origin alone, and remembers the refusal for ten minutes.
//! Any method is sent again, because the server did not process the request. The body must be empty
//! or bytes, or a stream that announces at most `ClientBuilder::replay_limit` bytes. The caller
//! gets the 421 if the body is gone, and if the 421 comes on a connection made for the origin.
//!
//! # URIs
//!
//! The scheme is `http` or `https`. The host is as DNS has it: convert a host with other characters
//! (IDNA) before you make the URI. User information, and a `Host` field that differs from the URI,
//! are errors.
//!
//! # Redirects, cookies, decompression
//!
//! The client has none of them. Layers of tower-http around it have: the example `client` of the
//! repository shows redirects, decompression and tracing.
//!
//! # Crate features
//!
//! * `hickory` (default): `HickoryResolver`, which asks for A, AAAA and HTTPS records. Without it
//!   the default is [`SystemResolver`], which knows no HTTPS records.
//! * `native-roots` (default): `TlsConfig::with_native_roots`, the roots of the operating system.
//! * `webpki-roots`: `TlsConfig::with_webpki_roots`, the roots of Mozilla, built in.
//! * `hyper-rustls`: [`PeerFacts`] for the stream of hyper-rustls.
//! * `reqwest`: `CoalesceMiddleware` for `reqwest-middleware`.
//!
//! # External types
//!
//! The public API has types and traits of other crates. A breaking change of one of them is a
//! breaking change of this crate.
//!
//! | crates | public |
//! | --- | --- |
//! | `bytes`, `http`, `http-body`, `hyper`, `hyper-util` | always |
//! | `coalesce-core`, `coalesce-pool` | always |
//! | `futures-core`, `tower-service` | always |
//! | `rustls`, `rustls-pki-types`, `tokio`, `tokio-rustls` | always |
//! | `hyper-rustls` | with `hyper-rustls` |
//! | `reqwest`, `reqwest-middleware` | with `reqwest` |
//!
//! # Limits
//!
//! HTTP/3 is not supported. One HTTP/2 connection links the hosts that share it for their operator;
//! the partition of a request keeps requests apart. Every time and number has a default, which the
//! methods of [`ClientBuilder`] change.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)
)]

mod body;
mod builder;
mod client;
mod coalesce;
mod connect;
mod connection;
mod driver;
mod error;
mod metrics;
#[cfg(feature = "reqwest")]
mod middleware;
mod options;
mod resolve;
mod route;
mod send_and_sync;
mod service;
mod tls_config;
mod trail;
mod verify;

pub use body::{RequestBody, ResponseBody};
pub use builder::ClientBuilder;
pub use client::Client;
pub use coalesce::Coalesce;
pub use coalesce_pool::{DnsPolicy, Eligibility, Grounds, PoolConfig, Protocol, Refusal};
pub use connect::{Connector, PeerFacts, ProxyConfig, ProxyConfigError, TlsPeer};
pub use error::{BoxError, Error, ErrorKind};
#[cfg(feature = "reqwest")]
pub use middleware::CoalesceMiddleware;
pub use options::RequestOptions;
#[cfg(feature = "hickory")]
pub use resolve::{DnsConfigError, HickoryResolver};
pub use resolve::{
    EndpointStream, FixedAddress, FixedEntryError, FixedResolver, Question, Resolve, ResolveError,
    SystemResolver,
};
pub use rustls;
pub use service::ResponseFuture;
pub use tls_config::{TlsConfig, TlsConfigError};
pub use trail::{ExplainedCandidate, Explanation, Trail, TrailStep};
pub use verify::{PinMismatch, TransparencyMissing};
