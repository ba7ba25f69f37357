//! A client with redirects, decompression and tracing, by layers of tower-http. Run `example-client
//! CA HOST:PORT:ADDRESS URL`: `CA` is a file of roots, and the second argument is an address for a
//! host, as curl's `--resolve` has it. `RUST_LOG=tower_http=debug` shows the trace.
#![allow(clippy::print_stdout, reason = "prints the response")]

use anyhow::Context;
use coalesce_client::rustls::RootCertStore;
use coalesce_client::rustls::pki_types::CertificateDer;
use coalesce_client::rustls::pki_types::pem::PemObject;
use coalesce_client::{Client, FixedResolver, RequestBody, TlsConfig, Trail};
use http::Request;
use http_body_util::BodyExt;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::decompression::DecompressionLayer;
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http::trace::TraceLayer;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let mut argument = |name| arguments.next().with_context(|| format!("expected {name}"));
    let (ca, resolve) = (argument("CA")?, argument("HOST:PORT:ADDRESS")?);

    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&ca)? {
        roots.add(certificate?)?;
    }
    let client = Client::builder()
        .tls(TlsConfig::with_roots(roots)?)
        .resolver(FixedResolver::new().entry(&resolve)?)
        .build()?;

    // The innermost layer sees each request of a redirect, and the outermost one plain content.
    let service = ServiceBuilder::new()
        .layer(DecompressionLayer::new())
        .layer(FollowRedirectLayer::new())
        .layer(TraceLayer::new_for_http())
        .service(client.clone());
    let request = Request::get(argument("URL")?).body(RequestBody::default())?;
    let response = service.oneshot(request).await?;
    println!("{}", response.status());
    if let Some(trail) = response.extensions().get::<Trail>() {
        println!("{trail}");
    }
    let content = response.into_body().collect().await.map_err(anyhow::Error::from_boxed)?;
    println!("{} bytes", content.to_bytes().len());
    client.close().await;
    Ok(())
}
