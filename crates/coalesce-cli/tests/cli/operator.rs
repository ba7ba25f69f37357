//! The operator's view of `coalesce serve`: metrics, logs, the access log.
#![allow(clippy::float_cmp, reason = "counts")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::Value;

use crate::client::{Client, Server};
use crate::upstream::{self, Protocol};
use crate::world::{World, text, virtual_host};

const LISTENER: &str = "[[listener]]\naddress = \"127.0.0.1:0\"\n";
const A: &str = "a.example.test";
const B: &str = "b.example.test";

/// Hosts `a` and `b`, which share a certificate, `cdn` with its own, and `m` behind client
/// certificates.
fn world() -> World {
    let world = World::new();
    let m = virtual_host("m", "m.example.test", "M") + "client_ca = \"certs/client-ca1.pem\"\n";
    let hosts = [
        virtual_host("a", A, "A"),
        virtual_host("b", B, "A"),
        virtual_host("cdn", "cdn.example.test", "CDN"),
        m,
    ];
    world.write("site.toml", &format!("{LISTENER}{}", hosts.concat()));
    world
}

/// A server with an admin listener, and its address.
pub(crate) fn with_admin(world: &World, more: &[&str]) -> (Server, SocketAddr) {
    let mut server = Server::start_with(world, 1, &[&["--admin=127.0.0.1:0"], more].concat());
    let admin = server.line().strip_prefix("admin on ").unwrap().parse().unwrap();
    (server, admin)
}

/// Sends one HTTP/1.1 request as written, and returns the whole answer.
pub(crate) fn exchange(admin: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The metrics: series with labels, and values.
pub(crate) fn metrics(admin: SocketAddr) -> BTreeMap<String, f64> {
    let answer = exchange(admin, "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let (_, content) = answer.split_once("\r\n\r\n").unwrap();
    let lines = content.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(series, value)| (series.to_owned(), value.parse().unwrap()))
        .collect()
}

/// Waits until a series has a value.
pub(crate) async fn becomes(admin: SocketAddr, series: &str, value: f64) {
    let begun = Instant::now();
    loop {
        let metrics = metrics(admin);
        if metrics.get(series) == Some(&value) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{series} is not {value}: {metrics:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn requests(group: &str, verdict: &str, reason: &str) -> String {
    format!(
        "coalesce_requests_total{{group=\"{group}\",verdict=\"{verdict}\",reason=\"{reason}\"}}"
    )
}

#[tokio::test]
async fn requests_are_counted_by_group_verdict_and_reason() {
    let world = world();
    let (server, admin) = with_admin(&world, &[]);
    let client = Client::connect(&world, server.address(), A).await;
    for host in [A, A, "A.example.test", B, B, "cdn.example.test", "m.example.test", "no.test"] {
        client.get(host, "/").await;
    }
    let mut differs = client.request(Method::GET, A, "/");
    differs.headers_mut().insert("host", B.parse().unwrap());
    let (response, _) = client.begin(differs, true).await;
    response.await.unwrap_err();
    let metrics = metrics(admin);
    let expected = [
        (requests("default", "serve", "served"), 5.0),
        (requests("default", "serve", "unlisted"), 0.0),
        (requests("default", "misdirected", "certificate"), 1.0),
        (requests("default", "misdirected", "group"), 1.0),
        (requests("default", "misdirected", "unknown_authority"), 1.0),
        (requests("default", "malformed", "host_differs"), 1.0),
        ("coalesce_coalesced_requests_total{group=\"default\"}".to_owned(), 2.0),
        ("coalesce_refusal_limits_reached_total{group=\"default\"}".to_owned(), 0.0),
        ("coalesce_connections{listener=\"main\"}".to_owned(), 1.0),
        ("coalesce_handshakes_total{listener=\"main\",outcome=\"completed\"}".to_owned(), 1.0),
        ("coalesce_table_names".to_owned(), 4.0),
        ("coalesce_virtual_hosts".to_owned(), 4.0),
        ("coalesce_groups".to_owned(), 2.0),
        ("coalesce_snapshots".to_owned(), 1.0),
    ];
    for (series, value) in expected {
        assert_eq!(metrics.get(&series), Some(&value), "{series} in {metrics:#?}");
    }
    let all: f64 = metrics
        .iter()
        .filter(|(series, _)| series.starts_with("coalesce_requests_total"))
        .map(|(_, value)| value)
        .sum();
    assert!((all - 9.0).abs() < 0.1, "{metrics:#?}");
    // The metrics contain no name that a client has sent.
    for name in ["example.test", "no.test", "127.0.0.1"] {
        assert!(metrics.keys().all(|series| !series.contains(name)), "{name}: {metrics:#?}");
    }
}

/// Ten thousand refusals in a row end the connection; all are counted, few are logged.
#[tokio::test]
async fn flood_of_refusals_is_counted_and_logged_with_a_limit() {
    let world = world();
    let (server, admin) = with_admin(&world, &[]);
    let client = Client::connect(&world, server.address(), A).await;
    let mut refused = 0;
    'flood: loop {
        let mut answers = Vec::new();
        for _ in 0..100 {
            let request = client.request(Method::GET, "cdn.example.test", "/");
            match client.try_begin(request).await {
                Ok(answer) => answers.push(answer),
                Err(_) => break 'flood,
            }
        }
        for answer in answers {
            match answer.await {
                Ok(answer) => assert_eq!(answer.status(), 421),
                Err(_) => break 'flood,
            }
            refused += 1;
        }
        assert!(refused <= 10_000, "the connection does not end");
    }
    let limit = "coalesce_refusal_limits_reached_total{group=\"default\"}";
    becomes(admin, limit, 1.0).await;
    let metrics = metrics(admin);
    assert_eq!(metrics[&requests("default", "misdirected", "certificate")], 10_000.0);
    let unlogged = metrics["coalesce_refusals_unlogged_total{group=\"default\"}"];
    // The last line of the connection.
    server.logged("too many refused requests in a row", 1).await;
    let log = server.log();
    let logged = log.lines().filter(|line| line.contains("misdirected")).count();
    assert_eq!(unlogged + f64::from(u32::try_from(logged).unwrap()), 10_000.0, "{log}");
    assert!(logged >= 10 && unlogged > 5_000.0, "{logged} lines, {unlogged} left out");
}

#[tokio::test]
async fn reloads_are_counted_and_their_memory_is_given_back() {
    let world = world();
    let (server, admin) = with_admin(&world, &["--no-watch"]);
    // One connection that asks, and two that do not.
    let client = Client::connect(&world, server.address(), A).await;
    let idle = Client::connect(&world, server.address(), A).await;
    let silent = TcpStream::connect(server.address()).unwrap();
    let site = std::fs::read_to_string(world.path("site.toml")).unwrap();
    for times in 1..=5 {
        server.hang_up();
        server.logged("reloaded", times).await;
        client.get(A, "/").await;
    }
    drop(silent);
    world.write("site.toml", "broken");
    server.hang_up();
    server.logged("reload refused", 1).await;
    assert_eq!(metrics(admin)["coalesce_config_last_reload_successful"], 0.0);
    let half = site.split("[[virtual_host]]").take(3).collect::<Vec<_>>().join("[[virtual_host]]");
    world.write("site.toml", &half);
    server.hang_up();
    server.logged("reloaded", 6).await;
    becomes(admin, "coalesce_snapshots", 1.0).await;
    let metrics = metrics(admin);
    for (series, value) in [
        ("coalesce_reloads_total{outcome=\"served\"}", 6.0),
        ("coalesce_reloads_total{outcome=\"refused\"}", 1.0),
        ("coalesce_reload_seconds_count", 7.0),
        ("coalesce_config_last_reload_successful", 1.0),
        ("coalesce_config_revision", 7.0),
        ("coalesce_table_names", 2.0),
        ("coalesce_virtual_hosts", 2.0),
        ("coalesce_groups", 1.0),
    ] {
        assert_eq!(metrics.get(series), Some(&value), "{series} in {metrics:#?}");
    }
    assert_eq!(idle.get(A, "/").await.0.status, 200);
}

#[tokio::test]
async fn admin_listener_is_open_only_if_configured() {
    let world = world();
    let (server, admin) = with_admin(&world, &[]);
    for (request, status) in [
        ("HEAD /metrics", "200 OK"),
        ("POST /metrics", "405 Method Not Allowed"),
        ("GET /", "404 Not Found"),
        ("nonsense", "400 Bad Request"),
    ] {
        let answer = exchange(admin, &format!("{request} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {answer}");
    }
    // A reload would read the changes below.
    drop(server);
    let site = std::fs::read_to_string(world.path("site.toml")).unwrap();
    world.write("site.toml", &format!("[admin]\naddress = \"127.0.0.1:0\"\n{site}"));
    let mut server = Server::start_with(&world, 1, &["--no-watch"]);
    let admin = server.line().strip_prefix("admin on ").unwrap().parse().unwrap();
    assert_eq!(metrics(admin)["coalesce_virtual_hosts"], 4.0);
    // The admin address is bound at the start, as the listeners are.
    world.write("site.toml", &format!("[admin]\naddress = \"127.0.0.1:1\"\n{site}"));
    server.hang_up();
    let line = server.logged("reload refused", 1).await;
    assert!(line.contains("the address of [admin] is another"), "{line}");
    world.write("site.toml", &format!("[admin]\naddress = \"everywhere\"\n{site}"));
    let said = world.say(&["serve", "--config", "site.toml"], 3);
    assert!(said.contains("site.toml:2: admin: address: \"everywhere\" is no address"), "{said}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let other = std::net::TcpListener::bind(taken).unwrap();
    world.write("site.toml", &site);
    let said = world.say(&["serve", "--config", "site.toml", &format!("--admin={taken}")], 4);
    assert!(said.contains(&format!("cannot listen on {taken} (admin): Address already")), "{said}");
    drop(other);
}

/// Returns the lines of an access log, once there are `count`.
async fn lines(world: &World, file: &str, count: usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let log = std::fs::read_to_string(world.path(file)).unwrap_or_default();
        if log.ends_with('\n') && log.lines().count() >= count {
            return log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "fewer than {count} lines:\n{log}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn access_log_has_a_line_for_each_request() {
    let upstream = upstream::start(Protocol::Http1).await;
    let world = World::new();
    std::fs::create_dir(world.path("public")).unwrap();
    world.write("public/file.txt", "content");
    let with = |name: &str, host: &str, answer: &str| {
        virtual_host(name, host, "A").replace(&format!("{{ text = \"vhost={name}\\n\" }}"), answer)
    };
    let site = [
        LISTENER.to_owned(),
        "[[group]]\nname = \"default\"\nunknown_authority = \"not-found\"\n".to_owned(),
        virtual_host("a", A, "A"),
        with("b", B, &format!("{{ upstream = \"http://{upstream}\" }}")),
        with("f", "dead.example.test", "{ folder = \"public\" }"),
        virtual_host("cdn", "cdn.example.test", "CDN"),
    ];
    world.write("site.toml", &site.concat());
    let server = Server::start_with(&world, 1, &["--no-watch", "--access-log", "access.log"]);
    let client = Client::connect(&world, server.address(), A).await;
    let port = server.address().port();
    client.get(A, "/x?y=%22z").await;
    client.ask(client.request(Method::HEAD, A, "/")).await;
    client.get(B, "/hop").await;
    client.get("dead.example.test", "/file.txt").await;
    client.get("nobody.example.test", "/").await;
    client.get("cdn.example.test", "/").await;
    let all = lines(&world, "access.log", 6).await;
    let find = |method: Value, host: &str| {
        let authority = format!("{host}:{port}");
        let mut found =
            all.iter().filter(|line| line["method"] == method && line["authority"] == authority);
        found.next().unwrap_or_else(|| panic!("{method} {host} is not in {all:#?}")).clone()
    };
    let line = find("GET".into(), A);
    for (field, value) in [
        ("listener", Value::from("main")),
        ("server_name", A.into()),
        ("group", "default".into()),
        ("path", "/x?y=%22z".into()),
        ("verdict", "serve".into()),
        ("reason", "served".into()),
        ("step", 8.into()),
        ("virtual_host", "a".into()),
        ("status", 200.into()),
        ("bytes", 8.into()),
        ("complete", true.into()),
    ] {
        assert_eq!(line[field], value, "{field} in {line}");
    }
    assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
    assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
    assert!(line["seconds"].as_f64().unwrap() >= 0.0, "{line}");
    let line = find("HEAD".into(), A);
    assert_eq!((&line["bytes"], &line["complete"]), (&0.into(), &true.into()), "{line}");
    let line = find("GET".into(), B);
    assert_eq!((&line["virtual_host"], &line["status"]), (&"b".into(), &200.into()), "{line}");
    let line = find("GET".into(), "dead.example.test");
    assert_eq!((&line["virtual_host"], &line["bytes"]), (&"f".into(), &7.into()), "{line}");
    let line = find("GET".into(), "nobody.example.test");
    assert_eq!((&line["reason"], &line["status"]), (&"unlisted".into(), &404.into()), "{line}");
    // The line of a refused request has the host that the request named.
    let line = find(Value::Null, "cdn.example.test");
    assert_eq!((&line["verdict"], &line["status"]), (&"misdirected".into(), &421.into()), "{line}");
    assert_eq!((&line["reason"], &line["step"]), (&"certificate".into(), &5.into()), "{line}");
    // Move the file, as log rotation does.
    std::fs::rename(world.path("access.log"), world.path("old.log")).unwrap();
    server.hang_up();
    server.logged("reloaded", 1).await;
    client.get(A, "/after").await;
    let new = lines(&world, "access.log", 1).await;
    assert_eq!(new[0]["path"], "/after");
    assert_eq!(lines(&world, "old.log", 6).await.len(), 6);
}

#[tokio::test]
async fn answer_that_breaks_off_is_incomplete_in_the_access_log() {
    let upstream = upstream::start_raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nonly").await;
    let world = World::new();
    let a = virtual_host("a", A, "A")
        .replace("{ text = \"vhost=a\\n\" }", &format!("{{ upstream = \"http://{upstream}\" }}"));
    world.write("site.toml", &format!("{LISTENER}{a}"));
    let mut server = Server::start_with(&world, 1, &["--access-log", "-"]);
    let client = Client::connect(&world, server.address(), A).await;
    let request = client.request(Method::GET, A, "/");
    let (response, _) = client.begin(request, true).await;
    if let Ok(response) = response.await {
        crate::client::read(&mut response.into_body()).await.unwrap_err();
    }
    let line: Value = serde_json::from_str(&server.line()).unwrap();
    assert_eq!((&line["status"], &line["complete"]), (&200.into(), &false.into()), "{line}");
}

#[test]
fn unwritable_access_log_ends_the_start() {
    let world = world();
    let said = world.say(&["serve", "--config", "site.toml", "--access-log", "no/such"], 4);
    assert_eq!(said.lines().last(), Some("cannot write to no/such: No such file or directory"));
}

#[tokio::test]
async fn no_response_contains_a_reason() {
    let world = world();
    let (server, _admin) = with_admin(&world, &["--access-log", "access.log"]);
    let client = Client::connect(&world, server.address(), A).await;
    let mut answers = Vec::new();
    for host in ["cdn.example.test", "m.example.test", "no.test"] {
        let (mut head, content) = client.get(host, "/").await;
        head.headers.remove("date");
        answers.push((head.status, head.headers, text(&content).to_owned()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    let mut fields: Vec<&str> = answers[0].1.keys().map(http::HeaderName::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["cache-control", "content-length", "content-type"]);
}

/// The log has the hint for the operator, and no response has it.
#[tokio::test]
async fn misdirected_request_is_logged_with_a_hint() {
    let world = world();
    let site = std::fs::read_to_string(world.path("site.toml")).unwrap();
    let strict = "coalesce = \"strict-server-name\"\n";
    world.write(
        "site.toml",
        &format!("{site}{}{strict}", virtual_host("strict", "dead.example.test", "A")),
    );
    let server = Server::start(&world, 1);
    let client = Client::connect(&world, server.address(), A).await;
    let port = server.address().port();
    let hosts = [A, "cdn.example.test", "m.example.test", "dead.example.test"];
    let hints = [
        format!("the listener answers for the ports: {port}"),
        "the certificate is for: ".to_owned(),
        "virtual host m is in group client_ca=certs/client-ca1.pem".to_owned(),
        format!("the connection is for {A} only"),
    ];
    for (number, (host, hint)) in hosts.into_iter().zip(hints).enumerate() {
        let mut request = client.request(Method::GET, host, "/");
        if number == 0 {
            *request.uri_mut() = format!("https://{host}:1/").parse().unwrap();
        }
        assert_eq!(client.ask(request).await.0.status, 421, "{host}");
        let line = server.logged("misdirected", number + 1).await;
        assert!(line.contains(&format!("hint=\"{hint}")), "{hint}: {line}");
    }
}

#[tokio::test]
async fn observed_refusals_are_counted_and_logged() {
    let world = World::new();
    let observed = |name: &str, fields: &str| {
        format!("[[group]]\nname = \"{name}\"\nobserve = true\n{fields}")
    };
    let parts = [
        LISTENER.to_owned(),
        observed("public", ""),
        observed("modern", "minimum_version = \"1.3\"\n"),
        virtual_host("a", A, "A") + "group = \"public\"\n",
        virtual_host("b", B, "A") + "group = \"modern\"\n",
        virtual_host("cdn", "cdn.example.test", "CDN") + "group = \"public\"\n",
    ];
    world.write("site.toml", &parts.concat());
    let (server, admin) = with_admin(&world, &["--access-log", "access"]);
    let client = Client::connect(&world, server.address(), A).await;
    for host in [A, B, B, "cdn.example.test"] {
        assert_eq!(client.get(host, "/").await.0.status, 200, "{host}");
    }
    let metrics = metrics(admin);
    let series = |reason: &str| {
        format!("coalesce_observed_requests_total{{group=\"public\",reason=\"{reason}\"}}")
    };
    let handed_over = requests("public", "serve", "served");
    let counts = [series("group"), series("certificate"), series("port"), handed_over];
    assert_eq!(counts.map(|series| metrics[&series]), [2.0, 1.0, 0.0, 4.0]);
    let line = server.logged("observed", 3).await;
    assert!(line.contains("reason=\"certificate\" step=5"), "{line}");
    let mut lines = Vec::new();
    let begun = Instant::now();
    while lines.len() < 4 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{lines:?}");
        let log = std::fs::read_to_string(world.path("access")).unwrap();
        lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect();
    }
    let observed: Vec<&Value> = lines.iter().map(|line| &line["observed"]).collect();
    assert_eq!(observed, [&Value::Null, &"group".into(), &"group".into(), &"certificate".into()]);
}
