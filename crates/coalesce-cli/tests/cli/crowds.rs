//! Clients that hold many requests open, and the request of another client beside them.
//!
//! Each test asserts the order of events: the other client's answer is whole while all requests of
//! the crowd are still open. No test measures time.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::RecvStream;
use h2::client::ResponseFuture;
use http::Method;
use tokio::task::JoinSet;

use crate::client::{Client, Server, read};
use crate::upstream::{Counted, LARGE, Protocol};
use crate::world::{World, virtual_host};

const A: &str = "a.example.test";

/// Streams that an upstream over HTTP/2 allows, and requests of one client that are under way.
const OF_ONE: usize = 100;

async fn behind(protocol: Protocol) -> (World, Server, Counted) {
    let upstream = Counted::start(protocol, OF_ONE).await;
    let scheme = if protocol == Protocol::Http1 { "http" } else { "h2c" };
    let answer = format!("{{ upstream = \"{scheme}://{}\" }}", upstream.address);
    let world = World::new();
    let host = virtual_host("a", A, "A").replace("{ text = \"vhost=a\\n\" }", &answer);
    world.write("site.toml", &format!("[[listener]]\naddress = \"127.0.0.1:0\"\n{host}"));
    let server = Server::start(&world, 1);
    (world, server, upstream)
}

/// Another client gets a whole answer through the same upstream.
async fn bystander_is_served(world: &World, server: &Server, beside: &str) {
    let client = Client::connect(world, server.address(), A).await;
    let (head, content) = client.get(A, "/large").await;
    assert_eq!((head.status.as_u16(), content.len()), (200, LARGE), "beside {beside}");
}

/// A client that reads no content.
struct Reader {
    begun: Vec<RecvStream>,
    _waiting: JoinSet<RecvStream>,
    _client: Client,
}

/// Clients whose answers have begun.
async fn slow_readers(
    world: &World,
    server: &Server,
    connections: usize,
    streams: usize,
) -> Vec<Reader> {
    let mut readers = Vec::new();
    for _ in 0..connections {
        let client = Client::connect_with_window(world, server.address(), A, 1).await;
        let mut asked = JoinSet::new();
        for _ in 0..streams {
            let request = client.request(Method::GET, A, "/large");
            let (answer, _) = client.begin(request, true).await;
            asked.spawn(async move { answer.await.unwrap().into_body() });
        }
        let mut begun = Vec::new();
        // The requests of a client beyond its bound wait for the others, in any order.
        while begun.len() < streams.min(OF_ONE) {
            begun.push(asked.join_next().await.unwrap().unwrap());
        }
        readers.push(Reader { begun, _waiting: asked, _client: client });
    }
    readers
}

/// Returns true if an answer is still open: neither ended nor reset.
fn is_open(answer: &mut RecvStream) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match answer.poll_data(&mut context) {
            Poll::Pending => return true,
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(_) => return false,
        }
    }
}

#[tokio::test]
async fn other_client_is_served_beside_slow_readers() {
    for (protocol, connections, streams) in [
        (Protocol::H2c, 1, 24),
        (Protocol::H2c, 24, 1),
        (Protocol::H2c, 1, 200),
        (Protocol::H2c, 2, 100),
        (Protocol::H2c, 20, 100),
        (Protocol::Http1, 1, 24),
        (Protocol::Http1, 2, 100),
    ] {
        let crowd = format!("{connections} clients with {streams} answers over {protocol:?}");
        let (world, server, _upstream) = behind(protocol).await;
        let mut readers = slow_readers(&world, &server, connections, streams).await;
        bystander_is_served(&world, &server, &crowd).await;
        let mut begun = readers.iter_mut().flat_map(|reader| &mut reader.begun);
        assert!(begun.all(is_open), "{crowd}: an answer has ended");
    }
}

/// Starts requests whose content has begun and pauses, on their connections.
async fn uploads(
    world: &World,
    server: &Server,
    connections: usize,
    streams: usize,
) -> Vec<(Client, Vec<(ResponseFuture, h2::SendStream<Bytes>)>)> {
    let mut all = Vec::new();
    for _ in 0..connections {
        let client = Client::connect(world, server.address(), A).await;
        let mut begun = Vec::new();
        for _ in 0..streams {
            let request = client.request(Method::POST, A, "/upload");
            let (answer, mut content) = client.begin(request, false).await;
            content.send_data(Bytes::from_static(b"x"), false).unwrap();
            begun.push((answer, content));
        }
        all.push((client, begun));
    }
    all
}

#[tokio::test]
async fn other_client_is_served_beside_uploads_that_rest() {
    for (protocol, connections, streams) in [
        (Protocol::H2c, 1, 110),
        (Protocol::H2c, 1, 250),
        (Protocol::H2c, 10, 100),
        (Protocol::Http1, 1, 110),
        (Protocol::Http1, 1, 250),
    ] {
        let crowd = format!("{connections} clients with {streams} uploads over {protocol:?}");
        let (world, server, upstream) = behind(protocol).await;
        let mut uploads = uploads(&world, &server, connections, streams).await;
        upstream.has_begun(connections * streams.min(OF_ONE)).await;
        bystander_is_served(&world, &server, &crowd).await;
        assert_eq!(upstream.ended(), 1, "of {crowd}, and the one beside them");
        let mut context = Context::from_waker(Waker::noop());
        for (answer, _) in uploads.iter_mut().flat_map(|(_, begun)| begun) {
            assert!(Pin::new(answer).poll(&mut context).is_pending(), "{crowd}: one was answered");
        }
    }
}

/// The requests of a client beyond its bound are not refused: each is sent when another has ended.
#[tokio::test]
async fn requests_beyond_the_bound_of_a_client_wait_for_others_to_end() {
    for protocol in [Protocol::H2c, Protocol::Http1] {
        let (world, server, upstream) = behind(protocol).await;
        let mut uploads = uploads(&world, &server, 1, OF_ONE + 10).await;
        upstream.has_begun(OF_ONE).await;
        let (client, begun) = uploads.pop().unwrap();
        for (answer, mut content) in begun {
            content.send_data(Bytes::from_static(b"y"), true).unwrap();
            let mut answer = answer.await.unwrap();
            assert_eq!(answer.status(), 200, "{protocol:?}");
            assert_eq!(read(answer.body_mut()).await.unwrap(), "2");
        }
        assert_eq!(upstream.ended(), OF_ONE + 10);
        drop(client);
    }
}

/// A folder with `index.html` and `large`, and an upstream, behind a server that may have this many
/// files open.
async fn with_open_files(limit: u32) -> (World, Server, Counted) {
    let upstream = Counted::start(Protocol::Http1, OF_ONE).await;
    let world = World::new();
    std::fs::create_dir(world.path("public")).unwrap();
    world.write("public/index.html", "index");
    world.write("public/large", &"x".repeat(LARGE));
    let answers =
        ["{ folder = \"public\" }", &format!("{{ upstream = \"http://{}\" }}", upstream.address)];
    let hosts = ["a", "b"].into_iter().zip(answers).map(|(name, answer)| {
        let host = virtual_host(name, &format!("{name}.example.test"), "A");
        host.replace(&format!("{{ text = \"vhost={name}\\n\" }}"), answer)
    });
    let hosts: String = hosts.collect();
    world.write("site.toml", &format!("[[listener]]\naddress = \"127.0.0.1:0\"\n{hosts}"));
    let server = Server::start_with_open_files(&world, limit);
    (world, server, upstream)
}

#[tokio::test]
async fn other_client_is_served_beside_clients_that_take_open_files() {
    const B: &str = "b.example.test";
    for (limit, connections, streams) in [(1_024, 5, 249), (1_024, 50, 20), (8_192, 500, 6)] {
        for (host, method, path) in [(A, Method::GET, "/large"), (B, Method::POST, "/upload")] {
            let crowd = format!("{connections} clients with {streams} of {method}, limit {limit}");
            let (world, server, _upstream) = with_open_files(limit).await;
            let mut kept = Vec::new();
            for _ in 0..connections {
                let client = Client::connect_with_window(&world, server.address(), A, 1).await;
                for _ in 0..streams {
                    let request = client.request(method.clone(), host, path);
                    kept.push(client.begin(request, method == Method::GET).await);
                }
                kept.push(client.begin(client.request(Method::GET, A, "/"), true).await);
            }
            let client = Client::connect(&world, server.address(), A).await;
            for (host, path) in [(A, "/"), (B, "/large"), (A, "/large")] {
                let (head, _) = client.get(host, path).await;
                assert_eq!(head.status, 200, "{host}{path} beside {crowd}");
            }
            drop(kept);
        }
    }
}

#[tokio::test]
async fn request_without_an_open_file_to_spare_is_a_503_that_is_logged() {
    let (world, server, _upstream) = with_open_files(150).await;
    let client = Client::connect_with_window(&world, server.address(), A, 1).await;
    let mut held = Vec::new();
    let refused = loop {
        let request = client.request(Method::GET, A, "/large");
        let answer = client.begin(request, true).await.0.await.unwrap();
        match answer.status().as_u16() {
            200 => held.push(answer),
            503 => break answer,
            other => panic!("{other} after {}", held.len()),
        }
    };
    assert_eq!(refused.headers()["retry-after"], "5");
    server.logged("no open file to spare", 1).await;
    let line = server.logged("open files", 1).await;
    assert!(line.contains("limit=150") && line.contains("content=21"), "{line}");
    // An answer that ends frees its file.
    let ended = held.len();
    assert!(ended > 5, "{ended}");
    drop(held);
    while client.get(A, "/").await.0.status != 200 {
        tokio::task::yield_now().await;
    }
}
