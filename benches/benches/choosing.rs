//! Measures the work for a ClientHello's server name before rustls continues: choosing certificate
//! and group, and capturing the connection facts.

use std::hint::black_box;
use std::sync::Arc;

use coalesce_core::{GroupId, NamePattern};
use coalesce_tls::{
    HandshakeTable, HandshakeTableBuilder, TlsPolicy, certificates_from_pem, private_key_from_pem,
};
use criterion::{Criterion, criterion_group, criterion_main};

/// Returns a table of `names` server names, all with one wildcard certificate.
fn table(names: usize) -> HandshakeTable {
    let made = rcgen::generate_simple_self_signed(["*.example.test".to_owned()]).unwrap();
    let mut builder =
        HandshakeTableBuilder::new(Arc::new(rustls::crypto::ring::default_provider()));
    let group = GroupId::new(0);
    builder.group(group, TlsPolicy::default()).unwrap();
    let chain = certificates_from_pem(made.cert.pem().as_bytes()).unwrap();
    let key = private_key_from_pem(made.signing_key.serialize_pem().as_bytes()).unwrap();
    let certificate = builder.certificate(chain, key).unwrap();
    for number in 0..names {
        let name = format!("host{number}.example.test");
        let pattern = NamePattern::parse(name.as_bytes()).unwrap();
        builder.server_name(pattern, group, certificate).unwrap();
    }
    builder.build().unwrap()
}

fn choosing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("choose by server name");
    for names in [1, 100, 1_000] {
        let table = table(names);
        let last = format!("host{}.example.test", names - 1);
        group.bench_function(format!("known, of {names}"), |bencher| {
            bencher.iter(|| {
                let choice = table.choose_by_name(Some(black_box(&last))).unwrap();
                assert_eq!(choice.facts.group(), GroupId::new(0));
                choice
            });
        });
        group.bench_function(format!("unknown, of {names}"), |bencher| {
            bencher.iter(|| {
                let refused = table.choose_by_name(Some(black_box("other.example.test")));
                assert!(refused.is_err());
            });
        });
    }
    group.finish();
}

criterion_group!(benches, choosing);
criterion_main!(benches);
