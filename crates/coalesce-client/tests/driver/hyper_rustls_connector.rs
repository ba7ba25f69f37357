//! The connector of hyper-rustls.

use std::future::ready;
use std::io;
use std::iter;

use coalesce_client::Connector;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use tower::service_fn;

use crate::connectors::connections;
use crate::server::Server;
use crate::support::{Ca, in_time};

#[tokio::test(flavor = "multi_thread")]
async fn hyper_rustls_shares_connections_after_both_promises() {
    in_time(async {
        for (promised, expected) in [(false, 2), (true, 1)] {
            let ca = Ca::new();
            let server = Server::plain(&ca, &["a.test", "b.test"]).await;
            let (verifier, config) = ca.verifier();
            let address = server.address;
            let resolver =
                service_fn(move |_: Name| ready(Ok::<_, io::Error>(iter::once(address))));
            let mut http = HttpConnector::new_with_resolver(resolver);
            http.enforce_http(false);
            let https = HttpsConnectorBuilder::new()
                .with_tls_config(config)
                .https_only()
                .enable_all_versions()
                .wrap_connector(http);
            let mut connector = Connector::new(https);
            if promised {
                connector = connector.verified_by(verifier).without_client_certificate();
            }
            assert_eq!(connections(&ca, &server, connector).await, expected);
        }
    })
    .await;
}
