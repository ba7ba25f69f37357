//! Accepting over TLS.

use std::sync::Arc;

use coalesce_core::NamePattern;
use coalesce_tls::{Acceptor, HandshakeTableBuilder, TlsPolicy};
use coalesce_tower::Listener;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::common::PUBLIC;

/// A listener for `api.test` and `b.test`, and a client that trusts it.
pub(crate) async fn listener() -> (Listener, TlsConnector) {
    let (acceptor, connector) = acceptor();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (Listener::tls(socket, acceptor, [443]), connector)
}

pub(crate) fn acceptor() -> (Acceptor, TlsConnector) {
    let names = ["api.test".to_owned(), "b.test".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let certificate: CertificateDer<'static> = made.cert.into();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut table = HandshakeTableBuilder::new(provider.clone());
    let mut tls = TlsPolicy::default();
    tls.alpn.push(b"http/1.1".to_vec());
    table.group(PUBLIC, tls).unwrap();
    let id = table.certificate(vec![certificate.clone()], key).unwrap();
    for name in [&b"api.test"[..], b"b.test"] {
        table.server_name(NamePattern::parse(name).unwrap(), PUBLIC, id).unwrap();
    }
    let acceptor = Acceptor::new(Arc::new(table.build().unwrap()));

    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    (acceptor, TlsConnector::from(Arc::new(config)))
}

#[tokio::test]
async fn connection_has_the_facts_of_its_handshake() {
    let (mut listener, connector) = listener().await;
    let address = listener.local_addr().unwrap();
    let client = tokio::spawn(async move {
        let socket = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("b.test").unwrap();
        let mut stream = connector.connect(name, socket).await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.unwrap();
        answer
    });
    let (mut accepted, peer) = listener.accept().await;
    assert_eq!(accepted.info().peer(), Some(peer));
    assert_eq!(accepted.info().connection().group(), PUBLIC);
    assert_eq!(accepted.info().server_name().unwrap().to_string(), "b.test");
    assert_eq!(accepted.alpn_protocol(), Some(&b"h2"[..]));
    let mut question = [0; 4];
    accepted.read_exact(&mut question).await.unwrap();
    accepted.write_all(b"pong").await.unwrap();
    accepted.flush().await.unwrap();
    assert_eq!(&client.await.unwrap(), b"pong");
}

/// The first client never says a word; the second is refused; the third is served.
#[tokio::test]
async fn nobody_waits_for_a_client_that_is_slow_or_refused() {
    let (mut listener, connector) = listener().await;
    let address = listener.local_addr().unwrap();
    let silent = TcpStream::connect(address).await.unwrap();
    let third = tokio::spawn(async move {
        let refused = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("nobody.test").unwrap();
        assert!(connector.connect(name, refused).await.is_err());
        let socket = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("api.test").unwrap();
        connector.connect(name, socket).await.unwrap().get_ref().0.local_addr().unwrap()
    });
    let (_accepted, peer) = listener.accept().await;
    assert_eq!(third.await.unwrap(), peer);
    drop(silent);
}
