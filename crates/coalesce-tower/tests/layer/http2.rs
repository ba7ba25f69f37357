//! HTTP/2 through hyper, with h2's client at the other end.

use std::convert::Infallible;
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use coalesce_tower::{CoalesceLayer, ConnectionInfo, Decide, MisdirectedContent, Undecided};
use h2::client::SendRequest;
use http::{HeaderValue, Method, Request, Response, Version};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::common::{
    CHAT, CONTENT_421, Live, PUBLIC, echo, layer, layer_over, table, table_of, tls,
};

async fn connect<D>(info: &ConnectionInfo, layer: &CoalesceLayer<D>) -> SendRequest<Bytes>
where
    D: for<'a> Decide<Undecided<'a>> + Send + Sync + 'static,
{
    let (client, server) = tokio::io::duplex(1 << 16);
    let application = |request: Request<Incoming>, proof| async move {
        Ok::<_, Infallible>(echo(&request, &proof))
    };
    let service = layer.serve(info, application);
    let mut server_builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    server_builder.enable_connect_protocol();
    tokio::spawn(server_builder.serve_connection(TokioIo::new(server), service));
    let (client, connection) = h2::client::handshake(client).await.unwrap();
    tokio::spawn(async { connection.await.unwrap() });
    client.ready().await.unwrap()
}

fn request(method: Method, uri: &str) -> Request<()> {
    Request::builder().method(method).uri(uri).version(Version::HTTP_2).body(()).unwrap()
}

async fn body(mut stream: h2::RecvStream) -> String {
    let mut bytes = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data.unwrap();
        stream.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
    }
    String::from_utf8(bytes).unwrap()
}

async fn send(client: &SendRequest<Bytes>, request: Request<()>) -> (Response<()>, String) {
    let mut client = client.clone().ready().await.unwrap();
    let (parts, stream) = client.send_request(request, true).unwrap().0.await.unwrap().into_parts();
    (Response::from_parts(parts, ()), body(stream).await)
}

async fn get(client: &SendRequest<Bytes>, uri: &str) -> (u16, String) {
    let (response, body) = send(client, request(Method::GET, uri)).await;
    (response.status().as_u16(), body)
}

#[tokio::test]
async fn each_stream_is_decided_and_the_others_never_notice() {
    let client = connect(&tls(PUBLIC), &layer()).await;
    let mut answers = Vec::new();
    for turn in 0..500 {
        let host = ["api", "cdn", "b", "staff", "nobody"][turn % 5];
        let mut client = client.clone().ready().await.unwrap();
        let request = request(Method::GET, &format!("https://{host}.test/{turn}"));
        let (response, _) = client.send_request(request, true).unwrap();
        answers.push((host, turn, response));
    }
    for (host, turn, response) in answers {
        let response = response.await.unwrap();
        let status = response.status().as_u16();
        let content = body(response.into_body()).await;
        match host {
            "api" => assert!(content.contains(&format!("VirtualHostId(0)) /{turn} "))),
            "b" => assert!(content.contains(&format!("VirtualHostId(1)) /{turn} "))),
            _ => assert_eq!((status, &content[..]), (421, CONTENT_421)),
        }
    }
}

#[tokio::test]
async fn every_421_has_the_same_bytes() {
    let client = connect(&tls(PUBLIC), &layer()).await;
    let mut seen = Vec::new();
    for uri in [
        "https://cdn.test/",
        "https://nobody.test/",
        "https://staff.test/",
        "https://api.test:8443/",
        "http://api.test/",
    ] {
        let (mut response, content) = send(&client, request(Method::GET, uri)).await;
        assert!(response.headers_mut().remove("date").is_some(), "{uri}");
        seen.push((response.status().as_u16(), response.headers().clone(), content));
    }
    assert_eq!(seen[0].0, 421);
    assert_eq!(seen[0].1["cache-control"], "no-store");
    assert_eq!(seen[0].1["content-type"], "application/json");
    assert!(seen.iter().all(|one| one == &seen[0]), "{seen:#?}");
}

#[tokio::test]
async fn misdirected_content_is_configurable() {
    let custom = MisdirectedContent::Custom {
        content_type: HeaderValue::from_static("text/plain"),
        body: Bytes::from_static(b"not here\n"),
    };
    let client = connect(&tls(PUBLIC), &layer().misdirected_content(custom)).await;
    assert_eq!(get(&client, "https://cdn.test/").await, (421, "not here\n".into()));
    let empty = layer().misdirected_content(MisdirectedContent::Empty);
    let client = connect(&tls(PUBLIC), &empty).await;
    assert_eq!(get(&client, "https://cdn.test/").await, (421, String::new()));
    let allow = layer().allow(HeaderValue::from_static("GET, POST"));
    let client = connect(&tls(PUBLIC), &allow).await;
    let (response, _) = send(&client, request(Method::CONNECT, "api.test:443")).await;
    assert_eq!(
        (response.status().as_u16(), response.headers()["allow"].to_str().unwrap()),
        (405, "GET, POST")
    );
}

#[tokio::test]
async fn requests_are_decided_on_the_newest_table() {
    let live: Live = Arc::new(RwLock::new(Arc::new(table())));
    let client = connect(&tls(PUBLIC), &layer_over(&live)).await;
    assert_eq!(get(&client, "https://api.test/").await.0, 200);
    assert_eq!(get(&client, "https://api.test/").await.0, 200, "from memory");
    *live.write().unwrap() = Arc::new(table_of(&["b.test"]));
    assert_eq!(get(&client, "https://api.test/").await.0, 421, "taken away");
    assert!(get(&client, "https://b.test/").await.1.contains("VirtualHostId(0)"), "renumbered");
    *live.write().unwrap() = Arc::new(table());
    assert_eq!(get(&client, "https://api.test/").await.0, 200);
    assert!(get(&client, "https://b.test/").await.1.contains("VirtualHostId(1)"));
}

/// What h2 shows of a request without `:authority` is not enough to say what it asked for.
#[tokio::test]
async fn incomplete_target_is_refused() {
    let client = connect(&tls(PUBLIC), &layer()).await;
    // As HTTP/1.1 has it: h2's client leaves `:authority` out.
    let alone = Request::get("/").version(Version::HTTP_11).header("host", "api.test");
    let (response, _) = send(&client, alone.body(()).unwrap()).await;
    assert_eq!(response.status(), 400);
    assert_eq!(get(&client, "https://api.test/").await.0, 200);
}

#[tokio::test]
async fn malformed_targets_get_400_on_their_own_stream() {
    let client = connect(&tls(PUBLIC), &layer()).await;
    let beside = |host: &'static str| {
        let mut request = request(Method::GET, "https://api.test/");
        request.headers_mut().append("host", HeaderValue::from_static(host));
        request
    };
    let mut several = beside("api.test");
    several.headers_mut().append("host", HeaderValue::from_static("api.test"));
    for bad in [
        beside("b.test"),
        beside(""),
        beside("a b"),
        several,
        request(Method::GET, "https://user@api.test/"),
        request(Method::GET, "https://api.test:99999/"),
    ] {
        let shown = format!("{bad:?}");
        let (response, content) = send(&client, bad).await;
        assert_eq!(
            (response.status().as_u16(), &content[..]),
            (400, r#"{"error":"bad_request"}"#),
            "{shown}"
        );
    }
    let (response, _) = send(&client, beside("API.test.:443")).await;
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn extended_connect_is_decided_like_any_request() {
    let websocket = |uri: &str| {
        let mut request = request(Method::CONNECT, uri);
        request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
        request
    };
    // The client may ask once it has seen the server's settings, which come with the first answer.
    let chat = connect(&tls(CHAT), &layer()).await;
    assert_eq!(get(&chat, "https://chat.test/").await.0, 200);
    let status = async |client, uri| send(client, websocket(uri)).await.0.status().as_u16();
    assert_eq!(status(&chat, "https://chat.test/x").await, 200);
    assert_eq!(status(&chat, "https://api.test/x").await, 421);
    assert_eq!(status(&chat, "https://nobody.test/x").await, 421);
    assert_eq!(status(&chat, "http://chat.test/x").await, 421);
    // The public group's policy takes none, but a misdirected one is told so.
    let public = connect(&tls(PUBLIC), &layer()).await;
    assert_eq!(get(&public, "https://api.test/").await.0, 200);
    assert_eq!(status(&public, "https://api.test/x").await, 405);
    assert_eq!(status(&public, "https://cdn.test/x").await, 421);
}

#[tokio::test]
async fn uploads_to_other_hosts_are_refused_unread_and_hold_no_window() {
    let client = connect(&tls(PUBLIC), &layer()).await;
    let piece = Bytes::from(vec![b'x'; 60_000]);
    // Far more than the window of a connection, all of it to hosts that are not here.
    for _ in 0..100 {
        let mut client = client.clone().ready().await.unwrap();
        let upload = request(Method::POST, "https://cdn.test/");
        let (response, mut stream) = client.send_request(upload, false).unwrap();
        // The stream may be reset at any moment from here: the server does not read this.
        let _ = stream.send_data(piece.clone(), false);
        let response = response.await.unwrap();
        assert_eq!(response.status(), 421);
        assert_eq!(body(response.into_body()).await, CONTENT_421);
    }
    let mut client_ready = client.clone().ready().await.unwrap();
    let upload = request(Method::POST, "https://api.test/");
    let (response, mut stream) = client_ready.send_request(upload, false).unwrap();
    stream.send_data(Bytes::from_static(b"read me"), true).unwrap();
    assert_eq!(response.await.unwrap().status(), 200);
}
