//! Floods of misdirected requests without a refusal limit. The command line cannot switch the limit
//! off, so a server of the libraries runs in this process, whose memory is counted to the byte.

use std::net::TcpStream;
use std::sync::Arc;

use allocation_counter::AllocationInfo;
use coalesce_core::{
    AuthorityTable, GroupId, GroupPolicy, NamePattern, RequestTarget, VirtualHostId, decide,
};
use coalesce_h2::Builder;
use coalesce_tls::{
    Acceptor, HandshakeTableBuilder, TlsPolicy, certificates_from_pem, private_key_from_pem,
};
use http::Response;
use tokio::net::TcpListener;
use tokio::runtime;

use super::server::{A, C, misdirected};
use coalesce_tests::World;
use coalesce_tests::raw::{Raw, get};
use coalesce_tests::tls;

const GROUP: GroupId = GroupId::new(0);

/// Sends its port, and serves one connection to its end.
async fn serve(world: &World, builder: Builder, port: std::sync::mpsc::Sender<u16>) -> u64 {
    let file = |name: &str| std::fs::read(world.path(name)).unwrap();
    let pattern = |name: &'static str| NamePattern::parse(name.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut handshakes = HandshakeTableBuilder::new(provider);
    handshakes.group(GROUP, TlsPolicy::default()).unwrap();
    let chain = certificates_from_pem(&file("A.pem")).unwrap();
    let key = private_key_from_pem(&file("A.key")).unwrap();
    let certificate = handshakes.certificate(chain, key).unwrap();
    handshakes.server_name(pattern(A), GROUP, certificate).unwrap();
    let acceptor = Acceptor::new(Arc::new(handshakes.build().unwrap()));
    let mut table = AuthorityTable::builder();
    table.group(GROUP, GroupPolicy::default()).unwrap();
    table.entry(pattern(A), VirtualHostId::new(0), GROUP).unwrap();
    let table = table.build().unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    port.send(listener.local_addr().unwrap().port()).unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    let (stream, facts) = acceptor.accept(socket).await.unwrap();
    let connection = facts.connection(443);
    let decide = |target: &RequestTarget<'_>| decide(&table, &connection, target);
    let mut connection = builder.handshake(stream, decide).await.unwrap();
    let mut served = 0;
    // An error ends the connection, and the client checks its error code.
    while let Some(Ok(accepted)) = connection.accept().await {
        let (_, mut respond, _) = accepted.into_parts();
        let _ = respond.send_response(Response::new(()), true);
        served += 1;
    }
    served
}

/// Sends `count` misdirected requests and one that is served. Returns the allocations of the
/// server's thread, with the largest sum at any time.
fn attack(world: &World, builder: &Builder, count: usize) -> AllocationInfo {
    std::thread::scope(|scope| {
        let (port, of_server) = std::sync::mpsc::channel();
        let server = scope.spawn(move || {
            let mut served = 0;
            let info = allocation_counter::measure(|| {
                let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
                served = runtime.block_on(serve(world, builder.clone(), port));
            });
            assert_eq!(served, 1);
            info
        });
        let address = ("127.0.0.1", of_server.recv().unwrap());
        let socket = TcpStream::connect(address).unwrap();
        let mut raw = Raw::over(tls::open(tls::config(world, tls::BOTH, None), A, socket));
        raw.begin(&[]);
        raw.send(&coalesce_tests::raw::window_update(0, 1 << 30));
        for _ in 0..count / 200 {
            let streams: Vec<u32> = (0..200).map(|_| raw.stream()).collect();
            let asked: Vec<u8> = streams.iter().flat_map(|stream| get(*stream, C)).collect();
            raw.send(&asked);
            for stream in streams {
                assert_eq!(raw.answer(stream), misdirected());
            }
        }
        assert_eq!(raw.ask(A).status, Some(200), "a served request after the misdirected ones");
        drop(raw);
        server.join().unwrap()
    })
}

/// Attack: a hundred thousand misdirected requests on one connection, none served among them, and
/// an operator who set no refusal limit. Answered early or late, the server's largest memory is
/// that for a thousand requests: the difference is less than one byte a stream.
#[test]
fn memory_stays_flat_without_a_refusal_limit() {
    let world = World::new(&[("A", &[A])], "");
    for (early, many) in [(true, 100_000), (false, 20_000)] {
        let builder = Builder::new().refused_in_a_row(None).answer_early(early);
        let few = attack(&world, &builder, 1_000);
        let all = attack(&world, &builder, many);
        let grown = all.bytes_max.saturating_sub(few.bytes_max);
        assert!(grown < many as u64, "early {early}: {few:?}, {all:?}");
    }
}
