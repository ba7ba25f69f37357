//! Tests certificates that a connection presents after its handshake, and connections that own
//! their parts.

use alloc::sync::Arc;

use super::*;
use crate::{DnsNameBuf, ListenerId, ListenerTable, Origin, Ports};

/// Step 5 accepts every set that the connection has presented so far, but none before that.
#[test]
fn certificate_presented_later_covers_from_then_on() {
    let (table, handshakes) = (table(), Handshakes::new());
    let mut connection = handshakes.with("a.example.test");
    let ask = |connection: &ServerConnection<'_>| {
        ["a.example.test", "cdn.example.test", "api.example.test", "m.example.test"]
            .map(|name| line(&decide(&table, connection, &get(name))))
    };
    let (own, refused) = ("serve a", "421 certificate");
    assert_eq!(ask(&connection), [own, refused, refused, "421 group"]);
    connection.present(&handshakes.cdn);
    assert_eq!(ask(&connection), [own, "serve cdn", refused, "421 group"]);
    connection.present(Arc::new(handshakes.api.clone()));
    assert_eq!(ask(&connection), [own, "serve cdn", "serve api", "421 group"]);
    // The group stays the one that the handshake chose, whatever certificate is presented.
    connection.present(&handshakes.m);
    assert_eq!(ask(&connection), [own, "serve cdn", "serve api", "421 group"]);
    assert_eq!(connection.presented().count(), 4);
}

#[test]
fn certificate_presented_later_adds_its_origins_once() {
    let (table, handshakes) = (table(), Handshakes::new());
    let mut connection = handshakes.with("cdn.example.test").with_server_name(None);
    let origins = |connection: &ServerConnection<'_>| {
        let mut found = Vec::new();
        let listing = connection.origins(&table, |origin: &Origin<'_>| {
            found.push(origin.to_string());
            core::ops::ControlFlow::Continue(())
        });
        assert_eq!(listing, crate::Listing::Whole);
        found
    };
    assert_eq!(origins(&connection), ["https://cdn.example.test"]);
    connection.present(&handshakes.cdn);
    assert_eq!(origins(&connection), ["https://cdn.example.test"]);
    connection.present(&handshakes.api);
    assert_eq!(origins(&connection), ["https://cdn.example.test", "https://api.example.test"]);
}

#[test]
fn connection_without_tls_ignores_later_certificates() {
    let (table, handshakes) = (table(), Handshakes::new());
    let mut cleartext = ServerConnection::cleartext(PUBLIC, 80);
    cleartext.present(&handshakes.a);
    assert_eq!(cleartext.presented().count(), 0);
    assert_eq!(line(&decide(&table, &cleartext, &get("a.example.test"))), "421 scheme");
}

/// A connection that borrows nothing outlives the values it was made from.
#[test]
fn connection_with_owned_parts_outlives_its_sources() {
    struct Owner(ServerConnection<'static>);
    let owner = {
        let handshakes = Handshakes::new();
        let name = DnsName::parse(b"a.example.test").unwrap();
        let hostnames = [(NamePattern::CatchAll, ListenerId::new(1))];
        let of_port = ListenerTable::build(hostnames).unwrap();
        let ports: Ports<'_> = [443, 8443].into_iter().collect();
        let presented = Arc::new(handshakes.a.clone());
        let clients = ClientCertificates::NotAsked;
        let connection = ServerConnection::tls(presented, PUBLIC, clients, ports);
        let connection = connection.with_shared_server_name(Some(Arc::new(DnsNameBuf::from(name))));
        Owner(connection.with_shared_listener(ListenerId::new(1), Arc::new(of_port)))
    };
    let table = table_with(coalesce(CoalescePolicy::StrictServerName));
    let ask = |name| line(&decide(&table, &owner.0, &get(name)));
    assert_eq!(ask("a.example.test:8443"), "serve a");
    assert_eq!(ask("b.example.test"), "421 server_name");
    assert_eq!(ask("a.example.test:80"), "421 port");
}
