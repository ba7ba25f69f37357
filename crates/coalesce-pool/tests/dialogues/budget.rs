//! The budget of retries.

use std::time::Duration;

use coalesce_pool::{Failure, PoolConfig, RequestId, TrailStep, Unprocessed};

use crate::client::Client;

/// Returns a client that allows two retries in ten seconds and a fifth of its requests.
fn frugal() -> Client {
    let mut config = PoolConfig::default();
    config.retries_min = 2;
    Client::with(config)
}

fn refuse(client: &mut Client, request: RequestId) {
    client.pool.handle_unprocessed(client.now, request, Unprocessed::Refused);
    client.act();
}

#[test]
fn refused_requests_fail_when_the_budget_is_spent_and_retry_later() {
    let mut client = frugal();
    let requests: Vec<_> = (0..4).map(|_| client.get("a.example.test")).collect();
    client.connect(&["a.example.test"], 100);
    for request in &requests[..3] {
        refuse(&mut client, *request);
    }
    assert_eq!(client.failed, [(requests[2], Failure::RetryBudget)]);
    assert_eq!(client.sent.len(), 6);
    client.now += Duration::from_secs(10);
    refuse(&mut client, requests[3]);
    assert_eq!(client.sent.len(), 7);
}

#[test]
fn answer_421_is_delivered_when_the_budget_is_spent() {
    let mut client = frugal();
    let first = client.get("a.example.test");
    client.connect(&["*.example.test"], 100);
    client.finish(first);
    let requests: Vec<_> = (0..3).map(|_| client.get("b.example.test")).collect();
    for request in &requests {
        client.answer(*request, 421);
    }
    assert_eq!(client.discarded.len(), 2);
    let (delivered, trail) = client.delivered.last().unwrap();
    assert_eq!(*delivered, requests[2]);
    assert!(matches!(trail.steps().last(), Some(TrailStep::OverBudget { .. })));
    client.get("b.example.test");
    assert_eq!(client.attempts.len(), 1, "the connection refuses the origin all the same");
}

#[test]
fn requests_that_were_not_sent_need_no_budget() {
    let mut config = PoolConfig::default();
    (config.retries_min, config.retry_percent) = (0, 0);
    let mut client = Client::with(config);
    let requests: Vec<_> = (0..5).map(|_| client.get("a.example.test")).collect();
    let old = client.connect(&["a.example.test"], 100);
    client.pool.handle_closed(client.now, old, requests.iter().copied());
    client.act();
    client.connect(&["a.example.test"], 100);
    assert_eq!((client.sent.len(), client.failed.len()), (10, 0));
}
