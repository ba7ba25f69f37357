//! Measures hyper with and without the layer: whole servers with a nearly free client.

use coalesce_benches::client::Protocol;
use coalesce_benches::servers::{Between, MISDIRECTED, SERVED, on_this_thread, run};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// The number of requests on one connection, large enough to hide the cost of its setup.
const REQUESTS: u32 = 1000;

fn servers(criterion: &mut Criterion) {
    for (protocol, name) in [(Protocol::Http1, "hyper HTTP/1.1"), (Protocol::Http2, "hyper HTTP/2")]
    {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(REQUESTS.into()));
        for (between, host, what) in [
            (Between::Nothing, SERVED, "bare, 200"),
            (Between::Serve, SERVED, "serve, 200"),
            (Between::Serve, MISDIRECTED, "serve, 421"),
            (Between::Facts, SERVED, "tower and facts, 200"),
            (Between::Layer, SERVED, "tower and layer, 200"),
            (Between::Layer, MISDIRECTED, "tower and layer, 421"),
        ] {
            group.bench_function(what, |bencher| {
                bencher.iter(|| on_this_thread(run(protocol, between, host, REQUESTS)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, servers);
criterion_main!(benches);
