//! A hyper server behind the site, with HTTP/2 and HTTP/1.1. Run `example-hyper FOLDER`; `site.rs`
//! describes the folder.
#![allow(clippy::print_stdout, reason = "prints the address it listens on")]

use std::convert::Infallible;

use bytes::Bytes;
use coalesce_site::Served;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let site = coalesce_examples::from_command_line(&["h2", "http/1.1"])?;
    let mut listener = site.listen("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (accepted, _) = listener.accept().await;
        // The application gets each request with the proof that it may be served.
        let hello = |_: Request<Incoming>, served: Served<String>| async move {
            let text = served.host.map(|host| host.value().clone()).unwrap_or_default();
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
        };
        let service = site.serve_connection(accepted.info(), hello);
        tokio::spawn(async move {
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new());
            builder.http2().timer(TokioTimer::new()).enable_connect_protocol();
            let io = TokioIo::new(accepted);
            // An error ends this connection only.
            let _ = builder.serve_connection_with_upgrades(io, service).await;
        });
    }
}
