//! Our client in the place of a browser: the same requests, one after the other.

use bytes::Bytes;
use coalesce_client::rustls::RootCertStore;
use coalesce_client::{Client, Coalesce, DnsPolicy, FixedResolver, TlsConfig};
use coalesce_tests::Server;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::browser::{ELSEWHERE, Page};
use crate::names::name;

/// The content of a POST, as in `page.html`.
const CONTENT: usize = 100_000;

/// Whether the client follows an origin set instead of DNS, as Firefox does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dns {
    Required,
    Waived,
}

/// Loads the page of `a` and does the steps. Returns the result of each.
pub(crate) fn visit(page: &Page<'_>, server: &Server, steps: &str, dns: Dns) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let client = client(page, server, dns);
        let port = server.address.port();
        let url = |target: &str| {
            let (host, path) = target.split_once('/').unwrap_or((target, ""));
            format!("https://{}:{port}/{path}", name(host))
        };
        assert!(ask(&client, &url("a"), false).await, "the page of `a`");
        let mut told = vec!["a"];
        for step in steps.split('&') {
            let (what, target) = step.split_once('=').expect("a step");
            let answered = ask(&client, &url(target), what == "post").await;
            told.push(if answered { "answered" } else { "failed" });
        }
        let told = told.join(",");
        ask(&client, &url(&format!("a/shown?{told}")), false).await;
        told
    })
}

fn client(page: &Page<'_>, server: &Server, dns: Dns) -> Client {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(page.ca).expect("a certificate");
    roots.add(ca).expect("a root");
    let elsewhere = format!("*:{}:{ELSEWHERE}", server.address.port());
    let resolver = FixedResolver::new().entry(&elsewhere).expect("an entry");
    let resolver = page.here.iter().fold(resolver, |it, host| it.host(host, [server.address.ip()]));
    let builder =
        Client::builder().tls(TlsConfig::with_roots(roots).expect("one root")).resolver(resolver);
    let builder = match dns {
        Dns::Required => builder,
        Dns::Waived => builder.coalesce(Coalesce::Origins).dns_policy(DnsPolicy::WaivedByOriginSet),
    };
    builder.build().expect("a client")
}

/// Sends a request and reads its answer. Returns whether it was answered.
async fn ask(client: &Client, url: &str, post: bool) -> bool {
    let (method, content) = if post { (Method::POST, CONTENT) } else { (Method::GET, 0) };
    let body = Full::new(Bytes::from(vec![b'x'; content]));
    let request = Request::builder().method(method).uri(url).body(body).expect("a request");
    let Ok(response) = client.request(request).await else { return false };
    response.into_body().collect().await.is_ok()
}
