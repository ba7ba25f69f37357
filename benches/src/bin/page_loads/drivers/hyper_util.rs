//! The client of hyper-util on the connector of hyper-rustls.

use std::path::Path;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;

use super::load::{Answer, Loaded, load as load_page};
use crate::certificates::roots;
use crate::trace::Trace;

/// Loads a page.
pub(super) async fn load(best: bool, trace: &Trace, ca: &Path) -> Result<Loaded> {
    let tls = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(ca)?)
        .with_no_client_auth();
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(best);
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_only();
    let connector = if best {
        connector.enable_http2().wrap_connector(http)
    } else {
        connector.enable_all_versions().wrap_connector(http)
    };
    let client: Client<_, Empty<Bytes>> =
        Client::builder(TokioExecutor::new()).http2_only(best).build(connector);
    let get = |url: String| {
        let client = client.clone();
        async move {
            let (head, body) = client.get(url.parse()?).await?.into_parts();
            let content = body.collect().await?.to_bytes();
            anyhow::Ok(Answer::new(head.status, &head.headers, content.len()))
        }
    };
    Ok(load_page(trace, get).await)
}
