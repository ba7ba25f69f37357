//! A [`tower::Layer`](tower_layer::Layer) that hands an application the requests that their
//! connection may serve, and answers all others itself: 421, on HTTP/2 and HTTP/1.1.
//!
//! The layer does not speak TLS or HTTP. A listener supplies the facts of each connection, and a
//! server library hands over requests. This crate has both for hyper, axum, axum-server and tonic.
//!
//! ```text
//!  Listener ──────► ConnectionInfo (facts) ──► in each request
//!  (handshake, PROXY header)                        │
//!                                                   ▼
//!  hyper, axum, tonic ─► request ─► CoalesceLayer ─► Decide ─┬─ Serve ──────► application, with proof
//!                                    form of its target      ├─ Misdirected ► 421
//!                                                            └─ Malformed ──► 400, 405
//! ```
//!
//! # Example
//!
//! axum, over TLS, on both versions of HTTP:
//!
#![cfg_attr(all(feature = "axum", feature = "listener"), doc = "```no_run")]
#![cfg_attr(not(all(feature = "axum", feature = "listener")), doc = "```ignore")]
//! use std::sync::Arc;
//!
//! use axum::{Router, routing::get};
//! use coalesce_core::AuthorityTable;
//! use coalesce_tls::Acceptor;
//! use coalesce_tower::{CoalesceLayer, Listener, VirtualHost};
//!
//! /// `acceptor` holds certificates and client rules, `table` the names.
//! async fn serve(
//!     socket: tokio::net::TcpListener,
//!     acceptor: Acceptor,
//!     table: Arc<AuthorityTable>,
//! ) -> std::io::Result<()> {
//!     // A handler that takes a `VirtualHost` cannot run before the layer has decided.
//!     let hello = |host: VirtualHost| async move { format!("virtual host {}\n", host.id()) };
//!     let router = Router::new().route("/", get(hello));
//!     let layer = CoalesceLayer::new(table);
//!     axum::serve(Listener::tls(socket, acceptor, [443]), layer.around(router)).await
//! }
//! ```
//!
//! | server | the connection's facts | the layer |
//! | --- | --- | --- |
//! | `axum::serve` | `Listener` | `layer.around(router)` |
//! | hyper, hyper-util | `Listener::accept`, `Accepted::info` | `layer.serve(info, function)` |
//! | axum-server | `AxumServerAcceptor` | `layer.layer(router)` |
//! | tonic | `Listener` into `serve_with_incoming` | `Server::builder().layer(layer)` |
//! | any tower service | [`ConnectionInfo`], as a layer of one connection's service | [`CoalesceLayer`] |
//!
//! With hyper the proof is an argument of the application, and nothing is allocated for a request
//! that is served. Everywhere else facts travel in the extensions of a request, which the server
//! library allocates; the layer leaves the proof in the same place and allocates nothing.
//!
//! # What the client sees
//!
//! | verdict | answer |
//! | --- | --- |
//! | misdirected | 421, `cache-control: no-store`, the same bytes for every reason; the connection goes on |
//! | malformed | 400; on HTTP/1 the connection is closed |
//! | `CONNECT` that the policy does not take | 405 |
//! | anything, without facts of its connection | 500 |
//!
//! The body of a refused request is not read. On HTTP/2 the stream ends with the answer and
//! `RST_STREAM(NO_ERROR)`. On HTTP/1.1 no `100 Continue` is sent, and the answer has `connection:
//! close`, so no part of the body is read as a request. A `Listener` drops a bounded amount of the
//! body, so that the client can read the answer. A gRPC client gets the same statuses, and in the
//! fields `grpc-status` 14 (UNAVAILABLE) for 421, 13 for 400, 12 for 405.
//!
//! On HTTP/1 a target in absolute form takes precedence over `Host` (RFC 9112 §3.2.2), and `Host`
//! is set to it before the application sees the request. An extended `CONNECT` (RFC 8441), for a
//! WebSocket over HTTP/2, is decided like any request if the policy of the group accepts it
//! (`ConnectPolicy::Extended`), and gets a 405 otherwise. For HTTP/2 in the clear, by prior
//! knowledge, pass a cleartext [`ConnectionInfo`].
//!
//! # What a layer cannot see
//!
//! Behind hyper a request is what the `h2` and `http` crates made of it. Where one wants all of it,
//! coalesce-h2 sits on the bytes.
//!
//! | of a request | because | so |
//! | --- | --- | --- |
//! | HTTP/2 without `:authority` | h2 drops `:scheme` then, and shows a missing `:path` as the root | 400, whatever `Host` says; from a listed gateway, `Host` is the authority |
//! | an authority that `http` has no type for (`a%zz`, `[`, a space) | h2 resets the stream first | `PROTOCOL_ERROR`; after 1024 of them h2 ends the connection |
//! | a pseudo-header field that is unknown or not UTF-8; a method with a space or without a character; a field name with a capital or a space; a value with NUL, CR, LF or another control octet | h2 ends the connection first | `GOAWAY`, and the other streams end with it |
//! | any other malformed field, if the header block has several frames | h2 ends the connection over the second frame | the same |
//! | a value with a space or a tab at an edge; two `content-length` fields | h2 takes both | the application sees them |
//! | a pseudo-header field in the trailers | h2 drops it | the application does not see it |
//! | a header list that is too large | h2 and hyper answer first | 431 |
//! | an HTTP/1 request line that hyper cannot read | hyper answers first | 400 |
//! | extended `CONNECT` that was not announced | h2 resets it first, unless the server meant to announce it, like `axum::serve` | `PROTOCOL_ERROR`, or 421 and 405 |
//! | `CONNECT` over HTTP/2 with a `content-length` | hyper does not take it | `INTERNAL_ERROR` |
//!
//! A service cannot reset a stream (RFC 9113 §8.1.1 allows the 400 that is given instead), nor end
//! an HTTP/2 connection after too many refusals: bound requests for each connection elsewhere, or
//! use coalesce-h2. It does not see whether HTTP/2 was negotiated: `auto` servers go by the first
//! bytes, and `Accepted` knows the protocol. hyper resets the stream of an unread upload together
//! with an answer that has no content. curl 7 takes that for no answer, and HAProxy 2.6 passes it
//! on as a reset.
//!
//! # Extended CONNECT
//!
//! On HTTP/1.1 the handshake of a WebSocket is an ordinary request. On HTTP/2 it is an extended
//! `CONNECT`, which a client may send if the server has announced it. A browser that finds the
//! announcement does not fall back to HTTP/1.1 when it is refused, so it must be made where the
//! policy takes it, and nowhere else. `Listener::extended_connect` says where; by default nowhere,
//! because that is the default of the policy. What a server announces elsewhere is taken back:
//! `axum::serve` announces always, a hyper server if its builder says `enable_connect_protocol`.
//!
//! # Silent clients
//!
//! `Listener` and `AxumServerAcceptor` bound the connections of their server, because most server
//! libraries do not. `ConnectionLimits` has the numbers of connections and handshakes, and the
//! times of a handshake, of the head of a request, and of a connection without a request.
//!
//! * At a bound, and when the process has no more descriptors, the connection that is without a
//!   request the longest is ended. A new client is served, whatever many others do not say.
//! * A connection with an open request is not idle, however long its application takes. It is ended
//!   at a bound alone, after it has been silent as long as an idle one may be.
//! * The layer counts the open requests. A response is open until its body is dropped, or until its
//!   head is sent if the length of the body is known.
//! * An HTTP/2 connection that is ended gets no GOAWAY, because hyper alone can send one.
//!
//! How long the content of a request may take is the application's to say: it reads it.
//!
//! # Crate features
//!
//! * none: [`CoalesceLayer`], [`ConnectionInfo`], trusted gateways by header fields.
//! * `hyper`: `CoalesceLayer::serve`, hyper's own service with the proof as an argument.
//! * `listener`: `Listener` and `Accepted`, connections with their facts, over coalesce-tls or in
//!   the clear.
//! * `axum`: the extractor [`VirtualHost`], `CoalesceLayer::around`; with `listener`, `axum::serve`
//!   on a `Listener`.
//! * `axum-server`: `AxumServerAcceptor`.
//! * `tonic`: answers in tonic's body; with `listener`, tonic's server on a `Listener`.
//! * `proxy-protocol`: `Listener::proxied`, facts from the PROXY protocol v2.
//!
//! # External types
//!
//! The public API has types and traits of other crates. A breaking change of one of them is a
//! breaking change of this crate.
//!
//! | crates | public |
//! | --- | --- |
//! | `bytes`, `coalesce-core`, `coalesce-http` | always |
//! | `http`, `http-body`, `http-body-util` | always |
//! | `ipnet`, `tower-layer`, `tower-service` | always |
//! | `coalesce-tls`, `tokio` | with `listener` |
//! | `hyper` | with `hyper` |
//! | `axum`, `axum-core` | with `axum` |
//! | `axum-server` | with `axum-server` |
//! | `futures-core`, `tonic` | with `tonic` |
//!
//! # Behind a TLS terminator
//!
//! Nothing is believed by default. [`TrustedGateways`] names, by address, those that are trusted to
//! have checked the certificate (RFC 9110 §7.4); [`GatewayFields`] says in which fields of a
//! request they say what, or `Listener::proxied` reads it from the PROXY protocol: the TLS TLV for
//! the scheme and the client's certificate, the authority TLV for the server name.
//!
//! A PROXY protocol header speaks for its whole connection. A gateway in HTTP mode, which sends
//! requests of several clients on one connection, has to use fields.
//!
//! The tests run nginx, HAProxy and Envoy with fields, over HTTP/1.1, over HTTP/2 in the clear,
//! with gRPC and with a `WebSocket`. HAProxy and Envoy send a `WebSocket` over HTTP/2 as an
//! extended `CONNECT`, so the group has to accept it, and the listener to announce it.
//!
//! An application that reads `Forwarded` or `X-Forwarded-Host`, as the extractor `Host` of
//! axum-extra does, prefers them to the authority that was decided.
//! [`CoalesceLayer::strip_forwarded_fields`] removes them unless they come from a listed gateway.
//!
//! # Limits
//!
//! Limits are named constants in [`limits`]. Nothing in this crate panics on anything a peer can
//! send.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)
)]

mod answer;
mod attach;
#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "axum-server")]
mod axum_server;
mod body;
mod connection;
#[cfg(feature = "listener")]
mod connections;
mod decide;
mod future;
mod gateway;
#[cfg(feature = "hyper")]
mod hyper;
mod judge;
mod layer;
pub mod limits;
mod lines;
#[cfg(feature = "listener")]
mod listener;
mod open_request;
mod send_and_sync;
mod target;
mod virtual_host;

pub use attach::Attached;
#[cfg(feature = "axum-server")]
pub use axum_server::AxumServerAcceptor;
pub use body::{AnswerBody, AnswerContent, ResponseBody};
pub use coalesce_http::{Decide, MisdirectedContent};
pub use connection::ConnectionInfo;
#[cfg(feature = "listener")]
pub use connections::ConnectionLimits;
pub use decide::Undecided;
pub use future::ResponseFuture;
#[cfg(feature = "hyper")]
pub use future::WrappedFuture;
pub use gateway::{Forwarded, GatewayFields, TrustedGateways};
#[cfg(feature = "hyper")]
pub use hyper::ConnectionService;
pub use layer::{Coalesce, CoalesceLayer};
#[cfg(feature = "listener")]
pub use listener::{Accepted, Listener};
pub use open_request::OpenRequest;
pub use virtual_host::{NoVirtualHost, VirtualHost};
