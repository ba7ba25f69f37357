//! The server behind the gateways: axum behind the layer, in the clear, on one thread.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::{any, post};
use bytes::Bytes;
use coalesce_core::{
    AuthorityTable, ConnectPolicy, GroupId, GroupPolicy, NamePattern, VirtualHostId,
};
use coalesce_tower::{CoalesceLayer, GatewayFields, Listener, TrustedGateways};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;

const GROUP: GroupId = GroupId::new(1);

/// The one host of the server.
const HOST: &[u8] = b"shop.test";

const SCHEME: HeaderName = HeaderName::from_static("x-forwarded-proto");

pub(crate) const GRPC_PATH: &str = "/grpc.health.v1.Health/Check";
pub(crate) const TUNNEL_PATH: &str = "/tunnel";

/// A message in a gRPC frame: SERVING.
pub(crate) const GRPC_ANSWER: &[u8] = b"\0\0\0\0\x02\x08\x01";

/// Starts the server, which runs as long as the tests do.
pub(crate) fn start() -> SocketAddr {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            send.send(socket.local_addr().expect("an address")).expect("the test waits");
            let listener = Listener::cleartext(socket, GROUP, [443]).extended_connect(|_| true);
            axum::serve(listener, layer().around(router())).await
        })
    });
    receive.recv().expect("the server starts")
}

fn layer() -> CoalesceLayer<AuthorityTable<Vec<u8>>> {
    let mut table = AuthorityTable::builder();
    // HAProxy asks for a WebSocket over HTTP/2 by an extended CONNECT (RFC 8441).
    let policy = GroupPolicy::default().with_connect(ConnectPolicy::Extended);
    table.group(GROUP, policy).expect("the first");
    let name = NamePattern::parse(HOST).expect("a name");
    table.entry(name, VirtualHostId::new(0), GROUP).expect("the first");
    let loopback = ["127.0.0.1/32".parse().expect("a network")];
    let gateways = TrustedGateways::new(loopback, |_| Some(GROUP));
    CoalesceLayer::new(table.build().expect("a table"))
        .trusted_gateways(gateways, GatewayFields::new(SCHEME))
        .strip_forwarded_fields()
}

fn router() -> Router {
    // Reads the upload, so that the connection can be used again.
    let hello = async |uri: Uri, headers: HeaderMap, _: Bytes| {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let host = uri.host().or(text(header::HOST)).unwrap_or("-");
        format!("{host} by {}", text(SCHEME).unwrap_or("-"))
    };
    Router::new()
        .route("/", any(hello))
        .route(TUNNEL_PATH, any(tunnel))
        .route(GRPC_PATH, post(async |_: Bytes| grpc()))
        .layer(axum::extract::DefaultBodyLimit::disable())
}

fn grpc() -> Response {
    let trailers = async {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().expect("a value"));
        Some(Ok::<_, Infallible>(trailers))
    };
    let body = Full::new(Bytes::from_static(GRPC_ANSWER)).with_trailers(trailers);
    let response = Response::builder().header(header::CONTENT_TYPE, "application/grpc");
    response.body(Body::new(body)).expect("a response")
}

/// Sends back the bytes that come through a connection that was upgraded.
async fn tunnel(mut request: Request) -> Response {
    let is_connect = request.method() == Method::CONNECT;
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgraded));
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    });
    if is_connect {
        return Response::new(Body::empty());
    }
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        // For the key of the client (RFC 6455 §1.3 has both).
        .header(header::SEC_WEBSOCKET_ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        .body(Body::empty())
        .expect("a response")
}
