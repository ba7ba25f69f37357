//! The profile `gateway-api`: the published conformance cases of the Kubernetes Gateway API for
//! misdirected requests and for the isolation of listeners, with real clients.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::world::{World, text};

/// A site of listeners that share a port: name, hostname, and the names of its virtual host, which
/// has the listener's name and is its default.
fn site(listeners: &[(&str, Option<&str>, &[&str])]) -> String {
    let mut site = "profile = \"gateway-api\"\n".to_owned();
    for (name, hostname, _) in listeners {
        let header = "[[listener]]\naddress = \"127.0.0.1:0\"\n";
        writeln!(site, "{header}name = \"{name}\"\ndefault_virtual_host = \"{name}\"").unwrap();
        if let Some(hostname) = hostname {
            writeln!(site, "hostname = \"{hostname}\"").unwrap();
        }
    }
    for (name, _, names) in listeners {
        write!(
            site,
            "[[virtual_host]]\nname = \"{name}\"\nnames = {names:?}\nlisteners = [\"{name}\"]\n\
             certificate = \"certs/GATEWAY.pem\"\nkey = \"certs/GATEWAY.key\"\n\
             answer = {{ text = \"{name}\" }}\n"
        )
        .unwrap();
    }
    site
}

fn world(site: &str) -> World {
    let world = World::new();
    world.write("site.toml", site);
    world
}

/// The Gateway `same-namespace-with-https-listener`, with the routes of the conformance test below.
/// Each route is a virtual host. Left out are hostnames of a route on a listener when another
/// listener is responsible for them, because they would never be served.
fn detect_misdirected_requests() -> World {
    world(&site(&[
        ("https", None, &["example.org"]),
        ("https-with-hostname", Some("second-example.org"), &["second-example.org"]),
        ("https-with-wildcard-hostname", Some("*.wildcard.org"), &["*.wildcard.org"]),
        (
            "https-with-hostname-matching-wildcard",
            Some("fourth-example.wildcard.org"),
            &["fourth-example.wildcard.org"],
        ),
    ]))
}

/// `HTTPRouteHTTPSListenerDetectMisdirectedRequests`, feature
/// `GatewayHTTPSListenerDetectMisdirectedRequests`: server name, host, status, backend.
const CASES: [(&str, &str, u16, Option<&str>); 15] = [
    ("example.org", "example.org", 200, Some("https")),
    ("example.org", "second-example.org", 421, None),
    ("example.org", "unknown-example.org", 404, None),
    ("second-example.org", "second-example.org", 200, Some("https-with-hostname")),
    ("second-example.org", "example.org", 421, None),
    ("second-example.org", "unknown-example.org", 421, None),
    (
        "third-example.wildcard.org",
        "third-example.wildcard.org",
        200,
        Some("https-with-wildcard-hostname"),
    ),
    (
        "third-example.wildcard.org",
        "fith-example.wildcard.org",
        200,
        Some("https-with-wildcard-hostname"),
    ),
    ("third-example.wildcard.org", "fourth-example.wildcard.org", 421, None),
    ("third-example.wildcard.org", "second-example.org", 421, None),
    ("third-example.wildcard.org", "unknown-example.org", 421, None),
    (
        "fourth-example.wildcard.org",
        "fourth-example.wildcard.org",
        200,
        Some("https-with-hostname-matching-wildcard"),
    ),
    ("fourth-example.wildcard.org", "fith-example.wildcard.org", 421, None),
    ("unknown-example.org", "example.org", 200, Some("https")),
    ("unknown-example.org", "unknown-example.org", 404, None),
];

#[tokio::test]
async fn misdirected_requests_are_detected_as_the_conformance_test_wants() {
    let world = detect_misdirected_requests();
    let server = Server::start(&world, 1);
    for (server_name, host, status, backend) in CASES {
        let client = Client::connect(&world, server.address(), server_name).await;
        let (head, content) = client.get(host, "/detect-misdirected-requests").await;
        assert_eq!(head.status, status, "{host} on {server_name}");
        if let Some(backend) = backend {
            assert_eq!(text(&content), backend, "{host} on {server_name}");
        }
        // The connection goes on.
        let own = if server_name.starts_with("unknown") { "example.org" } else { server_name };
        assert_eq!(client.get(own, "/").await.0.status, 200, "{own} on {server_name}");
    }
}

/// The same cases with `explain`, with the reasons.
#[test]
fn gateway_api_reasons_are_explained() {
    let world = detect_misdirected_requests();
    let input: String = CASES
        .iter()
        .map(|(server_name, host, ..)| {
            json!({ "server_name": server_name, "authority": host }).to_string() + "\n"
        })
        .collect();
    // The question may name any listener on the port; the server name chooses the responsible one.
    let asked = ["--listener", "https-with-hostname", "--batch"];
    let asked = [&["explain", "--config", "site.toml"][..], &asked].concat();
    let (code, lines) = world.batch(&asked, &input);
    assert_eq!((code, lines.len()), (0, CASES.len()));
    for ((server_name, host, status, backend), line) in CASES.iter().zip(&lines) {
        let reason = match (status, *host) {
            (200, _) => "served",
            (404, _) => "unlisted",
            (_, "unknown-example.org") => "unknown_authority",
            _ => "listener",
        };
        assert_eq!(line["reason"], reason, "{host} on {server_name}: {line}");
        assert_eq!(line["status"], *status, "{host} on {server_name}: {line}");
        assert_eq!(line["virtual_host"], json!(backend), "{host} on {server_name}: {line}");
    }
}

/// `GatewayHTTPListenerIsolation`, whose listeners are told apart by hostname alone: each host is
/// reached through its listener, and through no connection for another one. The test recognises
/// backends by paths; here they are virtual hosts.
#[tokio::test]
async fn listeners_are_isolated() {
    let world = world(&site(&[
        ("empty-hostname", None, &["*"]),
        ("wildcard-example-com", Some("*.example.com"), &["*.example.com"]),
        ("wildcard-foo-example-com", Some("*.foo.example.com"), &["*.foo.example.com"]),
        ("abc-foo-example-com", Some("abc.foo.example.com"), &["abc.foo.example.com"]),
    ]));
    let server = Server::start(&world, 1);
    let hosts = [
        ("bar.com", "empty-hostname"),
        ("bar.example.com", "wildcard-example-com"),
        ("bar.foo.example.com", "wildcard-foo-example-com"),
        ("abc.foo.example.com", "abc-foo-example-com"),
        // A hostname with a wildcard is of any depth.
        ("x.abc.foo.example.com", "wildcard-foo-example-com"),
    ];
    for (server_name, of_connection) in hosts {
        let client = Client::connect(&world, server.address(), server_name).await;
        for (host, listener) in hosts {
            let (head, content) = client.get(host, "/").await;
            if listener == of_connection {
                assert_eq!((head.status.as_u16(), text(&content)), (200, listener), "{host}");
            } else {
                assert_eq!(head.status, 421, "{host} on {server_name}");
            }
        }
    }
}

#[test]
fn overlaps_are_reported_at_load() {
    let world = detect_misdirected_requests();
    let output = world.run(&["groups", "--config", "site.toml", "--json"]);
    let report: Value = serde_json::from_str(text(&output.stdout)).unwrap();
    let overlaps = report["overlaps"].as_array().unwrap();
    let reasons: Vec<_> =
        overlaps.iter().map(|overlap| (&overlap["listener"], &overlap["reason"])).collect();
    let certificates = json!("OverlappingCertificates");
    let names = ["https", "https-with-hostname", "https-with-wildcard-hostname"].map(Value::from);
    assert_eq!(reasons[..3], names.each_ref().map(|name| (name, &certificates)));
    assert_eq!(overlaps.len(), 4);
    let said = text(&output.stderr);
    let expected = "listener \"https-with-hostname\": hostname: OverlappingTLSConfig \
                    (OverlappingCertificates) with listener ";
    assert!(said.contains(expected), "{said}");
}

/// Replacements in the site of the misdirected requests, and the messages.
const BROKEN: &[(&str, &str, &str)] = &[
    (
        "profile = \"gateway-api\"\n",
        "",
        "listener \"https-with-hostname\": hostname: only allowed with profile = \"gateway-api\"",
    ),
    ("gateway-api", "gateway", "site.toml:1: profile: found \"gateway\", expected \"gateway-api\""),
    (
        "hostname = \"*.wildcard.org\"",
        "hostname = \"second-example.org\"",
        "listener \"https-with-wildcard-hostname\": hostname: listener \"https-with-hostname\" on \
         this address has this hostname",
    ),
    (
        "hostname = \"*.wildcard.org\"",
        "hostname = \"192.0.2.1\"",
        "hostname: a name or *.name expected; without hostname it is every name",
    ),
    (
        "hostname = \"*.wildcard.org\"",
        "hostname = \"a.*.wildcard.org\"",
        "hostname: \"a.*.wildcard.org\": '*' must be alone or in a leading",
    ),
    (
        "hostname = \"*.wildcard.org\"",
        "hostname = \"*.wildcard.org\"\nports = [443]",
        "ports: listener \"https\" on this address has other ports",
    ),
    (
        "names = [\"example.org\"]",
        "names = [\"example.org\", \"third-example.wildcard.org\"]",
        "virtual_host \"https\": names: \"third-example.wildcard.org\" would never be served: of the \
         listeners of 127.0.0.1:0, \"https-with-wildcard-hostname\" is responsible for it, and this \
         host is not on that one",
    ),
];

#[test]
fn contradictory_fields_are_refused() {
    for (from, to, message) in BROKEN {
        let world = detect_misdirected_requests();
        let site = std::fs::read_to_string(world.path("site.toml")).unwrap();
        assert!(site.contains(from), "{from}");
        world.write("site.toml", &site.replacen(from, to, 1));
        let said = world.say(&["groups", "--config", "site.toml"], 3);
        assert!(said.contains(message), "{message}\n{said}");
    }
}

/// A virtual host that names no listener is on all of them, as a route on a whole Gateway. Each of
/// its names is served if a listener is responsible for it.
#[test]
fn virtual_host_without_a_listener_is_on_every_listener() {
    let site = site(&[
        ("https", None, &["example.org"]),
        ("second", Some("second-example.org"), &["second-example.org"]),
    ]);
    let site = site.replacen("listeners = [\"https\"]\n", "", 1);
    let world = world(&site.replace("[\"example.org\"]", "[\"example.org\", \"bar.com\"]"));
    let explain = |server_name: &str, authority: &str, code| {
        let asked = ["--server-name", server_name, "--authority", authority, "--json"];
        let asked =
            [&["explain", "--config", "site.toml", "--listener", "https"][..], &asked].concat();
        let answer: Value = serde_json::from_str(&world.say(&asked, code)).unwrap();
        answer["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(explain("example.org", "bar.com", 0), "served");
    assert_eq!(explain("second-example.org", "bar.com", 1), "listener");
    assert_eq!(explain("bar.com", "second-example.org", 1), "listener");
    assert_eq!(explain("unknown-example.org", "bar.com", 0), "served");
}
