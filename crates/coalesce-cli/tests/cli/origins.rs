//! The ORIGIN frames of `coalesce serve` (RFC 8336), read as raw frames, and checked by requests.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{Client, Server, config};
use crate::world::{World, text, virtual_host};

const LISTENER: &str = "[[listener]]\naddress = \"127.0.0.1:0\"\ndefault_virtual_host = \"a\"\n";
const A: &str = "a.example.test";
const B: &str = "b.example.test";

const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const ORIGIN: u8 = 0xc;
const ACK: u8 = 0x1;

/// The longest wait for a frame.
const SAID_WITHIN: Duration = Duration::from_secs(30);

/// A client that reads raw frames.
struct Raw {
    stream: TlsStream<TcpStream>,
}

impl Raw {
    async fn connect(world: &World, address: SocketAddr, server_name: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from(server_name.to_owned()).unwrap();
        let mut stream = TlsConnector::from(config(world)).connect(name, stream).await.unwrap();
        let hello = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0][..]];
        stream.write_all(&hello.concat()).await.unwrap();
        Self { stream }
    }

    /// Reads the next frame: type, flags, stream, payload.
    async fn next(&mut self) -> (u8, u8, u32, Vec<u8>) {
        timeout(SAID_WITHIN, self.read()).await.expect("the server sends no more frames")
    }

    async fn read(&mut self) -> (u8, u8, u32, Vec<u8>) {
        let mut header = [0; 9];
        self.stream.read_exact(&mut header).await.unwrap();
        let [l0, l1, l2, kind, flags, stream @ ..] = header;
        let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
        self.stream.read_exact(&mut payload).await.unwrap();
        (kind, flags, u32::from_be_bytes(stream), payload)
    }

    /// Returns the origins announced so far, up to the answer of the second PING. The first answer
    /// overtakes frames that the server makes when it reads the PING.
    async fn announced(&mut self) -> Vec<String> {
        let mut origins = Vec::new();
        for payload in [b"settle 1", b"settle 2"] {
            let ping = [&[0, 0, 8, PING, 0, 0, 0, 0, 0], &payload[..]].concat();
            self.stream.write_all(&ping).await.unwrap();
            loop {
                let frame = self.next().await;
                match frame {
                    (PING, ACK, 0, echo) if echo == payload => break,
                    (ORIGIN, ..) => origins.extend(entries(&frame)),
                    (kind, ..) => assert_ne!(kind, GOAWAY),
                }
            }
        }
        origins
    }

    /// Returns the next announcement.
    async fn announcement(&mut self) -> Vec<String> {
        loop {
            let frame = self.next().await;
            if frame.0 == ORIGIN {
                return entries(&frame);
            }
        }
    }
}

/// Returns the entries of a frame (RFC 8336 §2.1).
fn entries((_, flags, stream, payload): &(u8, u8, u32, Vec<u8>)) -> Vec<String> {
    assert_eq!((*flags, *stream), (0, 0));
    let (mut origins, mut rest) = (Vec::new(), &payload[..]);
    while let [l0, l1, tail @ ..] = rest {
        let (origin, tail) = tail.split_at(u16::from_be_bytes([*l0, *l1]).into());
        origins.push(String::from_utf8(origin.to_vec()).unwrap());
        rest = tail;
    }
    assert!(rest.is_empty());
    origins
}

fn origins(names: &[&str], port: u16) -> Vec<String> {
    names.iter().map(|name| format!("https://{name}:{port}")).collect()
}

fn host(name: &str, of: &str) -> String {
    virtual_host(name, of, "A")
}

async fn reload(world: &World, server: &Server, after: &str, times: usize) {
    world.replace("site.toml", after);
    server.hang_up();
    server.logged("reloaded", times).await;
}

#[tokio::test]
async fn origin_set_comes_right_after_settings() {
    let world = World::lab();
    let text = std::fs::read_to_string(world.path("site.toml")).unwrap();
    let text = text.replace("127.0.0.1:8443", "127.0.0.1:0");
    world.write("site.toml", &format!("announce_origins = \"always\"\n{text}"));
    let server = Server::start_with(&world, 1, &["--no-watch"]);
    let mut raw = Raw::connect(&world, server.address(), A).await;
    let (kind, flags, ..) = raw.next().await;
    assert_eq!((kind, flags), (SETTINGS, 0));
    let second = raw.next().await;
    assert_eq!(second.0, ORIGIN);
    let names = ["a.example.test", "b.example.test", "xn--bcher-kva.example.test"];
    let expected = names.map(|name| [format!("https://{name}"), format!("https://{name}:8443")]);
    assert_eq!(entries(&second), expected.concat());
    assert!(raw.announced().await.is_empty(), "it is said once");
}

/// Requests every name of the lab on a connection for each: announced names are served, others get
/// 421.
#[tokio::test]
async fn announced_names_are_served_and_no_others() {
    let world = World::lab();
    let text = std::fs::read_to_string(world.path("site.toml")).unwrap();
    let text = text.replace("127.0.0.1:8443", "127.0.0.1:0").replace("ports = [443, 8443]\n", "");
    let strict = text.replace("vhost=b\\n\" }\n", "vhost=b\\n\" }\ncoalesce = \"never\"\n");
    assert_ne!(text, strict);
    world.write("site.toml", &format!("announce_origins = \"always\"\n{strict}"));
    let server = Server::start_with(&world, 1, &["--no-watch"]);
    let port = server.address().port();
    let labels = ["a", "b", "xn--bcher-kva", "c", "api", "cdn", "m", "m2"];
    let mut sizes = BTreeSet::new();
    for own in ["a", "b", "c", "api", "x.wild"] {
        let own = format!("{own}.example.test");
        let announced = Raw::connect(&world, server.address(), &own).await.announced().await;
        let client = Client::connect(&world, server.address(), &own).await;
        for name in labels.map(|label| format!("{label}.example.test")) {
            let said = announced.contains(&format!("https://{name}:{port}"));
            let status = client.get(&name, "/").await.0.status;
            assert_eq!(status, if said { 200 } else { 421 }, "{name} on a connection for {own}");
        }
        assert!(announced.iter().all(|origin| !origin.contains("wild")), "{announced:?}");
        sizes.insert(announced.len());
    }
    assert_eq!(sizes, BTreeSet::from([1, 2, 3, 5]));
}

#[tokio::test]
async fn name_added_by_a_reload_is_announced_on_open_connections() {
    let world = World::new();
    let elsewhere = virtual_host("cdn", "cdn.example.test", "CDN");
    let asking = host("m", "m.example.test") + "client_ca = \"certs/client-ca1.pem\"\n";
    world.write("site.toml", &format!("{LISTENER}{}", host("a", A)));
    let server = Server::start_with(&world, 1, &["--no-watch"]);
    let port = server.address().port();
    let mut raw = Raw::connect(&world, server.address(), A).await;
    assert_eq!(raw.announced().await, origins(&[A], port));
    // Of three new names, this idle connection would be served one.
    let after = format!("{LISTENER}{}{}{elsewhere}{asking}", host("a", A), host("b", B));
    reload(&world, &server, &after, 1).await;
    assert_eq!(raw.announcement().await, origins(&[B], port));
    let client = Client::connect(&world, server.address(), A).await;
    let statuses = [B, "cdn.example.test", "m.example.test"].map(|name| client.get(name, "/"));
    let [b, cdn, m] = statuses;
    assert_eq!([b.await.0.status, cdn.await.0.status, m.await.0.status], [200, 421, 421]);
    // A removed name is not announced. When it is back, it is announced again.
    reload(&world, &server, &format!("{LISTENER}{}", host("a", A)), 2).await;
    reload(&world, &server, &after, 3).await;
    assert!(raw.announced().await.iter().all(|origin| origins(&[B], port).contains(origin)));
    // New connections get the whole set at once.
    let mut new = Raw::connect(&world, server.address(), B).await;
    assert_eq!(new.announced().await, origins(&[A, B], port));
}

#[tokio::test]
async fn nothing_is_announced_when_it_is_switched_off() {
    let world = World::new();
    let site = format!("{LISTENER}{}", host("a", A));
    let off = format!("announce_origins = false\n{site}");
    for (text, arguments, announces) in [
        (&off, &["--no-watch"][..], false),
        (&site, &["--no-watch", "--no-origins"], false),
        (&format!("announce_origins = true\n{site}"), &["--no-watch"], true),
    ] {
        world.write("site.toml", text);
        let server = Server::start_with(&world, 1, arguments);
        let mut raw = Raw::connect(&world, server.address(), A).await;
        assert_eq!(!raw.announced().await.is_empty(), announces);
        // The flag also applies to configurations loaded later.
        let more = format!("announce_origins = true\n{site}{}", host("b", B));
        reload(&world, &server, &more, 1).await;
        let forever = arguments.contains(&"--no-origins");
        if forever {
            assert!(raw.announced().await.is_empty());
        } else {
            let names = if announces { &[B][..] } else { &[A, B] };
            assert_eq!(raw.announcement().await, origins(names, server.address().port()));
        }
    }
}

/// A site of wildcards alone announces nothing, so clients coalesce its hosts as before.
#[tokio::test]
async fn hosts_below_wildcards_alone_stay_coalesced() {
    let world = World::new();
    let wild = virtual_host("wild", "*.example.test", "B");
    world.write("site.toml", &format!("[[listener]]\naddress = \"127.0.0.1:0\"\n{wild}"));
    let server = Server::start_with(&world, 1, &["--no-watch"]);
    let client = Client::connect(&world, server.address(), "x.example.test").await;
    assert_eq!(client.get("y.example.test", "/").await.0.status, 200);
    // The certificate has `c` as an exact name. To announce it would end sharing among the others.
    let mut raw = Raw::connect(&world, server.address(), "x.example.test").await;
    assert!(raw.announced().await.is_empty());
    let port = server.address().port();
    let text = std::fs::read_to_string(world.path("site.toml")).unwrap();
    reload(&world, &server, &format!("announce_origins = \"always\"\n{text}"), 1).await;
    let mut raw = Raw::connect(&world, server.address(), "x.example.test").await;
    assert_eq!(raw.announced().await, origins(&["c.example.test"], port));
    world.issue("B", &["*.example.test"]);
    reload(&world, &server, &format!("announce_origins = \"always\"\n{text}"), 2).await;
    let mut raw = Raw::connect(&world, server.address(), "x.example.test").await;
    assert!(raw.announced().await.is_empty());
}

/// Tenants below a wildcard, and the name above them, which all tenants share.
fn tenants() -> (World, String) {
    let world = World::new();
    world.issue("WILD", &["*.example.test", "example.test"]);
    let site = [
        "[[listener]]\naddress = \"127.0.0.1:0\"\n".to_owned(),
        virtual_host("tenants", "*.example.test", "WILD"),
        virtual_host("apex", "example.test", "WILD"),
    ];
    (world, site.concat())
}

/// RFC 8336 §2.3, §2.4: a client that heeds the set would use the connection for `example.test`
/// only.
#[tokio::test]
async fn exact_name_does_not_end_sharing_below_a_wildcard() {
    let (world, site) = tenants();
    for (setting, announces) in [
        ("", false),
        ("announce_origins = \"when-complete\"\n", false),
        ("announce_origins = \"never\"\n", false),
        ("announce_origins = \"always\"\n", true),
    ] {
        world.write("site.toml", &format!("{setting}{site}"));
        let server = Server::start_with(&world, 1, &["--no-watch"]);
        let mut raw = Raw::connect(&world, server.address(), "t1.example.test").await;
        let expected: &[&str] = if announces { &["example.test"] } else { &[] };
        let expected = origins(expected, server.address().port());
        assert_eq!(raw.announced().await, expected, "{setting}");
        // Announcements do not change the decision.
        let client = Client::connect(&world, server.address(), "t1.example.test").await;
        assert_eq!(client.get("t2.example.test", "/").await.0.status, 200, "{setting}");
    }
}

#[test]
fn origin_set_that_leaves_out_hosts_is_shown_where_the_operator_looks() {
    let (world, site) = tenants();
    let said = |setting: &str, arguments: &[&str]| {
        world.write("site.toml", &format!("{setting}{site}"));
        let output = world.run(&[arguments, &["--config", "site.toml"]].concat());
        (text(&output.stdout).to_owned(), text(&output.stderr).to_owned())
    };
    let explain = ["explain", "--server-name", "t1.example.test", "--authority", "example.test"];
    let left_out = "an origin set leaves out hosts that only *.example.test matches";
    for (setting, announces, warning) in [
        (
            "",
            false,
            Some("connections for tenants announce no origins: hosts that only *.example.test"),
        ),
        ("announce_origins = \"never\"\n", false, None),
        (
            "announce_origins = true\n",
            true,
            Some("connections for tenants announce their origins: hosts that only *.example.test"),
        ),
    ] {
        let (groups, log) = said(setting, &["groups"]);
        let warns = log.contains("site.toml: announce_origins: connections for tenants");
        assert_eq!(warns, warning.is_some(), "{setting} {log}");
        assert!(log.contains(warning.unwrap_or_default()), "{setting} {log}");
        let whose = if announces { "their" } else { "no" };
        let line = format!("    announce   {whose} origins: {left_out}\n");
        assert!(groups.contains(&line), "{setting} {groups}");
        let (report, _) = said(setting, &["groups", "--json"]);
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let connection = &report["groups"][0]["connections"][0];
        assert_eq!(connection["announces_origins"], announces);
        assert_eq!(connection["origins_left_out"], serde_json::json!(["*.example.test"]));
        let (explained, _) = said(setting, &explain);
        let named = if announces { "https://example.test" } else { "none" };
        assert!(explained.contains(&format!("announces    {named}\n")), "{setting} {explained}");
        assert!(explained.contains(left_out), "{setting} {explained}");
    }
}

/// Hosts of strict names share no connection, so an origin set takes no host from a client.
#[test]
fn strict_wildcard_leaves_nothing_out() {
    let (world, site) = tenants();
    let strict =
        site.replace("vhost=tenants\\n\" }\n", "vhost=tenants\\n\" }\ncoalesce = \"never\"\n");
    assert_ne!(site, strict);
    world.write("site.toml", &strict);
    let output = world.run(&["groups", "--config", "site.toml"]);
    assert_eq!(text(&output.stderr), "");
    assert!(!text(&output.stdout).contains("announce"), "{output:?}");
}

#[test]
fn setting_of_origins_that_is_none_of_its_words_is_refused() {
    let (world, site) = tenants();
    for value in ["\"sometimes\"", "1"] {
        world.write("site.toml", &format!("announce_origins = {value}\n{site}"));
        let said = world.say(&["groups", "--config", "site.toml"], 3);
        assert!(said.contains("site.toml:1: "), "{said}");
        assert!(said.contains("\"when-complete\", \"always\", \"never\", true or false"), "{said}");
    }
}
