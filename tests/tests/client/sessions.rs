//! TLS: sessions that are resumed, pins, and certificates of clients.

use std::sync::Arc;

use coalesce_client::{PinMismatch, TlsConfig};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::asking::{builder, fixed, page, trusting};
use crate::certificates;
use crate::origin::{Origin, Script};
use crate::place::{Place, name};

const HOSTS: &[(&str, &[u8])] = &[("a", &[1]), ("b", &[1])];

/// One verifier for all connections: with one for each, nothing would be resumed.
#[tokio::test]
async fn second_connection_is_resumed_and_still_shared() {
    let place = Place::new();
    let server = Origin::start(place.address(1), Script::new(&["a", "b"])).await;
    let client = builder().resolver(fixed(place, HOSTS)).build().unwrap();
    page(&client, place, "a").await;
    server.close(0).await;
    // The chain of a resumed session is verified for `b`.
    for host in ["a", "b"] {
        page(&client, place, host).await;
    }
    let log = server.log();
    let resumed: Vec<bool> = log.connections.iter().map(|it| it.resumed).collect();
    assert_eq!(resumed, [false, true]);
}

/// A session tells a server who comes back, so partitions share none.
#[tokio::test]
async fn partition_does_not_resume_the_session_of_another() {
    let place = Place::new();
    let server = Origin::start(place.address(1), Script::new(&["a", "b"])).await;
    let client = builder().resolver(fixed(place, HOSTS)).build().unwrap();
    for (connection, partition) in ["", "x", "y", "x"].into_iter().enumerate() {
        let request = crate::asking::in_partition(&place.url("a", "/"), partition);
        crate::asking::read(client.request(request)).await.unwrap();
        server.close(connection).await;
    }
    let log = server.log();
    let resumed: Vec<bool> = log.connections.iter().map(|it| it.resumed).collect();
    assert_eq!(resumed, [false, false, false, true]);
}

/// `b` shares no connection, and none gets a certificate that it did not ask for.
#[tokio::test]
async fn client_certificate_reaches_the_servers_that_ask() {
    let place = Place::new();
    let asks = Script::new(&["a", "b"]).asking_for_certificate();
    let server = Origin::start(place.address(1), asks).await;
    let other = Origin::start(place.address(2), Script::new(&["c", "d"])).await;
    let (chain, key) = certificates::client();
    let tls = trusting().client_certificate(chain, key).unwrap();
    let hosts: &[(&str, &[u8])] = &[("a", &[1]), ("b", &[1]), ("c", &[2]), ("d", &[2])];
    let client = builder().tls(tls).resolver(fixed(place, hosts)).build().unwrap();
    for host in ["a", "b", "c", "d"] {
        page(&client, place, host).await;
    }
    // A resumed session may show the certificate again, so it counts as shown.
    server.close(0).await;
    for host in ["a", "b"] {
        page(&client, place, host).await;
    }
    let log = server.log();
    assert_eq!(log.server_names(), ["a", "b", "a"]);
    assert!(log.connections.iter().all(|it| it.client_certificate));
    assert!(log.requests.iter().all(|it| it.host == it.server_name));
    let log = other.log();
    assert_eq!(log.server_names(), ["c"]);
    assert!(!log.connections[0].client_certificate);
}

/// Accepts a chain for `b` only with the leaf that `b` is pinned to.
#[derive(Debug)]
struct Pinning {
    inner: Arc<WebPkiServerVerifier>,
    leaf_of_b: CertificateDer<'static>,
}

impl ServerCertVerifier for Pinning {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.inner.verify_server_cert(leaf, others, server_name, ocsp, now)?;
        if server_name.to_str() == name("b") && *leaf != self.leaf_of_b {
            let mismatch = CertificateError::Other(OtherError(Arc::new(PinMismatch)));
            return Err(Error::InvalidCertificate(mismatch));
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[tokio::test]
async fn pinned_host_uses_only_connections_with_its_pin() {
    let place = Place::new();
    let mut script = Script::new(&["a", "b"]).certificate(&["b"]);
    // `b` presents the second certificate, and `a` the first, which covers `b` too.
    script.identities.swap(0, 1);
    let leaf_of_b = script.identities[0].1.0[0].clone();
    let server = Origin::start(place.address(1), script).await;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = Arc::new(certificates::roots());
    let inner = WebPkiServerVerifier::builder_with_provider(roots, provider).build().unwrap();
    let tls = TlsConfig::rerunnable(Arc::new(Pinning { inner, leaf_of_b })).unwrap();
    let client = builder().tls(tls).resolver(fixed(place, HOSTS)).build().unwrap();
    page(&client, place, "a").await;
    let answered = page(&client, place, "b").await;
    assert!(answered.says("pin"), "{}", answered.trail);
    assert_eq!(server.log().server_names(), ["a", "b"]);
}
