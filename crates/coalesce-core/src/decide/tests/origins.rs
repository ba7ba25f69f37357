//! Tests the contents of origin sets, in the fixture world.

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
fn origin_set_has_names_of_certificate_and_group() {
    let handshakes = Handshakes::new();
    let origins = |name: &str| origins(&table(), &handshakes.with(name));
    // `wild` is known by wildcards only, `dead` has no virtual host, `m` is in another group.
    assert_eq!(
        origins("a.example.test"),
        ["https://a.example.test", "https://b.example.test", "https://xn--bcher-kva.example.test"]
    );
    // Names that the certificate's wildcard covers come from the table, and `c` comes only once.
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
fn certificate_name_under_table_wildcard_is_announced() {
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
fn connection_without_tls_has_no_origin_set() {
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
fn strict_name_is_announced_to_its_server_name_only() {
    let handshakes = Handshakes::new();
    for policy in [CoalescePolicy::StrictServerName, CoalescePolicy::Never] {
        let table = table_with(coalesce(policy));
        let origins = |name: &str| origins(&table, &handshakes.with(name));
        assert_eq!(origins("b.example.test"), ["https://b.example.test"]);
        assert!(origins("").is_empty());
    }
}

/// A strict name is announced to a connection with that server name, even if neither side spells it
/// out. Other names are not, because other connections may use their wildcard as well.
#[test]
fn strict_name_is_announced_even_if_matched_by_wildcard() {
    let handshakes = Handshakes::new();
    let origins_with =
        |policy| origins(&table_with(policy), &handshakes.with("x.wild.example.test"));
    let strict = origins_with(coalesce(CoalescePolicy::StrictServerName));
    assert_eq!(strict, ["https://x.wild.example.test"]);
    assert!(!origins_with(GroupPolicy::default()).contains(&strict[0]));
}

#[test]
fn listing_stopped_by_callback_is_cut() {
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
fn origin_served_by_observing_is_not_announced() {
    let strict = coalesce(CoalescePolicy::StrictServerName);
    let table = table_with(strict.with_enforcement(Enforcement::Observe));
    let handshakes = Handshakes::new();
    let connection = handshakes.with("a.example.test");
    let verdict = decide(&table, &connection, &RequestTarget::https(b"b.example.test"));
    assert!(matches!(verdict, Verdict::Serve(proof) if proof.observed().is_some()));
    assert_eq!(origins(&table, &connection), ["https://a.example.test"]);
}

#[test]
fn unlisted_origin_is_not_announced() {
    let handshakes = Handshakes::new();
    let connection = handshakes.with("a.example.test");
    let table = table_with(unknown_to_application());
    let verdict = decide(&table, &connection, &RequestTarget::https(b"dead.example.test"));
    assert!(matches!(verdict, Verdict::Serve(proof) if proof.served_as() == ServedAs::Unlisted));
    assert!(!origins(&table, &connection).contains(&"https://dead.example.test".to_string()));
}

#[test]
fn origin_of_another_listener_is_not_announced() {
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

/// Has names below a wildcard, names further below, and wildcards of the table, in both layouts.
#[test]
fn name_further_below_a_wildcard_is_skipped() {
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

/// The amount of work has a limit, whatever the names are.
#[test]
#[cfg_attr(miri, ignore = "of many names")]
fn listing_beyond_the_candidate_limit_is_cut() {
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
        // The wildcard identifier itself is the first of the names examined.
        assert_eq!(count, if deep { 0 } else { ORIGIN_CANDIDATES_MAX - 1 });
    }
}
