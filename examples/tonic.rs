//! A tonic server behind the site, with gRPC's health service. Run `example-tonic FOLDER`;
//! `site.rs` describes the folder.
#![allow(clippy::print_stdout, reason = "prints the address it listens on")]

use tonic::transport::Server;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let site = coalesce_examples::from_command_line(&["h2"])?;
    // All hosts have the same service. A service that depends on the host finds a `ServedHost` in
    // the request's extensions.
    let (_, health) = tonic_health::server::health_reporter();
    let listener = site.listen("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let mut server = Server::builder().layer(site.layer());
    server.add_service(health).serve_with_incoming(listener).await?;
    Ok(())
}
