//! hyper behind the layer, on HTTP/2 and HTTP/1.1: `example-hyper FOLDER`, see `site.rs`.
#![allow(clippy::print_stdout, reason = "it says where it listens")]

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use coalesce_core::Authoritative;
use coalesce_examples::Site;
use coalesce_tls::Acceptor;
use coalesce_tower::{CoalesceLayer, Listener};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let site = Arc::new(Site::from_command_line(&["h2", "http/1.1"])?);
    let layer = CoalesceLayer::new(site.table.clone());
    let acceptor = Acceptor::new(site.handshakes.clone());

    let socket = TcpListener::bind("127.0.0.1:0").await?;
    let port = socket.local_addr()?.port();
    println!("listening on 127.0.0.1:{port}");
    // Clients reach it at 443 as well, through a port map.
    let mut listener = Listener::tls(socket, acceptor, [port, 443]);
    loop {
        let (accepted, _) = listener.accept().await;
        let site = site.clone();
        // The application gets each request together with the proof that it may be served.
        let hello = move |_: Request<Incoming>, proof: Authoritative| {
            let text = proof.virtual_host().map(|host| site.text(host)).unwrap_or_default();
            async move { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text)))) }
        };
        let service = layer.serve(accepted.info(), hello);
        tokio::spawn(async move {
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new());
            builder.http2().timer(TokioTimer::new()).enable_connect_protocol();
            let io = TokioIo::new(accepted);
            // A connection that fails is its client's affair.
            let _ = builder.serve_connection_with_upgrades(io, service).await;
        });
    }
}
