//! The client of this workspace.

use std::path::Path;

use anyhow::Result;
use coalesce_client::{Client, Coalesce, DnsPolicy, TlsConfig};
use http_body_util::BodyExt as _;

use super::load::{Answer, Loaded, load as load_page};
use crate::certificates::roots;
use crate::trace::Trace;

/// Loads a page. If `origins` is true, origin sets replace DNS.
pub(super) async fn load(origins: bool, trace: &Trace, ca: &Path) -> Result<Loaded> {
    let builder = Client::builder().tls(TlsConfig::with_roots(roots(ca)?)?);
    let builder = if origins {
        builder.coalesce(Coalesce::Origins).dns_policy(DnsPolicy::WaivedByOriginSet)
    } else {
        builder.coalesce(Coalesce::Address)
    };
    let client = builder.build()?;
    let get = |url: String| {
        let client = client.clone();
        async move {
            let (head, body) = client.get(url).await?.into_parts();
            let content = body.collect().await?.to_bytes();
            anyhow::Ok(Answer::new(head.status, &head.headers, content.len()))
        }
    };
    Ok(load_page(trace, get).await)
}
