//! What a connection's origin set has, in the fixture world.

use core::ops::ControlFlow;

use super::*;
use crate::limits::ORIGIN_CANDIDATES_MAX;
use crate::{Enforcement, ListenerId, ListenerTable, Listing};

fn origins(table: &Table, connection: &ServerConnection<'_>) -> Vec<String> {
    let mut origins = Vec::new();
    let listing = connection.origins(table, |origin| {
        origins.push(origin.to_string());
        ControlFlow::Continue(())
    });
    assert_eq!(listing, Listing::Whole);
    origins
}

#[test]
fn the_set_has_what_certificate_and_group_allow() {
    let handshakes = Handshakes::new();
    let origins = |name: &str| origins(&table(), &handshakes.with(name));
    // `wild` is known by wildcards only, `dead` is nobody's, `m` another group's.
    assert_eq!(
        origins("a.example.test"),
        ["https://a.example.test", "https://b.example.test", "https://xn--bcher-kva.example.test"]
    );
    // What the wildcard of the certificate covers comes from the table, `c` only once.
    assert_eq!(
        origins("c.example.test"),
        [
            "https://c.example.test",
            "https://a.example.test",
            "https://api.example.test",
            "https://b.example.test",
            "https://cdn.example.test",
            "https://xn--bcher-kva.example.test",
        ]
    );
    assert_eq!(origins("m.example.test"), ["https://m.example.test"]);
    assert_eq!(origins("m2.example.test"), ["https://m2.example.test"]);
}

#[test]
fn a_name_of_the_certificate_may_be_a_wildcards_of_the_table() {
    let certificate = set(&["x.wild.example.test", "*.wild.example.test", "192.0.2.1"]);
    let connection =
        ServerConnection::tls(&certificate, PUBLIC, ClientCertificates::NotAsked, [443]);
    assert_eq!(origins(&table(), &connection), ["https://x.wild.example.test"]);
}

#[test]
fn every_port_of_the_listener_is_an_origin() {
    let certificate = set(&["api.example.test"]);
    let connection = |ports: &'static [u16]| {
        ServerConnection::tls(&certificate, PUBLIC, ClientCertificates::NotAsked, ports)
    };
    assert_eq!(
        origins(&table(), &connection(&[443, 8443, 80])),
        [
            "https://api.example.test",
            "https://api.example.test:8443",
            "https://api.example.test:80"
        ]
    );
    assert!(origins(&table(), &connection(&[])).is_empty());
}

#[test]
fn only_tls_has_an_origin_set() {
    let gateway = ServerConnection::trusted_gateway(
        Scheme::Https,
        PUBLIC,
        ClientCertificates::NotAsked,
        [443],
    );
    assert!(origins(&table(), &gateway).is_empty());
    assert!(origins(&table(), &ServerConnection::cleartext(PUBLIC, [80, 443])).is_empty());
}

#[test]
fn a_strict_name_is_announced_to_those_who_asked_for_it() {
    let handshakes = Handshakes::new();
    for policy in [CoalescePolicy::StrictServerName, CoalescePolicy::Never] {
        let table = table_with(coalesce(policy));
        let origins = |name: &str| origins(&table, &handshakes.with(name));
        assert_eq!(origins("b.example.test"), ["https://b.example.test"]);
        assert!(origins("").is_empty());
    }
}

/// The server name's own origin is said of a strict name even where nobody spells it out, and not
/// of another, whose wildcard others may use as well.
#[test]
fn a_strict_name_need_not_be_spelled_out() {
    let handshakes = Handshakes::new();
    let of = |policy| origins(&table_with(policy), &handshakes.with("x.wild.example.test"));
    let strict = of(coalesce(CoalescePolicy::StrictServerName));
    assert_eq!(strict, ["https://x.wild.example.test"]);
    assert!(!of(GroupPolicy::default()).contains(&strict[0]));
}

#[test]
fn a_listing_may_be_broken_off() {
    let handshakes = Handshakes::new();
    for wanted in 1..=3 {
        let mut left = wanted;
        let listing = handshakes.with("a.example.test").origins(&table(), |_| {
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((listing, left), (Listing::Cut, 0));
    }
}

#[test]
fn what_is_served_by_observing_only_is_not_announced() {
    let strict = coalesce(CoalescePolicy::StrictServerName);
    let table = table_with(strict.with_enforcement(Enforcement::Observe));
    let handshakes = Handshakes::new();
    let connection = handshakes.with("a.example.test");
    let verdict = decide(&table, &connection, &RequestTarget::https(b"b.example.test"));
    assert!(matches!(verdict, Verdict::Serve(proof) if proof.observed().is_some()));
    assert_eq!(origins(&table, &connection), ["https://a.example.test"]);
}

#[test]
fn what_is_handed_over_for_a_404_is_not_announced() {
    let handshakes = Handshakes::new();
    let connection = handshakes.with("a.example.test");
    let table = table_with(unknown_to_application());
    let verdict = decide(&table, &connection, &RequestTarget::https(b"dead.example.test"));
    assert!(matches!(verdict, Verdict::Serve(proof) if proof.served_as() == ServedAs::Unlisted));
    assert!(!origins(&table, &connection).contains(&"https://dead.example.test".to_string()));
}

#[test]
fn what_another_listener_is_responsible_for_is_not_announced() {
    let of_port = ListenerTable::build(
        [(&b"**.example.test"[..], 0), (b"b.example.test", 1)]
            .map(|(name, id)| (NamePattern::parse(name).unwrap(), ListenerId::new(id))),
    )
    .unwrap();
    let certificate = set(&["a.example.test", "b.example.test"]);
    let connection =
        ServerConnection::tls(&certificate, PUBLIC, ClientCertificates::NotAsked, [443])
            .with_listener(ListenerId::new(0), &of_port);
    assert_eq!(origins(&table(), &connection), ["https://a.example.test"]);
}

/// Names below a wildcard, two labels below it, and the wildcards of a table, in both layouts.
#[test]
fn what_is_further_below_a_wildcard_is_passed_over() {
    let count = if cfg!(miri) { 8 } else { 40 };
    let names = (0..count).flat_map(|number| {
        let deep = (0..number).map(move |deep| format!("d{deep}.n{number:02}.test"));
        let own = (number % 3 != 0).then(|| format!("n{number:02}.test"));
        let wildcard = (number % 5 == 0).then(|| format!("*.n{number:02}.test"));
        own.into_iter().chain(wildcard).chain(deep)
    });
    let names: Vec<String> = names.chain(["test".to_string(), "*.test".to_string()]).collect();
    for layout in [crate::Layout::Fast, crate::Layout::Compact] {
        let mut builder = AuthorityTable::builder();
        builder.layout(layout).group(PUBLIC, GroupPolicy::default()).unwrap();
        for name in &names {
            let pattern = NamePattern::parse(name.as_bytes()).unwrap();
            builder.entry(pattern, VirtualHostId::new(0), PUBLIC).unwrap();
        }
        let certificate = set(&["*.test"]);
        let connection =
            ServerConnection::tls(&certificate, PUBLIC, ClientCertificates::NotAsked, [443]);
        let expected = (0..count).filter(|number| number % 3 != 0);
        let expected: Vec<_> = expected.map(|n| format!("https://n{n:02}.test")).collect();
        assert_eq!(origins(&builder.build().unwrap(), &connection), expected);
    }
}

/// Whatever the names are, the work has a bound.
#[test]
#[cfg_attr(miri, ignore = "of many names")]
fn a_listing_of_more_names_than_are_looked_at_is_cut() {
    for deep in [false, true] {
        let mut builder = AuthorityTable::builder();
        builder.group(PUBLIC, GroupPolicy::default()).unwrap();
        for number in 0..ORIGIN_CANDIDATES_MAX {
            let name = format!("{}n{number}.test", if deep { "d." } else { "" });
            let pattern = NamePattern::parse(name.as_bytes()).unwrap();
            builder.entry(pattern, VirtualHostId::new(0), PUBLIC).unwrap();
        }
        let certificate = set(&["*.test"]);
        let connection =
            ServerConnection::tls(&certificate, PUBLIC, ClientCertificates::NotAsked, [443]);
        let mut count = 0;
        let listing = connection.origins(&builder.build().unwrap(), |_| {
            count += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(listing, Listing::Cut);
        // The identifier itself was the first to be looked at.
        assert_eq!(count, if deep { 0 } else { ORIGIN_CANDIDATES_MAX - 1 });
    }
}
