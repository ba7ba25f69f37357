//! Answers of 421: one retry on a connection for the origin alone, and the memory.

use coalesce_pool::{RequestBody, TrailStep};

use crate::client::{Client, https};

/// Returns a client with a connection for `a` that covers `b`, and the number of its requests so
/// far.
fn sharing() -> Client {
    let mut client = Client::new();
    let request = client.get("a.example.test");
    client.connect(&["*.example.test"], 2_000);
    client.finish(request);
    client
}

#[test]
fn request_is_sent_once_more_on_a_connection_for_its_origin_alone() {
    let mut client = sharing();
    let request = client.get("b.example.test");
    assert_eq!(client.on(request), Some(client.made[0]));
    client.answer(request, 421);
    assert_eq!(client.discarded, [(request, true)]);
    let own = client.connect(&["*.example.test"], 100);
    assert_eq!(client.on(request), Some(own));
    client.finish(request);
    let (_, trail) = client.delivered.last().unwrap();
    let steps = trail.steps();
    assert!(steps.contains(&steps[0]) && steps.len() == 5, "{steps:?}");
    let misdirected = |step: &TrailStep| matches!(step, TrailStep::Misdirected { .. });
    assert_eq!(steps.iter().filter(|step| misdirected(step)).count(), 1);
    // The connection of the retry carries no other origin.
    let third = client.get("c.example.test");
    assert_eq!(client.on(third), Some(client.made[0]));
    let again = client.get("b.example.test");
    assert_eq!(client.on(again), Some(own));
}

#[test]
fn own_connection_that_carried_no_other_origin_takes_the_retry_and_serves_it_alone() {
    let mut client = Client::new();
    let request = client.get("a.example.test");
    let shared = client.connect(&["*.example.test"], 1);
    client.finish(request);
    let [first, second] = [0; 2].map(|_| client.get("b.example.test"));
    let own = client.connect(&["*.example.test"], 100);
    assert_eq!([client.on(first), client.on(second)], [Some(shared), Some(own)]);
    client.answer(first, 421);
    assert_eq!(client.on(first), Some(own));
    assert!(client.attempts.is_empty());
    let other = client.get("c.example.test");
    assert_eq!(client.on(other), Some(shared), "although the other connection has more load");
}

#[test]
fn second_421_reaches_the_caller() {
    let mut client = sharing();
    let request = client.get("b.example.test");
    client.answer(request, 421);
    client.connect(&["*.example.test"], 100);
    client.answer(request, 421);
    assert_eq!(client.delivered.last().map(|(id, _)| *id), Some(request));
    assert_eq!(client.discarded.len(), 1);
}

#[test]
fn body_that_is_gone_is_not_sent_again() {
    let mut client = sharing();
    let mut facts = https("b.example.test");
    facts.body = RequestBody::OneShot;
    let request = client.request(facts);
    client.answer(request, 421);
    assert_eq!(client.delivered.last().map(|(id, _)| *id), Some(request));
    let next = client.get("b.example.test");
    assert_eq!(client.on(next), None, "the connection refuses the origin");
    assert_eq!(client.attempts.len(), 1);
}

#[test]
fn other_connection_to_the_same_server_is_not_asked_for_ten_minutes() {
    let mut client = sharing();
    let request = client.get("b.example.test");
    client.answer(request, 421);
    client.connect(&["b.example.test"], 100);
    client.finish(request);
    // Both connections become idle and close.
    while client.pass().is_some() {}
    assert_eq!(client.closed.len(), 2);
    client.get("a.example.test");
    client.connect(&["*.example.test"], 100);
    client.get("b.example.test");
    assert_eq!(client.attempts.len(), 1, "the memory has the refusal");
    client.attempts.clear();

    client.now += coalesce_pool::limits::REFUSAL_TTL;
    let later = client.get("b.example.test");
    assert_eq!(client.on(later), Some(client.made[2]));
}

#[test]
fn thousand_parallel_requests_to_a_server_that_always_answers_421_are_sent_twice_at_most() {
    let mut client = sharing();
    let before = client.sent.len();
    let requests: Vec<_> = (0..1_000).map(|_| client.get("b.example.test")).collect();
    assert_eq!(client.sent.len() - before, 1_000);
    for request in &requests {
        client.answer(*request, 421);
    }
    assert_eq!(client.attempts.len(), 1, "one connection for all retries");
    client.connect(&["*.example.test"], 1_000);
    for request in &requests {
        client.answer(*request, 421);
    }
    assert_eq!(client.sent.len() - before, 2_000);
    assert_eq!(client.delivered.len(), 1_001);
}
