//! A real `h2` server above the transport: it accepts the right requests and stays in sync.

use std::time::Duration;

use coalesce_core::HostField;
use h2::server::Builder;
use http::header::HOST;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

use super::super::frame::HEADERS;
use super::super::{Engine, ExtendedConnect, Shared, SyncState, Target};
use super::client::{Client, Layout, block_frames, frame, layout, parse};
use super::encoder::{Headers, INCREMENTAL, PLAIN, Style, Styled, USUAL, Used, headers, style};
use super::model;
use super::support::{Pass, passing};
use crate::transport::Transport;

/// `RST_STREAM`, RFC 9113 §6.4.
const RST_STREAM: u8 = 0x3;
/// GOAWAY, RFC 9113 §6.8.
const GOAWAY: u8 = 0x7;

/// The stream of the last request of a conversation.
const LAST_ID: u32 = 9_999;

/// A request as the server gets it, with the engine's note.
#[derive(Debug, Eq, PartialEq)]
struct Request {
    id: u32,
    authority: Option<String>,
    hosts: Vec<Vec<u8>>,
    /// All other fields.
    fields: Headers,
    target: Option<Target>,
    sync_state: SyncState,
}

/// The result of a conversation.
#[derive(Debug)]
struct Conversation {
    requests: Vec<Request>,
    /// The bytes that the server sent.
    sent: Vec<u8>,
}

impl Conversation {
    fn resets(&self) -> Vec<u32> {
        let frames = parse(&self.sent).into_iter().filter(|frame| frame.kind == RST_STREAM);
        frames.map(|frame| frame.stream_id).collect()
    }
}

fn request(
    engine: &Shared<Engine<Pass>>,
    id: u32,
    request: &http::Request<h2::RecvStream>,
) -> Request {
    let fields = request.headers().iter().filter(|(name, _)| *name != HOST);
    let fields = fields.map(|(name, value)| (name.as_str().into(), value.as_bytes().to_vec()));
    let mut engine = engine.lock();
    Request {
        id,
        authority: request.uri().authority().map(ToString::to_string),
        hosts: request.headers().get_all(HOST).iter().map(|host| host.as_bytes().into()).collect(),
        fields: fields.collect(),
        target: engine.take_note(id),
        sync_state: engine.sync_state(id),
    }
}

/// Sends the client's bytes to a server over a pipe of this width, and one last request after them;
/// panics if the connection ends before it.
async fn converse(mut client: Client, width: usize) -> Conversation {
    client.headers(LAST_ID, &get(b"last.test"), PLAIN);
    let (near, far) = duplex(width);
    let (mut from_server, mut to_server) = tokio::io::split(far);
    let writing = tokio::spawn(async move {
        to_server.write_all(&client.bytes).await.unwrap();
        to_server
    });
    let reading = tokio::spawn(async move {
        let mut bytes = Vec::new();
        from_server.read_to_end(&mut bytes).await.unwrap();
        bytes
    });
    let requests = timeout(Duration::from_secs(20), serve(near)).await.expect("the server hangs");
    drop(writing.await.unwrap());
    Conversation { requests, sent: reading.await.unwrap() }
}

async fn serve(io: DuplexStream) -> Vec<Request> {
    let engine = Shared::new(passing(ExtendedConnect::Withheld));
    let transport = Transport::new(io, engine.clone());
    let mut builder = Builder::new();
    builder.enable_connect_protocol();
    let mut connection = builder.handshake::<_, bytes::Bytes>(transport).await.unwrap();
    let mut requests = Vec::new();
    loop {
        let (message, mut respond) =
            connection.accept().await.expect("the connection ended").unwrap();
        let id = respond.stream_id().as_u32();
        let response = http::Response::new(());
        respond.send_response(response, true).unwrap();
        if id == LAST_ID {
            break;
        }
        requests.push(request(&engine, id, &message));
    }
    // Write the rest, as far as it fits the pipe.
    let _ = timeout(Duration::ZERO, connection.accept()).await;
    requests
}

fn get(authority: &[u8]) -> Headers {
    headers([
        (":method", b"GET"),
        (":scheme", b"https"),
        (":authority", authority),
        (":path", b"/"),
    ])
}

#[tokio::test]
async fn connection_survives_authorities_that_h2_refuses() {
    let hard: &[&[u8]] = &[b"", b" ", b"\xff\xfe", b"\xc3\xa4.test", b"%61.test", b"[", b"a/b"];
    let mut client = Client::default();
    let ids = (1..).step_by(2).zip(hard);
    for (id, authority) in ids.clone() {
        client.headers(id, &get(authority), Style { huffman_value: id % 4 == 1, ..PLAIN });
    }
    let conversation = converse(client, 4096).await;
    assert_eq!(conversation.resets(), []);
    assert_eq!(conversation.requests.len(), hard.len());
    for ((id, authority), request) in ids.zip(&conversation.requests) {
        assert_eq!(request.id, id);
        let target = request.target.as_ref().unwrap();
        assert_eq!(target.authority(), Some(*authority));
        assert_eq!(target.scheme(), Some(&b"https"[..]));
        let shown = request.authority.as_deref().unwrap_or_default();
        assert_eq!(shown, "a".repeat(authority.len()));
    }
}

/// Shows why the transport is needed: without it, the same bytes end the connection.
#[tokio::test]
async fn refused_authority_without_the_transport_ends_the_connection() {
    let (near, mut far) = duplex(4096);
    let mut client = Client::default();
    client.headers(1, &get(b"\xff"), PLAIN).headers(3, &get(b"a.test"), PLAIN);
    far.write_all(&client.bytes).await.unwrap();
    let mut connection = h2::server::handshake(near).await.unwrap();
    assert!(connection.accept().await.is_none_or(|accepted| accepted.is_err()));
}

#[tokio::test]
async fn connection_survives_hosts_that_h2_refuses() {
    let mut list = get(b"a.test");
    list.push((b"host".to_vec(), b"b\0".to_vec()));
    let mut client = Client::default();
    // In the second block, `host` is an index.
    client.headers(1, &list, USUAL).headers(3, &list, USUAL);
    let conversation = converse(client, 4096).await;
    for request in &conversation.requests {
        assert_eq!(request.authority.as_deref(), Some("a.test"));
        assert_eq!(request.hosts, [b"aa"]);
        let target = request.target.as_ref().unwrap();
        assert_eq!(target.authority(), Some(&b"a.test"[..]));
        assert_eq!(target.host(), HostField::One(b"b\0"));
    }
    assert_eq!(conversation.requests.len(), 2);
}

#[tokio::test]
async fn request_with_host_only_has_its_scheme() {
    let list =
        headers([(":method", b"GET"), (":scheme", b"http"), (":path", b"/"), ("host", b"a.test")]);
    let mut client = Client::default();
    client.headers(1, &list, USUAL);
    let conversation = converse(client, 4096).await;
    let request = &conversation.requests[0];
    assert_eq!(request.authority, None);
    assert_eq!(request.hosts, [b"a.test"]);
    assert_eq!(request.target.as_ref().unwrap().scheme(), Some(&b"http"[..]));
}

#[tokio::test]
async fn fields_left_to_h2_reset_their_stream() {
    let mut twice = get(b"\xff");
    twice.insert(0, (b":authority".to_vec(), b"a.test".to_vec()));
    let mut client = Client::default();
    client.headers(1, &twice, USUAL).headers(3, &get(b""), INCREMENTAL);
    client.headers(5, &get(b"a.test"), USUAL);
    let conversation = converse(client, 4096).await;
    assert_eq!(conversation.resets(), [1, 3]);
    let ids: Vec<_> = conversation.requests.iter().map(|request| request.id).collect();
    assert_eq!(ids, [5]);
    assert_eq!(conversation.requests[0].target, None);
}

#[tokio::test]
async fn h2_ends_the_connection_after_an_error_that_loses_sync() {
    let (near, far) = duplex(4096);
    let (mut from_server, mut to_server) = tokio::io::split(far);
    let mut client = Client::default();
    client.frame(&frame(HEADERS, 5, 1, &[0x80]));
    to_server.write_all(&client.bytes).await.unwrap();
    let engine = Shared::new(passing(ExtendedConnect::Withheld));
    let transport = Transport::new(near, engine.clone());
    let mut connection = h2::server::handshake(transport).await.unwrap();
    assert!(connection.accept().await.is_none_or(|accepted| accepted.is_err()));
    assert_eq!(engine.lock().sync_state(1), SyncState::LostSync);
    drop(connection);
    let mut bytes = Vec::new();
    from_server.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(parse(&bytes).last().unwrap().kind, GOAWAY);
}

/// Runs a client against a server that `h2` believes to support extended CONNECT.
async fn extended_connect(extended_connect: ExtendedConnect) -> (bool, Option<String>) {
    let (near, far) = duplex(4096);
    let server = tokio::spawn(async move {
        let transport = Transport::new(near, Shared::new(passing(extended_connect)));
        let mut builder = Builder::new();
        builder.enable_connect_protocol();
        let mut connection = builder.handshake::<_, bytes::Bytes>(transport).await.unwrap();
        let accepted = connection.accept().await;
        let (request, mut respond) = accepted.unwrap().unwrap();
        respond.send_response(http::Response::new(()), true).unwrap();
        let protocol = request.extensions().get::<h2::ext::Protocol>().cloned();
        while connection.accept().await.is_some() {}
        protocol.map(|protocol| protocol.as_str().to_owned())
    });
    let (send, connection) = h2::client::handshake(far).await.unwrap();
    let driver = tokio::spawn(connection);
    let mut send = send.ready().await.unwrap();
    let mut request = http::Request::new(());
    *request.method_mut() = http::Method::GET;
    *request.uri_mut() = "https://a.test/".parse().unwrap();
    let (response, _) = send.send_request(request, true).unwrap();
    response.await.unwrap();
    let announced = send.is_extended_connect_protocol_enabled();
    drop(send);
    driver.await.unwrap().unwrap();
    (announced, server.await.unwrap())
}

#[tokio::test]
async fn client_learns_of_extended_connect_only_if_announced() {
    assert!(!extended_connect(ExtendedConnect::Withheld).await.0);
    assert!(extended_connect(ExtendedConnect::Announced).await.0);
}

#[tokio::test]
async fn extended_connect_arrives_without_an_announcement() {
    let list = headers([
        (":method", b"CONNECT"),
        (":protocol", b"websocket"),
        (":scheme", b"https"),
        (":authority", b"a b"),
        (":path", b"/"),
    ]);
    let mut client = Client::default();
    client.headers(1, &list, USUAL);
    let conversation = converse(client, 4096).await;
    assert_eq!(conversation.resets(), []);
    let target = conversation.requests[0].target.as_ref().unwrap();
    assert_eq!(target.authority(), Some(&b"a b"[..]));
}

/// One request of the property below: styled fields, a table size, a layout.
type Plan = (Vec<Styled>, Option<usize>, Layout);

fn plan() -> impl Strategy<Value = Plan> {
    const AUTHORITIES: &[Option<&[u8]>] =
        &[None, Some(b"a.test"), Some(b"a.test:1"), Some(b"a b"), Some(b"\xff"), Some(b"")];
    const HOSTS: &[&[u8]] = &[b"a.test", b"", b"b\0", b"\x7f"];
    const NAMES: &[&str] = &["x-a", "x-b", "cookie", "x-a", "x-b", "cookie", "X-B", "x y"];
    let authority = prop_oneof![
        4 => select(AUTHORITIES).prop_map(|value| value.map(<[u8]>::to_vec)),
        1 => vec(any::<u8>(), 1..60).prop_map(Some),
    ];
    let host = select(HOSTS).prop_map(<[u8]>::to_vec);
    let value = "[a-z]{0,30}|[a-z]{300,900}|[a-z]\0| [a-z]|[a-z]\n[a-z]{300}";
    let fields = vec((select(NAMES), value), 0..4);
    let resize = prop_oneof![5 => Just(None), 1 => (0_usize..=4096).prop_map(Some)];
    (authority, vec(host, 0..3), fields, vec(style(), 12), resize, layout()).prop_map(
        |(authority, hosts, fields, styles, resize, layout)| {
            let mut list = headers([(":method", b"GET"), (":scheme", b"https"), (":path", b"/")]);
            list.extend(authority.map(|value| (b":authority".to_vec(), value)));
            list.extend(hosts.into_iter().map(|host| (b"host".to_vec(), host)));
            list.extend(fields.into_iter().map(|(name, value)| (name.into(), value.into())));
            (list.into_iter().zip(styles).collect(), resize, layout)
        },
    )
}

/// Returns the request that the server must get, or none if `h2` resets it.
fn expected(id: u32, fields: &[Styled], used: &[Used]) -> Option<Request> {
    let of = |wanted: &'static str| {
        let fields = fields.iter().zip(used);
        let fields = fields.map(|(((name, value), _), used)| (name, value.clone(), *used));
        fields.filter(move |(name, ..)| *name == wanted.as_bytes())
    };
    let list: Headers = fields.iter().map(|(field, _)| field.clone()).collect();
    let authority = of(":authority").next();
    if matches!(&authority, Some((_, value, Used::Inserted)) if value.is_empty()) {
        return None;
    }
    let authority = authority.map(|(_, value, _)| value);
    let hosts: Vec<_> = of("host").map(|(_, value, _)| value).collect();
    let is_malformed = model::is_malformed(&list, true);
    let is_recorded = authority.is_none() && !hosts.is_empty()
        || list.iter().any(|(name, value)| model::is_refused(name, value));
    let shown = list.iter().zip(used);
    let shown: Headers = shown.filter_map(|(it, used)| model::shown(it, *used, true, 1)).collect();
    let shown_of = |wanted: &[u8]| -> Vec<Vec<u8>> {
        let found = shown.iter().filter(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone()).collect()
    };
    let mut others = shown.clone();
    others.retain(|(name, _)| !name.starts_with(b":") && name != b"host");
    // `http` groups fields by name, and keeps the order within a name.
    others.sort_by(|a, b| a.0.cmp(&b.0));
    let target = Target {
        stream_id: id,
        authority: authority.map(Into::into),
        host: hosts.first().map(|host| host.clone().into()),
        host_count: hosts.len(),
        scheme: Some((*b"https").into()),
        has_path: true,
        is_malformed: false,
    };
    let target = if is_malformed { Some(Target::malformed(id)) } else { Some(target) };
    Some(Request {
        id,
        authority: shown_of(b":authority").pop().map(|it| String::from_utf8(it).unwrap()),
        hosts: shown_of(b"host"),
        fields: others,
        target: target.filter(|_| is_recorded || is_malformed),
        sync_state: SyncState::InSync,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The table of `h2` stays in sync whatever is rewritten, dropped or evicted.
    #[test]
    fn h2_reads_every_request_as_sent(plans in vec(plan(), 1..15), width in 1_usize..300) {
        let mut client = Client::default();
        let mut wanted = Vec::new();
        for ((fields, resize, layout), id) in plans.into_iter().zip((1..).step_by(2)) {
            let mut block = Vec::new();
            if let Some(capacity) = resize {
                client.encoder.resize(capacity, &mut block);
            }
            let encode = |((name, value), style): &Styled| {
                client.encoder.field(name, value, *style, &mut block)
            };
            let used: Vec<_> = fields.iter().map(encode).collect();
            wanted.extend(expected(id, &fields, &used));
            client.frame(&block_frames(id, &block, &layout));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut conversation = runtime.block_on(converse(client, width));
        for request in &mut conversation.requests {
            request.fields.sort_by(|a, b| a.0.cmp(&b.0));
        }
        prop_assert_eq!(conversation.requests, wanted);
    }
}
