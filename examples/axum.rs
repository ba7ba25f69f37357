//! An axum server behind the site, with HTTP/2 and HTTP/1.1. Run `example-axum FOLDER`; `site.rs`
//! describes the folder.
#![allow(clippy::print_stdout, reason = "prints the address it listens on")]

use axum::Router;
use coalesce_site::{ConnectionInfo, ServedHost};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let site = coalesce_examples::from_command_line(&["h2", "http/1.1"])?;
    let listener = site.listen("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);

    // A handler with a `ServedHost` argument runs only after the decision.
    let hello = async |host: ServedHost<String>| host.value().clone();
    let router = Router::new().fallback(hello).layer(site.layer());
    let service = router.into_make_service_with_connect_info::<ConnectionInfo>();
    axum::serve(listener, service).await?;
    Ok(())
}
