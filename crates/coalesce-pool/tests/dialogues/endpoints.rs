//! Endpoints that arrive one after the other, and attempts that do not reach them.

use coalesce_pool::{Failure, Progress};

use crate::client::{Client, endpoint, https};

/// Adds an endpoint of `a`.
fn add(client: &mut Client, address: &str, progress: Progress) {
    let key = https("a.example.test").key;
    client.pool.handle_endpoints(client.now, &key, &[endpoint(address)], progress);
    client.act();
}

fn fail(client: &mut Client) {
    let (attempt, _) = client.attempts.remove(0);
    client.pool.handle_failed(client.now, attempt);
    client.act();
}

fn waiting_for_endpoints() -> Client {
    let mut client = Client::new();
    client.address = None;
    client.get("a.example.test");
    client
}

#[test]
fn later_endpoint_gets_an_attempt_after_the_first_has_failed() {
    let mut client = waiting_for_endpoints();
    add(&mut client, "192.0.2.99:443", Progress::More);
    add(&mut client, "192.0.2.10:443", Progress::Last);
    assert_eq!(client.attempts.len(), 1);
    fail(&mut client);
    assert!(client.failed.is_empty());
    client.address = Some("192.0.2.10:443");
    client.connect(&["a.example.test"], 100);
    assert_eq!(client.sent.len(), 1);
}

#[test]
fn failed_attempt_waits_for_the_end_of_the_resolution() {
    let mut client = waiting_for_endpoints();
    add(&mut client, "192.0.2.99:443", Progress::More);
    fail(&mut client);
    assert_eq!((client.failed.len(), client.attempts.len()), (0, 0));
    add(&mut client, "192.0.2.10:443", Progress::Last);
    assert_eq!(client.attempts.len(), 1);
    fail(&mut client);
    assert_eq!(client.failed.len(), 1);
    assert_eq!(client.failed[0].1, Failure::Connect);
}

#[test]
fn end_of_the_resolution_without_another_endpoint_fails_the_request() {
    let mut client = waiting_for_endpoints();
    add(&mut client, "192.0.2.99:443", Progress::More);
    fail(&mut client);
    add(&mut client, "192.0.2.99:443", Progress::Last);
    assert_eq!(client.attempts.len(), 1, "an endpoint said twice is tried once more at most");
    fail(&mut client);
    assert_eq!(client.failed.len(), 1);
}

#[test]
fn attempt_in_its_handshake_goes_on_when_a_later_endpoint_leads_to_a_connection() {
    let mut client = Client::new();
    client.get("b.example.test");
    let shared = client.connect(&["*.example.test"], 100);
    client.address = None;
    let request = client.get("a.example.test");
    add(&mut client, "192.0.2.99:443", Progress::More);
    let peer = "192.0.2.99:443".parse().unwrap();
    client.pool.handle_handshaking(client.attempts[0].0, peer);
    add(&mut client, "192.0.2.10:443", Progress::Last);
    assert_eq!(client.on(request), Some(shared));
    assert!(client.cancelled.is_empty());
    client.address = Some("192.0.2.99:443");
    client.connect(&["a.example.test"], 100);
    assert_eq!(client.sent.len(), 2);
}
