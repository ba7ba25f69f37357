//! Connectors that the user brings.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use coalesce_client::rustls::client::WebPkiServerVerifier;
use coalesce_client::rustls::crypto::ring::default_provider;
use coalesce_client::rustls::pki_types::ServerName;
use coalesce_client::rustls::{ClientConfig, ClientConnection};
use coalesce_client::{Client, Connector, PeerFacts, ProxyConfig, TlsPeer};
use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::service_fn;

use crate::server::Server;
use crate::support::{Ca, in_time};

impl Ca {
    /// Makes a verifier, and a configuration with it.
    pub(crate) fn verifier(&self) -> (Arc<WebPkiServerVerifier>, ClientConfig) {
        let provider = Arc::new(default_provider());
        let roots = Arc::new(self.roots());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
        let verifier = verifier.build().unwrap();
        let config = ClientConfig::builder_with_provider(provider);
        let config = config
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as _)
            .with_no_client_auth();
        (verifier, config)
    }
}

async fn connect(
    config: Arc<ClientConfig>,
    address: SocketAddr,
    uri: Uri,
) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
    let name = ServerName::try_from(uri.host().unwrap().to_owned()).unwrap();
    let socket = TcpStream::connect(address).await?;
    Ok(TokioIo::new(TlsConnector::from(config).connect(name, socket).await?))
}

/// Makes a connector that makes TLS connections to one address.
fn connector(mut config: ClientConfig, address: SocketAddr) -> Connector {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let config = Arc::new(config);
    Connector::new(service_fn(move |uri| connect(Arc::clone(&config), address, uri)))
}

/// Asks for two hosts, and returns the number of connections.
pub(crate) async fn connections(ca: &Ca, server: &Server, connector: Connector) -> usize {
    let client = ca.client(server.address).connector(connector).build().unwrap();
    for host in ["a.test", "b.test", "a.test"] {
        let response = client.get(server.uri(host, "/")).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    server.accepted()
}

#[tokio::test(flavor = "multi_thread")]
async fn connector_shares_connections_only_after_both_promises() {
    in_time(async {
        for (verified, without_certificate, expected) in
            [(false, false, 2), (true, false, 2), (false, true, 2), (true, true, 1)]
        {
            let ca = Ca::new();
            let server = Server::plain(&ca, &["a.test", "b.test"]).await;
            let (verifier, config) = ca.verifier();
            let mut connector = connector(config, server.address);
            if verified {
                connector = connector.verified_by(verifier);
            }
            if without_certificate {
                connector = connector.without_client_certificate();
            }
            let count = connections(&ca, &server, connector).await;
            assert_eq!(count, expected, "{verified} {without_certificate}");
        }
    })
    .await;
}

/// A stream that forgets its handshake, or all of its certificates.
struct Forgetful<T>(T, Option<TlsPeer>);

impl<T: PeerFacts> PeerFacts for Forgetful<T> {
    fn peer_address(&self) -> io::Result<SocketAddr> {
        self.0.peer_address()
    }

    fn tls(&self) -> Option<TlsPeer> {
        self.1.clone()
    }
}

impl<T: hyper::rt::Read + Unpin> hyper::rt::Read for Forgetful<T> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<T: hyper::rt::Write + Unpin> hyper::rt::Write for Forgetful<T> {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut self.0).poll_write(context, buffer)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connector_for_https_without_the_facts_of_tls_is_refused() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::plain(&ca, &["a.test"]).await;
        for (facts, expected) in [
            (None, "the connector made no TLS handshake"),
            (Some(TlsPeer::new(Vec::new())), "the connector gives no certificate of the server"),
        ] {
            let config = Arc::new(ca.verifier().1);
            let address = server.address;
            let connector = Connector::new(service_fn(move |uri| {
                let (config, facts) = (Arc::clone(&config), facts.clone());
                async move {
                    let stream = connect(config, address, uri).await?;
                    Ok::<_, io::Error>(Forgetful(stream, facts))
                }
            }));
            let client = ca.client(server.address).connector(connector).build().unwrap();
            let error = client.get(server.uri("a.test", "/")).await.unwrap_err();
            let text = format!("{error} {:?}", std::error::Error::source(&error));
            assert!(text.contains(expected), "{text}");
        }
    })
    .await;
}

#[test]
fn connector_and_proxy_exclude_each_other() {
    let config = Ca::new().verifier().1;
    let connector = connector(config, SocketAddr::from(([127, 0, 0, 1], 1)));
    let proxy = ProxyConfig::new("http://127.0.0.1:3128").unwrap();
    let built = Client::builder().connector(connector).proxy(proxy).build();
    assert!(built.is_err());
}

#[test]
fn facts_of_a_session_without_handshake_are_empty() {
    let config = Arc::new(Ca::new().verifier().1);
    let session = ClientConnection::new(config, ServerName::try_from("a.test").unwrap()).unwrap();
    assert_eq!(TlsPeer::from(&session), TlsPeer::new(Vec::new()));
}
