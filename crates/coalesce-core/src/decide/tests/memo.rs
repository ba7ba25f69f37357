//! What the memo says is what the decision says.

use super::*;
use crate::Memo;

/// Every connection, table and request in turn, twice over, with one memo for all of them.
#[test]
fn a_memo_lent_to_everybody_says_what_the_decision_says() {
    let handshakes = Handshakes::new();
    let strict = table_with(coalesce(CoalescePolicy::StrictServerName));
    let tables = [table(), table_of(&SITES[1..], GroupPolicy::default()), strict];
    let names = ["a.example.test", "c.example.test", "m.example.test", "api.example.test", ""];
    let authorities = [
        "a.example.test",
        "A.example.test",
        "a.example.test:443",
        "a.example.test:8443",
        "c.example.test",
        "m.example.test",
        "unknown.example.test",
        "a.example.test.",
        "user@a.example.test",
        "",
    ];
    let step = if cfg!(miri) { 7 } else { 1 };
    let mut memo = Memo::new();
    let mut remembered = 0;
    // Miri is a thousand times slower.
    let rounds = if cfg!(miri) { 1 } else { 3 };
    for round in 0..rounds {
        for (generation, table, name, authority) in
            (0..).zip(&tables).flat_map(|(generation, table)| {
                let names =
                    names.iter().flat_map(|name| authorities.iter().map(move |it| (name, it)));
                names
                    .map(move |(name, authority)| (generation, table, name, authority))
                    .step_by(step)
            })
        {
            let connection = handshakes.with(name);
            for request in [
                get(authority),
                get(authority),
                RequestTarget { scheme: Some(b"http"), ..get(authority) },
                RequestTarget { scheme: None, ..get(authority) },
                RequestTarget { host: HostField::One(b"b.test"), ..get(authority) },
                RequestTarget { method: MethodKind::Connect, ..get(authority) },
                RequestTarget { method: MethodKind::ExtendedConnect, ..get(authority) },
            ] {
                let expected = line(&decide(table, &connection, &request));
                let said = line(&memo.decide(table, generation, &connection, &request));
                assert_eq!(said, expected, "{name} {authority} {request:?} in round {round}");
                remembered += u32::from(memo.remembers(authority.as_bytes()));
            }
        }
    }
    assert!(remembered > if cfg!(miri) { 0 } else { 100 }, "it remembers: {remembered}");
}

#[test]
fn a_port_that_the_listener_lost_is_decided_anew() {
    let handshakes = Handshakes::new();
    let table = table();
    let mut memo = Memo::new();
    let served = memo.decide(&table, 0, &handshakes.with("a.example.test"), &get("a.example.test"));
    assert_eq!(line(&served), "serve a");
    let other = ServerConnection::tls(&handshakes.a, PUBLIC, ClientCertificates::NotAsked, [8443]);
    assert_eq!(line(&memo.decide(&table, 0, &other, &get("a.example.test"))), "421 port");
}

#[test]
fn a_gateway_and_a_certificate_are_not_taken_for_each_other() {
    let handshakes = Handshakes::new();
    let table = table();
    let mut memo = Memo::new();
    let gateway = ServerConnection::trusted_gateway(
        Scheme::Https,
        PUBLIC,
        ClientCertificates::NotAsked,
        [443],
    );
    assert_eq!(line(&memo.decide(&table, 0, &gateway, &get("a.example.test"))), "serve a");
    let other = ServerConnection::tls(&handshakes.api, PUBLIC, ClientCertificates::NotAsked, [443]);
    let expected = line(&decide(&table, &other, &get("a.example.test")));
    assert_eq!(line(&memo.decide(&table, 0, &other, &get("a.example.test"))), expected);
    assert_ne!(expected, "serve a");
}

#[test]
fn a_memo_answers_for_the_scheme_of_its_connection_only() {
    let handshakes = Handshakes::new();
    let (table, connection) = (table(), handshakes.with("a.example.test"));
    let with = |scheme| RequestTarget { scheme, ..get("a.example.test") };
    for own in [None, Some(&b"https"[..])] {
        let mut memo = Memo::new();
        assert_eq!(line(&memo.decide(&table, 0, &connection, &with(own))), "serve a");
        assert!(memo.remembers(b"a.example.test"), "{own:?}");
        for (other, expected) in [(&b"http"[..], "421 scheme"), (b"HTTPS", "serve a")] {
            assert_eq!(line(&memo.decide(&table, 0, &connection, &with(Some(other)))), expected);
        }
    }
}

#[test]
fn a_memo_forgets_when_the_table_or_the_presented_certificates_change() {
    let handshakes = Handshakes::new();
    let (table, other) = (table(), table_of(&SITES[1..], GroupPolicy::default()));
    let mut connection = handshakes.with("a.example.test");
    let request = get("a.example.test");
    let mut memo = Memo::new();
    assert_eq!(line(&memo.decide(&table, 0, &connection, &request)), "serve a");
    assert!(memo.remembers(b"a.example.test"));
    assert_ne!(line(&memo.decide(&other, 1, &connection, &request)), "serve a");
    // A table that serves nothing says whether the memo asked it.
    let nothing = AuthorityTable::builder().build().unwrap();
    assert_eq!(line(&memo.decide(&nothing, 0, &connection, &request)), "serve a", "remembered");
    connection.present(&handshakes.cdn);
    let verdict = memo.decide(&nothing, 0, &connection, &request);
    assert_eq!(line(&verdict), "421 unknown_authority", "asked again");
}
