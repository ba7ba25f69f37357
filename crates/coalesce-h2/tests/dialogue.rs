//! The adapter against an `h2` client over an in-memory stream.

use std::num::NonZeroU32;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use bytes::Bytes;
use coalesce_core::{
    AuthorityTable, ClientCertificates, ConnectPolicy, GroupId, GroupPolicy, IdentifierSet,
    NamePattern, PresentedIdentifier, RequestTarget, ServerConnection, UnknownAuthority,
    VirtualHostId, decide,
};
use coalesce_h2::{Accepted, Builder, MisdirectedContent};
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use tokio::task::JoinHandle;
use tokio::time::timeout;

type Table = AuthorityTable<Vec<u8>>;

const GROUP: GroupId = GroupId::new(7);
const BODY_421: &[u8] = br#"{"error":"misdirected_request"}"#;

/// Makes a table in which `names` are virtual hosts 0, 1, … of one group.
fn table(names: &[&str], policy: GroupPolicy) -> Table {
    let mut builder = AuthorityTable::builder();
    builder.group(GROUP, policy).unwrap();
    for (id, name) in (0..).zip(names) {
        let pattern = NamePattern::parse(name.as_bytes()).unwrap();
        builder.entry(pattern, VirtualHostId::new(id), GROUP).unwrap();
    }
    builder.build().unwrap()
}

/// Makes a table of two hosts; the certificate covers `api` only.
fn api_and_cdn() -> Table {
    table(&["api.test", "cdn.test"], GroupPolicy::default())
}

/// The server task's result at the end of its connection.
struct Outcome {
    served: Vec<String>,
    error: Option<coalesce_h2::Error>,
}

struct Pair {
    client: SendRequest<Bytes>,
    server: JoinHandle<Outcome>,
    driver: JoinHandle<Result<(), h2::Error>>,
    table: Arc<RwLock<Table>>,
}

/// Connects a client to the adapter, whose certificate covers `api.test`.
async fn connect(builder: Builder, table: Table) -> Pair {
    let mut client = h2::client::Builder::new();
    connect_as(client.max_concurrent_reset_streams(1000), builder, table).await
}

async fn connect_as(client: &h2::client::Builder, builder: Builder, table: Table) -> Pair {
    let table = Arc::new(RwLock::new(table));
    let (client_io, server_io) = tokio::io::duplex(64 * 1024);
    let shared = Arc::clone(&table);
    let server = tokio::spawn(async move {
        let api = PresentedIdentifier::parse_dns(b"api.test").unwrap();
        let presented = IdentifierSet::build([api]).unwrap();
        let decide = |target: &RequestTarget<'_>| {
            let connection =
                ServerConnection::tls(&presented, GROUP, ClientCertificates::NotAsked, 443);
            decide(&*shared.read().unwrap(), &connection, target)
        };
        let mut connection = builder.handshake(server_io, decide).await.unwrap();
        let mut outcome = Outcome { served: Vec::new(), error: None };
        while let Some(accepted) = connection.accept().await {
            match accepted {
                Ok(accepted) => {
                    outcome.served.push(format!("{:?}", accepted.proof().virtual_host()));
                    tokio::spawn(echo(accepted));
                }
                Err(error) => outcome.error = Some(error),
            }
        }
        outcome
    });
    let (client, connection) = client.handshake(client_io).await.unwrap();
    let driver = tokio::spawn(connection);
    let client = client.ready().await.unwrap();
    Pair { client, server, driver, table }
}

/// Answers 200 with the length of the request's body; `/drain` reads the whole body first.
async fn echo(accepted: Accepted) {
    let (request, mut respond, proof) = accepted.into_parts();
    let mut body = request.into_body();
    let mut len = 0;
    while let Some(Ok(data)) = body.data().await {
        len += data.len();
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    let text = format!("{:?} {len}", proof.served_as());
    let mut send = respond.send_response(Response::new(()), false).unwrap();
    send.send_data(Bytes::from(text), true).unwrap();
}

fn request(method: Method, uri: &str) -> Request<()> {
    Request::builder().method(method).uri(uri).version(Version::HTTP_2).body(()).unwrap()
}

async fn body(mut stream: RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut bytes = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        stream.flow_control().release_capacity(data.len())?;
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

impl Pair {
    async fn send(&mut self, request: Request<()>) -> Result<(Response<()>, Vec<u8>), h2::Error> {
        self.client = self.client.clone().ready().await?;
        let (response, _) = self.client.send_request(request, true)?;
        let (parts, stream) = response.await?.into_parts();
        Ok((Response::from_parts(parts, ()), body(stream).await?))
    }

    async fn get(&mut self, uri: &str) -> (StatusCode, Vec<u8>) {
        let (response, body) = self.send(request(Method::GET, uri)).await.unwrap();
        (response.status(), body)
    }

    async fn finish(self) -> Outcome {
        drop(self.client);
        let outcome = self.server.await.unwrap();
        let _ = self.driver.await.unwrap();
        outcome
    }
}

#[tokio::test]
async fn misdirected_gets_421_and_the_connection_is_unaffected() {
    let mut pair = connect(Builder::new(), api_and_cdn()).await;
    assert_eq!(pair.get("https://api.test/").await.0, 200);
    let (known, known_body) = pair.send(request(Method::GET, "https://cdn.test/")).await.unwrap();
    let (unknown, unknown_body) =
        pair.send(request(Method::GET, "https://wrong.test/")).await.unwrap();
    assert_eq!(known.status(), 421);
    assert_eq!(known_body, BODY_421);
    assert_eq!(known.headers()["content-type"], "application/json");
    assert_eq!(known.headers()["cache-control"], "no-store");
    assert_eq!(known.headers()["content-length"], "31");
    assert!(!known.headers().contains_key("alt-svc"));
    // The answer is the same for a host elsewhere and for an unknown host.
    let (mut known, mut unknown) = (known, unknown);
    assert!(known.headers_mut().remove("date").is_some());
    assert!(unknown.headers_mut().remove("date").is_some());
    assert_eq!(known.headers(), unknown.headers());
    assert_eq!((known.status(), known_body), (unknown.status(), unknown_body));
    assert_eq!(pair.get("https://api.test/").await.0, 200);
    let outcome = pair.finish().await;
    assert_eq!(outcome.served.len(), 2);
    assert!(outcome.error.is_none());
}

#[tokio::test]
async fn head_has_the_fields_without_the_content() {
    let mut pair = connect(Builder::new(), api_and_cdn()).await;
    let (response, body) = pair.send(request(Method::HEAD, "https://cdn.test/")).await.unwrap();
    assert_eq!(response.status(), 421);
    assert_eq!(response.headers()["content-length"], "31");
    assert!(body.is_empty());
}

#[tokio::test]
async fn content_of_a_421_is_configurable() {
    let custom = MisdirectedContent::Custom {
        content_type: HeaderValue::from_static("text/plain"),
        body: Bytes::from_static(b"not here\n"),
    };
    let mut pair = connect(Builder::new().misdirected_content(custom), api_and_cdn()).await;
    let (response, body) = pair.send(request(Method::GET, "https://cdn.test/")).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(body, b"not here\n");

    let empty = Builder::new().misdirected_content(MisdirectedContent::Empty);
    let mut pair = connect(empty, api_and_cdn()).await;
    let (response, body) = pair.send(request(Method::GET, "https://cdn.test/")).await.unwrap();
    assert_eq!(response.status(), 421);
    assert!(!response.headers().contains_key("content-type"));
    assert!(body.is_empty());
}

#[tokio::test]
async fn interleaved_streams_each_get_their_own_answer() {
    let mut pair = connect(Builder::new(), api_and_cdn()).await;
    let mut answers = Vec::new();
    for turn in 0..2_000 {
        pair.client = pair.client.clone().ready().await.unwrap();
        let host = if turn % 2 == 0 { "api" } else { "cdn" };
        let request = request(Method::GET, &format!("https://{host}.test/{turn}"));
        let (response, _) = pair.client.send_request(request, true).unwrap();
        answers.push((host, tokio::spawn(response)));
        if answers.len() == 100 {
            for (host, response) in answers.drain(..) {
                let response = response.await.unwrap().unwrap();
                let expected = if host == "api" { 200 } else { 421 };
                assert_eq!(response.status(), expected);
                let bytes = body(response.into_body()).await.unwrap();
                assert_eq!(bytes == BODY_421, host == "cdn");
            }
        }
    }
    let outcome = pair.finish().await;
    assert_eq!(outcome.served.len(), 1_000);
    assert!(outcome.error.is_none());
}

/// Attack: uploads to a misdirected host, far larger together than the connection's window, which
/// the application never reads. They must not use up the window of the served streams.
#[tokio::test]
async fn refused_uploads_give_their_window_back() {
    let mut pair = connect(Builder::new(), api_and_cdn()).await;
    for _ in 0..64 {
        pair.client = pair.client.clone().ready().await.unwrap();
        let request = request(Method::POST, "https://cdn.test/upload");
        let (response, mut send) = pair.client.send_request(request, false).unwrap();
        // Sent before the answer can arrive.
        send.send_data(Bytes::from(vec![0; 60_000]), false).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 421);
        assert_eq!(body(response.into_body()).await.unwrap(), BODY_421);
        let reset = std::future::poll_fn(|context| send.poll_reset(context)).await.unwrap();
        assert_eq!(reset, Reason::NO_ERROR);
    }
    // Twice the connection's window on one served stream.
    pair.client = pair.client.clone().ready().await.unwrap();
    let request = request(Method::POST, "https://api.test/upload");
    let (response, mut send) = pair.client.send_request(request, false).unwrap();
    send.send_data(Bytes::from(vec![0; 2 << 20]), true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(body(response.into_body()).await.unwrap().ends_with(b" 2097152"));
}

/// The server sends as much content as there is window. It returns the upload's window all the
/// same, and ends the stream once all content is sent.
#[tokio::test]
async fn answer_to_an_upload_waits_for_window_and_the_upload_does_not() {
    let dialogue = uploads_that_grant_little_window();
    timeout(Duration::from_secs(20), dialogue).await.expect("the dialogue ends");
}

async fn uploads_that_grant_little_window() {
    let mut client = h2::client::Builder::new();
    client.initial_window_size(10);
    let mut pair = connect_as(&client, Builder::new(), api_and_cdn()).await;
    let mut waiting = Vec::new();
    for _ in 0..32 {
        pair.client = pair.client.clone().ready().await.unwrap();
        let request = request(Method::POST, "https://cdn.test/upload");
        let (response, mut send) = pair.client.send_request(request, false).unwrap();
        send.send_data(Bytes::from(vec![0; 100_000]), false).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 421);
        let mut content = response.into_body();
        assert_eq!(content.data().await.unwrap().unwrap(), BODY_421[..10]);
        // More than a stream's window; three of them are more than the connection's. The server
        // returns the window as it is used.
        send.send_data(Bytes::from(vec![0; 400_000]), false).unwrap();
        send.reserve_capacity(1);
        let capacity = std::future::poll_fn(|context| send.poll_capacity(context)).await;
        assert!(capacity.unwrap().is_ok());
        waiting.push((send, content));
    }
    for (mut send, mut content) in waiting.drain(..16) {
        let mut said = BODY_421[..10].to_vec();
        content.flow_control().release_capacity(10).unwrap();
        said.extend(body(content).await.unwrap());
        assert_eq!(said, BODY_421);
        let reset = std::future::poll_fn(|context| send.poll_reset(context)).await.unwrap();
        assert_eq!(reset, Reason::NO_ERROR);
    }
    assert_eq!(pair.get("https://api.test/").await.0, 200);
    // The other uploads still wait when the client disappears.
    pair.driver.abort();
    let outcome = pair.server.await.expect("nothing panics");
    assert_eq!(outcome.served.len(), 1);
}

/// The engine does not see resets after it has lost sync, so each request counts as reset.
#[tokio::test]
async fn connection_without_sync_accepts_a_limited_number_of_streams() {
    let mut pair = connect(Builder::new(), api_and_cdn()).await;
    // A header block too long to buffer, but short enough that `h2` does not answer 431.
    let mut bomb = request(Method::GET, "https://api.test/");
    bomb.headers_mut().insert("x-a", HeaderValue::from_bytes(&vec![b'~'; 70_000]).unwrap());
    assert_eq!(pair.send(bomb).await.unwrap().0.status(), 431);
    let mut served = 0;
    let error = loop {
        match pair.send(request(Method::GET, "https://api.test/")).await {
            Ok((response, _)) => assert_eq!(response.status(), 200),
            Err(error) => break error,
        }
        served += 1;
        assert!(
            served < coalesce_h2::limits::RESETS_MAX,
            "the connection accepts streams without a limit"
        );
    };
    assert_eq!(served, coalesce_h2::limits::RESETS_MAX / 2, "{error}");
    let outcome = pair.server.await.unwrap();
    assert!(outcome.error.is_none(), "the connection ends without an error");
}

#[tokio::test]
async fn client_with_only_misdirected_requests_gets_goaway() {
    let builder = Builder::new().refused_in_a_row(NonZeroU32::new(20));
    let mut pair = connect(builder, api_and_cdn()).await;
    for _ in 0..19 {
        assert_eq!(pair.get("https://cdn.test/").await.0, 421);
    }
    assert_eq!(pair.get("https://api.test/").await.0, 200, "one served request resets the count");
    for _ in 0..19 {
        assert_eq!(pair.get("https://cdn.test/").await.0, 421);
    }
    let _ = pair.send(request(Method::GET, "https://cdn.test/")).await;
    let error = pair.send(request(Method::GET, "https://api.test/")).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM), "{error}");
    let outcome = pair.finish().await;
    assert_eq!(outcome.served.len(), 1);
    assert!(outcome.error.unwrap().is_refusal_limit());
}

#[tokio::test]
async fn default_limit_is_ten_thousand_refusals_in_a_row() {
    let mut pair = connect(Builder::new(), api_and_cdn()).await;
    for _ in 0..9_999 {
        assert_eq!(pair.get("https://cdn.test/").await.0, 421);
    }
    assert_eq!(pair.get("https://api.test/").await.0, 200);
    for _ in 0..9_999 {
        assert_eq!(pair.get("https://cdn.test/").await.0, 421);
    }
    let _ = pair.send(request(Method::GET, "https://cdn.test/")).await;
    assert!(pair.finish().await.error.unwrap().is_refusal_limit());
}

#[tokio::test]
async fn connect_to_any_target_is_refused_with_405() {
    for authority in ["api.test:443", "cdn.test:443"] {
        let mut pair = connect(Builder::new(), api_and_cdn()).await;
        let (response, _) = pair.send(request(Method::CONNECT, authority)).await.unwrap();
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "GET, HEAD");
    }
}

#[tokio::test]
async fn connect_reaches_a_proxy_that_opted_in() {
    let mut policy = GroupPolicy::default();
    policy.connect = ConnectPolicy::Any;
    let mut pair = connect(Builder::new(), table(&["api.test"], policy)).await;
    let (response, body) = pair.send(request(Method::CONNECT, "db.test:5432")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(body, b"Tunnel 0");
}

#[tokio::test]
async fn extended_connect_is_announced_only_on_request() {
    for (builder, announced) in
        [(Builder::new(), false), (Builder::new().announce_extended_connect(), true)]
    {
        let mut pair = connect(builder, api_and_cdn()).await;
        assert_eq!(pair.get("https://api.test/").await.0, 200);
        assert_eq!(pair.client.is_extended_connect_protocol_enabled(), announced);
    }
}

#[tokio::test]
async fn differing_host_resets_the_stream() {
    let mut pair = connect(Builder::new(), api_and_cdn()).await;
    let mut differing = request(Method::GET, "https://api.test/");
    differing.headers_mut().insert("host", HeaderValue::from_static("cdn.test"));
    let error = pair.send(differing).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::PROTOCOL_ERROR));
    let mut twice = request(Method::GET, "https://api.test/");
    twice.headers_mut().append("host", HeaderValue::from_static("api.test"));
    twice.headers_mut().append("host", HeaderValue::from_static("api.test"));
    let (response, _) = pair.send(twice).await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(pair.get("https://api.test/").await.0, 200);
}

#[tokio::test]
async fn each_request_is_decided_on_the_newest_table() {
    let mut pair = connect(Builder::new(), api_and_cdn()).await;
    assert_eq!(pair.get("https://api.test/").await.0, 200);
    *pair.table.write().unwrap() = table(&["cdn.test"], GroupPolicy::default());
    assert_eq!(pair.get("https://api.test/").await.0, 421);
    *pair.table.write().unwrap() = api_and_cdn();
    assert_eq!(pair.get("https://api.test/").await.0, 200);
}

#[tokio::test]
async fn unknown_authority_is_passed_on_if_the_policy_says_so() {
    let mut policy = GroupPolicy::default();
    policy.unknown_authority = UnknownAuthority::HandToApplication;
    let mut pair = connect(Builder::new(), table(&["api.test", "cdn.test"], policy)).await;
    assert_eq!(pair.get("https://wrong.test/").await, (StatusCode::OK, b"Unlisted 0".to_vec()));
    assert_eq!(
        pair.get("https://cdn.test/").await.0,
        421,
        "in the table, but not in the certificate"
    );
}

#[tokio::test]
async fn graceful_shutdown_lets_open_streams_finish() {
    let (client_io, server_io) = tokio::io::duplex(64 * 1024);
    let server = tokio::spawn(async move {
        let api = PresentedIdentifier::parse_dns(b"api.test").unwrap();
        let presented = IdentifierSet::build([api]).unwrap();
        let table = api_and_cdn();
        let decide = |target: &RequestTarget<'_>| {
            decide(
                &table,
                &ServerConnection::tls(&presented, GROUP, ClientCertificates::NotAsked, 443),
                target,
            )
        };
        let mut connection = Builder::new().handshake(server_io, decide).await.unwrap();
        let first = connection.accept().await.unwrap().unwrap();
        connection.graceful_shutdown();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            echo(first).await;
        });
        assert!(connection.accept().await.is_none());
    });
    let (client, connection) = h2::client::handshake(client_io).await.unwrap();
    let driver = tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let (response, _) =
        client.send_request(request(Method::GET, "https://api.test/"), true).unwrap();
    let response: Response<RecvStream> = response.await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(body(response.into_body()).await.unwrap(), b"VirtualHost(VirtualHostId(0)) 0");
    server.await.unwrap();
    driver.await.unwrap().unwrap();
}
