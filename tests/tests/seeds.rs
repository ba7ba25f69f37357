//! The project's seeds, over real sockets with curl and nghttp.

use coalesce_tests::{CONTENT_421, Curl, Server, World, curl, nghttp2};

const CONFIGURATION: &str = r#"
[[listener]]
address = "127.0.0.1:0"
default_virtual_host = "api"

[[group]]
name = "public"

[[group]]
name = "staff"
client_ca = "client-ca.pem"

# nghttp resolves names by itself, so this host has one that resolves everywhere.
[[virtual_host]]
name = "api"
names = ["api.example.test", "localhost"]
group = "public"
certificate = "api.pem"
key = "api.key"
answer = { text = "vhost=api\n" }

[[virtual_host]]
name = "cdn"
names = ["cdn.example.test"]
group = "public"
certificate = "cdn.pem"
key = "cdn.key"
answer = { text = "vhost=cdn\n" }

[[virtual_host]]
name = "files"
names = ["files.example.test"]
group = "public"
certificate = "files.pem"
key = "files.key"
answer = { folder = "public" }

[[virtual_host]]
name = "staff"
names = ["staff.example.test"]
group = "staff"
certificate = "staff.pem"
key = "staff.key"
answer = { text = "vhost=staff\n" }
"#;

struct Fixture {
    world: World,
    server: Server,
}

impl Fixture {
    fn start() -> Self {
        let world = World::new(
            &[
                ("api", &["api.example.test", "localhost"]),
                ("cdn", &["cdn.example.test"]),
                // Also covers the staff host, which requires a client certificate.
                ("files", &["files.example.test", "staff.example.test"]),
                ("staff", &["staff.example.test"]),
            ],
            CONFIGURATION,
        );
        std::fs::create_dir(world.path("public")).unwrap();
        std::fs::write(world.path("public/there.txt"), "here\n").unwrap();
        let server = world.serve();
        Self { world, server }
    }

    fn port(&self) -> u16 {
        self.server.address.port()
    }

    /// Sends a request on a connection for `host`.
    fn get(&self, host: &str, path: &str, authority: Option<&str>, more: &[&str]) -> Curl {
        let url = format!("https://{host}:{}{path}", self.port());
        let authority = authority.map(|name| format!("{name}:{}", self.port()));
        curl(&self.world, &self.server, &url, authority.as_deref(), more)
    }
}

#[track_caller]
fn assert_is_the_421(answer: &Curl) {
    assert_eq!((answer.status, answer.exit), (421, 0), "{answer:?}");
    assert_eq!(answer.version, "2");
    assert_eq!(answer.body, CONTENT_421);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    // These fields only, so no detail of routing leaks.
    let names: Vec<&str> =
        answer.headers.lines().skip(1).filter_map(|line| line.split(": ").next()).collect();
    let mut found: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    found.sort_unstable();
    assert_eq!(found, ["cache-control", "content-length", "content-type", "date"]);
}

#[test]
fn cdn_on_a_connection_for_api_is_misdirected() {
    let fixture = Fixture::start();
    let own = fixture.get("api.example.test", "/", None, &[]);
    assert_eq!((own.status, own.body.as_str()), (200, "vhost=api\n"));
    let known = fixture.get("api.example.test", "/", Some("cdn.example.test"), &[]);
    assert_is_the_421(&known);
    let unknown = fixture.get("api.example.test", "/", Some("wrong.example.test"), &[]);
    assert_is_the_421(&unknown);
    let undated = |answer: Curl| {
        let fields: Vec<String> = answer.headers.lines().map(str::to_owned).collect();
        (
            fields.into_iter().filter(|line| !line.starts_with("date: ")).collect::<Vec<_>>(),
            answer.body,
        )
    };
    assert_eq!(undated(known), undated(unknown));
}

#[test]
fn fresh_connection_for_the_misdirected_host_is_served() {
    let fixture = Fixture::start();
    assert_eq!(fixture.get("api.example.test", "/", Some("cdn.example.test"), &[]).status, 421);
    let retried = fixture.get("cdn.example.test", "/", None, &[]);
    assert_eq!((retried.status, retried.body.as_str()), (200, "vhost=cdn\n"));
}

#[test]
fn missing_path_is_404_and_bad_syntax_400_or_a_reset() {
    let fixture = Fixture::start();
    let there = fixture.get("files.example.test", "/there.txt", None, &[]);
    assert_eq!((there.status, there.body.as_str()), (200, "here\n"));
    assert_eq!(fixture.get("files.example.test", "/missing", None, &[]).status, 404);

    let url = format!("https://api.example.test:{}/", fixture.port());
    for bad in ["api.example.test:port", "api.example.test:99999", "api.example.test:1:2"] {
        let answer = curl(&fixture.world, &fixture.server, &url, Some(bad), &[]);
        assert_eq!((answer.status, answer.exit), (400, 0), "{bad}: {answer:?}");
    }
    let answer = curl(&fixture.world, &fixture.server, &url, Some("user@api.example.test"), &[]);
    assert_eq!((answer.status, answer.exit), (0, 92), "curl reports a reset stream: {answer:?}");
}

#[test]
fn missing_credentials_are_never_421_on_their_own_connection() {
    let fixture = Fixture::start();
    let without = fixture.get("staff.example.test", "/", None, &[]);
    assert_eq!(without.status, 0, "{without:?}");
    assert_ne!(without.exit, 0);
    let certificate = ["--cert", "client.pem", "--key", "client.key"];
    let with = fixture.get("staff.example.test", "/", None, &certificate);
    assert_eq!((with.status, with.body.as_str()), (200, "vhost=staff\n"));
    // The certificate of `files` covers it, but that connection requested no client certificate.
    let coalesced =
        fixture.get("files.example.test", "/", Some("staff.example.test"), &certificate);
    assert_is_the_421(&coalesced);
}

#[test]
fn misdirected_upload_is_refused_unread() {
    let fixture = Fixture::start();
    std::fs::write(fixture.world.path("upload"), vec![b'x'; 4 << 20]).unwrap();
    let upload = ["--data-binary", "@upload", "--header", "Expect: 100-continue"];
    let answer = fixture.get("api.example.test", "/", Some("cdn.example.test"), &upload);
    assert_eq!((answer.status, answer.body.as_str()), (421, CONTENT_421), "{answer:?}");
    assert!(!answer.headers.contains(" 100"), "no 100 Continue for an unread upload");
}

/// nghttp takes its server name from the authority. So the test misdirects by the port, and by a
/// name that falls to the default host's certificate.
#[test]
fn nghttp_sees_the_same_on_one_connection() {
    let fixture = Fixture::start();
    let url = |path: &str| format!("https://localhost:{}{path}", fixture.port());
    let nghttp = |authority: &str| {
        let authority = format!(":authority: {authority}");
        let arguments = ["--no-verify-peer", "-v", "-H", &authority, &url("/1"), &url("/2")];
        nghttp2("nghttp", &arguments)
    };
    let own = nghttp(&format!("api.example.test:{}", fixture.port()));
    assert_eq!(own.matches(":status: 200").count(), 2, "{own}");
    assert_eq!(own.matches("vhost=api").count(), 2);

    // The server name follows the authority: a new connection for the host that `api` misdirects.
    let cdn = nghttp(&format!("cdn.example.test:{}", fixture.port()));
    assert_eq!(cdn.matches("vhost=cdn").count(), 2, "{cdn}");

    let wrong = format!("wrong.example.test:{}", fixture.port());
    for authority in ["api.example.test:9", &wrong] {
        let other = nghttp(authority);
        assert_eq!(other.matches(":status: 421").count(), 2, "{other}");
        assert_eq!(other.matches(CONTENT_421).count(), 2);
        assert!(!other.contains("recv RST_STREAM"), "the streams had ended, so no reset is due");
        assert!(!other.contains("recv GOAWAY"), "the connection stays usable");
    }
}

/// nghttp2 parses ORIGIN frames (RFC 8336) independently of this project.
#[test]
fn nghttp_gets_the_origins_of_its_connection() {
    let fixture = Fixture::start();
    let port = fixture.port();
    let said =
        nghttp2("nghttp", &["--no-verify-peer", "-v", &format!("https://localhost:{port}/")]);
    assert_eq!(said.matches("recv ORIGIN frame").count(), 1, "{said}");
    for name in ["api.example.test", "localhost"] {
        assert!(said.contains(&format!("[https://{name}:{port}]")), "{said}");
    }
    assert!(!said.contains("https://cdn.example.test"), "{said}");
    assert!(said.contains(":status: 200") && !said.contains("recv GOAWAY"), "{said}");
}

#[test]
fn h2load_counts_a_421_for_every_misdirected_request() {
    let fixture = Fixture::start();
    let cdn = format!(":authority: cdn.example.test:{}", fixture.port());
    let url = format!("https://localhost:{}/", fixture.port());
    let report = nghttp2("h2load", &["-n", "5000", "-c", "4", "-m", "100", "-H", &cdn, &url]);
    assert!(report.contains("status codes: 0 2xx, 0 3xx, 5000 4xx, 0 5xx"), "{report}");
    assert!(report.contains("0 failed, 0 errored, 0 timeout"), "{report}");
}

#[test]
fn answer_to_an_unread_upload_arrives() {
    let fixture = Fixture::start();
    std::fs::write(fixture.world.path("upload"), vec![b'x'; 4 << 20]).unwrap();
    let upload = ["--data-binary", "@upload"];
    let text = fixture.get("api.example.test", "/", None, &upload);
    assert_eq!((text.status, text.exit), (200, 0), "{text:?}");
    let folder = fixture.get("files.example.test", "/there.txt", None, &upload);
    assert_eq!((folder.status, folder.exit), (405, 0), "{folder:?}");
}

/// RFC 9113 §3.2: HTTP/2 over TLS is negotiated.
#[test]
fn client_without_alpn_gets_no_answer() {
    let fixture = Fixture::start();
    let answer = fixture.get("api.example.test", "/", None, &["--no-alpn"]);
    assert_eq!(answer.status, 0, "{answer:?}");
    assert_ne!(answer.exit, 0);
}

#[test]
fn server_exits_with_success_on_sigterm() {
    let fixture = Fixture::start();
    assert_eq!(fixture.get("api.example.test", "/", None, &[]).status, 200);
    assert!(fixture.server.terminate().success());
}
