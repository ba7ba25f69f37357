use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use coalesce_pool::{
    HandshakeCheck, Partition, Protocol, TlsConfigurationId, Verification, VerifierKind,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpListener;

use super::testing::{Ca, dial, host, server_config, start, target};
use super::{ConnectError, Dialed, Dialer, DialerConfig, PeerTls};
use crate::error::BoxError;
use crate::tls_config::TlsConfig;
use crate::verify::{PinMismatch, TransparencyMissing, tls_facts};

const FIRST: TlsConfigurationId = TlsConfigurationId::new(0);

fn dialer(tls: TlsConfig) -> Dialer {
    Dialer::new(DialerConfig::new(vec![tls]))
}

fn tls_of(made: &Dialed) -> &PeerTls {
    made.tls.as_ref().unwrap()
}

fn text(error: &BoxError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text} | {inner}");
        source = inner.source();
    }
    text
}

/// An address on loopback where nothing listens.
async fn refusing() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn second_connection_is_resumed_and_its_chain_verifies_for_other_hosts() {
    let ca = Ca::new();
    let address = start(server_config(ca.issue(&["a.test", "*.b.test"]), None)).await;
    let dialer = dialer(TlsConfig::with_roots(ca.roots()).unwrap());
    for resumed in [false, true] {
        let made = dial(&dialer, target("https://a.test", &[address])).await.unwrap();
        assert_eq!((made.peer, made.protocol), (address, Protocol::Http2));
        let tls = tls_of(&made);
        assert_eq!(tls.resumed, resumed);
        for (name, verification) in [
            ("a.test", Verification::Accepted),
            ("x.b.test", Verification::Accepted),
            ("b.test", Verification::Rejected),
            ("127.0.0.1", Verification::Rejected),
        ] {
            assert_eq!(dialer.verify(FIRST, tls, &host(name)), verification, "{name}");
        }
        let facts = tls_facts(tls, Duration::ZERO);
        assert!(facts.identifiers.covers(&host("x.b.test")));
        assert_eq!(facts.verifier, VerifierKind::Rerunnable);
        assert_eq!(facts.check, HandshakeCheck::Verified);
        assert!(!facts.client_certificate_sent);
        assert!(!facts.evidence);
    }
}

#[tokio::test]
async fn partitions_do_not_share_sessions() {
    let ca = Ca::new();
    let address = start(server_config(ca.issue(&["a.test"]), None)).await;
    let dialer = dialer(TlsConfig::with_roots(ca.roots()).unwrap());
    for (name, resumed) in [("", false), ("x", false), ("y", false), ("x", true), ("", true)] {
        let mut target = target("https://a.test", &[address]);
        target.key.partition = Partition::new(name);
        let made = dial(&dialer, target).await.unwrap();
        assert_eq!(tls_of(&made).resumed, resumed, "{name}");
    }
}

#[tokio::test]
async fn chain_expires_with_the_certificate_that_ends_first() {
    let ca = Ca::new();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let day = Duration::from_secs(24 * 60 * 60);
    let issued = ca.issue_with(&["a.test"], |params| {
        params.not_after = (SystemTime::UNIX_EPOCH + now + day).into();
    });
    let address = start(server_config(issued, None)).await;
    let dialer = dialer(TlsConfig::with_roots(ca.roots()).unwrap());
    let made = dial(&dialer, target("https://a.test", &[address])).await.unwrap();
    let pool_time = Duration::from_secs(1000);
    let expires = tls_facts(tls_of(&made), pool_time).expires_at;
    assert!(expires <= pool_time + day + Duration::from_secs(1), "{expires:?}");
    assert!(expires + Duration::from_secs(3600) > pool_time + day, "{expires:?}");
    let mut junk = tls_of(&made).clone();
    junk.chain.push(b"junk".to_vec().into());
    assert_eq!(tls_facts(&junk, pool_time).expires_at, Duration::ZERO);
}

#[tokio::test]
async fn address_as_host_is_verified_by_address() {
    let ca = Ca::new();
    let address = start(server_config(ca.issue(&["127.0.0.1", "a.test"]), None)).await;
    let dialer = dialer(TlsConfig::with_roots(ca.roots()).unwrap());
    let origin = format!("https://{address}");
    let made = dial(&dialer, target(&origin, &[])).await.unwrap();
    assert_eq!(made.peer, address);
    assert_eq!(dialer.verify(FIRST, tls_of(&made), &host("a.test")), Verification::Accepted);
    assert_eq!(dialer.verify(FIRST, tls_of(&made), &host("::1")), Verification::Rejected);
}

#[tokio::test]
async fn only_http1_is_offered_if_the_target_says_so() {
    let ca = Ca::new();
    let address = start(server_config(ca.issue(&["a.test"]), None)).await;
    let dialer = dialer(TlsConfig::with_roots(ca.roots()).unwrap());
    let mut target = target("https://a.test", &[address]);
    target.http1_only = true;
    assert_eq!(dial(&dialer, target).await.unwrap().protocol, Protocol::Http1);
}

#[tokio::test]
async fn opaque_and_missing_verification_are_in_the_facts() {
    let ca = Ca::new();
    let address = start(server_config(ca.issue(&["a.test"]), None)).await;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(ca.roots())
        .with_no_client_auth();
    let opaque = dialer(TlsConfig::opaque(config.clone()));
    let made = dial(&opaque, target("https://a.test", &[address])).await.unwrap();
    assert_eq!(made.protocol, Protocol::Http2);
    let facts = tls_facts(tls_of(&made), Duration::ZERO);
    assert_eq!(facts.verifier, VerifierKind::Opaque);
    assert_eq!(opaque.verify(FIRST, tls_of(&made), &host("a.test")), Verification::Rejected);

    let known = dialer(TlsConfig::rerunnable_config(config, webpki(&ca)));
    let made = dial(&known, target("https://a.test", &[address])).await.unwrap();
    assert_eq!(tls_facts(tls_of(&made), Duration::ZERO).verifier, VerifierKind::Rerunnable);
    assert_eq!(known.verify(FIRST, tls_of(&made), &host("a.test")), Verification::Accepted);

    let nothing = dialer(TlsConfig::dangerous_without_verification().unwrap());
    let made = dial(&nothing, target("https://other.test", &[address])).await.unwrap();
    let facts = tls_facts(tls_of(&made), Duration::ZERO);
    assert_eq!(facts.check, HandshakeCheck::ErrorOverridden);
}

fn webpki(ca: &Ca) -> Arc<dyn ServerCertVerifier> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    WebPkiServerVerifier::builder_with_provider(Arc::new(ca.roots()), provider).build().unwrap()
}

#[tokio::test]
async fn client_certificate_counts_if_it_was_sent_and_after_resumption() {
    let ca = Ca::new();
    let asks = start(server_config(ca.issue(&["a.test"]), Some(&ca))).await;
    let asks_not = start(server_config(ca.issue(&["b.test"]), None)).await;
    let client = ca.issue(&["client.test"]);
    let with = TlsConfig::with_roots(ca.roots())
        .unwrap()
        .client_certificate(client.chain, client.key)
        .unwrap();
    let without = dialer(TlsConfig::with_roots(ca.roots()).unwrap());
    let with = dialer(with);
    for (dialer, origin, address, expected) in [
        (&with, "https://a.test", asks, [true, true]),
        // A resumed session does not say whether a certificate was sent.
        (&with, "https://b.test", asks_not, [false, true]),
        (&without, "https://a.test", asks, [false, false]),
    ] {
        for (resumed, expected) in [false, true].into_iter().zip(expected) {
            let made = dial(dialer, target(origin, &[address])).await.unwrap();
            assert_eq!(tls_of(&made).resumed, resumed, "{origin}");
            assert_eq!(tls_of(&made).client_certificate_sent, expected, "{origin} {resumed}");
        }
    }
}

#[tokio::test]
async fn stapled_ocsp_is_evidence_only_if_the_verifier_checks_it() {
    let ca = Ca::new();
    let mut issued = ca.issue(&["a.test"]);
    issued.ocsp = b"response".to_vec();
    let address = start(server_config(issued, None)).await;
    let unchecked = TlsConfig::with_roots(ca.roots()).unwrap();
    let checked = unchecked.clone().stapled_ocsp_is_checked();
    for (config, full) in [(unchecked, false), (checked, true)] {
        let dialer = dialer(config);
        let made = dial(&dialer, target("https://a.test", &[address])).await.unwrap();
        assert_eq!((tls_of(&made).evidence, &*tls_of(&made).ocsp), (full, &b"response"[..]));
        let made = dial(&dialer, target("https://a.test", &[address])).await.unwrap();
        assert_eq!((tls_of(&made).evidence, tls_of(&made).resumed), (false, true));
    }
}

#[tokio::test]
async fn cleartext_needs_no_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dialer = dialer(TlsConfig::dangerous_without_verification().unwrap());
    let made = dialer.dial(target("http://a.test", &[address]), &mut |_| ()).await.unwrap();
    assert_eq!((made.protocol, made.tls.is_none()), (Protocol::Http1, true));
}

#[tokio::test]
async fn refused_address_is_followed_by_the_next_and_the_handshake_names_the_peer() {
    let ca = Ca::new();
    let address = start(server_config(ca.issue(&["a.test"]), None)).await;
    let dialer = dialer(TlsConfig::with_roots(ca.roots()).unwrap());
    let mut peers = Vec::new();
    let target = target("https://a.test", &[refusing().await, address]);
    let made = dialer.dial(target, &mut |peer| peers.push(peer)).await.unwrap();
    assert_eq!((made.peer, peers), (address, vec![address]));
}

#[tokio::test]
async fn errors_name_origin_address_and_cause() {
    let ca = Ca::new();
    let dialer = dialer(TlsConfig::with_roots(ca.roots()).unwrap());
    let (one, two) = (refusing().await, refusing().await);
    let refused = |address| format!("{address}: Connection refused (os error 111)");
    let error = dial(&dialer, target("https://a.test", &[one, two])).await.unwrap_err();
    let expected = format!("cannot connect to https://a.test: {}; {}", refused(one), refused(two));
    assert_eq!(error.to_string(), expected);

    let unspecified: SocketAddr = "0.0.0.0:443".parse().unwrap();
    let error = dial(&dialer, target("https://a.test", &[unspecified])).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot connect to https://a.test: no address for TCP");

    let mut unknown =
        target("https://a.test", &[start(server_config(ca.issue(&["a.test"]), None)).await]);
    unknown.key.tls_configuration = TlsConfigurationId::new(1);
    let error = dial(&dialer, unknown).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot connect to https://a.test: no TLS configuration 1");

    let address = start(server_config(ca.issue(&["b.test"]), None)).await;
    let error = dial(&dialer, target("https://a.test", &[address])).await.unwrap_err();
    let start = format!("cannot connect to https://a.test: TLS with {address}: ");
    assert!(text(&error).starts_with(&start), "{}", text(&error));
    assert!(text(&error).contains("not valid for name"), "{}", text(&error));
}

#[tokio::test]
async fn silent_server_ends_with_the_time_limit() {
    let ca = Ca::new();
    // The kernel accepts, and the handshake gets no answer.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut config = DialerConfig::new(vec![TlsConfig::with_roots(ca.roots()).unwrap()]);
    config.connect_timeout = Duration::from_millis(50);
    let dialer = Dialer::new(config);
    let error = dial(&dialer, target("https://a.test", &[address])).await.unwrap_err();
    let expected = "cannot connect to https://a.test: no connection after 50 ms";
    assert_eq!(error.to_string(), expected);
    assert!(error.downcast_ref::<ConnectError>().unwrap().is_timeout());
}

#[tokio::test]
async fn unreadable_leaf_makes_the_verifier_opaque() {
    let ca = Ca::new();
    // Without names, the certificate has no subjectAltName extension.
    let address = start(server_config(ca.issue(&[]), None)).await;
    let dialer = dialer(TlsConfig::rerunnable(Arc::new(AcceptsAll(webpki(&ca)))).unwrap());
    let made = dial(&dialer, target("https://a.test", &[address])).await.unwrap();
    let facts = tls_facts(tls_of(&made), Duration::ZERO);
    assert_eq!(facts.verifier, VerifierKind::Opaque);
    assert!(!facts.identifiers.covers(&host("a.test")));
}

#[tokio::test]
async fn rerun_gets_the_stapled_response_and_its_errors_are_told_apart() {
    let ca = Ca::new();
    let mut issued = ca.issue(&["a.test", "pin.test", "transparency.test", "ocsp.test"]);
    issued.ocsp = b"response".to_vec();
    let address = start(server_config(issued, None)).await;
    let dialer = dialer(TlsConfig::rerunnable(Arc::new(AcceptsAll(webpki(&ca)))).unwrap());
    for ocsp in [Verification::Accepted, Verification::Rejected] {
        let made = dial(&dialer, target("https://a.test", &[address])).await.unwrap();
        for (name, expected) in [
            ("pin.test", Verification::PinMismatch),
            ("transparency.test", Verification::TransparencyMissing),
            ("ocsp.test", ocsp),
            ("a.test", Verification::Accepted),
        ] {
            assert_eq!(dialer.verify(FIRST, tls_of(&made), &host(name)), expected, "{name}");
        }
    }
}

/// Accepts all chains, except for some hosts, each of which gets another error.
#[derive(Debug)]
struct AcceptsAll(Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for AcceptsAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let other = |it| Error::InvalidCertificate(CertificateError::Other(OtherError(it)));
        match &*name.to_str() {
            "pin.test" => Err(other(Arc::new(PinMismatch))),
            "transparency.test" => Err(other(Arc::new(TransparencyMissing))),
            "ocsp.test" if ocsp.is_empty() => {
                Err(Error::InvalidCertificate(CertificateError::InvalidOcspResponse))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
