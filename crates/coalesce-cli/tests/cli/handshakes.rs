//! Failed handshakes: for each reason a client, its line in the log and its count.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::ClientConnection;
use rustls_pki_types::ServerName;

use crate::client::{Client, Server, config};
use crate::operator::{becomes, metrics, with_admin};
use crate::world::{World, virtual_host};

const A: &str = "a.example.test";
const M: &str = "m.example.test";

/// `a` requires nothing, `m` a client certificate, and `modern` TLS 1.3.
fn world() -> World {
    let world = World::new();
    let listener = "[[listener]]\nname = \"front\"\naddress = \"127.0.0.1:0\"\n".to_owned();
    let parts = [
        listener,
        virtual_host("a", A, "A"),
        virtual_host("m", M, "M") + "client_ca = \"certs/client-ca1.pem\"\n",
        virtual_host("modern", "cdn.example.test", "CDN") + "minimum_version = \"1.3\"\n",
    ];
    world.write("site.toml", &parts.concat());
    world
}

fn outcome(code: &str) -> String {
    format!("coalesce_handshakes_total{{listener=\"front\",outcome=\"{code}\"}}")
}

/// Makes a handshake with OpenSSL and closes the connection.
fn openssl(world: &World, server: &Server, arguments: &[&str]) {
    let address = server.address().to_string();
    let mut command = Command::new("openssl");
    command.current_dir(world.folder()).args(["s_client", "-connect", &address]).args(arguments);
    command.stdin(Stdio::null()).output().unwrap();
}

/// Sends bytes, and waits for the end of the connection.
fn send(server: &Server, bytes: &[u8]) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(bytes).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    // The server may reset a connection whose bytes it does not read.
    let _ = stream.read_to_end(&mut Vec::new());
}

/// The ClientHello of a client that sends no more bytes.
fn client_hello(world: &World, name: &str) -> Vec<u8> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut connection = ClientConnection::new(Arc::clone(&config(world)), name).unwrap();
    let mut record = Vec::new();
    connection.write_tls(&mut record).unwrap();
    record
}

/// The arguments of OpenSSL, and the logged outcome, server name and protocols.
type Case<'a> = (&'a [&'a str], &'a str, Option<&'a str>, Option<&'a str>);

const CASES: [Case<'static>; 12] = [
    (&["-noservername", "-alpn", "h2"], "absent_server_name", None, Some("h2")),
    (
        &["-servername", "no.test", "-alpn", "h2"],
        "unknown_server_name",
        Some("no.test"),
        Some("h2"),
    ),
    (&["-servername", A, "-alpn", "http/1.1,foo"], "no_protocol", Some(A), Some("http/1.1,foo")),
    (&["-servername", A], "no_protocol", Some(A), None),
    (
        &["-servername", A, "-alpn", "h2", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"],
        "no_version",
        Some(A),
        Some("h2"),
    ),
    (&["-servername", "cdn.example.test", "-tls1_2"], "no_version", Some("cdn.example.test"), None),
    (
        &["-servername", A, "-tls1_2", "-cipher", "AES128-SHA@SECLEVEL=0"],
        "no_cipher_suite",
        Some(A),
        None,
    ),
    (&["-servername", M, "-alpn", "h2"], "absent_client_certificate", Some(M), Some("h2")),
    (
        &["-servername", M, "-cert", "certs/client2.pem", "-key", "certs/client2.key"],
        "invalid_client_certificate",
        Some(M),
        None,
    ),
    (
        &["-servername", M, "-cert", "certs/expired1.pem", "-key", "certs/expired1.key"],
        "expired_client_certificate",
        Some(M),
        None,
    ),
    (&["-servername", A, "-verify_return_error"], "refused_by_client", Some(A), None),
    (&["-servername", A, "-alpn", "h2"], "no_preface", Some(A), Some("h2")),
];

#[tokio::test]
async fn failed_handshake_is_logged_with_reason_server_name_and_alpn() {
    let world = world();
    let (server, admin) = with_admin(&world, &["--log-format", "json"]);
    for (times, (arguments, code, server_name, alpn)) in CASES.iter().enumerate() {
        openssl(&world, &server, arguments);
        let line = server.logged("handshake failed", times + 1).await;
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["level"], "INFO", "{line}");
        assert_eq!(line["reason"], *code, "{arguments:?}: {line}");
        assert_eq!(line["server_name"].as_str(), *server_name, "{arguments:?}: {line}");
        assert_eq!(line["alpn"].as_str(), *alpn, "{arguments:?}: {line}");
        assert!(line["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{line}");
        assert_eq!(line["span"]["listener"], "front", "{line}");
        assert!(line["span"]["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
        let times = CASES.iter().take(times + 1).filter(|case| case.1 == *code).count();
        becomes(admin, &outcome(code), f64::from(u32::try_from(times).unwrap())).await;
    }
    becomes(admin, "coalesce_connections{listener=\"front\"}", 0.0).await;
    // A well-behaved client at the same time.
    let client = Client::connect(&world, server.address(), A).await;
    assert_eq!(client.get(A, "/").await.0.status, 200);
    becomes(admin, &outcome("completed"), 1.0).await;
}

#[tokio::test]
async fn bytes_that_are_not_tls_are_logged_by_their_kind() {
    let world = world();
    let (server, admin) = with_admin(&world, &[]);
    let hello = client_hello(&world, A);
    let cases: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\nhost: a.example.test\r\n\r\n", "plain_http"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "plain_http"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\n", "proxy_header"),
        (b"SSH-2.0-OpenSSH_9\r\n", "tls"),
        (&hello, "lost"),
    ];
    for (times, (bytes, code)) in cases.into_iter().enumerate() {
        send(&server, bytes);
        let line = server.logged("handshake failed", times + 1).await;
        assert!(line.contains(&format!("reason=\"{code}\"")), "{line}");
        assert!(line.contains("connection{peer=127.0.0.1:"), "{line}");
        assert_eq!(line.contains(A), code == "lost", "{line}");
    }
    // A health check connects and sends nothing: it is counted and not logged.
    drop(TcpStream::connect(server.address()).unwrap());
    becomes(admin, &outcome("lost"), 2.0).await;
    assert_eq!(server.log().matches("handshake failed").count(), cases.len());
}

#[tokio::test]
async fn flood_of_failed_handshakes_writes_few_lines_and_counts_all() {
    const TIMES: u32 = 200;
    let world = world();
    let (server, admin) = with_admin(&world, &[]);
    let begun = std::time::Instant::now();
    for _ in 0..TIMES {
        send(&server, b"GET / HTTP/1.1\r\n\r\n");
    }
    becomes(admin, &outcome("plain_http"), f64::from(TIMES)).await;
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap() + 2;
    let logged = server.log().matches("handshake failed").count();
    assert!(logged >= 10 && logged <= seconds * 10, "{logged} lines in {seconds} s");
    // The metrics contain no name that a client has sent.
    assert!(metrics(admin).keys().all(|series| !series.contains("test")));
}
