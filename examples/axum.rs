//! axum behind the layer, on HTTP/2 and HTTP/1.1: `example-axum FOLDER`, see `site.rs`.
#![allow(clippy::print_stdout, reason = "it says where it listens")]

use std::sync::Arc;

use axum::Router;
use coalesce_examples::Site;
use coalesce_tls::Acceptor;
use coalesce_tower::{CoalesceLayer, Listener, VirtualHost};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let site = Arc::new(Site::from_command_line(&["h2", "http/1.1"])?);
    let layer = CoalesceLayer::new(site.table.clone());
    let acceptor = Acceptor::new(site.handshakes.clone());

    // A handler that takes a `VirtualHost` cannot run before the layer has decided.
    let hello = async move |host: VirtualHost| site.text(host.id());
    let router = Router::new().fallback(hello);

    let socket = TcpListener::bind("127.0.0.1:0").await?;
    let port = socket.local_addr()?.port();
    println!("listening on 127.0.0.1:{port}");
    // Clients reach it at 443 as well, through a port map.
    let listener = Listener::tls(socket, acceptor, [port, 443]);
    axum::serve(listener, layer.around(router)).await?;
    Ok(())
}
