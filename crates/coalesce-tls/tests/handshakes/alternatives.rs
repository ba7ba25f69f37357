//! Tests several certificates for one name. The client's signature schemes decide which one it
//! gets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use coalesce_core::ListenerId;
use coalesce_tls::{Acceptor, HandshakeTable, HandshakeTableError, TicketerFactory, TlsPolicy};
use rcgen::{CertificateParams, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::ring::Ticketer;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::{ClientConfig, DigitallySignedStruct, Error, HandshakeKind, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::common::{A, Ca, EACH_VERSION, Identity, Versions, builder, meet, pattern, provider};

/// A key of 2048 bits, made for this test because `ring` makes none.
const RSA_KEY: &str = include_str!("rsa.key");

/// Returns two identities for `a.test`: ECDSA first, then RSA.
fn identities(ca: &Ca) -> [Identity; 2] {
    let key = KeyPair::from_pem(RSA_KEY).unwrap();
    let params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    let chain = vec![ca.sign(&params, &key)];
    let rsa = Identity { chain, key: PrivateKeyDer::Pkcs8(key.serialize_der().into()) };
    [ca.issue(&["a.test"]), rsa]
}

fn table(ca: &Ca) -> (HandshakeTable, [Identity; 2]) {
    let identities = identities(ca);
    (table_of(&identities, None), identities)
}

fn table_of([ecdsa, rsa]: &[Identity; 2], ticketer: Option<TicketerFactory>) -> HandshakeTable {
    let mut builder = builder();
    if let Some(ticketer) = ticketer {
        builder.ticketer(ticketer);
    }
    builder.group(A, TlsPolicy::default()).unwrap();
    let first = builder.certificate(ecdsa.chain.clone(), ecdsa.key.clone_key()).unwrap();
    let other = builder.certificate(rsa.chain.clone(), rsa.key.clone_key()).unwrap();
    builder.alternative(first, other).unwrap();
    builder.server_name(pattern("a.test"), A, first).unwrap();
    builder.build().unwrap()
}

fn is_rsa(scheme: SignatureScheme) -> bool {
    scheme.as_str().is_some_and(|name| name.starts_with("RSA"))
}

/// Returns a client that offers only the schemes and cipher suites for which the function is true.
fn client(
    ca: &Ca,
    versions: Versions,
    schemes: impl Fn(SignatureScheme) -> bool,
    suites: impl Fn(&str) -> bool,
) -> Arc<ClientConfig> {
    let mut provider = CryptoProvider::clone(&provider());
    let WebPkiSupportedAlgorithms { all, mapping } = provider.signature_verification_algorithms;
    let offered = mapping.iter().copied().filter(|(scheme, _)| schemes(*scheme));
    let mapping = Vec::leak(offered.collect());
    provider.signature_verification_algorithms = WebPkiSupportedAlgorithms { all, mapping };
    provider.cipher_suites.retain(|suite| suites(suite.suite().as_str().unwrap()));
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(ca.roots())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::in_memory_sessions(8);
    Arc::new(config)
}

#[tokio::test]
async fn client_gets_the_first_certificate_whose_signatures_it_can_verify() {
    let ca = Ca::new("server ca");
    let (table, identities) = table(&ca);
    let first = table.choose_by_name(Some("a.test")).unwrap().facts.certificate();
    let acceptor = Acceptor::new(Arc::new(table));
    let [tls12, _] = EACH_VERSION;
    let every = |_: &str| true;
    let mut cases = vec![
        (client(&ca, tls12, |_| true, |suite| suite.contains("_RSA_")), 1),
        (client(&ca, tls12, |_| true, |suite| suite.contains("_ECDSA_")), 0),
    ];
    for versions in EACH_VERSION {
        cases.push((client(&ca, versions, |_| true, every), 0));
        cases.push((client(&ca, versions, is_rsa, every), 1));
        cases.push((client(&ca, versions, |scheme| !is_rsa(scheme), every), 0));
    }
    for (number, (config, expected)) in cases.into_iter().enumerate() {
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let (seen, served) = meet(&acceptor, &config, "a.test").await;
            let (seen, served) = (seen.unwrap(), served.unwrap());
            assert_eq!(seen.certificate, identities[expected].chain[0], "{number}");
            assert_eq!(served.kind, kind, "{number}: a session stays with its certificate");
            assert_eq!(served.facts.certificate() == first, expected == 0, "{number}");
        }
    }
}

/// The facts contain the certificate that was presented, in the table of a listener too.
#[tokio::test]
async fn alternative_belongs_to_its_listener() {
    let ca = Ca::new("server ca");
    let (table, _) = table(&ca);
    let listener = ListenerId::new(7);
    let table = HandshakeTable::from_listeners([(pattern("*"), listener, table)]).unwrap();
    let acceptor = Acceptor::new(Arc::new(table));
    let config = client(&ca, EACH_VERSION[1], is_rsa, |_| true);
    let (_, served) = meet(&acceptor, &config, "a.test").await;
    assert_eq!(served.unwrap().facts.listener(), Some(listener));
}

#[test]
fn alternative_must_cover_the_server_name_and_be_known() {
    let ca = Ca::new("server ca");
    let (own, other) = (ca.issue(&["a.test"]), ca.issue(&["b.test"]));
    let mut one = builder();
    one.group(A, TlsPolicy::default()).unwrap();
    let first = one.certificate(own.chain, own.key).unwrap();
    let second = one.certificate(other.chain, other.key).unwrap();
    one.alternative(first, second).unwrap();
    let error = one.server_name(pattern("a.test"), A, first).unwrap_err();
    assert!(matches!(error, HandshakeTableError::NotCovered { .. }), "{error}");
    let unknown = builder().alternative(first, second).unwrap_err();
    assert!(matches!(unknown, HandshakeTableError::UnknownCertificate { .. }), "{unknown}");
}

/// Verifies certificates as usual, but claims to verify the signatures of one kind of key only.
#[derive(Debug)]
struct OneKind {
    verifier: Arc<WebPkiServerVerifier>,
    rsa: AtomicBool,
}

impl ServerCertVerifier for OneKind {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let rsa = self.rsa.load(Ordering::Relaxed);
        let mut schemes = self.verifier.supported_verify_schemes();
        schemes.retain(|scheme| is_rsa(*scheme) == rsa);
        schemes
    }
}

/// Uses one client, because rustls offers a session only to servers of the same verifier. The
/// client stores a session while it can verify signatures of one kind, and offers it when it can
/// verify the other kind.
#[tokio::test]
async fn session_is_not_resumed_by_a_client_that_gets_the_other_certificate() {
    let ca = Ca::new("server ca");
    for (versions, ticketer) in EACH_VERSION.into_iter().flat_map(|versions| {
        let ticketer: TicketerFactory = Arc::new(Ticketer::new);
        [(versions, None), (versions, Some(ticketer))]
    }) {
        let identities = identities(&ca);
        let acceptor = Acceptor::new(Arc::new(table_of(&identities, ticketer)));
        let provider = provider();
        let verifier = WebPkiServerVerifier::builder_with_provider(ca.roots(), provider.clone());
        let one_kind =
            Arc::new(OneKind { verifier: verifier.build().unwrap(), rsa: AtomicBool::new(false) });
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(one_kind.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.resumption = Resumption::in_memory_sessions(8);
        let config = Arc::new(config);
        for rsa in [false, true, false, true] {
            one_kind.rsa.store(rsa, Ordering::Relaxed);
            for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
                let (seen, served) = meet(&acceptor, &config, "a.test").await;
                let (seen, served) = (seen.unwrap(), served.unwrap());
                assert_eq!((seen.kind, served.kind), (kind, kind), "{versions:?} {rsa}");
                assert_eq!(seen.certificate, identities[usize::from(rsa)].chain[0]);
                assert_eq!(served.facts.certificate().get(), u32::from(rsa));
            }
        }
    }
}
