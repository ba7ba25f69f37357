//! Measures the adapter's cost against bare `h2`, over an in-memory stream. The loads are bursts of
//! requests that are served, misdirected, one in ten misdirected, or uploads that are refused.
//!
//! Both ends of the connection run in one thread, so every figure includes the client's share, and
//! the ratio of two figures understates the difference. Each optimisation of the adapter is
//! switched off in turn. Every answer is checked.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use coalesce_benches::bare::{self, Answers, CONTENT};
use coalesce_core::{
    AuthorityTable, ClientCertificates, GroupId, GroupPolicy, IdentifierSet, NamePattern,
    PresentedIdentifier, RequestTarget, ServerConnection, VirtualHostId, decide,
};
use coalesce_h2::Builder;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use h2::client::SendRequest;
use http::header::{ACCEPT, USER_AGENT};
use http::{Method, Request, Version};
use tokio::io::DuplexStream;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

/// The requests in flight at once, as many as a browser or `h2load -m100` sends.
const BURST: usize = 100;

/// The window that the client grants to the connection.
const CLIENT_WINDOW_BYTES: u32 = 1 << 24;

const SERVED: &str = "api.example.test";
const ELSEWHERE: &str = "cdn.example.test";

/// The part of an upload that is sent before the answer. The upload never ends.
static UPLOAD: [u8; 1024] = [b'u'; 1024];

/// Runs the smallest possible server.
async fn bare(io: DuplexStream) {
    bare::serve(io, Arc::new(Answers::new(SERVED.to_owned()))).await.unwrap();
}

async fn adapter(io: DuplexStream, settings: Builder) {
    let group = GroupId::new(0);
    let mut table = AuthorityTable::builder();
    table.group(group, GroupPolicy::default()).unwrap();
    for (id, name) in (0..).zip([SERVED, ELSEWHERE]) {
        let name = NamePattern::parse(name.as_bytes()).unwrap();
        table.entry(name, VirtualHostId::new(id), group).unwrap();
    }
    let table = table.build().unwrap();
    let presented = PresentedIdentifier::parse_dns(SERVED.as_bytes()).unwrap();
    let presented = IdentifierSet::build([presented]).unwrap();
    let decide = |target: &RequestTarget<'_>| {
        decide(
            &table,
            &ServerConnection::tls(&presented, group, ClientCertificates::NotAsked, 443),
            target,
        )
    };
    let settings = settings.refused_in_a_row(None);
    let mut connection = settings.handshake(io, decide).await.unwrap();
    let answers = Answers::new(SERVED.to_owned());
    while let Some(accepted) = connection.accept().await {
        let (_, respond, _) = accepted.unwrap().into_parts();
        answers.served.send(respond).unwrap();
    }
}

/// Returns a client whose server runs on `runtime`.
fn connect<F: Future<Output = ()> + 'static>(
    tasks: &LocalSet,
    runtime: &Runtime,
    server: impl FnOnce(DuplexStream) -> F,
) -> SendRequest<Bytes> {
    let (client_io, server_io) = tokio::io::duplex(1 << 20);
    tasks.spawn_local(server(server_io));
    tasks.block_on(runtime, async {
        // Browsers and curl grant megabytes, while the default of h2 is 64 KiB.
        let mut settings = h2::client::Builder::new();
        settings.initial_connection_window_size(CLIENT_WINDOW_BYTES);
        let (client, connection) = settings.handshake(client_io).await.unwrap();
        tokio::task::spawn_local(async { connection.await.unwrap() });
        client.ready().await.unwrap()
    })
}

/// The kind of requests in a burst.
#[derive(Clone, Copy)]
enum Load {
    Served,
    Misdirected,
    /// Every tenth request is misdirected.
    Mixed,
    /// The requests are misdirected, and their bodies are still arriving when they are answered.
    Uploads,
}

impl Load {
    const ALL: [(&str, Self); 4] = [
        ("200", Self::Served),
        ("421", Self::Misdirected),
        ("nine 200 to one 421", Self::Mixed),
        ("uploads refused", Self::Uploads),
    ];

    /// Returns whether the request with this number is served.
    const fn is_served(self, number: usize) -> bool {
        match self {
            Self::Served => true,
            Self::Misdirected | Self::Uploads => false,
            Self::Mixed => !number.is_multiple_of(10),
        }
    }
}

async fn burst(client: &SendRequest<Bytes>, load: Load) {
    let mut open = Vec::with_capacity(BURST);
    let upload = matches!(load, Load::Uploads);
    for number in 0..BURST {
        let served = load.is_served(number);
        let authority = if served { SERVED } else { ELSEWHERE };
        let request = Request::builder()
            .method(if upload { Method::POST } else { Method::GET })
            .version(Version::HTTP_2)
            .uri(format!("https://{authority}/"))
            .header(USER_AGENT, "coalesce-benches")
            .header(ACCEPT, "*/*")
            .body(())
            .unwrap();
        let mut client = client.clone().ready().await.unwrap();
        let (response, mut body) = client.send_request(request, !upload).unwrap();
        if upload {
            body.send_data(Bytes::from_static(&UPLOAD), false).unwrap();
        }
        open.push((served, response, body));
    }
    for (served, response, _body) in open {
        let response = response.await.unwrap();
        assert_eq!(response.status(), if served { 200 } else { 421 });
        let mut body = response.into_body();
        let mut len = 0;
        while let Some(data) = body.data().await {
            let data = black_box(data.unwrap());
            body.flow_control().release_capacity(data.len()).unwrap();
            assert!(!served || data == CONTENT);
            len += data.len();
        }
        assert_ne!(len, 0);
    }
}

fn bursts(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let tasks = LocalSet::new();
    let servers = [
        ("bare h2", connect(&tasks, &runtime, bare)),
        ("adapter", connect(&tasks, &runtime, |io| adapter(io, Builder::new()))),
        (
            "adapter, writes not batched",
            connect(&tasks, &runtime, |io| adapter(io, Builder::new().batch_writes(false))),
        ),
        (
            "adapter, nothing answered early",
            connect(&tasks, &runtime, |io| adapter(io, Builder::new().answer_early(false))),
        ),
    ];
    let mut group = criterion.benchmark_group("burst of 100");
    group.throughput(Throughput::Elements(BURST as u64));
    for (load_name, load) in Load::ALL {
        for (server, client) in &servers {
            group.bench_function(format!("{server}, {load_name}"), |bencher| {
                bencher.iter(|| tasks.block_on(&runtime, burst(client, load)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bursts);
criterion_main!(benches);
