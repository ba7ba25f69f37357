//! The admin listener: the hosts for which it answers, and its answers.
#![allow(clippy::float_cmp, reason = "counts")]

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use http::Method;

use crate::client::{Client, Server};
use crate::operator::{exchange, metrics, with_admin};
use crate::world::{World, virtual_host};

const A: &str = "a.example.test";
const WITHIN: Duration = Duration::from_secs(30);

fn site(admin: &str, host: &str) -> String {
    let listener = "[[listener]]\naddress = \"127.0.0.1:0\"\n";
    format!("[admin]\naddress = \"127.0.0.1:0\"\n{admin}{listener}{host}")
}

/// Starts a server whose admin address is in its configuration.
fn start(world: &World) -> (Server, SocketAddr) {
    let mut server = Server::start_with(world, 1, &["--no-watch"]);
    let admin = server.line().strip_prefix("admin on ").unwrap().parse().unwrap();
    (server, admin)
}

/// Returns the status of the answer to a `GET` with these header lines.
fn status(admin: SocketAddr, path: &str, header: &str) -> u16 {
    let answer = exchange(admin, &format!("GET {path} HTTP/1.1\r\n{header}\r\n"));
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn admin_answers_its_own_hosts_and_configured_ones_only() {
    let world = World::new();
    let host = virtual_host("a", A, "A");
    world.write("site.toml", &site("hosts = [\"metrics.test\", \"192.0.2.7\"]\n", &host));
    let (server, admin) = start(&world);
    let port = admin.port();
    let get = |host: &str| status(admin, "/metrics", &format!("host: {host}\r\n"));
    for host in [
        "localhost",
        "LOCALHOST.",
        "localhost:1",
        "127.0.0.1",
        &format!("127.0.0.1:{port}"),
        "metrics.test",
        "Metrics.test.:80",
        "192.0.2.7",
    ] {
        assert_eq!(get(host), 200, "{host}");
    }
    for host in ["rebound.test", "localhost.rebound.test", "127.0.0.2", "[::1]", A] {
        assert_eq!(get(host), 421, "{host}");
    }
    // Every path and every form of the target is checked.
    let rebound = "host: rebound.test\r\n";
    for path in ["/", "/livez", "/readyz", "/elsewhere"] {
        assert_eq!(status(admin, path, rebound), 421, "{path}");
    }
    let localhost = "host: localhost\r\n";
    assert_eq!(status(admin, "http://rebound.test/metrics", localhost), 421);
    for header in ["", "host:\r\n", "host: localhost\r\nhost: rebound.test\r\n"] {
        assert_eq!(status(admin, "/metrics", header), 400, "{header:?}");
    }
    assert!(exchange(admin, "GET /livez HTTP/1.0\r\n\r\n").contains(" 200 OK\r\n"));
    let line = server.logged("the admin listener refused a host", 1).await;
    assert!(line.contains("host=rebound.test"), "{line}");

    world.write("site.toml", &site("hosts = [\"other.test\"]\n", &host));
    server.hang_up();
    server.logged("reloaded", 1).await;
    assert_eq!((get("other.test"), get("metrics.test")), (200, 421));
    world.write("site.toml", &site("hosts = [\"https://other.test\"]\n", &host));
    let said = world.say(&["serve", "--config", "site.toml"], 3);
    assert!(said.contains("admin: hosts: \"https://other.test\" is no host"), "{said}");
}

#[tokio::test]
async fn silent_connections_do_not_delay_a_scrape() {
    let world = World::new();
    world.write("site.toml", &site("", &virtual_host("a", A, "A")));
    let (_server, admin) = start(&world);
    // Three times the number of places; each connection may be silent for ten seconds.
    let silent: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(admin).unwrap()).collect();
    let begun = Instant::now();
    for _ in 0..5 {
        assert_eq!(metrics(admin)["coalesce_virtual_hosts"], 1.0);
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    drop(silent);
}

#[tokio::test]
async fn readiness_ends_when_the_server_does_and_liveness_does_not() {
    let upstream = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = World::new();
    let answer = format!("{{ upstream = \"http://{}\" }}", upstream.local_addr().unwrap());
    let host = virtual_host("a", A, "A").replace("{ text = \"vhost=a\\n\" }", &answer);
    world.write("site.toml", &site("", &host));
    let (server, admin) = start(&world);
    let asked = |path: &str| status(admin, path, "host: localhost\r\n");
    assert_eq!((asked("/livez"), asked("/readyz")), (200, 200));
    // A reload that fails does not end readiness.
    world.write("site.toml", "broken");
    server.hang_up();
    server.logged("reload refused", 1).await;
    assert_eq!((asked("/livez"), asked("/readyz")), (200, 200));
    // The server is stopping, and waits for a silent upstream.
    let client = Client::connect(&world, server.address(), A).await;
    let _unanswered = client.begin(client.request(Method::GET, A, "/"), true).await;
    let accepted = upstream.accept().await.unwrap();
    server.terminate();
    let begun = Instant::now();
    while asked("/readyz") != 503 {
        assert!(begun.elapsed() < WITHIN, "the server stays ready");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(asked("/livez"), 200);
    drop(accepted);
}

#[tokio::test]
async fn requests_connections_and_certificates_have_metrics() {
    let world = World::new();
    world.write("site.toml", &site("", &virtual_host("a", A, "A")));
    let (server, admin) = with_admin(&world, &[]);
    let client = Client::connect(&world, server.address(), A).await;
    for _ in 0..3 {
        client.get(A, "/").await;
    }
    client.get("cdn.example.test", "/").await;
    let begun = Instant::now();
    let all = loop {
        let all = metrics(admin);
        // A request is counted after its answer was sent.
        if all["coalesce_request_duration_seconds_count{group=\"default\"}"] == 3.0 {
            break all;
        }
        assert!(begun.elapsed() < WITHIN, "{all:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let certificate = "coalesce_certificate_not_after_timestamp_seconds{certificate=\"";
    let ends: Vec<_> = all.iter().filter(|(series, _)| series.starts_with(certificate)).collect();
    // The beginning of the year 4096.
    assert!(matches!(ends[..], [(name, &67_090_118_400.0)] if name.contains("A.pem")), "{ends:?}");
    for (series, value) in [
        ("coalesce_responses_total{group=\"default\",status=\"2xx\"}", 3.0),
        ("coalesce_responses_total{group=\"default\",status=\"4xx\"}", 1.0),
        ("coalesce_responses_total{group=\"default\",status=\"none\"}", 0.0),
        ("coalesce_tls_connections_total{listener=\"main\",version=\"1.3\"}", 1.0),
        ("coalesce_tls_connections_total{listener=\"main\",version=\"1.2\"}", 0.0),
        ("coalesce_config_last_reload_successful", 1.0),
        ("coalesce_config_revision", 1.0),
    ] {
        assert_eq!(all.get(series), Some(&value), "{series} in {all:#?}");
    }
}
