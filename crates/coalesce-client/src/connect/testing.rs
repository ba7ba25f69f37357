//! Servers and certificates of the tests.

use std::net::SocketAddr;
use std::sync::Arc;

use coalesce_core::Host;
use coalesce_pool::{Endpoint, PoolKey};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{DialTarget, Dialed, Dialer};
use crate::error::BoxError;

/// A certificate authority.
pub(crate) struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// Issues a certificate with these names.
    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        self.issue_with(names, |_| ())
    }

    pub(crate) fn issue_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        let names: Vec<String> = names.iter().map(|it| (*it).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.0).unwrap();
        let chain = vec![leaf.der().clone(), self.0.der().clone()];
        Issued { chain, key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(), ocsp: vec![] }
    }
}

/// A certificate with its key.
pub(crate) struct Issued {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    /// The OCSP response that the server staples.
    pub(crate) ocsp: Vec<u8>,
}

/// Makes the configuration of a server. `asks` is the authority of client certificates.
pub(crate) fn server_config(issued: Issued, asks: Option<&Ca>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match asks {
        None => builder.with_no_client_auth(),
        Some(ca) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::new(ca.roots()), provider)
                .allow_unauthenticated()
                .build()
                .unwrap(),
        ),
    };
    let mut config =
        builder.with_single_cert_with_ocsp(issued.chain, issued.key, issued.ocsp).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// Starts a server on loopback that echoes each byte.
pub(crate) async fn start(config: ServerConfig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut buffer = [0; 64];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

pub(crate) fn target(origin: &str, endpoints: &[SocketAddr]) -> DialTarget {
    DialTarget {
        key: PoolKey::new(origin.parse().unwrap()),
        endpoints: endpoints.iter().copied().map(Endpoint::new).collect(),
        http1_only: false,
    }
}

/// Dials, and exchanges a few bytes, so that the session ticket arrives.
pub(crate) async fn dial(dialer: &Dialer, target: DialTarget) -> Result<Dialed, BoxError> {
    let mut made = dialer.dial(target, &mut |_| ()).await?;
    made.io.write_all(b"hello").await?;
    let mut buffer = [0; 5];
    made.io.read_exact(&mut buffer).await?;
    assert_eq!(&buffer, b"hello");
    Ok(made)
}

pub(crate) fn host(text: &str) -> Host<'_> {
    Host::parse(text.as_bytes()).unwrap()
}
