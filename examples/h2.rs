//! An `h2` server with the adapter, which sees every part of a request's target. Run `example-h2
//! FOLDER`; `site.rs` describes the folder.
#![allow(clippy::print_stdout, reason = "prints the address it listens on")]

use coalesce_site::{H2Request, Site};
use coalesce_tower::Accepted;
use http::Response;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let site = coalesce_examples::from_command_line(&["h2"])?;
    let mut listener = site.listen("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (accepted, _) = listener.accept().await;
        let site = site.clone();
        // An error ends this connection only.
        tokio::spawn(async move { serve(&site, accepted).await.ok() });
    }
}

async fn serve(site: &Site<String>, accepted: Accepted) -> anyhow::Result<()> {
    let mut connection = site.h2_handshake(accepted, coalesce_h2::Builder::new()).await?;
    while let Some(accepted) = connection.accept().await {
        let H2Request { mut respond, served, .. } = accepted?;
        let text = served.host.map(|host| host.value().clone()).unwrap_or_default();
        // An error means that the client has reset this stream; the connection continues.
        if let Ok(mut body) = respond.send_response(Response::new(()), false) {
            let _ = body.send_data(text.into(), true);
        }
    }
    Ok(())
}
