//! Connections that end.

use std::sync::Arc;

use coalesce_pool::{Coalescing, ConnectionId, Failure, OriginFrame, Policy, Progress};

use crate::client::{Client, https};

#[test]
fn idle_connection_closes_after_ninety_seconds() {
    let mut client = Client::new();
    let request = client.get("a.example.test");
    let connection = client.connect(&["a.example.test"], 100);
    assert_eq!(client.pool.poll_timeout(), None, "it is in use");
    client.finish(request);
    assert_eq!(client.pass(), Some(90_000));
    assert_eq!(client.closed, [connection]);
    assert_eq!(client.pool.poll_timeout(), None);
}

/// Makes a connection for `a` under a policy, and one for `b` at an address. The server of the
/// second one announces both hosts. Returns the connections, and those that close after a request
/// for `a`.
fn closed_by_a_larger_set(a: Coalescing, address: &'static str) -> [Vec<ConnectionId>; 2] {
    let mut client = Client::new();
    let with = |host, coalescing| {
        let mut facts = https(host);
        let mut policy = Policy::default();
        policy.coalescing = coalescing;
        facts.policy = Arc::new(policy);
        facts
    };
    let request = client.request(with("a.example.test", a));
    let small = client.connect(&["a.example.test", "b.example.test"], 100);
    client.address = Some(address);
    client.request(with("b.example.test", Coalescing::OwnOrigin));
    let large = client.connect(&["a.example.test", "b.example.test"], 100);
    let announce = |client: &mut Client, connection, payload: &[u8]| {
        client.pool.handle_origin(client.now, connection, &OriginFrame::new(0, 0, payload));
        client.act();
    };
    announce(&mut client, small, b"");
    announce(&mut client, large, b"\x00\x16https://a.example.test");
    assert!(client.closed.is_empty(), "it has a request");
    client.finish(request);
    [vec![small, large], client.closed]
}

#[test]
fn connection_with_a_smaller_origin_set_closes_when_it_is_idle() {
    let [made, closed] = closed_by_a_larger_set(Coalescing::AnyOrigin, "192.0.2.10:443");
    assert_eq!(closed, made[..1]);
}

#[test]
fn connection_that_the_larger_origin_set_cannot_replace_stays_open() {
    for (policy, address) in [
        (Coalescing::AnyOrigin, "192.0.2.11:443"),
        (Coalescing::OwnOrigin, "192.0.2.10:443"),
        (Coalescing::OwnOrigin, "192.0.2.11:443"),
    ] {
        let [_, closed] = closed_by_a_larger_set(policy, address);
        assert!(closed.is_empty(), "{policy:?} {address}");
    }
}

#[test]
fn lost_connection_fails_requests_without_an_answer() {
    let mut client = Client::new();
    let [one, two] = [0; 2].map(|_| client.get("a.example.test"));
    let connection = client.connect(&["a.example.test"], 100);
    client.answer(one, 200);
    client.pool.handle_closed(client.now, connection, []);
    client.act();
    assert_eq!(client.failed, [(two, Failure::Lost)]);
    assert_eq!(client.pool.requests(), 0);
}

#[test]
fn lost_connection_gives_back_requests_that_were_not_sent() {
    let mut client = Client::new();
    let [one, two] = [0; 2].map(|_| client.get("a.example.test"));
    let connection = client.connect(&["a.example.test"], 100);
    client.pool.handle_closed(client.now, connection, [two]);
    client.act();
    assert_eq!(client.failed, [(one, Failure::Lost)]);
    let new = client.connect(&["a.example.test"], 100);
    assert_eq!(client.on(two), Some(new));
}

#[test]
fn stream_that_ends_without_an_answer_fails_its_request() {
    let mut client = Client::new();
    let request = client.get("a.example.test");
    client.connect(&["a.example.test"], 100);
    client.pool.handle_done(client.now, request);
    client.act();
    assert_eq!(client.failed, [(request, Failure::Lost)]);
}

#[test]
fn host_without_address_fails_its_requests() {
    let mut client = Client::new();
    client.address = None;
    let [one, two] = [0; 2].map(|_| client.get("a.example.test"));
    let key = https("a.example.test").key;
    client.pool.handle_endpoints(client.now, &key, &[], Progress::Last);
    client.act();
    assert_eq!(client.failed, [(one, Failure::NoAddress), (two, Failure::NoAddress)]);
}

#[test]
fn events_for_forgotten_names_are_ignored() {
    let mut client = Client::new();
    let request = client.get("a.example.test");
    let connection = client.connect(&["a.example.test"], 100);
    client.finish(request);
    client.pool.handle_closed(client.now, connection, []);
    client.pool.handle_closed(client.now, connection, []);
    client.pool.handle_goaway(client.now, connection, 0);
    client.answer(request, 200);
    client.pool.handle_done(client.now, request);
    client.pool.handle_cancel(client.now, request);
    client.act();
    assert_eq!((client.delivered.len(), client.failed.len()), (1, 0));
}
