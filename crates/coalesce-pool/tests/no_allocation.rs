//! Counts allocations: none in a decision, with full tables behind it, and in the pool the same
//! number for a request among a thousand as among a hundred.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use coalesce_core::{IdentifierSet, Origin, PresentedIdentifier};
use coalesce_pool::{
    Candidate, Choice, ConnectionFacts, ConnectionStatus, Eligibility, Endpoint, Grounds, Inquiry,
    LeafDigest, OriginFrame, Output, Pool, PoolConfig, PoolKey, Progress, Protocol, RefusalMemory,
    RequestFacts, ServerSettings, TlsFacts, Verification, choose, judge, limits,
};

const NOW: Duration = Duration::from_secs(1);

fn key(host: &str) -> PoolKey {
    PoolKey::new(format!("https://{host}").parse().unwrap())
}

fn facts() -> ConnectionFacts {
    let names = (0..100).map(|number| format!("host-{number}.example.test")).collect::<Vec<_>>();
    let names = names.iter().map(|name| PresentedIdentifier::parse_dns(name.as_bytes()).unwrap());
    let names = IdentifierSet::build(names).unwrap();
    let peer = "192.0.2.10:443".parse().unwrap();
    let mut facts = ConnectionFacts::new(key("host-0.example.test"), peer, Protocol::Http2);
    let expires_at = Duration::from_secs(1_000);
    facts.tls = Some(TlsFacts::new(Arc::new(names), LeafDigest::new([7; 32]), expires_at));
    facts
}

/// Returns the status of a connection that has announced, refused and verified many hosts.
fn status(facts: &ConnectionFacts) -> ConnectionStatus {
    let mut status = ConnectionStatus::default();
    status.settings_received = true;
    for number in 0..1_000 {
        let origin = format!("https://host-{number}.example.test");
        let len = u16::try_from(origin.len()).unwrap().to_be_bytes();
        let payload = [&len[..], origin.as_bytes()].concat();
        status.receive_origin(facts, &OriginFrame::new(0, 0, &payload));
    }
    for number in 20..100 {
        let origin = format!("https://host-{number}.example.test");
        let origin = Origin::try_from(origin.as_str()).unwrap();
        if number < 90 {
            status.refuse(&origin);
        }
        status.verified(&origin.host(), Verification::Accepted);
    }
    for number in 1..20 {
        let host = key(&format!("host-{number}.example.test")).origin;
        status.verified(&host.as_origin().host(), Verification::Accepted);
    }
    status
}

#[test]
fn deciding_on_a_candidate_allocates_nothing() {
    let facts = facts();
    let status = status(&facts);
    let mut memory = RefusalMemory::default();
    for number in 0..limits::REFUSALS_MAX {
        let origin = format!("https://other-{number}.example.test");
        let origin = Origin::try_from(origin.as_str()).unwrap();
        memory.remember(facts.server_identity(), &origin, NOW);
    }
    let here = [Endpoint::new(facts.peer)];
    let elsewhere = [Endpoint::new("192.0.2.11:443".parse().unwrap())];
    let candidate = Candidate::connected(&facts, &status);
    let cases = [
        ("host-0.example.test", Some(&here), "same_origin"),
        ("host-1.example.test", Some(&here), "covered"),
        ("host-1.example.test", Some(&elsewhere), "address"),
        ("host-1.example.test", None, "unresolved"),
        ("host-50.example.test", Some(&here), "refused"),
        ("host-500.example.test", Some(&here), "certificate"),
        ("other-7.example.test", Some(&here), "refused"),
        ("unknown.example.test", Some(&here), "origin_set"),
    ];
    for (host, endpoints, expected) in cases {
        let request = RequestFacts::new(key(host));
        let endpoints = endpoints.map(|list| &list[..]);
        let inquiry = Inquiry::new(&request, endpoints, &memory, NOW);
        let mut result = None;
        let counted = measure(|| result = Some(judge(black_box(&candidate), &inquiry)));
        assert_eq!(result.map(Eligibility::code), Some(expected), "{host}");
        assert_eq!(counted.count_total, 0, "{host}: {expected}");
        let mut choice = None;
        let candidates = [(0, candidate), (1, Candidate::connecting(&request.key))];
        let counted = measure(|| choice = Some(choose(candidates, &inquiry, |_, _| {})));
        assert!(choice.is_some());
        assert_eq!(counted.count_total, 0, "choice for {host}");
    }
}

#[test]
fn choice_among_a_hundred_connections_allocates_nothing() {
    let (facts, memory) = (facts(), RefusalMemory::default());
    let mut status = ConnectionStatus::default();
    status.settings_received = true;
    let request = RequestFacts::new(key("host-1.example.test"));
    let host = request.key.origin.as_origin().host();
    status.verified(&host, Verification::Accepted);
    let here = [Endpoint::new(facts.peer)];
    let inquiry = Inquiry::new(&request, Some(&here), &memory, NOW);
    let candidates = (0..100).map(|id| (id, Candidate::connected(&facts, &status)));
    let mut choice = None;
    let counted = measure(|| choice = Some(choose(candidates, &inquiry, |_, _| {})));
    assert_eq!(choice, Some(Choice::Reuse { candidate: 99, grounds: Grounds::Covered }));
    assert_eq!(counted.count_total, 0);
}

/// Sends this many requests to one host at once and answers all of them; returns the allocations.
fn allocations_of(requests: usize) -> u64 {
    let (request, peer) = (RequestFacts::new(key("host-0.example.test")), facts().peer);
    let mut pool = Pool::new(PoolConfig::default());
    let counted = measure(|| {
        let ids: Vec<_> =
            (0..requests).map(|_| pool.handle_request(NOW, request.clone()).unwrap()).collect();
        pool.handle_endpoints(NOW, &request.key, &[Endpoint::new(peer)], Progress::Last);
        while let Some(output) = pool.poll_output() {
            if let Output::Connect { attempt, .. } = output {
                let connection = pool.handle_connected(NOW, attempt, facts()).unwrap();
                pool.handle_settings(NOW, connection, ServerSettings::default());
            }
        }
        for id in ids {
            pool.handle_answer(NOW, id, 200, false);
            assert!(matches!(pool.poll_output(), Some(Output::Deliver { .. })));
            pool.handle_done(NOW, id);
            black_box(pool.poll_timeout());
        }
    });
    assert_eq!(pool.requests(), 0);
    counted.count_total
}

#[test]
fn request_among_a_thousand_allocates_as_often_as_among_a_hundred() {
    let [few, some, many] = [1, 100, 1_000].map(allocations_of);
    let (per_some, per_many) = ((some - few) / 99, (many - few) / 999);
    assert!(per_many <= per_some && per_some <= 8, "{per_some} and {per_many} for a request");
}

/// Returns the bytes that a status keeps after it has received these origins.
fn bytes_of_origins(facts: &ConnectionFacts, count: usize, per_frame: usize) -> usize {
    let names: Vec<_> = (0..count).map(|it| format!("https://host-{it:07}.example.test")).collect();
    let entry = |name: &String| [&[0, 33], name.as_bytes()].concat();
    let frames: Vec<Vec<u8>> =
        names.chunks(per_frame).map(|names| names.iter().flat_map(entry).collect()).collect();
    let mut status = ConnectionStatus::default();
    let counted = measure(|| {
        for payload in &frames {
            status.receive_origin(facts, &OriginFrame::new(0, 0, payload));
        }
    });
    assert!(status.origin_set().is_initialised());
    usize::try_from(counted.bytes_current).unwrap()
}

#[test]
fn remembered_origin_takes_as_much_memory_as_documented() {
    let bytes = bytes_of_origins(&facts(), 1_000, 100);
    assert!(bytes / 1_000 <= 130, "{} bytes for an origin", bytes / 1_000);
}

#[test]
fn million_announced_origins_take_no_more_than_the_limit() {
    let bytes = bytes_of_origins(&facts(), 1_000_000, 400);
    assert!(bytes <= 220_000, "{bytes} bytes after a million");
}

#[test]
fn idle_connection_takes_as_much_memory_as_documented() {
    let mut pool = Pool::new(PoolConfig::default());
    let mut connect = |host: &str| {
        let request = RequestFacts::new(key(host));
        let mut made = facts();
        let counted = measure(|| {
            let id = pool.handle_request(NOW, request.clone()).unwrap();
            pool.handle_endpoints(NOW, &request.key, &[Endpoint::new(made.peer)], Progress::Last);
            while let Some(output) = pool.poll_output() {
                if let Output::Connect { attempt, .. } = output {
                    made.tls.as_mut().unwrap().leaf = LeafDigest::new([9; 32]);
                    let made = pool.handle_connected(NOW, attempt, made.clone()).unwrap();
                    pool.handle_settings(NOW, made, ServerSettings::default());
                }
            }
            pool.handle_answer(NOW, id, 200, false);
            while pool.poll_output().is_some() {}
            pool.handle_done(NOW, id);
        });
        counted.bytes_current
    };
    // Each host has a domain to itself, so none is a leader of another.
    let all: i64 = (0..200).map(|it| connect(&format!("host-{it}.n{it}.test"))).sum();
    assert!(all / 200 <= 1_100, "{} bytes for an idle connection", all / 200);
}
