//! `h2` with the adapter, where one sees everything of a target: `example-h2 FOLDER`, see
//! `site.rs`.
#![allow(clippy::print_stdout, reason = "it says where it listens")]

use std::cell::RefCell;
use std::sync::Arc;

use coalesce_core::{Memo, RequestTarget};
use coalesce_examples::Site;
use coalesce_tls::Acceptor;
use http::Response;
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let site = Arc::new(Site::from_command_line(&["h2"])?);
    let acceptor = Acceptor::new(site.handshakes.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    println!("listening on 127.0.0.1:{port}");
    loop {
        let (socket, _) = listener.accept().await?;
        let (site, acceptor) = (site.clone(), acceptor.clone());
        // A connection that fails is its client's affair.
        tokio::spawn(async move { serve(&site, &acceptor, socket, port).await.ok() });
    }
}

async fn serve(
    site: &Site,
    acceptor: &Acceptor,
    socket: TcpStream,
    port: u16,
) -> anyhow::Result<()> {
    let (stream, facts) = acceptor.accept(socket).await?;
    // Clients reach it at 443 as well, through a port map.
    let connection = facts.connection([port, 443]);
    let memo = RefCell::new(Memo::new());
    let decide = move |target: &RequestTarget<'_>| {
        // There is one table for good; a server that swaps tables numbers them.
        memo.borrow_mut().decide(&*site.table, 0, &connection, target)
    };
    let mut connection = coalesce_h2::Builder::new().handshake(stream, decide).await?;
    while let Some(accepted) = connection.accept().await {
        let (_, mut respond, proof) = accepted?.into_parts();
        let text = proof.virtual_host().map(|host| site.text(host)).unwrap_or_default();
        // A stream that is gone by now is the client's business; the connection goes on.
        if let Ok(mut body) = respond.send_response(Response::new(()), false) {
            let _ = body.send_data(text.into(), true);
        }
    }
    Ok(())
}
