//! axum behind the site, on HTTP/2 and HTTP/1.1: `example-axum FOLDER`, see `site.rs`.
#![allow(clippy::print_stdout, reason = "it says where it listens")]

use axum::Router;
use coalesce_site::{ConnectionInfo, ServedHost};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let site = coalesce_examples::from_command_line(&["h2", "http/1.1"])?;
    let listener = site.listen("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);

    // A handler that takes a `ServedHost` cannot run before the decision.
    let hello = async |host: ServedHost<String>| host.value().clone();
    let router = Router::new().fallback(hello).layer(site.layer());
    let service = router.into_make_service_with_connect_info::<ConnectionInfo>();
    axum::serve(listener, service).await?;
    Ok(())
}
