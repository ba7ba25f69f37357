//! Reports to an `h2` client whose server is this crate's, over one in-memory stream.

use bytes::Bytes;
use coalesce_core::{
    AuthorityTable, ClientCertificates, GroupId, GroupPolicy, IdentifierSet, NamePattern,
    PresentedIdentifier, RequestTarget, ServerConnection, VirtualHostId, decide,
};
use coalesce_h2::client::{Observed, ServerReport, ServerReports};
use coalesce_h2::h2::client::SendRequest;
use coalesce_h2::{Builder, OriginSet};
use http::{Request, Response};
use tokio::io::duplex;

const GROUP: GroupId = GroupId::new(1);
/// The length of each response's content: several frames, and more than one read.
const CONTENT_LEN: usize = 100_000;

fn table(names: &[&str]) -> AuthorityTable {
    let mut table = AuthorityTable::builder();
    table.group(GROUP, GroupPolicy::default()).unwrap();
    for name in names {
        let pattern = NamePattern::parse(name.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(0), GROUP).unwrap();
    }
    table.build().unwrap()
}

/// Starts a server of `a.test` and `b.test`, which announces `a.test` at the start and `b.test`
/// after its first response. After the second response it ends the connection gracefully.
async fn connect() -> (SendRequest<Bytes>, ServerReports) {
    let (client, server) = duplex(16 * 1024);
    let presented = PresentedIdentifier::parse_dns(b"*.test").unwrap();
    let presented = std::sync::Arc::new(IdentifierSet::build([presented]).unwrap());
    let clients = ClientCertificates::NotAsked;
    let facts = ServerConnection::tls(presented, GROUP, clients, 443);
    let all = table(&["a.test", "b.test"]);
    let (first, second) =
        (OriginSet::new(&table(&["a.test"]), &facts), OriginSet::new(&all, &facts));
    tokio::spawn(async move {
        let decide = move |target: &RequestTarget<'_>| decide(&all, &facts, target);
        let builder = Builder::new().origin_set(first).concurrent_streams(7);
        let mut connection = builder.handshake(server, decide).await.unwrap();
        let mut answered = 0;
        while let Some(accepted) = connection.accept().await {
            let (_, mut respond, _) = accepted.unwrap().into_parts();
            let mut content = respond.send_response(Response::new(()), false).unwrap();
            content.send_data(Bytes::from(vec![0xc; CONTENT_LEN]), true).unwrap();
            answered += 1;
            match answered {
                1 => connection.announce(&second),
                _ => connection.graceful_shutdown(),
            }
        }
    });
    let (stream, reports) = Observed::new(client);
    let (requests, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { connection.await.unwrap() });
    (requests, reports)
}

async fn get(requests: &mut SendRequest<Bytes>, url: &str) -> usize {
    let request = Request::get(url).body(()).unwrap();
    let (response, _) = requests.send_request(request, true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    let mut content = response.into_body();
    let mut len = 0;
    while let Some(part) = content.data().await {
        let part = part.unwrap();
        content.flow_control().release_capacity(part.len()).unwrap();
        len += part.len();
    }
    len
}

fn origins(report: Option<ServerReport>) -> Vec<String> {
    let Some(ServerReport::Origins(origins)) = report else { panic!("{report:?}") };
    origins.iter().map(|origin| String::from_utf8(origin.to_vec()).unwrap()).collect()
}

#[tokio::test]
async fn client_learns_settings_origins_and_the_end_of_its_server() {
    let (mut requests, mut reports) = connect().await;
    let Some(ServerReport::Settings(settings)) = reports.next().await else { panic!() };
    assert_eq!(settings.max_concurrent_streams(), Some(7));
    assert!(!settings.extended_connect());
    assert_eq!(origins(reports.next().await), ["https://a.test"]);

    assert_eq!(get(&mut requests, "https://a.test/").await, CONTENT_LEN);
    assert_eq!(origins(reports.next().await), ["https://b.test"]);

    assert_eq!(get(&mut requests, "https://b.test/").await, CONTENT_LEN);
    // The server names the highest possible stream first, then the last one (RFC 9113 §6.8).
    let mut last_stream = u32::MAX;
    while let Some(report) = reports.next().await {
        let ServerReport::GoAway(goaway) = report else { panic!("{report:?}") };
        assert_eq!(goaway.error_code(), 0);
        assert!(goaway.last_stream() <= last_stream);
        last_stream = goaway.last_stream();
    }
    assert_eq!(last_stream, 3);
}
