//! The counters of requests, refusals and 421s.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use h2::server::Builder;
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::server::{Server, reply};
use crate::support::{Ca, in_time};

/// Reads the series of the client, with their values.
fn series(text: &str) -> BTreeMap<&str, &str> {
    let lines = text.lines().filter(|line| line.starts_with("coalesce_client"));
    lines.map(|line| line.rsplit_once(' ').unwrap()).collect()
}

#[test]
fn answers_refusals_and_failures_are_counted_by_code_as_documented() {
    let recorder = PrometheusBuilder::new().build_recorder();
    // One thread, so that the recorder of the test gets everything.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(in_time(async {
            let ca = Ca::new();
            let names = ["a.test", "b.test"];
            let server =
                Server::answering(&ca, &names, Builder::new(), |number, request, respond| {
                    let refused = number == 0 && request.uri().host() == Some("b.test");
                    async move { reply(respond, if refused { 421 } else { 200 }, "") }
                })
                .await;
            let client = ca.client(server.address).build().unwrap();
            for host in ["a.test", "a.test", "b.test"] {
                client.get(server.uri(host, "/")).await.unwrap();
            }
            client.get(server.uri("c.test", "/")).await.unwrap_err();
            client.get("ftp://a.test/").await.unwrap_err();
        }));
    });
    let text = recorder.handle().render();
    let found = series(&text);
    for (name, value) in [
        ("coalesce_client_requests_total{grounds=\"same_origin\"}", "3"),
        ("coalesce_client_misdirected_total", "1"),
        ("coalesce_client_failures_total{reason=\"connect\"}", "1"),
        ("coalesce_client_failures_total{reason=\"request\"}", "1"),
    ] {
        assert_eq!(found.get(name), Some(&value), "{name} in {text}");
    }
    assert!(text.contains("coalesce_client_refusals_total{reason="), "{text}");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/client.md");
    let page = fs::read_to_string(page).unwrap();
    for name in found.keys().map(|name| name.split('{').next().unwrap()) {
        assert!(page.contains(&format!("| `{name}` |")), "docs/client.md lacks {name}");
    }
}
