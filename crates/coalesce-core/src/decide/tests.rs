//! Tests the decision step by step in the lab's fixture world: nine virtual hosts, five
//! certificates, and three coalescing groups that ask for different client certificates.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::{
    AuthorityTable, DnsName, IdentifierSet, MalformedAnswer, NamePattern, PresentedIdentifier,
    Scheme, Step,
};

mod groups;
mod memo;
mod origins;
mod policies;
mod presented;
mod stores;

const PUBLIC: GroupId = GroupId::new(1);
const M: GroupId = GroupId::new(2);
const M2: GroupId = GroupId::new(3);

/// The virtual hosts by number: the name used in expectations, the pattern, the group.
const SITES: &[(&str, &str, GroupId)] = &[
    ("a", "a.example.test", PUBLIC),
    ("b", "b.example.test", PUBLIC),
    ("wild", "*.wild.example.test", PUBLIC),
    ("idn", "xn--bcher-kva.example.test", PUBLIC),
    ("c", "c.example.test", PUBLIC),
    ("api", "api.example.test", PUBLIC),
    ("cdn", "cdn.example.test", PUBLIC),
    ("m", "m.example.test", M),
    ("m2", "m2.example.test", M2),
];

/// Certificate A covers `dead`, which no virtual host serves. A and B cover `m`, but their
/// connections were never asked for the client certificate that `m` requires.
const CERTIFICATE_A: &[&str] = &[
    "a.example.test",
    "b.example.test",
    "*.wild.example.test",
    "xn--bcher-kva.example.test",
    "dead.example.test",
    "m.example.test",
];
const CERTIFICATE_B: &[&str] = &["c.example.test", "*.example.test"];
const CERTIFICATE_API: &[&str] = &["api.example.test"];
const CERTIFICATE_CDN: &[&str] = &["cdn.example.test"];
const CERTIFICATE_M: &[&str] = &["m.example.test", "m2.example.test"];

type Table = AuthorityTable;
type Set = IdentifierSet;

fn table_of(sites: &[(&str, &str, GroupId)], public: GroupPolicy) -> Table {
    let mut table = AuthorityTable::builder();
    table.group(PUBLIC, public).unwrap();
    table.group(M, GroupPolicy::default()).unwrap();
    table.group(M2, GroupPolicy::default()).unwrap();
    for (number, (_, pattern, group)) in (0..).zip(sites) {
        let pattern = NamePattern::parse(pattern.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(number), *group).unwrap();
    }
    table.build().unwrap()
}

fn table_with(public: GroupPolicy) -> Table {
    table_of(SITES, public)
}

fn table() -> Table {
    table_with(GroupPolicy::default())
}

fn presented(name: &str) -> PresentedIdentifier<'_> {
    match name.parse() {
        Ok(address) => PresentedIdentifier::Ip(address),
        Err(_) => PresentedIdentifier::parse_dns(name.as_bytes()).unwrap(),
    }
}

fn set(names: &[&str]) -> Set {
    IdentifierSet::build(names.iter().map(|name| presented(name))).unwrap()
}

fn coalesce(coalesce: CoalescePolicy) -> GroupPolicy {
    GroupPolicy::default().with_coalesce(coalesce)
}

fn unknown_to_application() -> GroupPolicy {
    let unknown_authority = UnknownAuthority::HandToApplication;
    GroupPolicy::default().with_unknown_authority(unknown_authority)
}

fn connect(connect: ConnectPolicy) -> GroupPolicy {
    GroupPolicy::default().with_connect(connect)
}

/// The certificate and group that the lab's server chooses for each server name.
struct Handshakes {
    a: Set,
    b: Set,
    api: Set,
    cdn: Set,
    m: Set,
}

impl Handshakes {
    fn new() -> Self {
        Self {
            a: set(CERTIFICATE_A),
            b: set(CERTIFICATE_B),
            api: set(CERTIFICATE_API),
            cdn: set(CERTIFICATE_CDN),
            m: set(CERTIFICATE_M),
        }
    }

    /// Returns the connection after a ClientHello for `name`, or without a server name if `name` is
    /// empty.
    fn with<'a>(&'a self, name: &'a str) -> ServerConnection<'a> {
        let (certificate, group) = match name {
            "c.example.test" => (&self.b, PUBLIC),
            "api.example.test" => (&self.api, PUBLIC),
            "cdn.example.test" => (&self.cdn, PUBLIC),
            "m.example.test" => (&self.m, M),
            "m2.example.test" => (&self.m, M2),
            _ => (&self.a, PUBLIC),
        };
        let name = DnsName::parse(name.as_bytes()).ok();
        ServerConnection::tls(certificate, group, ClientCertificates::NotAsked, [443])
            .with_server_name(name)
    }
}

/// Returns a verdict as one line: `serve a`, `421 certificate`, `400 authority_port`,
/// `reset host_differs`.
fn line(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Serve(proof) => match proof.served_as() {
            ServedAs::VirtualHost(id) => format!("serve {}", SITES[id.get() as usize].0),
            ServedAs::Unlisted => "unlisted".to_string(),
            ServedAs::Tunnel => "tunnel".to_string(),
        },
        Verdict::Misdirected(reason) => format!("421 {}", reason.code()),
        Verdict::Malformed(reason) if reason.answer() == MalformedAnswer::Reset => {
            format!("reset {}", reason.code())
        }
        Verdict::Malformed(reason) => format!("{} {}", reason.answer().status(), reason.code()),
    }
}

fn get(authority: &str) -> RequestTarget<'_> {
    RequestTarget::https(authority.as_bytes())
}

/// Checks cases of server name, authority and verdict.
fn check(table: &Table, cases: &[(&str, &str, &str)]) {
    let handshakes = Handshakes::new();
    for (name, authority, expected) in cases {
        let verdict = decide(table, &handshakes.with(name), &get(authority));
        assert_eq!(line(&verdict), *expected, "{authority} on a connection for {name:?}");
    }
}

// ---------------------------------------------------------------- 1. one authority

/// Checks RFC 9113 §8.3.1, RFC 9110 §7.2 and §4.2.2.
#[test]
fn step_1_requires_exactly_one_authority() {
    const A: &str = "a.example.test";
    let cases: &[(Option<&str>, &[&str], &str)] = &[
        (Some(A), &[], "serve a"),
        (None, &[A], "serve a"),
        (Some(A), &[A], "serve a"),
        (None, &[], "400 no_authority"),
        (None, &[A, A], "400 several_hosts"),
        (Some(A), &[A, A], "400 several_hosts"),
        (Some("user@a"), &[A, A], "400 several_hosts"),
        (Some(""), &[], "400 authority_empty_host"),
        // An empty :authority is present, so Host does not replace it.
        (Some(""), &[A], "400 authority_empty_host"),
        (None, &[""], "400 host_invalid"),
        (None, &["user@a.example.test"], "400 host_invalid"),
        (None, &["a.example.test\0"], "reset host_invalid"),
    ];
    let (table, handshakes) = (table(), Handshakes::new());
    for (authority, hosts, expected) in cases {
        let request = RequestTarget {
            authority: authority.map(str::as_bytes),
            host: HostField::collect(hosts.iter().map(|host| host.as_bytes())),
            ..get("")
        };
        let verdict = decide(&table, &handshakes.with(A), &request);
        assert_eq!(line(&verdict), *expected, "{authority:?} {hosts:?}");
    }
}

/// Checks RFC 9113 §8.2.1 and §8.3.1 for resets, RFC 3986 §3.2 for the rest.
#[test]
fn step_1_refuses_invalid_authority() {
    check(
        &table(),
        &[
            ("a.example.test", ":443", "400 authority_empty_host"),
            ("a.example.test", "user@a.example.test", "reset authority_userinfo"),
            ("a.example.test", "@a.example.test", "reset authority_userinfo"),
            ("a.example.test", " a.example.test", "reset authority_field_value"),
            ("a.example.test", "a.example.test\t", "reset authority_field_value"),
            ("a.example.test", "a.example.test\0.evil", "reset authority_field_value"),
            ("a.example.test", "a.example.test\r\nx-evil: 1", "reset authority_field_value"),
            ("a.example.test", "a.example.test cdn.example.test", "400 authority_host"),
            ("a.example.test", "b\u{fc}cher.example.test", "400 authority_host"),
            ("a.example.test", "a.example.test/", "400 authority_host"),
            ("a.example.test", "a.example.test%", "400 authority_host"),
            ("a.example.test", "[::1", "400 authority_host"),
            ("a.example.test", "[192.0.2.1]", "400 authority_host"),
            ("a.example.test", "a.example.test:99999", "400 authority_port"),
            ("a.example.test", "a.example.test:https", "400 authority_port"),
            ("a.example.test", "a.example.test:-443", "400 authority_port"),
        ],
    );
}

/// Checks RFC 9110 §4.2.3, RFC 3986 §3.2.2 and §6.2.3.
#[test]
fn case_trailing_dot_and_empty_port_do_not_change_the_verdict() {
    check(
        &table(),
        &[
            ("a.example.test", "A.EXAMPLE.TEST", "serve a"),
            ("a.example.test", "a.example.test.", "serve a"),
            ("a.example.test", "A.Example.Test.:00443", "serve a"),
            ("a.example.test", "a.example.test:", "serve a"),
            ("a.example.test", "a.example.test:443", "serve a"),
            ("a.example.test", "M.Example.TEST", "421 group"),
            ("a.example.test", "a.example.test..", "421 unknown_authority"),
        ],
    );
}

#[test]
fn well_formed_host_outside_dns_is_unknown_authority() {
    let (table, handshakes) = (table(), Handshakes::new());
    let authorities = [
        format!("{}a.example.test", "abcde.".repeat(50)),
        format!("{}test", "abcdefg.".repeat(if cfg!(miri) { 64 } else { 1_024 })),
        format!("{}test", "abcdefg.".repeat(if cfg!(miri) { 65 } else { 5_120 })),
        format!("{}.wild.example.test", "a".repeat(64)),
        "%61.example.test".to_string(),
        "under_score.example.test".to_string(),
        "-.wild.example.test".to_string(),
        ".".to_string(),
        "[v1.a]".to_string(),
    ];
    for authority in &authorities {
        let verdict = decide(&table, &handshakes.with("a.example.test"), &get(authority));
        assert_eq!(line(&verdict), "421 unknown_authority", "{authority:.80}");
    }
    // A label may have 63 bytes, so the wildcard matches it.
    let longest = format!("{}.wild.example.test", "a".repeat(63));
    let verdict = decide(&table, &handshakes.with("a.example.test"), &get(&longest));
    assert_eq!(line(&verdict), "serve wild");
}

// ---------------------------------------------------------------- 2. scheme

/// RFC 9110 §4.3.1 and §7.4: an `http` request inside TLS names another origin.
#[test]
fn step_2_requires_the_scheme_of_the_connection() {
    let (table, handshakes) = (table(), Handshakes::new());
    let tls = handshakes.with("a.example.test");
    let cleartext = ServerConnection::cleartext(PUBLIC, [80]);
    let cases: &[(&ServerConnection<'_>, Option<&[u8]>, &str)] = &[
        (&tls, Some(b"https"), "serve a"),
        (&tls, Some(b"HTTPS"), "serve a"),
        (&tls, None, "serve a"),
        (&tls, Some(b"http"), "421 scheme"),
        (&tls, Some(b"ftp"), "421 scheme"),
        (&tls, Some(b"httpss"), "421 scheme"),
        (&tls, Some(b""), "421 scheme"),
        (&cleartext, Some(b"http"), "serve a"),
        (&cleartext, None, "serve a"),
        (&cleartext, Some(b"https"), "421 scheme"),
    ];
    for (connection, scheme, expected) in cases {
        let request = RequestTarget { scheme: *scheme, ..get("a.example.test") };
        let verdict = decide(&table, connection, &request);
        assert_eq!(line(&verdict), *expected, "{scheme:?} on {:?}", connection.scheme());
    }
}

// ---------------------------------------------------------------- 3. known here

/// RFC 9110 §15.5.20: the origin is not configured, whether or not the certificate covers it.
#[test]
fn step_3_requires_a_virtual_host() {
    check(
        &table(),
        &[
            ("api.example.test", "wrong.example.test", "421 unknown_authority"),
            ("a.example.test", "dead.example.test", "421 unknown_authority"),
            ("c.example.test", "wrong.example.test", "421 unknown_authority"),
            ("a.example.test", "www.unrelated.test", "421 unknown_authority"),
            ("foo.wild.example.test", "x.y.wild.example.test", "421 unknown_authority"),
            ("foo.wild.example.test", "wild.example.test", "421 unknown_authority"),
            ("a.example.test", "example.test", "421 unknown_authority"),
            ("a.example.test", "192.0.2.1", "421 unknown_authority"),
            ("a.example.test", "[::1]", "421 unknown_authority"),
            ("wrong.example.test", "wrong.example.test", "421 unknown_authority"),
        ],
    );
}

/// The order is: exact, then the longest wildcard (one label before any depth), then the catch-all.
#[test]
fn most_specific_entry_decides_host_and_group() {
    let table = table_of(
        &[
            ("exact", "a.x.example.test", PUBLIC),
            ("one label", "*.x.example.test", M),
            ("any depth", "**.x.example.test", PUBLIC),
            ("shorter", "**.example.test", M2),
            ("address", "192.0.2.1", PUBLIC),
            ("catch-all", "*", M),
        ],
        GroupPolicy::default(),
    );
    let everything =
        set(&["*.x.example.test", "*.y.x.example.test", "*.example.test", "192.0.2.1"]);
    let cases = [
        ("a.x.example.test", PUBLIC, 0),
        ("b.x.example.test", M, 1),
        ("b.y.x.example.test", PUBLIC, 2),
        ("x.example.test", M2, 3),
        ("192.0.2.1", PUBLIC, 4),
    ];
    for (authority, group, number) in cases {
        for tried in [PUBLIC, M, M2] {
            let connection =
                ServerConnection::tls(&everything, tried, ClientCertificates::NotAsked, [443]);
            let Verdict::Serve(proof) = decide(&table, &connection, &get(authority)) else {
                assert_ne!(tried, group, "{authority}");
                continue;
            };
            assert_eq!(proof.virtual_host(), Some(VirtualHostId::new(number)), "{authority}");
            assert_eq!((proof.group(), tried), (group, group), "{authority}");
        }
    }
    // The catch-all matches every name, but the certificate must still cover it.
    let connection = ServerConnection::tls(&everything, M, ClientCertificates::NotAsked, [443]);
    let verdict = decide(&table, &connection, &get("www.unrelated.test"));
    assert_eq!(line(&verdict), "421 certificate");
}

// ---------------------------------------------------------------- 4. port

/// RFC 9110 §4.3.3: another port is another origin, also on a secured connection.
#[test]
fn step_4_requires_a_port_of_the_listener() {
    let (table, a) = (table(), set(CERTIFICATE_A));
    let cases: &[(&[u16], &str, &str)] = &[
        (&[443], "a.example.test", "serve a"),
        (&[443], "a.example.test:8443", "421 port"),
        (&[443], "a.example.test:80", "421 port"),
        (&[443], "a.example.test:0", "421 port"),
        (&[8443], "a.example.test", "421 port"),
        (&[8443], "a.example.test:", "421 port"),
        (&[8443], "a.example.test:8443", "serve a"),
        (&[8443, 443], "a.example.test", "serve a"),
        (&[8443, 443], "a.example.test:8443", "serve a"),
        (&[], "a.example.test", "421 port"),
    ];
    for (ports, authority, expected) in cases {
        let connection = ServerConnection::tls(&a, PUBLIC, ClientCertificates::NotAsked, *ports);
        let verdict = decide(&table, &connection, &get(authority));
        assert_eq!(line(&verdict), *expected, "{authority} at {ports:?}");
    }
}

/// RFC 9110 §4.2.1: the default port without TLS is 80.
#[test]
fn default_port_follows_the_scheme() {
    let table = table();
    let request = RequestTarget { scheme: Some(b"http"), ..get("a.example.test") };
    for (port, expected) in [(80, "serve a"), (443, "421 port")] {
        let verdict = decide(&table, &ServerConnection::cleartext(PUBLIC, port), &request);
        assert_eq!(line(&verdict), expected);
    }
}

// ---------------------------------------------------------------- 5. certificate

/// RFC 9110 §7.4, RFC 9113 §9.1.1: the certificate of this handshake counts, not the one that the
/// virtual host would present.
#[test]
fn step_5_requires_the_presented_certificate_to_cover_the_host() {
    check(
        &table(),
        &[
            ("api.example.test", "api.example.test", "serve api"),
            ("api.example.test", "cdn.example.test", "421 certificate"),
            ("cdn.example.test", "api.example.test", "421 certificate"),
            ("a.example.test", "c.example.test", "421 certificate"),
            ("m.example.test", "a.example.test", "421 certificate"),
            ("", "cdn.example.test", "421 certificate"),
            ("c.example.test", "foo.wild.example.test", "421 certificate"),
        ],
    );
}

/// RFC 9525 §6.3 and §6.4: a wildcard covers one label, addresses compare by octets, and the common
/// name is ignored.
#[test]
fn step_5_follows_rfc_9525() {
    let table = table_of(
        &[("any", "**.example.test", PUBLIC), ("v4", "192.0.2.1", PUBLIC), ("v6", "::1", PUBLIC)],
        GroupPolicy::default(),
    );
    let cases: &[(&[&str], &str, bool)] = &[
        (&["*.example.test"], "x.example.test", true),
        (&["*.EXAMPLE.test"], "X.example.TEST.", true),
        (&["*.example.test"], "x.y.example.test", false),
        (&["*.y.example.test"], "y.example.test", false),
        (&["y.example.test"], "x.y.example.test", false),
        (&["192.0.2.1"], "192.0.2.1", true),
        (&["192.0.2.2"], "192.0.2.1", false),
        (&["::ffff:192.0.2.1"], "192.0.2.1", false),
        (&["0:0::1"], "[::1]", true),
        (&["*.example.test", "192.0.2.1"], "[::1]", false),
        (&[], "x.example.test", false),
    ];
    for (names, authority, covered) in cases {
        let presented = set(names);
        let connection =
            ServerConnection::tls(&presented, PUBLIC, ClientCertificates::NotAsked, [443]);
        let verdict = decide(&table, &connection, &get(authority));
        let refused = verdict == Verdict::Misdirected(Misdirected::Certificate);
        assert_eq!(refused, !covered, "{authority} with {names:?}: {verdict:?}");
    }
}

// ---------------------------------------------------------------- 6. group

/// Checks the security boundary: no request reaches a host whose TLS policy its connection never
/// met.
#[test]
fn step_6_requires_the_group_of_the_handshake() {
    check(
        &table(),
        &[
            ("m.example.test", "m.example.test", "serve m"),
            ("m2.example.test", "m2.example.test", "serve m2"),
            ("a.example.test", "m.example.test", "421 group"),
            ("c.example.test", "m.example.test", "421 group"),
            ("c.example.test", "m2.example.test", "421 group"),
            ("", "m.example.test", "421 group"),
            ("m.example.test", "m2.example.test", "421 group"),
            ("m2.example.test", "m.example.test", "421 group"),
        ],
    );
}

/// RFC 9113 §9.1.1: a host that the certificate covers and the group contains is served. That is
/// the benefit of coalescing.
#[test]
fn host_within_certificate_and_group_is_served() {
    check(
        &table(),
        &[
            ("a.example.test", "b.example.test", "serve b"),
            ("a.example.test", "foo.wild.example.test", "serve wild"),
            ("foo.wild.example.test", "bar.wild.example.test", "serve wild"),
            ("c.example.test", "a.example.test", "serve a"),
            ("c.example.test", "api.example.test", "serve api"),
            ("a.example.test", "xn--bcher-kva.example.test", "serve idn"),
            ("", "a.example.test", "serve a"),
            ("wrong.example.test", "a.example.test", "serve a"),
        ],
    );
}

/// A connection keeps the facts of its handshake; each request is decided on the newest table.
#[test]
fn newer_table_decides_the_next_request() {
    let handshakes = Handshakes::new();
    let without_b: Vec<_> = SITES.iter().filter(|site| site.0 != "b").copied().collect();
    let b_moved: Vec<_> = SITES
        .iter()
        .map(|(id, name, group)| (*id, *name, if *id == "b" { M } else { *group }))
        .collect();
    for (sites, expected) in
        [(SITES, "serve b"), (&without_b[..], "421 unknown_authority"), (&b_moved[..], "421 group")]
    {
        let table = table_of(sites, GroupPolicy::default());
        let connection = handshakes.with("a.example.test");
        let verdict = decide(&table, &connection, &get("b.example.test"));
        assert_eq!(line(&verdict), expected);
    }
}

/// A group that is missing from the newest table has no hosts, and its policies are the strict
/// ones.
#[test]
fn group_missing_from_table_serves_nothing() {
    let (table, a) = (table_with(unknown_to_application()), set(CERTIFICATE_A));
    let gone = ServerConnection::tls(&a, GroupId::new(99), ClientCertificates::NotAsked, [443]);
    let tunnel = RequestTarget { method: MethodKind::Connect, ..get("a.example.test:443") };
    assert_eq!(line(&decide(&table, &gone, &get("a.example.test"))), "421 group");
    assert_eq!(line(&decide(&table, &gone, &get("dead.example.test"))), "421 unknown_authority");
    assert_eq!(line(&decide(&table, &gone, &tunnel)), "405 connect_refused");
}

// ---------------------------------------------------------------- 7. host field

/// RFC 9113 §8.3.1: `Host` must not identify another entity than `:authority`.
#[test]
fn step_7_requires_host_to_name_the_same_authority() {
    let (table, handshakes) = (table(), Handshakes::new());
    let cases = [
        ("a.example.test", "a.example.test", "serve a"),
        ("a.example.test", "A.Example.Test.", "serve a"),
        ("a.example.test", "a.example.test:443", "serve a"),
        ("a.example.test:443", "a.example.test:", "serve a"),
        ("a.example.test", "b.example.test", "reset host_differs"),
        ("a.example.test", "cdn.example.test", "reset host_differs"),
        ("a.example.test", "a.example.test:80", "reset host_differs"),
        ("a.example.test", "%61.example.test", "reset host_differs"),
        ("a.example.test", "192.0.2.1", "reset host_differs"),
        ("a.example.test", "", "reset host_differs"),
        ("a.example.test", "user@a.example.test", "400 host_invalid"),
        ("a.example.test", "a.example.test:x", "400 host_invalid"),
        ("a.example.test", "a.example.test\0", "reset host_invalid"),
        // The earlier steps refuse first.
        ("cdn.example.test", "a.example.test", "421 certificate"),
        ("m.example.test", "user@m.example.test", "421 group"),
    ];
    for (authority, host, expected) in cases {
        let request = RequestTarget { host: HostField::One(host.as_bytes()), ..get(authority) };
        let verdict = decide(&table, &handshakes.with("a.example.test"), &request);
        assert_eq!(line(&verdict), expected, "{authority} and {host:?}");
        if let Verdict::Malformed(reason) = verdict {
            assert_eq!(reason.step(), Step::HostField, "{authority} and {host:?}");
        }
    }
}

// ---------------------------------------------------------------- 8. serve, and the order

/// All faults that a request can have at once, independent of each other, in the order of the
/// steps.
const FAULTS: &[&str] = &[
    "reset authority_userinfo",
    "421 scheme",
    "421 unknown_authority",
    "421 port",
    "421 certificate",
    "421 group",
    "421 server_name",
    "reset host_differs",
    "405 extended_connect_refused",
];

/// A request that breaks several rules is refused for the earliest one, because the order is part
/// of the behaviour.
#[test]
fn request_with_several_faults_gets_the_earliest_reason() {
    let (table, a) = (table_with(coalesce(CoalescePolicy::StrictServerName)), set(CERTIFICATE_A));
    for faults in 0_u32..1 << FAULTS.len() {
        // Miri checks pairs of faults only, which takes a twelfth of the time.
        if cfg!(miri) && faults.count_ones() > 2 {
            continue;
        }
        let has = |fault: &str| {
            FAULTS
                .iter()
                .position(|one| one.ends_with(fault))
                .is_some_and(|at| faults >> at & 1 == 1)
        };
        let host = match (has("unknown_authority"), has("certificate"), has("group")) {
            (true, false, _) => "dead.example.test",
            (true, true, _) => "www.unrelated.test",
            (false, false, false) => "a.example.test",
            (false, false, true) => "m.example.test",
            (false, true, false) => "cdn.example.test",
            (false, true, true) => "m2.example.test",
        };
        let user = if has("userinfo") { "user@" } else { "" };
        let port = if has("port") { ":8443" } else { "" };
        let authority = format!("{user}{host}{port}");
        let server_name = if has("server_name") { "b.example.test" } else { host };
        let other_host = HostField::One(b"other.example.test");
        let request = RequestTarget {
            host: if has("host_differs") { other_host } else { HostField::Absent },
            scheme: Some(if has("scheme") { b"http" } else { b"https" }),
            method: if has("extended_connect_refused") {
                MethodKind::ExtendedConnect
            } else {
                MethodKind::Ordinary
            },
            ..get(&authority)
        };
        let connection = ServerConnection::tls(&a, PUBLIC, ClientCertificates::NotAsked, [443])
            .with_server_name(DnsName::parse(server_name.as_bytes()).ok());
        let verdict = decide(&table, &connection, &request);
        let expected = FAULTS.get(faults.trailing_zeros() as usize).unwrap_or(&"serve a");
        assert_eq!(line(&verdict), **expected, "{authority} with faults {faults:#b}");
        let step = match verdict {
            Verdict::Serve(_) => Step::Serve,
            Verdict::Misdirected(reason) => reason.step(),
            Verdict::Malformed(reason) => reason.step(),
        };
        let steps = [1, 2, 3, 4, 5, 6, 6, 7, 8];
        let expected = steps.get(faults.trailing_zeros() as usize).copied().unwrap_or(8);
        assert_eq!(step.number(), expected, "{authority} with faults {faults:#b}");
    }
}

#[test]
fn step_8_returns_a_proof_of_host_and_group() {
    let (table, handshakes) = (table(), Handshakes::new());
    let verdict = decide(&table, &handshakes.with("m.example.test"), &get("m.example.test"));
    let Verdict::Serve(proof) = verdict else { panic!("{verdict:?}") };
    assert_eq!(proof.virtual_host(), Some(VirtualHostId::new(7)));
    assert_eq!(proof.served_as(), ServedAs::VirtualHost(VirtualHostId::new(7)));
    assert_eq!(proof.group(), M);
    assert_eq!(Step::Serve.number(), 8);
}
