//! Streams that run out, and requests that are sent again.

use coalesce_pool::{
    ConnectionFacts, Failure, PoolConfig, Protocol, Refusal, RequestBody, RequestKind,
    ServerSettings, Unprocessed,
};

use crate::client::{Client, https};

#[test]
fn thirty_requests_on_ten_streams_are_sent_once_each_in_order() {
    let mut client = Client::new();
    let requests: Vec<_> = (0..30).map(|_| client.get("a.example.test")).collect();
    // The server's limit is lower than the guess, and it refuses the rest.
    let connection = client.connect(&["a.example.test"], 10);
    assert_eq!(client.sent.len(), 30);
    for request in &requests[10..] {
        client.pool.handle_unprocessed(client.now, *request, Unprocessed::Refused);
    }
    client.act();
    for at in (0..10).chain(30..50) {
        let request = client.sent[at].0;
        client.finish(request);
    }
    let delivered: Vec<_> = client.delivered.iter().map(|(id, _)| *id).collect();
    assert_eq!(delivered, requests, "in order");
    assert_eq!(client.made, [connection], "short requests need one connection");
}

#[test]
fn long_requests_get_more_connections_up_to_the_limit_then_wait() {
    let mut config = PoolConfig::default();
    config.streams_max = 4;
    let mut client = Client::with(config);
    let requests: Vec<_> = (0..24).map(|_| client.get("a.example.test")).collect();
    client.connect(&["a.example.test"], 100);
    for number in 2..=4 {
        assert!(client.attempts.is_empty(), "the wait for a stream comes first");
        client.pass();
        assert_eq!(client.attempts.len(), 1, "one attempt at a time");
        client.connect(&["a.example.test"], 100);
        assert_eq!(client.made.len(), number);
    }
    assert_eq!(client.sent.len(), 16);
    while client.pass().is_some() {}
    assert!(client.attempts.is_empty(), "four connections are the limit");
    client.finish(requests[0]);
    assert_eq!(client.sent.last().map(|(id, _)| *id), Some(requests[16]), "in order");
}

#[test]
fn stream_that_ends_within_the_wait_is_used_again() {
    let mut client = Client::new();
    let first = client.get("a.example.test");
    let connection = client.connect(&["a.example.test"], 1);
    let second = client.get("a.example.test");
    assert_eq!(client.on(second), None);
    client.finish(first);
    assert_eq!(client.on(second), Some(connection));
    assert!(client.attempts.is_empty());
}

#[test]
fn failed_extra_connection_leaves_requests_waiting() {
    let mut client = Client::new();
    let first = client.get("a.example.test");
    client.connect(&["a.example.test"], 1);
    let second = client.get("a.example.test");
    client.pass();
    let (attempt, _) = client.attempts.remove(0);
    client.pool.handle_failed(client.now, attempt);
    client.act();
    assert!(client.failed.is_empty());
    client.finish(first);
    assert_eq!(client.on(second), Some(client.made[0]));
}

#[test]
fn goaway_sends_later_streams_again_and_keeps_earlier_ones() {
    let mut client = Client::new();
    let [one, three, unknown] = [0; 3].map(|_| client.get("a.example.test"));
    let old = client.connect(&["a.example.test"], 100);
    client.pool.handle_stream(one, 1);
    client.pool.handle_stream(three, 3);
    client.pool.handle_goaway(client.now, old, 1);
    client.act();
    let new = client.connect(&["a.example.test"], 100);
    assert_eq!([client.on(one), client.on(unknown)], [Some(old); 2], "perhaps processed");
    assert_eq!(client.on(three), Some(new));
    client.finish(one);
    assert!(client.closed.is_empty());
    client.finish(unknown);
    assert_eq!(client.closed, [old], "drained");
}

#[test]
fn one_shot_body_is_sent_again_only_if_it_was_not_sent() {
    let mut client = Client::new();
    let mut facts = https("a.example.test");
    facts.body = RequestBody::OneShot;
    let [one, two] = [0; 2].map(|_| client.request(facts.clone()));
    client.connect(&["a.example.test"], 100);
    client.pool.handle_unprocessed(client.now, one, Unprocessed::NotSent);
    client.pool.handle_unprocessed(client.now, two, Unprocessed::Refused);
    client.act();
    let new = client.connect(&["a.example.test"], 100);
    assert_eq!(client.on(one), Some(new), "the old connection gave it back");
    assert_eq!(client.closed, [client.made[0]]);
    assert_eq!(client.failed, [(two, Failure::Unprocessed)]);
}

#[test]
fn request_that_is_always_refused_fails_after_three_retries() {
    let mut client = Client::new();
    let request = client.get("a.example.test");
    client.connect(&["a.example.test"], 100);
    for _ in 0..4 {
        client.pool.handle_unprocessed(client.now, request, Unprocessed::Refused);
        client.act();
    }
    assert_eq!(client.sent.len(), 4);
    assert_eq!(client.failed, [(request, Failure::Unprocessed)]);
}

#[test]
fn extended_connect_waits_for_settings_and_fails_without_the_setting() {
    let mut client = Client::new();
    let mut facts = https("a.example.test");
    facts.kind = RequestKind::ExtendedConnect;
    let [one, two] = [0; 2].map(|_| client.request(facts.clone()));
    let connection = client.handshake(&["a.example.test"]);
    assert!(client.sent.is_empty());
    client.settings(connection, 100);
    let failure = Failure::Refused(Refusal::ExtendedConnect);
    assert_eq!(client.failed, [(one, failure), (two, failure)]);

    let mut settings = ServerSettings::default();
    settings.extended_connect = true;
    client.pool.handle_settings(client.now, connection, settings);
    let three = client.request(facts);
    assert_eq!(client.on(three), Some(connection));
}

#[test]
fn full_pool_closes_an_idle_connection_and_fails_if_there_is_none() {
    let mut config = PoolConfig::default();
    config.connections_max = 1;
    let mut client = Client::with(config);
    let one = client.get("a.example.test");
    let first = client.connect(&["a.example.test"], 100);
    let other = client.get("a.other.test");
    assert_eq!(client.failed, [(other, Failure::TooManyConnections)]);
    client.finish(one);
    client.get("a.other.test");
    assert_eq!(client.closed, [first]);
    assert_eq!(client.attempts.len(), 1);
}

#[test]
fn pool_with_all_its_requests_takes_no_other() {
    let mut config = PoolConfig::default();
    config.requests_max = 1;
    let mut client = Client::with(config);
    client.get("a.example.test");
    let refused = client.pool.handle_request(client.now, https("a.example.test"));
    assert_eq!(refused, Err(Failure::TooManyRequests));
}

#[test]
fn http1_connections_carry_one_request_each_up_to_the_limit() {
    let mut client = Client::new();
    let requests: Vec<_> = (0..6).map(|_| client.get("a.example.test")).collect();
    while let Some((attempt, key)) = client.attempts.pop() {
        let peer = "192.0.2.10:443".parse().unwrap();
        let facts = ConnectionFacts::new(key, peer, Protocol::Http1);
        client.pool.handle_connected(client.now, attempt, facts);
        client.act();
    }
    assert_eq!(client.sent.len(), 4);
    client.finish(requests[0]);
    assert_eq!(client.on(requests[4]), client.on(requests[0]));
}

#[test]
fn kinds_of_requests_do_not_block_each_other() {
    let mut client = Client::new();
    let mut facts = https("a.example.test");
    facts.kind = RequestKind::ExtendedConnect;
    let tunnel = client.request(facts);
    let plain = client.get("a.example.test");
    let connection = client.handshake(&["a.example.test"]);
    assert_eq!([client.on(tunnel), client.on(plain)], [None, Some(connection)]);
}
