//! tonic behind the site, with the health service of gRPC: `example-tonic FOLDER`, see `site.rs`.
#![allow(clippy::print_stdout, reason = "it says where it listens")]

use tonic::transport::Server;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let site = coalesce_examples::from_command_line(&["h2"])?;
    // Every host has the same service; one that needs to know which it is looks for a `ServedHost`
    // in the request's extensions.
    let (_, health) = tonic_health::server::health_reporter();
    let listener = site.listen("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let mut server = Server::builder().layer(site.layer());
    server.add_service(health).serve_with_incoming(listener).await?;
    Ok(())
}
