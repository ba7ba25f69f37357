//! Measures the decision of a client: which connection may carry a request.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use coalesce_core::{Host, IdentifierSet, PresentedIdentifier};
use coalesce_pool::{
    Candidate, Choice, ConnectionFacts, ConnectionStatus, Eligibility, Endpoint, Grounds, Inquiry,
    LeafDigest, PoolKey, Protocol, Refusal, RefusalMemory, RequestFacts, TlsFacts, Verification,
    choose, judge,
};
use criterion::{Criterion, criterion_group, criterion_main};

/// The host of the request, which all connections were made without.
const WANTED: &str = "images.example.test";

/// The names of a certificate.
const NAMES: usize = 100;

/// A connection with its changing part.
struct Connection {
    facts: ConnectionFacts,
    status: ConnectionStatus,
}

impl Connection {
    /// Makes a connection to an address, whose certificate has a wildcard for the wanted host.
    fn to(address: &str) -> Self {
        let key = PoolKey::new("https://www.example.test".parse().unwrap());
        let others = (1..NAMES).map(|number| format!("host{number}.example.com"));
        let names: Vec<String> = others.chain(["*.example.test".to_owned()]).collect();
        let identifiers =
            names.iter().map(|name| PresentedIdentifier::parse_dns(name.as_bytes()).unwrap());
        let identifiers = Arc::new(IdentifierSet::build(identifiers).unwrap());
        let mut facts = ConnectionFacts::new(key, address.parse().unwrap(), Protocol::Http2);
        let leaf = LeafDigest::new([7; 32]);
        facts.tls = Some(TlsFacts::new(identifiers, leaf, Duration::from_secs(86_400)));
        let mut status = ConnectionStatus::default();
        status.settings_received = true;
        status.verified(&Host::parse(WANTED.as_bytes()).unwrap(), Verification::Accepted);
        Self { facts, status }
    }

    fn candidate(&self) -> Candidate<'_> {
        Candidate::connected(&self.facts, &self.status)
    }
}

/// Returns a request for the wanted host.
fn request() -> RequestFacts {
    RequestFacts::new(PoolKey::new(format!("https://{WANTED}").parse().unwrap()))
}

fn judging(criterion: &mut Criterion) {
    let (request, memory) = (request(), RefusalMemory::default());
    let endpoints = [Endpoint::new("192.0.2.10:443".parse().unwrap())];
    let inquiry = Inquiry::new(&request, Some(&endpoints), &memory, Duration::ZERO);
    let mut group = criterion.benchmark_group("judge a candidate");
    let cases = [
        ("covered", "192.0.2.10:443", Eligibility::Eligible(Grounds::Covered)),
        ("other address", "192.0.2.11:443", Eligibility::Refused(Refusal::Address)),
    ];
    for (name, address, expected) in cases {
        let connection = Connection::to(address);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let result = judge(black_box(&connection.candidate()), black_box(&inquiry));
                assert_eq!(result, expected);
            });
        });
    }
    group.finish();
}

fn choosing(criterion: &mut Criterion) {
    let (request, memory) = (request(), RefusalMemory::default());
    let endpoints = [Endpoint::new("192.0.2.10:443".parse().unwrap())];
    let inquiry = Inquiry::new(&request, Some(&endpoints), &memory, Duration::ZERO);
    let mut group = criterion.benchmark_group("choose a connection");
    for candidates in [1_u8, 14, 100] {
        // Only the last one has the right address.
        let address = |number: u8| if number == candidates { 10 } else { 10 + number };
        let connections: Vec<Connection> = (1..=candidates)
            .map(|number| Connection::to(&format!("192.0.2.{}:443", address(number))))
            .collect();
        group.bench_function(format!("the last of {candidates}"), |bencher| {
            bencher.iter(|| {
                let all = (1..).zip(connections.iter().map(Connection::candidate));
                let choice = choose(black_box(all), black_box(&inquiry), |_, _| {});
                let grounds = Grounds::Covered;
                assert_eq!(choice, Choice::Reuse { candidate: candidates, grounds });
            });
        });
    }
    group.finish();
}

criterion_group!(benches, judging, choosing);
criterion_main!(benches);
