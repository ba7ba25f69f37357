//! The adapter's cost against bare `h2`, over an in-memory stream: bursts of requests, answered 200
//! or 421. Both ends of the connection run in the one thread, so the client's share is in every
//! figure; the ratio between two figures understates the difference.

use std::hint::black_box;

use bytes::Bytes;
use coalesce_core::{
    AuthorityTable, Connection, GroupId, GroupPolicy, IdentifierSet, NamePattern,
    PresentedIdentifier, RequestTarget, VirtualHostId, decide,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use h2::client::SendRequest;
use h2::server::SendResponse;
use http::{Request, Response, Version};
use tokio::io::DuplexStream;
use tokio::runtime::Runtime;

/// Requests in flight at once, as many as a browser or `h2load -m100` sends.
const BURST: usize = 100;

const CONTENT: &[u8] = b"hello world\n";

fn answer(mut respond: SendResponse<Bytes>) {
    let mut send = respond.send_response(Response::new(()), false).unwrap();
    send.send_data(Bytes::from_static(CONTENT), true).unwrap();
}

/// The least that a server can do.
async fn bare(io: DuplexStream) {
    let mut connection = h2::server::handshake(io).await.unwrap();
    while let Some(Ok((_, respond))) = connection.accept().await {
        answer(respond);
    }
}

async fn adapter(io: DuplexStream) {
    let group = GroupId::new(0);
    let mut table = AuthorityTable::builder();
    table.group(group, GroupPolicy::default()).unwrap();
    for (id, name) in (0..).zip([&b"api.example.test"[..], b"cdn.example.test"]) {
        let name = NamePattern::parse(name).unwrap();
        table.entry(name, VirtualHostId::new(id), group).unwrap();
    }
    let table = table.build().unwrap();
    let api = PresentedIdentifier::parse_dns(b"api.example.test").unwrap();
    let presented = IdentifierSet::build([api]).unwrap();
    let decide = |target: &RequestTarget<'_>| {
        decide(&table, &Connection::tls(presented.borrow(), group, &[443]), target)
    };
    let builder = coalesce_h2::Builder::new().refused_in_a_row(None);
    let mut connection = builder.handshake(io, decide).await.unwrap();
    while let Some(Ok(accepted)) = connection.accept().await {
        let (_, respond, _) = accepted.into_parts();
        answer(respond);
    }
}

/// A client whose server runs on `runtime`.
fn connect<F: Future<Output = ()> + 'static>(
    tasks: &tokio::task::LocalSet,
    runtime: &Runtime,
    server: impl FnOnce(DuplexStream) -> F,
) -> SendRequest<Bytes> {
    let (client_io, server_io) = tokio::io::duplex(1 << 20);
    tasks.spawn_local(server(server_io));
    tasks.block_on(runtime, async {
        let (client, connection) = h2::client::handshake(client_io).await.unwrap();
        tokio::task::spawn_local(async { connection.await.unwrap() });
        client.ready().await.unwrap()
    })
}

async fn burst(client: &SendRequest<Bytes>, authority: &str, expected: u16) {
    let mut responses = Vec::with_capacity(BURST);
    for _ in 0..BURST {
        let request = Request::builder()
            .version(Version::HTTP_2)
            .uri(format!("https://{authority}/"))
            .body(())
            .unwrap();
        let mut client = client.clone().ready().await.unwrap();
        responses.push(client.send_request(request, true).unwrap().0);
    }
    for response in responses {
        let response = response.await.unwrap();
        assert_eq!(response.status(), expected);
        let mut body = response.into_body();
        while let Some(data) = body.data().await {
            let data = data.unwrap();
            body.flow_control().release_capacity(data.len()).unwrap();
            black_box(data);
        }
    }
}

fn bursts(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut group = criterion.benchmark_group("burst of 100");
    group.throughput(Throughput::Elements(BURST as u64));
    let mut run =
        |name: &str, client: SendRequest<Bytes>, tasks: &tokio::task::LocalSet, to, status| {
            group.bench_function(name, |bencher| {
                bencher.iter(|| tasks.block_on(&runtime, burst(&client, to, status)));
            });
        };
    let tasks = tokio::task::LocalSet::new();
    run("bare h2, 200", connect(&tasks, &runtime, bare), &tasks, "api.example.test", 200);
    run("adapter, 200", connect(&tasks, &runtime, adapter), &tasks, "api.example.test", 200);
    run("adapter, 421", connect(&tasks, &runtime, adapter), &tasks, "cdn.example.test", 421);
    group.finish();
}

criterion_group!(benches, bursts);
criterion_main!(benches);
