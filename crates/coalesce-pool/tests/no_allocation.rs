//! Counts that a decision on one candidate allocates nothing, with full tables behind it.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use coalesce_core::{IdentifierSet, Origin, PresentedIdentifier};
use coalesce_pool::{
    Candidate, ConnectionFacts, ConnectionStatus, Eligibility, Endpoint, Inquiry, LeafDigest,
    OriginFrame, PoolKey, Protocol, RefusalMemory, RequestFacts, TlsFacts, Verification, judge,
    limits,
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
    }
}
