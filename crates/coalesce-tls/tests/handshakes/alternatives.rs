//! Several certificates for one name: the client's signature schemes choose.

use std::sync::Arc;

use coalesce_core::ListenerId;
use coalesce_tls::{Acceptor, HandshakeTable, HandshakeTableError, TlsPolicy};
use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::{ClientConfig, HandshakeKind, SignatureScheme};
use rustls_pki_types::PrivateKeyDer;

use crate::common::{A, Ca, EACH_VERSION, Identity, Versions, builder, meet, pattern, provider};

/// A key of 2048 bits that was made for this test, because `ring` makes none.
const RSA_KEY: &str = include_str!("rsa.key");

/// Both for `a.test`: ECDSA, which is the first, and RSA.
fn identities(ca: &Ca) -> [Identity; 2] {
    let key = KeyPair::from_pem(RSA_KEY).unwrap();
    let params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    let chain = vec![ca.sign(&params, &key)];
    let rsa = Identity { chain, key: PrivateKeyDer::Pkcs8(key.serialize_der().into()) };
    [ca.issue(&["a.test"]), rsa]
}

fn table(ca: &Ca) -> (HandshakeTable, [Identity; 2]) {
    let [ecdsa, rsa] = identities(ca);
    let mut builder = builder();
    builder.group(A, TlsPolicy::default()).unwrap();
    let first = builder.certificate(ecdsa.chain.clone(), ecdsa.key.clone_key()).unwrap();
    let other = builder.certificate(rsa.chain.clone(), rsa.key.clone_key()).unwrap();
    builder.alternative(first, other).unwrap();
    builder.server_name(pattern("a.test"), A, first).unwrap();
    (builder.build().unwrap(), [ecdsa, rsa])
}

fn is_rsa(scheme: SignatureScheme) -> bool {
    scheme.as_str().is_some_and(|name| name.starts_with("RSA"))
}

/// A client that offers the schemes and the cipher suites, by name, for which this is true.
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

/// The facts name the certificate that was presented, in the table of a listener too.
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
