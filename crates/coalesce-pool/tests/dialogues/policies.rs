//! The choices of a user: which connections a host may use, and which hosts its connections carry.

use std::sync::Arc;

use coalesce_pool::{Coalescing, Policy, RequestFacts};

use crate::client::{Client, https};

fn with(host: &str, coalescing: Coalescing) -> RequestFacts {
    let mut facts = https(host);
    let mut policy = Policy::default();
    policy.coalescing = coalescing;
    facts.policy = Arc::new(policy);
    facts
}

#[test]
fn own_origin_waits_for_no_leader_and_uses_no_other_connection() {
    let mut client = Client::new();
    client.get("a.example.test");
    let request = client.request(with("b.example.test", Coalescing::OwnOrigin));
    assert_eq!(client.attempts.len(), 2);
    client.connect(&["*.example.test"], 100);
    assert_eq!(client.on(request), None);
}

#[test]
fn connection_of_an_own_origin_policy_carries_other_hosts() {
    let mut client = Client::new();
    client.request(with("a.example.test", Coalescing::OwnOrigin));
    let connection = client.connect(&["*.example.test"], 100);
    let other = client.get("b.example.test");
    assert_eq!(client.on(other), Some(connection));
}

#[test]
fn connection_of_a_host_without_coalescing_carries_no_other_host() {
    let mut client = Client::new();
    let request = client.request(with("a.example.test", Coalescing::Off));
    let connection = client.connect(&["*.example.test"], 100);
    client.finish(request);
    let other = client.get("b.example.test");
    assert_eq!((client.on(other), client.attempts.len()), (None, 1));
    let again = client.get("a.example.test");
    assert_eq!(client.on(again), Some(connection), "another request for the host may use it");
}

#[test]
fn host_without_coalescing_uses_no_connection_of_another_host() {
    let mut client = Client::new();
    client.get("b.example.test");
    client.connect(&["*.example.test"], 100);
    let request = client.request(with("a.example.test", Coalescing::Off));
    assert_eq!((client.on(request), client.attempts.len()), (None, 1));
}

#[test]
fn shared_connection_of_the_host_is_left_for_one_without_others() {
    let mut client = Client::new();
    let first = client.get("a.example.test");
    client.connect(&["*.example.test"], 100);
    client.get("b.example.test");
    client.finish(first);
    let request = client.request(with("a.example.test", Coalescing::Off));
    assert_eq!((client.on(request), client.attempts.len()), (None, 1));
    let own = client.connect(&["*.example.test"], 100);
    assert_eq!(client.on(request), Some(own));
    let other = client.get("c.example.test");
    assert_eq!(client.on(other), Some(client.made[0]));
}

#[test]
fn unshared_connection_of_the_host_serves_it_alone_from_then_on() {
    let mut client = Client::new();
    client.get("a.example.test");
    let connection = client.connect(&["*.example.test"], 100);
    let request = client.request(with("a.example.test", Coalescing::Off));
    assert_eq!(client.on(request), Some(connection));
    let other = client.get("b.example.test");
    assert_eq!((client.on(other), client.attempts.len()), (None, 1));
}

#[test]
fn attempt_without_coalescing_is_no_leader() {
    let mut client = Client::new();
    client.request(with("a.example.test", Coalescing::Off));
    client.get("b.example.test");
    assert_eq!(client.attempts.len(), 2);
}

#[test]
fn attempt_that_a_host_without_coalescing_joins_carries_no_other_host() {
    let mut client = Client::new();
    let first = client.get("a.example.test");
    let other = client.get("b.example.test");
    let request = client.request(with("a.example.test", Coalescing::Off));
    assert_eq!(client.attempts.len(), 1, "both requests for `a` wait for it, and `b` as well");
    let connection = client.connect(&["*.example.test"], 100);
    assert_eq!([client.on(first), client.on(request)], [Some(connection); 2]);
    assert_eq!((client.on(other), client.attempts.len()), (None, 1));
}
