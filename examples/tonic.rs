//! tonic behind the layer, with the health service of gRPC: `example-tonic FOLDER`, see `site.rs`.
#![allow(clippy::print_stdout, reason = "it says where it listens")]

use coalesce_examples::Site;
use coalesce_tls::Acceptor;
use coalesce_tower::{CoalesceLayer, Listener};
use tokio::net::TcpListener;
use tonic::transport::Server;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let site = Site::from_command_line(&["h2"])?;
    let layer = CoalesceLayer::new(site.table.clone());
    let acceptor = Acceptor::new(site.handshakes);
    // Every virtual host has the same service; one that needs to know which it is asks
    // `VirtualHost::from_request(request.extensions())`.
    let (_, health) = tonic_health::server::health_reporter();

    let socket = TcpListener::bind("127.0.0.1:0").await?;
    let port = socket.local_addr()?.port();
    println!("listening on 127.0.0.1:{port}");
    // Clients reach it at 443 as well, through a port map.
    let listener = Listener::tls(socket, acceptor, [port, 443]);
    Server::builder().layer(layer).add_service(health).serve_with_incoming(listener).await?;
    Ok(())
}
