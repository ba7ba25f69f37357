//! reqwest on rustls.

use std::path::Path;

use anyhow::Result;
use rustls::ClientConfig;

use super::load::{Answer, Loaded, load as load_page};
use crate::certificates::roots;
use crate::trace::Trace;

/// Loads a page.
pub(super) async fn load(best: bool, trace: &Trace, ca: &Path) -> Result<Loaded> {
    let mut tls =
        ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots(ca)?)
            .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if best {
        tls.alpn_protocols.truncate(1);
    }
    let builder = reqwest::Client::builder().tls_backend_preconfigured(tls);
    let builder = if best { builder.http2_prior_knowledge() } else { builder };
    let client = builder.build()?;
    let get = |url: String| {
        let request = client.get(url).send();
        async move {
            let response = request.await?;
            let (status, fields) = (response.status(), response.headers().clone());
            let content = response.bytes().await?;
            anyhow::Ok(Answer::new(status, &fields, content.len()))
        }
    };
    Ok(load_page(trace, get).await)
}
