//! Checks that a memo decides as `decide` does.

use super::*;
use crate::Memo;

/// Decides every request with every table in turn, several times over, with one memo for each
/// connection.
#[test]
fn memo_decides_as_decide_does_for_every_table_and_request() {
    let handshakes = Handshakes::new();
    let strict = table_with(coalesce(CoalescePolicy::StrictServerName));
    let tables = [table(), table_of(&SITES[1..], GroupPolicy::default()), strict];
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
    // Miri runs about a thousand times slower.
    let (rounds, step) = if cfg!(miri) { (1, 7) } else { (3, 1) };
    let cases = || {
        let numbered = (0..).zip(&tables);
        numbered.flat_map(|table| authorities.map(|authority| (table, authority))).step_by(step)
    };
    let mut remembered = 0;
    for name in ["a.example.test", "c.example.test", "m.example.test", "api.example.test", ""] {
        let connection = handshakes.with(name);
        let mut memo = Memo::new(connection.clone());
        for ((generation, table), authority) in (0..rounds).flat_map(|_| cases()) {
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
                let said = line(&memo.decide(table, generation, &request));
                assert_eq!(said, expected, "{name} {authority} {request:?}");
                remembered += u32::from(memo.remembers(authority.as_bytes()));
            }
        }
    }
    assert!(remembered > if cfg!(miri) { 0 } else { 100 }, "it remembers: {remembered}");
}

/// Replaces each fact of a connection that a verdict depends on.
#[test]
fn memo_with_a_replaced_connection_decides_anew() {
    let handshakes = Handshakes::new();
    let (table, request) = (table(), get("a.example.test"));
    let not_asked = ClientCertificates::NotAsked;
    let a = |group, port: u16| ServerConnection::tls(&handshakes.a, group, not_asked, port);
    for (other, expected) in [
        (a(PUBLIC, 8443), "421 port"),
        (a(M, 443), "421 group"),
        (ServerConnection::tls(&handshakes.cdn, PUBLIC, not_asked, 443), "421 certificate"),
        (ServerConnection::cleartext(PUBLIC, 443), "421 scheme"),
    ] {
        let mut memo = Memo::new(a(PUBLIC, 443));
        assert_eq!(line(&memo.decide(&table, 0, &request)), "serve a");
        assert!(memo.remembers(b"a.example.test"));
        memo.set_connection(other);
        assert_eq!(line(&memo.decide(&table, 0, &request)), expected);
    }
}

#[test]
fn memo_serves_only_the_scheme_of_its_connection() {
    let handshakes = Handshakes::new();
    let (table, connection) = (table(), handshakes.with("a.example.test"));
    let with = |scheme| RequestTarget { scheme, ..get("a.example.test") };
    for own in [None, Some(&b"https"[..])] {
        let mut memo = Memo::new(connection.clone());
        assert_eq!(line(&memo.decide(&table, 0, &with(own))), "serve a");
        assert!(memo.remembers(b"a.example.test"), "{own:?}");
        for (other, expected) in [(&b"http"[..], "421 scheme"), (b"HTTPS", "serve a")] {
            assert_eq!(line(&memo.decide(&table, 0, &with(Some(other)))), expected);
        }
    }
}

#[test]
fn memo_forgets_when_the_table_or_the_presented_certificates_change() {
    let handshakes = Handshakes::new();
    let (table, other) = (table(), table_of(&SITES[1..], GroupPolicy::default()));
    let request = get("a.example.test");
    let mut memo = Memo::new(handshakes.with("a.example.test"));
    assert_eq!(line(&memo.decide(&table, 0, &request)), "serve a");
    assert!(memo.remembers(b"a.example.test"));
    assert_ne!(line(&memo.decide(&other, 1, &request)), "serve a");
    // A table that serves nothing shows whether the memo looked anything up.
    let nothing = AuthorityTable::builder().build().unwrap();
    assert_eq!(line(&memo.decide(&nothing, 0, &request)), "serve a", "remembered");
    memo.present(&handshakes.cdn);
    let verdict = memo.decide(&nothing, 0, &request);
    assert_eq!(line(&verdict), "421 unknown_authority", "asked again");
}
