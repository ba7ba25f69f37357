//! `coalesce serve`, with a real client and real upstreams.

use std::net::TcpListener;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::Method;

use crate::client::{Client, Server, read, write};
use crate::upstream::{self, HeldUpstream, Protocol};
use crate::world::{World, text, virtual_host};

const LISTENER: &str = "[[listener]]\naddress = \"127.0.0.1:0\"\n";

/// The longest wait for a step: enough for a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// Awaits `future`; panics instead of waiting forever.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(SOON, future).await.expect("the step completes in time")
}

/// A host `a` that answers with its name, and `b`, under the same certificate, with this answer.
fn world(answer: &str) -> World {
    let world = World::new();
    let a = virtual_host("a", "a.example.test", "A");
    let b = virtual_host("b", "b.example.test", "A").replace("{ text = \"vhost=b\\n\" }", answer);
    let cdn = virtual_host("cdn", "cdn.example.test", "CDN");
    world.write("site.toml", &format!("{LISTENER}{a}{b}{cdn}"));
    world
}

#[tokio::test]
async fn text_answers_every_request() {
    let world = world("{ text = \"{}\", status = 503, content_type = \"application/json\" }");
    let server = Server::start(&world, 1);
    let client = Client::connect(&world, server.address(), "a.example.test").await;
    let (head, content) = client.get("a.example.test", "/any/path").await;
    assert_eq!((head.status.as_u16(), &content[..]), (200, &b"vhost=a\n"[..]));
    assert_eq!(head.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(head.headers["content-length"], "8");
    assert!(head.headers.contains_key("date"));
    let (head, content) = client.ask(client.request(Method::HEAD, "a.example.test", "/")).await;
    assert_eq!((head.headers["content-length"].to_str().unwrap(), content.len()), ("8", 0));
    let (head, content) = client.get("b.example.test", "/").await;
    assert_eq!((head.status.as_u16(), &content[..]), (503, &b"{}"[..]));
    assert_eq!(head.headers["content-type"], "application/json");
    let (head, content) = client.get("cdn.example.test", "/").await;
    assert_eq!(head.status, 421);
    assert_eq!(content, r#"{"error":"misdirected_request"}"#);
}

#[tokio::test]
async fn unneeded_upload_returns_its_window() {
    let (_world, _server, client) = behind(Protocol::Http1).await;
    // Together twice the connection's window; half of the uploads never end.
    let part = Bytes::from(vec![0; 50_000]);
    let mut uploads = Vec::new();
    for number in 0..40 {
        let request = client.request(Method::POST, "a.example.test", "/");
        let (response, mut stream) = client.begin(request, false).await;
        stream.send_data(part.clone(), number % 2 == 0).unwrap();
        uploads.push((response, stream));
    }
    for (response, _stream) in uploads {
        assert_eq!(soon(response).await.unwrap().status(), 200);
    }
    // The window was returned, so an upload to the echo has all of it.
    let request = client.request(Method::POST, "b.example.test", "/echo");
    let (response, mut stream) = client.begin(request, false).await;
    let wanted = Bytes::from(vec![1; 1_000_000]);
    let echo = async { read(&mut response.await.unwrap().into_body()).await.unwrap() };
    let both = async { tokio::join!(echo, write(&mut stream, wanted.clone())).0 };
    let echo = soon(both).await;
    assert!(echo == wanted);
}

#[tokio::test]
async fn folder_is_served_and_no_file_outside_it() {
    let world = world("{ folder = \"public\" }");
    std::fs::create_dir(world.path("public")).unwrap();
    let large: String = "0123456789".repeat(300_000);
    world.write("public/index.html", "<p>hello");
    world.write("public/large.txt", &large);
    world.write("secret.txt", "secret");
    let server = Server::start(&world, 1);
    let client = Client::connect(&world, server.address(), "b.example.test").await;
    let (head, content) = client.get("b.example.test", "/").await;
    assert_eq!((head.status.as_u16(), &content[..]), (200, &b"<p>hello"[..]));
    assert_eq!(head.headers["content-type"], "text/html");
    let (_, content) = client.get("b.example.test", "/large.txt").await;
    assert!(content == large);
    let request = client.request(Method::HEAD, "b.example.test", "/large.txt");
    let (head, content) = client.ask(request).await;
    assert_eq!((head.headers["content-length"].to_str().unwrap(), content.len()), ("3000000", 0));
    for path in
        ["/missing", "/index.html/x", "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt"]
    {
        assert_eq!(client.get("b.example.test", path).await.0.status, 404, "{path}");
    }
    let (head, _) = client.ask(client.request(Method::POST, "b.example.test", "/")).await;
    assert_eq!(head.status, 405);
}

async fn behind(protocol: Protocol) -> (World, Server, Client) {
    let address = upstream::start(protocol).await;
    let scheme = match protocol {
        Protocol::Http1 => "http",
        Protocol::H2c => "h2c",
    };
    let world = world(&format!("{{ upstream = \"{scheme}://{address}\" }}"));
    let server = Server::start(&world, 1);
    let client = Client::connect(&world, server.address(), "a.example.test").await;
    (world, server, client)
}

#[tokio::test]
async fn upstream_gets_client_and_authority_of_a_request() {
    for protocol in [Protocol::Http1, Protocol::H2c] {
        let (_world, server, client) = behind(protocol).await;
        let mut request = client.request(Method::GET, "b.example.test", "/x?y=z");
        for (name, value) in [
            ("x-forwarded-for", "10.0.0.1"),
            ("x-own", "1"),
            ("te", "trailers"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
        ] {
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let (head, content) = client.ask(request).await;
        assert_eq!(head.status, 200, "{protocol:?}");
        let said = text(&content);
        let asked = format!("b.example.test:{}", server.address().port());
        let mut expected = vec![
            "x-forwarded-for: 127.0.0.1".to_owned(),
            format!("x-forwarded-host: {asked}"),
            "x-forwarded-proto: https".to_owned(),
            format!("forwarded: for=127.0.0.1;host=\"{asked}\";proto=https"),
            "via: 2.0 coalesce".to_owned(),
            "x-own: 1".to_owned(),
        ];
        expected.extend(match protocol {
            Protocol::Http1 => {
                ["GET /x?y=z".to_owned(), format!("host: {asked}"), "cookie: a=1; b=2".to_owned()]
            }
            Protocol::H2c => [
                format!("GET http://{asked}/x?y=z"),
                "te: trailers".to_owned(),
                "cookie: a=1".to_owned(),
            ],
        });
        for line in expected {
            assert!(said.lines().any(|said| said == line), "{protocol:?}: {line:?} not in\n{said}");
        }
        assert!(!said.contains("10.0.0.1"), "{protocol:?}: {said}");
        let once = said.lines().filter(|line| line.contains(": b.example.test:")).count();
        assert_eq!(once, if protocol == Protocol::Http1 { 2 } else { 1 }, "{said}");
    }
}

#[tokio::test]
async fn content_flows_both_ways_at_once_and_to_its_end() {
    for protocol in [Protocol::Http1, Protocol::H2c] {
        let (_world, _server, client) = behind(protocol).await;
        let request = client.request(Method::POST, "b.example.test", "/echo");
        let (response, mut stream) = client.begin(request, false).await;
        // The echo of the first part arrives before the second part is sent.
        stream.send_data(Bytes::from_static(b"first"), false).unwrap();
        let mut content = response.await.unwrap().into_body();
        let first = content.data().await.unwrap().unwrap();
        assert_eq!(&first[..], b"first", "{protocol:?}");
        content.flow_control().release_capacity(first.len()).unwrap();
        // Content of many windows.
        let large = Bytes::from(b"0123456789abcdef".repeat(500_000));
        let both = async { tokio::join!(read(&mut content), write(&mut stream, large.clone())) };
        let (echo, ()) = soon(both).await;
        assert!(echo.unwrap() == large, "{protocol:?}");
    }
}

#[tokio::test]
async fn fields_for_one_hop_are_not_passed_on() {
    for protocol in [Protocol::Http1, Protocol::H2c] {
        let (_world, _server, client) = behind(protocol).await;
        let (head, _) = client.get("b.example.test", "/hop").await;
        let names: Vec<&str> = head.headers.keys().map(http::HeaderName::as_str).collect();
        assert!(names.contains(&"x-kept") && names.contains(&"date"), "{names:?}");
        for gone in ["connection", "keep-alive", "x-own", "transfer-encoding"] {
            assert!(!names.contains(&gone), "{names:?}");
        }
    }
}

#[tokio::test]
async fn client_that_expects_100_continue_gets_it() {
    let (_world, _server, client) = behind(Protocol::Http1).await;
    let mut request = client.request(Method::POST, "b.example.test", "/echo");
    request.headers_mut().insert("expect", "100-continue".parse().unwrap());
    let (mut response, mut stream) = client.begin(request, false).await;
    let told = std::future::poll_fn(|context| response.poll_informational(context)).await;
    assert_eq!(told.unwrap().unwrap().status(), 100);
    stream.send_data(Bytes::from_static(b"content"), true).unwrap();
    let mut content = response.await.unwrap().into_body();
    assert_eq!(read(&mut content).await.unwrap(), "content");
}

#[tokio::test]
async fn failed_upstream_is_a_502() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nonsense = upstream::start_raw(b"nonsense\r\n\r\n").await;
    let switching = upstream::start_raw(
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    )
    .await;
    for upstream in [
        format!("http://{unused}"),
        format!("h2c://{unused}"),
        format!("http://{nonsense}"),
        format!("h2c://{nonsense}"),
        format!("http://{switching}"),
    ] {
        let world = world(&format!("{{ upstream = \"{upstream}\" }}"));
        let server = Server::start(&world, 1);
        let client = Client::connect(&world, server.address(), "a.example.test").await;
        let (head, content) = client.get("b.example.test", "/").await;
        assert_eq!(head.status, 502, "{upstream}");
        assert_eq!(content, r#"{"error":"bad_gateway"}"#);
        assert_eq!(client.get("a.example.test", "/").await.0.status, 200, "{upstream}");
    }
}

#[tokio::test]
async fn content_that_breaks_off_is_not_taken_for_the_whole() {
    let address = upstream::start_raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nonly").await;
    let world = world(&format!("{{ upstream = \"http://{address}\" }}"));
    let server = Server::start(&world, 1);
    let client = Client::connect(&world, server.address(), "a.example.test").await;
    let request = client.request(Method::GET, "b.example.test", "/");
    let (response, _) = client.begin(request, true).await;
    // The reset may overtake the head.
    let error = match response.await {
        Ok(response) => read(&mut response.into_body()).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
    assert_eq!(client.get("a.example.test", "/").await.0.status, 200);
}

#[tokio::test]
async fn request_is_repeated_if_the_upstream_closed_the_connection() {
    // SETTINGS, the acknowledgement of SETTINGS, and GOAWAY with NO_ERROR before any stream.
    const FAREWELL: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0\
                              \0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let (address, connections) = upstream::start_raw_once(FAREWELL).await;
    let world = world(&format!("{{ upstream = \"h2c://{address}\" }}"));
    let server = Server::start(&world, 1);
    let client = Client::connect(&world, server.address(), "a.example.test").await;
    let (head, _) = client.get("b.example.test", "/").await;
    assert_eq!(head.status, 200, "the request is made again on a new connection");
    assert_eq!(client.get("b.example.test", "/").await.0.status, 200);
    assert_eq!(connections.load(std::sync::atomic::Ordering::Relaxed), 2);
}

#[tokio::test]
async fn unlisted_authority_gets_404_if_the_group_says_so() {
    let world = world("{ text = \"b\" }");
    let site = std::fs::read_to_string(world.path("site.toml")).unwrap();
    let group = "\n[[group]]\nname = \"default\"\nunknown_authority = \"not-found\"\n";
    world.write("site.toml", &format!("{site}{group}"));
    let server = Server::start(&world, 1);
    let client = Client::connect(&world, server.address(), "a.example.test").await;
    let (head, content) = client.get("nobody.example.test", "/").await;
    assert_eq!((head.status.as_u16(), &content[..]), (404, &br#"{"error":"not_found"}"#[..]));
    assert_eq!(client.get("cdn.example.test", "/").await.0.status, 421);
}

#[tokio::test]
async fn server_told_to_end_finishes_open_requests() {
    let mut upstream = HeldUpstream::start().await;
    let world = world(&format!("{{ upstream = \"http://{}\" }}", upstream.address));
    let server = Server::start(&world, 1);
    let client = Client::connect(&world, server.address(), "a.example.test").await;
    let address = server.address();
    let open = tokio::spawn(async move { client.get("b.example.test", "/").await });
    upstream.asked().await;
    server.terminate();
    server.logged("ending", 1).await;
    upstream.release();
    let (head, content) = open.await.unwrap();
    assert_eq!((head.status.as_u16(), &content[..]), (200, &b"held\n"[..]));
    let ended = tokio::task::spawn_blocking(move || server.end(SOON));
    let (code, log) = ended.await.unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("ending") && !log.contains("cut off"), "{log}");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn server_told_to_end_does_not_wait_for_connections_without_requests() {
    let world = world("{ text = \"b\" }");
    let server = Server::start(&world, 1);
    let silent = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    // Connections are accepted in order: once this one is served, the silent one is open.
    let client = Client::connect(&world, server.address(), "a.example.test").await;
    assert_eq!(client.get("a.example.test", "/").await.0.status, 200);
    server.terminate();
    let ended = tokio::task::spawn_blocking(move || server.end(Duration::from_secs(5)));
    assert_eq!(ended.await.unwrap().0, Some(0));
    drop(silent);
}

#[tokio::test]
async fn reason_of_a_421_is_in_the_log() {
    let world = world("{ text = \"b\" }");
    let server = Server::start(&world, 1);
    let client = Client::connect(&world, server.address(), "a.example.test").await;
    assert_eq!(client.get("cdn.example.test", "/").await.0.status, 421);
    server.terminate();
    let (_, log) = tokio::task::spawn_blocking(move || server.end(SOON)).await.unwrap();
    let line = log.lines().find(|line| line.contains("misdirected")).unwrap_or_default();
    for part in ["reason=\"certificate\"", "server_name=a.example.test", "peer=127.0.0.1:"] {
        assert!(line.contains(part), "{part:?} missing in:\n{log}");
    }
}

#[tokio::test]
async fn groups_stay_on_their_listeners() {
    let world = World::new();
    let listeners = "[[listener]]\nname = \"public\"\naddress = \"127.0.0.1:0\"\n\n\
                     [[listener]]\nname = \"internal\"\naddress = \"127.0.0.1:0\"\n";
    let a = virtual_host("a", "a.example.test", "A");
    let b = virtual_host("b", "b.example.test", "A") + "listeners = [\"internal\"]\n";
    world.write("site.toml", &format!("{listeners}{a}{b}"));
    let server = Server::start(&world, 2);
    let [public, internal] = server.addresses[..] else { panic!() };
    let client = Client::connect(&world, public, "a.example.test").await;
    assert_eq!(client.get("a.example.test", "/").await.0.status, 200);
    assert_eq!(client.get("b.example.test", "/").await.0.status, 421);
    let client = Client::connect(&world, internal, "b.example.test").await;
    assert_eq!(client.get("b.example.test", "/").await.1, "vhost=b\n");
}

#[test]
fn all_listeners_are_bound_or_none() {
    let world = World::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let listeners = format!(
        "[[listener]]\nname = \"free\"\naddress = \"127.0.0.1:0\"\n\n\
         [[listener]]\nname = \"taken\"\naddress = \"{address}\"\n"
    );
    world.write("site.toml", &(listeners + &virtual_host("a", "a.example.test", "A")));
    let output = world.run(&["serve", "--config", "site.toml"]);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(text(&output.stdout), "");
    let expected = format!("cannot listen on {address} (listener \"taken\"): Address already");
    assert!(text(&output.stderr).contains(&expected), "{output:?}");
}
