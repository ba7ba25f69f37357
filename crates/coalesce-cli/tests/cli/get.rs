//! `coalesce get` against `coalesce serve`, with real certificates.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Output;
use std::sync::Arc;
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use crate::client::Server;
use crate::world::{World, text, virtual_host};

const A: &str = "https://a.example.test/";
const B: &str = "https://b.example.test/";
const C: &str = "https://c.example.test/";
const M: &str = "https://m.example.test/";

/// A running server with `a` and `b` on one certificate, `c` on another one, and `m`, which the
/// certificate of `a` covers too, with another TLS policy.
struct Hosts {
    world: World,
    server: Server,
}

impl Hosts {
    fn start(more: &[&str]) -> Self {
        let world = World::new();
        let mut site = "[[listener]]\naddress = \"127.0.0.1:0\"\nports = [443]\n".to_owned();
        for (name, certificate) in [("a", "A"), ("b", "A"), ("c", "B")] {
            site.push_str(&virtual_host(name, &format!("{name}.example.test"), certificate));
        }
        site.push_str(&virtual_host("m", "m.example.test", "M"));
        site.push_str("minimum_version = \"1.3\"\n");
        world.write("site.toml", &site);
        let server = Server::start_with(&world, 1, more);
        Self { world, server }
    }

    /// Runs `coalesce get` with the CA and the address of the server.
    fn get(&self, arguments: &[&str]) -> Output {
        let resolve = format!("*:443:{}", self.server.address());
        let common = ["get", "--cacert", "certs/ca.pem", "--resolve", &resolve];
        self.world.run(&[&common, arguments].concat())
    }

    /// Runs `coalesce get --json`, which must exit with `code`.
    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let output = self.get(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let stdout = text(&output.stdout);
        assert_eq!(stdout.lines().count(), 1, "{stdout}");
        serde_json::from_str(stdout).unwrap()
    }
}

/// The values of one member of all requests.
fn all<'a>(report: &'a Value, member: &str) -> Vec<&'a Value> {
    report["requests"].as_array().unwrap().iter().map(|request| &request[member]).collect()
}

/// The refusals of connection 1 in the trail of a request.
fn refusals(request: &Value) -> Vec<&Value> {
    let steps = request["trail"].as_array().unwrap().iter();
    steps.filter(|step| step["event"] == "refused" && step["connection"] == 1).collect()
}

#[test]
fn hosts_of_one_certificate_and_address_share_a_connection() {
    let hosts = Hosts::start(&[]);
    let report = hosts.json(&[A, B], 0);
    assert_eq!(all(&report, "status"), [200, 200], "{report}");
    assert_eq!(all(&report, "connection"), [1, 1], "{report}");
    assert_eq!(all(&report, "grounds"), ["same_origin", "covered"], "{report}");
    assert_eq!(all(&report, "protocol"), ["HTTP/2", "HTTP/2"]);
    let summary = json!({
        "requests": 2, "answered": 2, "failed": 0, "connections": 1, "shared": 1, "retried": 0,
    });
    assert_eq!(report["summary"], summary);
    let connection = json!({
        "connection": 1, "peer": hosts.server.address().to_string(), "protocol": "HTTP/2",
        "requests": [0, 1],
    });
    assert_eq!(report["connections"], json!([connection]));

    let output = hosts.get(&[A, B]);
    let said = text(&output.stdout);
    assert!(said.contains("├─ 200   own"), "{said}");
    assert!(said.contains("└─ 200   shared"), "{said}");
    assert!(
        said.ends_with("2 answered, 0 failed, 1 on the connection of another host\n"),
        "{said}"
    );
}

#[test]
fn host_of_another_certificate_has_a_connection_and_the_reason() {
    let hosts = Hosts::start(&[]);
    let report = hosts.json(&[A, C], 0);
    assert_eq!(all(&report, "connection"), [1, 2], "{report}");
    let refusals = refusals(&report["requests"][1]);
    let last = refusals.last().unwrap();
    // The announced origin set of the first connection has only its own hosts.
    assert!(["certificate", "origin_set"].contains(&last["code"].as_str().unwrap()), "{report}");
    assert!(last["rule"].as_str().unwrap().starts_with("RFC "), "{report}");
    let output = hosts.get(&[A, C]);
    assert!(text(&output.stdout).contains("not connection 1: "), "{output:?}");
}

#[test]
fn misdirected_request_is_sent_again_on_a_connection_for_its_host() {
    let hosts = Hosts::start(&["--no-origins"]);
    let report = hosts.json(&[A, M], 0);
    assert_eq!(all(&report, "status"), [200, 200], "{report}");
    assert_eq!(all(&report, "retries"), [0, 1], "{report}");
    assert_eq!(all(&report, "connection"), [1, 2], "{report}");
    assert_eq!(report["connections"][0]["requests"], json!([0, 1]));
    let output = hosts.get(&[A, M]);
    let said = text(&output.stdout);
    assert!(said.contains("└─ 421   shared"), "{said}");
    assert!(said.contains("so the request was sent again on connection 2"), "{said}");
    let output = hosts.get(&[A, M, "--trace"]);
    assert!(text(&output.stdout).contains("421 (RFC 9110 §15.5.20)"), "{output:?}");
}

#[test]
fn announced_origin_set_saves_the_421() {
    let hosts = Hosts::start(&[]);
    let report = hosts.json(&[A, M], 0);
    assert_eq!(all(&report, "retries"), [0, 0], "{report}");
    assert_eq!(refusals(&report["requests"][1]).last().unwrap()["code"], "origin_set", "{report}");
}

#[test]
fn no_coalesce_uses_a_connection_for_each_host() {
    let hosts = Hosts::start(&[]);
    let report = hosts.json(&[A, B, "--no-coalesce"], 0);
    assert_eq!(report["summary"]["connections"], 2, "{report}");
    assert_eq!(all(&report, "grounds"), ["same_origin", "same_origin"], "{report}");
}

/// Starts a server that speaks HTTP/1.1 alone, with the certificate of `a` and `b`. Its threads end
/// with the test.
fn http1_server(world: &World) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = CertificateDer::pem_file_iter(world.path("certs/A.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(world.path("certs/A.key")).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let config = Arc::clone(&config);
            thread::spawn(move || answer_http1(socket.unwrap(), config));
        }
    });
    address
}

/// Answers each request on a connection, until the client closes it.
fn answer_http1(socket: TcpStream, config: Arc<ServerConfig>) {
    let connection = ServerConnection::new(config).unwrap();
    let mut stream = StreamOwned::new(connection, socket);
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    // A client that closes without close_notify is an error here.
    while let Ok(len @ 1..) = stream.read(&mut buffer) {
        head.extend_from_slice(&buffer[..len]);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            let written = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            written.and_then(|()| stream.flush()).unwrap();
        }
    }
}

#[test]
fn http_1_connection_carries_one_host() {
    let hosts = Hosts::start(&[]);
    let resolve = format!("*:443:{}", http1_server(&hosts.world));
    let get = ["get", "--cacert", "certs/ca.pem", "--resolve", &resolve, A, B];
    for more in [&["--json"][..], &["--json", "--http1.1"]] {
        let output = hosts.world.run(&[&get[..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let report: Value = serde_json::from_str(text(&output.stdout)).unwrap();
        assert_eq!(all(&report, "protocol"), ["HTTP/1.1", "HTTP/1.1"], "{report}");
        assert_eq!(all(&report, "connection"), [1, 2], "{report}");
        assert_eq!(report["summary"]["shared"], 0, "{report}");
    }
    let output = hosts.get(&["--http1.1", A]);
    assert_eq!(output.status.code(), Some(1), "the server speaks HTTP/2 alone: {output:?}");
}

#[test]
fn content_of_one_url_is_the_output() {
    let hosts = Hosts::start(&[]);
    let output = hosts.get(&[A]);
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("vhost=a\n", ""));
    let output = hosts.get(&["-I", A]);
    let said = text(&output.stdout);
    assert!(said.starts_with("HTTP/2 200\r\n") && said.ends_with("\r\n\r\n"), "{said}");
    let output = hosts.get(&["-i", A, "-d", "x=1"]);
    assert!(text(&output.stdout).ends_with("\r\n\r\nvhost=a\n"), "{output:?}");
}

#[test]
fn contents_go_to_files() {
    let hosts = Hosts::start(&[]);
    let output = hosts.get(&[A, "-o", "page"]);
    assert_eq!(hosts.world.read("page"), "vhost=a\n");
    assert!(text(&output.stdout).contains("content in page"), "{output:?}");
    let report = hosts.json(&[A, B, B, "--output-folder", "pages"], 0);
    let files = ["pages/a.example.test", "pages/b.example.test", "pages/b.example.test-2"];
    assert_eq!(all(&report, "file"), files, "{report}");
    assert_eq!(hosts.world.read(files[2]), "vhost=b\n");
    let output = hosts.get(&[A, "-o", "no/such/file"]);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(text(&output.stderr), "cannot write no/such/file: No such file or directory\n");
}

#[test]
fn request_without_an_answer_has_host_cause_and_advice() {
    let hosts = Hosts::start(&[]);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let resolve = format!("dead.example.test:443:{address}");
    let dead = "https://dead.example.test/";
    let report = hosts.json(&["--resolve", &resolve, A, dead], 1);
    assert_eq!(all(&report, "status"), [&json!(200), &Value::Null], "{report}");
    let error = report["requests"][1]["error"].as_str().unwrap();
    assert!(error.starts_with("dead.example.test: "), "{error}");
    assert!(error.contains("Connection refused"), "{error}");
    assert!(error.ends_with("; check that a server runs there"), "{error}");
    assert_eq!(
        (&report["summary"]["answered"], &report["summary"]["failed"]),
        (&json!(1), &json!(1))
    );

    let output = hosts.get(&["--resolve", &resolve, A, dead]);
    assert!(text(&output.stdout).contains("\nno connection\n└─ fail"), "{output:?}");
}

#[test]
fn certificate_of_another_ca_is_refused_with_the_option() {
    let hosts = Hosts::start(&[]);
    let output = hosts.get(&["--cacert", "certs/client-ca1.pem", A]);
    assert_eq!(output.status.code(), Some(2), "an option is given twice: {output:?}");
    let resolve = format!("*:443:{}", hosts.server.address());
    let get = ["get", "--resolve", &resolve, A];
    let output = hosts.world.run(&[&get[..], &["--cacert", "certs/client-ca1.pem"]].concat());
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{output:?}");
    let said = text(&output.stderr);
    assert!(said.starts_with("a.example.test: "), "{said}");
    assert!(said.trim_end().ends_with("trust its CA with --cacert FILE"), "{said}");

    let output = hosts.world.run(&[&get[..], &["--insecure"]].concat());
    assert_eq!(text(&output.stdout), "vhost=a\n", "{output:?}");
    assert!(text(&output.stderr).starts_with("WARNING: --insecure"), "{output:?}");
    let output = hosts.world.run(&[&get[..], &["--insecure", B, "--json"]].concat());
    let report: Value = serde_json::from_str(text(&output.stdout)).unwrap();
    assert_eq!(report["summary"]["shared"], 0, "{report}");
}

#[test]
fn limits_of_time_and_content_end_a_request() {
    let hosts = Hosts::start(&[]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let resolve = format!("silent.example.test:443:{}", silent.local_addr().unwrap());
    let url = "https://silent.example.test/";
    let output = hosts.get(&["--resolve", &resolve, "--max-time", "0.5", url]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let expected = "silent.example.test: no answer within 0.5 seconds; raise --max-time\n";
    assert_eq!(text(&output.stderr), expected);
    let report = hosts.json(&[A, "--max-filesize", "3"], 1);
    let error = "a.example.test: the content has more than 3 bytes; raise --max-filesize";
    assert_eq!(report["requests"][0]["error"], error);
}

#[test]
fn fail_takes_an_error_status_as_no() {
    let hosts = Hosts::start(&[]);
    let url = "https://c.example.test/";
    hosts.json(&[url], 0);
    let site = hosts.world.read("site.toml");
    let missing = site.replace("{ text = \"vhost=c\\n\" }", "{ text = \"no\", status = 404 }");
    assert_ne!(site, missing);
    hosts.world.write("site.toml", &missing);
    let server = Server::start(&hosts.world, 1);
    let hosts = Hosts { server, ..hosts };
    assert_eq!(hosts.json(&[url], 0)["requests"][0]["status"], 404);
    hosts.json(&[url, "--fail"], 1);
    let output = hosts.get(&[url, "-f"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
    assert_eq!(text(&output.stderr), "https://c.example.test/: the status is 404\n");
}

#[test]
fn invalid_arguments_are_refused_with_the_expected_ones() {
    let world = World::new();
    world.write("empty.pem", "");
    for (arguments, expected) in [
        (&["get"][..], "<URL>"),
        (&["get", "a.test"], "does not begin with https:// or http://"),
        (&["get", A, "--resolve", "a.test"], "expected HOST:PORT:ADDRESS"),
        (&["get", A, "--dns", "dns.test"], "invalid address \"dns.test\""),
        (&["get", A, "--cert", "certs/client1.pem"], "--key"),
        (&["get", A, "--cacert", "certs/ca.pem", "-k"], "cannot be used with"),
        (&["get", A, B, "-o", "x"], "--output is for one URL; there are several"),
        (&["get", A, "-H", "Host: b"], "the URL has the host"),
        (&["get", A, "--cacert", "no.pem"], "--cacert: cannot read no.pem: No such file"),
        (&["get", A, "--cacert", "empty.pem"], "--cacert: empty.pem: no CERTIFICATE section"),
        (&["get", A, "--proxy", "socks5://127.0.0.1:1"], "--proxy"),
    ] {
        let output = world.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(text(&output.stderr).contains(expected), "{arguments:?}: {output:?}");
    }
}
