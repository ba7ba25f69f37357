//! Connections that the server closed while they were idle, and the requests that met them.

use coalesce_pool::{
    ConnectionFacts, ConnectionId, Failure, Protocol, RequestBody, RequestFacts, RequestId,
    Unprocessed,
};

use crate::client::{Client, https};

fn idempotent(host: &str) -> RequestFacts {
    let mut facts = https(host);
    facts.idempotent = true;
    facts
}

/// Makes all attempts HTTP/1.1 connections.
fn connect_http1(client: &mut Client) {
    while let Some((attempt, key)) = client.attempts.pop() {
        let peer = "192.0.2.10:443".parse().unwrap();
        let facts = ConnectionFacts::new(key, peer, Protocol::Http1);
        let id = client.pool.handle_connected(client.now, attempt, facts);
        client.made.extend(id);
        client.act();
    }
}

/// Returns a client with four idle connections that have served a request each.
fn four_used() -> (Client, Vec<ConnectionId>) {
    let mut client = Client::new();
    let requests: Vec<_> = (0..4).map(|_| client.get("a.example.test")).collect();
    connect_http1(&mut client);
    assert_eq!(client.made.len(), 4);
    for request in requests {
        client.finish(request);
    }
    let made = client.made.clone();
    (client, made)
}

fn lose(client: &mut Client, request: RequestId) {
    client.pool.handle_lost(client.now, request);
    client.act();
}

#[test]
fn request_meets_four_stale_connections_and_is_sent_on_a_fresh_one() {
    let (mut client, made) = four_used();
    let request = client.request(idempotent("a.example.test"));
    for _ in 0..4 {
        lose(&mut client, request);
    }
    assert_eq!(client.closed.len(), made.len(), "all of them");
    connect_http1(&mut client);
    assert_eq!(client.on(request), client.made.last().copied());
    assert!(client.failed.is_empty());
}

#[test]
fn request_that_stale_connections_give_back_is_sent_on_a_fresh_one() {
    let (mut client, _) = four_used();
    let mut facts = https("a.example.test");
    facts.body = RequestBody::OneShot;
    let request = client.request(facts);
    for _ in 0..4 {
        client.pool.handle_unprocessed(client.now, request, Unprocessed::NotSent);
        client.act();
    }
    connect_http1(&mut client);
    assert_eq!(client.on(request), client.made.last().copied());
    assert!(client.failed.is_empty());
}

#[test]
fn server_that_gives_every_request_back_on_fresh_connections_fails_it() {
    let mut client = Client::new();
    let request = client.get("a.example.test");
    for _ in 0..4 {
        connect_http1(&mut client);
        client.pool.handle_unprocessed(client.now, request, Unprocessed::NotSent);
        client.act();
    }
    assert_eq!(client.failed, [(request, Failure::Unprocessed)]);
    assert_eq!((client.made.len(), client.attempts.len()), (4, 0));
}

#[test]
fn fresh_connection_that_is_lost_fails_its_request() {
    let mut client = Client::new();
    let request = client.request(idempotent("a.example.test"));
    connect_http1(&mut client);
    lose(&mut client, request);
    assert_eq!(client.failed, [(request, Failure::Lost)]);
}

#[test]
fn method_or_body_that_forbids_a_second_time_fails_on_a_stale_connection() {
    let (mut client, _) = four_used();
    let post = client.get("a.example.test");
    lose(&mut client, post);
    let mut facts = idempotent("a.example.test");
    facts.body = RequestBody::OneShot;
    let upload = client.request(facts);
    lose(&mut client, upload);
    assert_eq!(client.failed, [(post, Failure::Lost), (upload, Failure::Lost)]);
}

#[test]
fn lost_http2_connection_sends_idempotent_requests_again() {
    let mut client = Client::new();
    let first = client.get("a.example.test");
    let old = client.connect(&["a.example.test"], 100);
    client.finish(first);
    let [one, two] = [0; 2].map(|_| client.request(idempotent("a.example.test")));
    let post = client.get("a.example.test");
    client.pool.handle_closed(client.now, old, []);
    client.act();
    assert_eq!(client.failed, [(post, Failure::Lost)]);
    let new = client.connect(&["a.example.test"], 100);
    assert_eq!([client.on(one), client.on(two)], [Some(new); 2]);
}

#[test]
fn connection_that_closes_while_idle_costs_nothing() {
    let (mut client, made) = four_used();
    for connection in made {
        client.pool.handle_closed(client.now, connection, []);
    }
    client.act();
    client.get("a.example.test");
    assert_eq!((client.attempts.len(), client.failed.len()), (1, 0));
    assert_eq!(client.pool.poll_timeout(), None);
}
