//! Tests entries with their own policy, listeners that share a port, and observing.

use super::*;
use crate::{Enforcement, Entry, HandshakeRules, Layout, ListenerId, ListenerTable, Memo};

const STRICT: GroupId = GroupId::new(9);

/// The table of the lab, but `b` has its own policy.
fn table_with_b(public: CoalescePolicy, b: CoalescePolicy) -> Table {
    let mut table = AuthorityTable::builder();
    table.group(PUBLIC, coalesce(public)).unwrap();
    table.group(M, GroupPolicy::default()).unwrap();
    table.group(M2, GroupPolicy::default()).unwrap();
    for (number, (name, pattern, group)) in (0..).zip(SITES) {
        let pattern = NamePattern::parse(pattern.as_bytes()).unwrap();
        let entry = Entry::new(VirtualHostId::new(number), *group);
        let entry = if *name == "b" { entry.with_coalesce(b) } else { entry };
        table.insert(pattern, entry).unwrap();
    }
    table.build().unwrap()
}

#[test]
fn entry_stricter_than_its_group_serves_its_server_name_only() {
    use CoalescePolicy::{CertificateAndGroup, Never, StrictServerName};
    for own in [StrictServerName, Never] {
        let table = table_with_b(CertificateAndGroup, own);
        check(
            &table,
            &[
                ("b.example.test", "b.example.test", "serve b"),
                ("a.example.test", "b.example.test", "421 server_name"),
                ("", "b.example.test", "421 server_name"),
                // The other hosts of the group are served as before and may share b's connection.
                ("b.example.test", "a.example.test", "serve a"),
                ("a.example.test", "foo.wild.example.test", "serve wild"),
                // b is in its group and in no other.
                ("m.example.test", "b.example.test", "421 certificate"),
                ("api.example.test", "b.example.test", "421 certificate"),
            ],
        );
        let m = ServerConnection::trusted_gateway(
            Scheme::Https,
            M,
            ClientCertificates::NotAsked,
            [443],
        );
        assert_eq!(line(&decide(&table, &m, &get("b.example.test"))), "421 group");
        let handshakes = Handshakes::new();
        let connection = handshakes.with("b.example.test");
        let Verdict::Serve(proof) = decide(&table, &connection, &get("b.example.test")) else {
            panic!("refused")
        };
        assert_eq!(proof.group(), PUBLIC, "the group of the connection");
    }
}

#[test]
fn entry_less_strict_than_its_group_is_served() {
    check(
        &table_with_b(CoalescePolicy::StrictServerName, CoalescePolicy::CertificateAndGroup),
        &[
            ("a.example.test", "b.example.test", "serve b"),
            ("b.example.test", "a.example.test", "421 server_name"),
            ("a.example.test", "a.example.test", "serve a"),
        ],
    );
}

/// The memo goes by the policy of the entry, not by the policy of its group.
#[test]
fn memo_does_not_remember_a_verdict_of_the_server_name() {
    let table = table_with_b(CoalescePolicy::CertificateAndGroup, CoalescePolicy::StrictServerName);
    let handshakes = Handshakes::new();
    let mut memo = Memo::new(handshakes.with("b.example.test"));
    assert_eq!(line(&memo.decide(&table, 0, &get("b.example.test"))), "serve b");
    assert!(!memo.remembers(b"b.example.test"));
}

#[test]
fn table_lists_groups_once_and_entries_with_their_policy() {
    use CoalescePolicy::{Never, StrictServerName};
    for layout in [Layout::Fast, Layout::Compact] {
        let mut table = AuthorityTable::builder();
        table.layout(layout);
        let strict = coalesce(StrictServerName);
        table.group(M, strict).unwrap().group(PUBLIC, GroupPolicy::default()).unwrap();
        let entries = [
            ("a.test", Entry::new(VirtualHostId::new(1), PUBLIC)),
            ("b.test", Entry::new(VirtualHostId::new(2), PUBLIC).with_coalesce(Never)),
            ("c.test", Entry::new(VirtualHostId::new(3), M).with_coalesce(Never)),
            ("d.test", Entry::new(VirtualHostId::new(4), PUBLIC).with_coalesce(StrictServerName)),
            // An entry keeps its own policy even if it equals the group's.
            ("e.test", Entry::new(VirtualHostId::new(5), M).with_coalesce(StrictServerName)),
        ];
        for (pattern, entry) in entries {
            table.insert(NamePattern::parse(pattern.as_bytes()).unwrap(), entry).unwrap();
        }
        let nowhere = Entry::new(VirtualHostId::new(6), M2).with_coalesce(Never);
        let unknown = crate::BuildError::UnknownGroup { group: M2.get() };
        let pattern = NamePattern::parse(b"f.test").unwrap();
        assert_eq!(table.insert(pattern, nowhere).err(), Some(unknown));
        let table = table.build().unwrap();
        let table = AuthorityTable::from_bytes(table.as_bytes()).unwrap();
        for (pattern, entry) in entries {
            assert_eq!(table.lookup_authority(pattern.as_bytes()), Some(entry), "{pattern}");
        }
        let listed: Vec<_> = table.entries().map(|entry| entry.coalesce).collect();
        assert_eq!(listed, entries.map(|(_, entry)| entry.coalesce));
        let mut groups: Vec<_> = table.groups().collect();
        groups.sort_unstable_by_key(|(id, _)| *id);
        let mut expected = [(M, strict), (PUBLIC, GroupPolicy::default())];
        expected.sort_unstable_by_key(|(id, _)| *id);
        assert_eq!(groups, expected);
        assert_eq!(table.group_policy(M), Some(strict));
    }
}

// ---------------------------------------------------------------- listeners

/// The listeners by number: the catch-all, one name, a wildcard, a name below the wildcard.
const HOSTNAMES: &[&str] =
    &["*", "b.example.test", "**.wild.example.test", "bar.wild.example.test"];

fn listeners(hostnames: &[&str]) -> ListenerTable {
    let hostnames = hostnames.iter().zip(0..).map(|(hostname, number)| {
        (NamePattern::parse(hostname.as_bytes()).unwrap(), ListenerId::new(number))
    });
    ListenerTable::build(hostnames).unwrap()
}

#[test]
fn only_the_most_specific_listener_is_responsible() {
    let handshakes = Handshakes::new();
    let of_port = listeners(HOSTNAMES);
    let strict = table();
    let lax = table_with(unknown_to_application());
    // Each case: the listener of the connection, the authority, the verdict, and the verdict if the
    // application gets unknown authorities.
    let cases = [
        (0, "a.example.test", "serve a", "serve a"),
        (0, "b.example.test", "421 listener", "421 listener"),
        (0, "foo.wild.example.test", "421 listener", "421 listener"),
        (0, "x.y.wild.example.test", "421 unknown_authority", "421 unknown_authority"),
        (0, "dead.example.test", "421 unknown_authority", "unlisted"),
        (0, "192.0.2.1", "421 unknown_authority", "unlisted"),
        (1, "b.example.test", "serve b", "serve b"),
        (1, "a.example.test", "421 listener", "421 listener"),
        (1, "dead.example.test", "421 unknown_authority", "421 unknown_authority"),
        (2, "foo.wild.example.test", "serve wild", "serve wild"),
        (2, "bar.wild.example.test", "421 listener", "421 listener"),
        (2, "x.y.wild.example.test", "421 unknown_authority", "unlisted"),
        (3, "bar.wild.example.test", "serve wild", "serve wild"),
        (3, "foo.wild.example.test", "421 listener", "421 listener"),
        // The steps before and after keep their order.
        (0, "b.example.test:8443", "421 port", "421 port"),
        (0, "user@b.example.test", "reset authority_userinfo", "reset authority_userinfo"),
        (0, "m.example.test", "421 group", "421 group"),
        (0, "cdn.example.test", "421 certificate", "421 certificate"),
    ];
    for (own, authority, expected, expected_lax) in cases {
        let connection = handshakes.with("a.example.test");
        let connection = connection.with_listener(ListenerId::new(own), &of_port);
        for (table, expected) in [(&strict, expected), (&lax, expected_lax)] {
            let verdict = decide(table, &connection, &get(authority));
            assert_eq!(line(&verdict), expected, "{authority} on listener {own}");
            let mut memo = Memo::new(connection.clone());
            for _ in 0..2 {
                let said = memo.decide(table, 0, &get(authority));
                assert_eq!(line(&said), expected, "{authority} on listener {own}");
            }
        }
    }
}

/// If no listener of the port is responsible for a host, the host is unknown on this port, even if
/// a virtual host of another port has the name.
#[test]
fn host_without_responsible_listener_is_unknown_authority() {
    let handshakes = Handshakes::new();
    let of_port = listeners(&HOSTNAMES[1..]);
    assert_eq!(of_port.catch_all(), None);
    assert_eq!(listeners(HOSTNAMES).catch_all(), Some(ListenerId::new(0)));
    let connection = handshakes.with("a.example.test");
    let connection = connection.with_listener(ListenerId::new(0), &of_port);
    let strict = decide(&table(), &connection, &get("a.example.test"));
    assert_eq!(line(&strict), "421 unknown_authority");
    let lax = table_with(unknown_to_application());
    assert_eq!(line(&decide(&lax, &connection, &get("a.example.test"))), "unlisted");
    assert_eq!(line(&decide(&lax, &connection, &get("b.example.test"))), "serve b");
}

#[test]
fn listeners_with_the_same_hostname_are_refused() {
    let same = [("a.test", 0), ("A.test.", 1)].map(|(hostname, number)| {
        (NamePattern::parse(hostname.as_bytes()).unwrap(), ListenerId::new(number))
    });
    assert!(matches!(ListenerTable::build(same), Err(crate::BuildError::Duplicate { .. })));
}

// ---------------------------------------------------------------- observing

/// The rules of handshakes that ask for client certificates or do not.
struct Rules(ClientCertificates);

impl HandshakeRules for Rules {
    fn client_certificates(&self) -> ClientCertificates {
        self.0
    }
}

fn observing(clients: ClientCertificates) -> GroupPolicy {
    let observing = GroupPolicy::default().with_enforcement(Enforcement::Observe);
    observing.with_handshake_rules(&Rules(clients))
}

/// Returns a table of three groups with these policies.
fn table_of_groups(public: GroupPolicy, m: GroupPolicy, m2: GroupPolicy) -> Table {
    let mut table = AuthorityTable::builder();
    table.group(PUBLIC, public).unwrap().group(M, m).unwrap().group(M2, m2).unwrap();
    for (number, (_, pattern, group)) in (0..).zip(SITES) {
        let pattern = NamePattern::parse(pattern.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(number), *group).unwrap();
    }
    table.build().unwrap()
}

/// Returns a verdict as one line, with the reason that was recorded while observing.
fn observed(verdict: &Verdict) -> String {
    let Verdict::Serve(proof) = verdict else { return line(verdict) };
    match proof.observed() {
        None => line(verdict),
        Some(reason) => format!("{}, not {}", line(verdict), reason.code()),
    }
}

#[test]
fn observed_group_serves_misdirected_request_and_records_the_reason() {
    let table = table_of_groups(
        observing(ClientCertificates::NotAsked),
        GroupPolicy::default(),
        GroupPolicy::default(),
    );
    let handshakes = Handshakes::new();
    let connection = handshakes.with("a.example.test");
    let (http, other) = (Some(&b"http"[..]), HostField::One(b"other.example.test"));
    let cases = [
        (get("a.example.test"), "serve a"),
        (get("a.example.test:8443"), "serve a, not port"),
        (get("cdn.example.test"), "serve cdn, not certificate"),
        (RequestTarget { scheme: http, ..get("a.example.test") }, "serve a, not scheme"),
        // Only the first reason is recorded.
        (RequestTarget { scheme: http, ..get("cdn.example.test:80") }, "serve cdn, not scheme"),
        (get("cdn.example.test:80"), "serve cdn, not port"),
        // No virtual host could serve it. A malformed request stays malformed.
        (get("dead.example.test"), "421 unknown_authority"),
        (RequestTarget { scheme: http, ..get("dead.example.test") }, "421 scheme"),
        (get("user@cdn.example.test"), "reset authority_userinfo"),
        (RequestTarget { host: other, ..get("cdn.example.test") }, "reset host_differs"),
        // Another group, which is not observed.
        (get("m.example.test"), "421 group"),
        (get("m.example.test:8443"), "421 port"),
    ];
    let mut memo = Memo::new(connection.clone());
    for (request, expected) in cases {
        assert_eq!(observed(&decide(&table, &connection, &request)), expected, "{request:?}");
        for _ in 0..2 {
            let said = memo.decide(&table, 0, &request);
            assert_eq!(observed(&said), expected, "{request:?}");
        }
    }
    // The policy of the connection's group applies.
    let m = handshakes.with("m.example.test");
    assert_eq!(observed(&decide(&table, &m, &get("m.example.test:8443"))), "421 port");
}

/// No request passes from one group to another unless both are observed and neither asks for
/// certificates.
#[test]
fn observing_never_crosses_client_certificate_rules() {
    use ClientCertificates::{Asked, NotAsked};
    let enforcing = GroupPolicy::default();
    let cases = [
        (observing(NotAsked), observing(NotAsked), "serve m, not group"),
        (observing(NotAsked), observing(Asked), "421 group"),
        (observing(Asked), observing(NotAsked), "421 group"),
        (observing(Asked), observing(Asked), "421 group"),
        (observing(NotAsked), enforcing, "421 group"),
        (enforcing, observing(NotAsked), "421 group"),
    ];
    let handshakes = Handshakes::new();
    let forgotten = GroupPolicy::default().with_enforcement(Enforcement::Observe);
    let cases = cases.into_iter().chain([
        (observing(NotAsked), forgotten, "421 group"),
        (forgotten, observing(NotAsked), "421 group"),
    ]);
    for (from, to, expected) in cases {
        let table = table_of_groups(from, to, enforcing);
        let verdict = decide(&table, &handshakes.with("a.example.test"), &get("m.example.test"));
        assert_eq!(observed(&verdict), expected, "{from:?} to {to:?}");
        // An entry with its own policy does not open the other group either.
        let mut named = AuthorityTable::builder();
        named.group(PUBLIC, from).unwrap().group(M, to).unwrap();
        let pattern = NamePattern::parse(b"m.example.test").unwrap();
        let entry = Entry::new(VirtualHostId::new(7), M);
        named.insert(pattern, entry.with_coalesce(CoalescePolicy::CertificateAndGroup)).unwrap();
        let named = named.build().unwrap();
        let verdict = decide(&named, &handshakes.with("a.example.test"), &get("m.example.test"));
        assert_eq!(observed(&verdict), expected, "{from:?} to {to:?}, by name");
        // A client that was asked for a certificate stays in its group, whatever the table says.
        let asked = ServerConnection::tls(&handshakes.a, PUBLIC, Asked, 443);
        let verdict = decide(&table, &asked, &get("m.example.test"));
        assert_eq!(observed(&verdict), "421 group", "{from:?} to {to:?}, asked");
    }
    // A group that is missing from a later table is not observed.
    let table = table_of_groups(observing(NotAsked), observing(NotAsked), observing(NotAsked));
    let gone = handshakes.with("a.example.test").with_group(STRICT);
    assert_eq!(observed(&decide(&table, &gone, &get("a.example.test"))), "421 group");
    assert_eq!(observed(&decide(&table, &gone, &get("a.example.test:1"))), "421 port");
}

#[test]
fn observing_serves_other_server_names_and_listeners() {
    use ClientCertificates::Asked;
    let strict = observing(Asked).with_coalesce(CoalescePolicy::StrictServerName);
    let table = table_of_groups(strict, strict, strict);
    let handshakes = Handshakes::new();
    let connection = handshakes.with("a.example.test");
    let verdict = decide(&table, &connection, &get("b.example.test"));
    assert_eq!(observed(&verdict), "serve b, not server_name");
    let of_port = listeners(HOSTNAMES);
    let connection = connection.with_listener(ListenerId::new(0), &of_port);
    let verdict = decide(&table, &connection, &get("b.example.test"));
    assert_eq!(observed(&verdict), "serve b, not listener");
    // A host that another listener may know does not go to the application.
    let verdict = decide(&table, &connection, &get("x.y.wild.example.test"));
    assert_eq!(observed(&verdict), "421 unknown_authority");
}
