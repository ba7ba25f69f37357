//! Content and its length on the way through the server, and the client certificate for upstreams.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, Method};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::client::{Client, Server, config_with_client_certificate, read};
use crate::upstream::{self, Protocol};
use crate::world::{World, text, virtual_host};

const A: &str = "a.example.test";

fn world(answer: &str, more: &str) -> World {
    let world = World::new();
    let host = virtual_host("a", A, "A").replace("{ text = \"vhost=a\\n\" }", answer);
    world.write("site.toml", &format!("[[listener]]\naddress = \"127.0.0.1:0\"\n{host}{more}"));
    world
}

/// An HTTP/1.1 upstream that answers every head at once and reads no content, so that content would
/// be taken for the next head. Keeps the bytes of each connection.
async fn deaf_upstream() -> (std::net::SocketAddr, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::<Mutex<Vec<Vec<u8>>>>::default();
    let kept = connections.clone();
    tokio::spawn(async move {
        loop {
            let mut stream = listener.accept().await.unwrap().0;
            let number = {
                let mut kept = kept.lock().unwrap();
                kept.push(Vec::new());
                kept.len() - 1
            };
            let kept = kept.clone();
            tokio::spawn(async move {
                let (mut bytes, mut answered) = ([0; 4096], 0);
                while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                    let heads = {
                        let all = &mut kept.lock().unwrap()[number];
                        all.extend_from_slice(&bytes[..count]);
                        all.windows(4).filter(|end| end == b"\r\n\r\n").count()
                    };
                    while answered < heads {
                        answered += 1;
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                        if stream.write_all(answer).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    (address, connections)
}

#[tokio::test]
async fn content_of_get_is_not_taken_for_the_next_request() {
    const SMUGGLED: &[u8] = b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    for (method, has_length) in [
        (Method::GET, false),
        (Method::GET, true),
        (Method::HEAD, true),
        (Method::DELETE, false),
        (Method::POST, true),
    ] {
        let (address, connections) = deaf_upstream().await;
        let world = world(&format!("{{ upstream = \"http://{address}\" }}"), "");
        let server = Server::start(&world, 1);
        let client = Client::connect(&world, server.address(), A).await;
        let mut request = client.request(method.clone(), A, "/first");
        if has_length {
            request.headers_mut().insert("content-length", SMUGGLED.len().into());
        }
        let (answer, mut content) = client.begin(request, false).await;
        assert_eq!(answer.await.unwrap().status(), 200);
        // The connection to the upstream may be closed by now.
        let _ = content.send_data(Bytes::from_static(SMUGGLED), true);
        assert_eq!(client.get(A, "/second").await.0.status, 200);
        let connections = connections.lock().unwrap();
        let with = |path: &str| {
            let has = |bytes: &Vec<u8>| bytes.windows(path.len()).any(|it| it == path.as_bytes());
            connections.iter().position(has)
        };
        assert_ne!(with(" /first "), with(" /second "), "{method} {has_length}");
        let first = text(&connections[with(" /first ").unwrap()]).to_owned();
        let framing = if has_length {
            format!("content-length: {}\r\n", SMUGGLED.len())
        } else {
            "transfer-encoding: chunked\r\n".to_owned()
        };
        assert!(first.contains(&framing), "{method}: {first}");
        let closes = first.contains("connection: close\r\n");
        assert_eq!(closes, method != Method::POST, "{method}: {first}");
    }
}

#[tokio::test]
async fn content_of_get_reaches_an_upstream_that_reads_it() {
    for protocol in [Protocol::Http1, Protocol::H2c] {
        let address = upstream::start(protocol).await;
        let scheme = if protocol == Protocol::Http1 { "http" } else { "h2c" };
        let world = world(&format!("{{ upstream = \"{scheme}://{address}\" }}"), "");
        let server = Server::start(&world, 1);
        let client = Client::connect(&world, server.address(), A).await;
        let request = client.request(Method::GET, A, "/echo");
        let (answer, mut content) = client.begin(request, false).await;
        content.send_data(Bytes::from_static(b"query"), true).unwrap();
        let mut answer = answer.await.unwrap();
        assert_eq!(read(answer.body_mut()).await.unwrap(), "query", "{protocol:?}");
    }
}

#[tokio::test]
async fn request_whose_content_breaks_off_never_reaches_an_upstream_whole() {
    for (length, part, ends) in [
        (Some("10"), "part", false),
        (None, "part", false),
        (Some("10"), "part", true),
        (Some("2"), "part", true),
    ] {
        for scheme in ["http", "h2c"] {
            let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = upstream.local_addr().unwrap();
            let world = world(&format!("{{ upstream = \"{scheme}://{address}\" }}"), "");
            let server = Server::start(&world, 1);
            let client = Client::connect(&world, server.address(), A).await;
            let mut request = client.request(Method::POST, A, "/");
            if let Some(length) = length {
                request.headers_mut().insert("content-length", length.parse().unwrap());
            }
            let (answer, mut content) = client.begin(request, false).await;
            let got = tokio::spawn(what_comes(upstream, scheme == "h2c"));
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            content.send_data(Bytes::from_static(part.as_bytes()), ends).unwrap();
            if !ends {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                content.send_reset(Reason::CANCEL);
            }
            answer.await.unwrap_err();
            let is_whole = got.await.unwrap();
            assert!(!is_whole, "{length:?} {ends} over {scheme}");
        }
    }
}

/// Takes one request; returns whether its content ended properly.
async fn what_comes(upstream: TcpListener, over_http2: bool) -> bool {
    let mut stream = upstream.accept().await.unwrap().0;
    if over_http2 {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (request, _respond) = connection.accept().await.unwrap().unwrap();
        let content = tokio::spawn(async move {
            let mut content = request.into_body();
            while let Some(data) = content.data().await {
                if data.is_err() {
                    return false;
                }
            }
            true
        });
        return tokio::select! {
            whole = content => whole.unwrap(),
            _ = connection.accept() => false,
        };
    }
    let mut all = Vec::new();
    // The end may be a reset.
    let _ = stream.read_to_end(&mut all).await;
    let all = text(&all);
    let (head, content) = all.split_once("\r\n\r\n").unwrap();
    match head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        Some(length) => content.len() >= length.parse().unwrap(),
        None => content.ends_with("0\r\n\r\n"),
    }
}

#[tokio::test]
async fn answer_whose_content_does_not_fit_its_length_is_reset() {
    for (answer, expected) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nonly"[..], None),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nmore", Some(("mo", Some("2")))),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            Some(("ok", None)),
        ),
        (b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", Some(("", None))),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok", Some(("ok", Some("2")))),
    ] {
        let address = upstream::start_raw(answer).await;
        let world = world(&format!("{{ upstream = \"http://{address}\" }}"), "");
        let server = Server::start(&world, 1);
        let client = Client::connect(&world, server.address(), A).await;
        let (response, _) = client.begin(client.request(Method::GET, A, "/"), true).await;
        let shown = String::from_utf8_lossy(answer);
        let got = match response.await {
            Ok(response) => {
                let (head, mut content) = response.into_parts();
                read(&mut content).await.map(|content| (head.headers, content))
            }
            Err(error) => Err(error),
        };
        match (got, expected) {
            (Err(error), None) => assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR)),
            (Ok((fields, content)), Some((expected, length))) => {
                assert_eq!(content, expected, "{shown}");
                assert_eq!(lengths(&fields), Vec::from_iter(length), "{shown}");
            }
            (got, _) => panic!("{got:?} of {shown}"),
        }
    }
}

fn lengths(fields: &HeaderMap) -> Vec<&str> {
    let lengths = fields.get_all("content-length").iter();
    lengths.map(|length| length.to_str().unwrap()).collect()
}

#[tokio::test]
async fn upstream_gets_the_verified_client_certificate_and_no_other() {
    for (setting, leaf) in [("", true), (", client_certificate = \"none\"", false)] {
        let address = upstream::start(Protocol::Http1).await;
        let world = world(
            &format!("{{ upstream = \"http://{address}\"{setting} }}"),
            "client_ca = \"certs/client-ca1.pem\"\nclient_certificate = \"optional\"\n",
        );
        let log = world.path("access.log");
        let server = Server::start_with(&world, 1, &["--access-log", log.to_str().unwrap()]);
        let certificate = CertificateDer::from_pem_file(world.path("certs/client1.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(world.path("certs/client1.key")).unwrap();
        let with = config_with_client_certificate(&world, certificate.clone(), key);
        let with = Client::connect_with(&with, server.address(), A).await;
        let without = Client::connect(&world, server.address(), A).await;
        for (client, has_certificate) in [(&with, true), (&without, false), (&with, true)] {
            let mut request = client.request(Method::GET, A, "/");
            for name in ["client-cert", "client-cert-chain", "client_cert", "ssl-client-verify"] {
                request.headers_mut().insert(name, ":Zm9v:".parse().unwrap());
            }
            let (_, content) = client.ask(request).await;
            let said = text(&content);
            assert!(!said.contains("Zm9v"), "{said}");
            let sent = said.lines().find_map(|line| line.strip_prefix("client-cert: "));
            assert_eq!(sent.is_some(), has_certificate && leaf, "{setting}: {said}");
            if let Some(sent) = sent {
                // The text of a PEM file is the same Base64, in lines.
                let pem = std::fs::read_to_string(world.path("certs/client1.pem")).unwrap();
                let base64: String =
                    pem.lines().filter(|line| !line.starts_with("-----")).collect();
                assert_eq!(sent, format!(":{base64}:"));
            }
        }
        let shown: Vec<bool> = loop {
            let log = std::fs::read_to_string(&log).unwrap();
            if log.lines().count() == 3 {
                let lines = log.lines().map(|line| {
                    let line: serde_json::Value = serde_json::from_str(line).unwrap();
                    line["client_certificate"].as_bool().unwrap()
                });
                break lines.collect();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        };
        assert_eq!(shown, [true, false, true]);
    }
}
