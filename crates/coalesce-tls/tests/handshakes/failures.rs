//! Checks that each failure of a handshake has its own code and the names of the ClientHello.

use std::sync::Arc;

use coalesce_core::GroupId;
use coalesce_tls::{
    AcceptError, Acceptor, CipherSuites, ClientAuth, HandshakeFailure, TlsPolicy, TlsVersion,
};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::crypto::ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256;
use rustls::{CipherSuite, ClientConfig};
use rustls_pki_types::PrivateKeyDer;
use tokio::io::AsyncWriteExt;

use crate::common::{
    A, B, Ca, EACH_VERSION, Identity, acceptor, builder, client, meet, pattern, provider,
};

const MODERN: GroupId = GroupId::new(3);

/// Name `a` requires nothing, `b` a certificate of `client_ca`, and `c` TLS 1.3 and one suite.
fn server(server_ca: &Ca, client_ca: &Ca) -> Acceptor {
    let own = server_ca.issue(&["*.example.test"]);
    let mut private = TlsPolicy::default();
    private.client_auth = ClientAuth::Required(client_ca.rules([]));
    let mut modern = TlsPolicy::default();
    modern.minimum_version = TlsVersion::Tls13;
    modern.cipher_suites = CipherSuites::only([CipherSuite::TLS13_AES_128_GCM_SHA256]);
    let mut builder = builder();
    builder.group(A, TlsPolicy::default()).unwrap().group(B, private).unwrap();
    builder.group(MODERN, modern).unwrap();
    let own = builder.certificate(own.chain, own.key).unwrap();
    for (name, group) in [("a", A), ("b", B), ("c", MODERN)] {
        builder.server_name(pattern(&format!("{name}.example.test")), group, own).unwrap();
    }
    acceptor(&builder)
}

fn expired(ca: &Ca) -> Identity {
    let mut params = CertificateParams::new(vec!["client.test".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
    let key = KeyPair::generate().unwrap();
    let chain = vec![ca.sign(&params, &key)];
    Identity { chain, key: PrivateKeyDer::Pkcs8(key.serialize_der().into()) }
}

async fn failure(acceptor: &Acceptor, config: ClientConfig, name: &str) -> AcceptError {
    meet(acceptor, &Arc::new(config), name).await.1.unwrap_err()
}

#[tokio::test]
async fn failed_handshake_names_its_reason_server_name_and_protocols() {
    let (server_ca, client_ca) = (Ca::new("server ca"), Ca::new("client ca"));
    let acceptor = server(&server_ca, &client_ca);
    for versions in EACH_VERSION {
        let trusting = |ca: &Ca| client(ca, versions, None);
        let client = |identity: Option<&Identity>| client(&server_ca, versions, identity);
        let mut nameless = client(None);
        nameless.enable_sni = false;
        let mut http1 = client(None);
        http1.alpn_protocols = vec![b"http/1.1".to_vec(), b"x,y".to_vec()];
        let wrong = Ca::new("wrong ca").issue(&["client.test"]);
        let cases = [
            (nameless, "a", HandshakeFailure::AbsentServerName),
            (client(None), "x", HandshakeFailure::UnknownServerName),
            (http1, "a", HandshakeFailure::NoProtocol),
            (client(None), "b", HandshakeFailure::AbsentClientCertificate),
            (client(Some(&wrong)), "b", HandshakeFailure::InvalidClientCertificate),
            (client(Some(&expired(&client_ca))), "b", HandshakeFailure::ExpiredClientCertificate),
            (trusting(&Ca::new("other ca")), "a", HandshakeFailure::RefusedByClient),
        ];
        for (config, label, expected) in cases {
            let (has_name, protocols) = (config.enable_sni, config.alpn_protocols.clone());
            let name = format!("{label}.example.test");
            let error = failure(&acceptor, config, &name).await;
            assert_eq!(error.failure(), expected, "{error}");
            assert_eq!(error.server_name(), has_name.then_some(&*name), "{expected:?}");
            let listed = if protocols.len() == 1 { "h2" } else { r"http/1.1,x\x2cy" };
            assert_eq!(error.protocols(), Some(listed), "{expected:?}");
        }
    }
}

#[tokio::test]
async fn handshake_without_common_version_or_suite_has_its_code() {
    let (server_ca, client_ca) = (Ca::new("server ca"), Ca::new("client ca"));
    let acceptor = server(&server_ca, &client_ca);
    let old = client(&server_ca, EACH_VERSION[0], None);
    let error = failure(&acceptor, old, "c.example.test").await;
    assert_eq!(error.failure(), HandshakeFailure::NoVersion, "{error}");
    let mut other = provider().as_ref().clone();
    other.cipher_suites = vec![TLS13_CHACHA20_POLY1305_SHA256];
    let builder = ClientConfig::builder_with_provider(Arc::new(other));
    let config = builder
        .with_protocol_versions(EACH_VERSION[1])
        .unwrap()
        .with_root_certificates(server_ca.roots())
        .with_no_client_auth();
    let error = failure(&acceptor, config, "c.example.test").await;
    assert_eq!(error.failure(), HandshakeFailure::NoCipherSuite, "{error}");
    assert_eq!((error.server_name(), error.protocols()), (Some("c.example.test"), None));
}

#[tokio::test]
async fn bytes_other_than_tls_have_separate_failures() {
    let acceptor = server(&Ca::new("server ca"), &Ca::new("client ca"));
    let cases: [(&[u8], HandshakeFailure); 5] = [
        (b"GET / HTTP/1.1\r\nhost: a.example.test\r\n\r\n", HandshakeFailure::PlainHttp),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HandshakeFailure::PlainHttp),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\n", HandshakeFailure::ProxyHeader),
        (b"SSH-2.0-OpenSSH_9\r\n", HandshakeFailure::Tls),
        (b"", HandshakeFailure::Lost),
    ];
    for (bytes, expected) in cases {
        let (mut near, far) = tokio::io::duplex(1 << 14);
        near.write_all(bytes).await.unwrap();
        near.shutdown().await.unwrap();
        let error = acceptor.accept(far).await.map(|(_, facts)| facts).unwrap_err();
        assert_eq!(error.failure(), expected, "{error}");
        assert!(!error.has_client_hello());
        assert_eq!((error.server_name(), error.protocols()), (None, None));
    }
}

#[tokio::test(start_paused = true)]
async fn handshake_beyond_its_limit_has_its_server_name() {
    let (server_ca, client_ca) = (Ca::new("server ca"), Ca::new("client ca"));
    let acceptor = server(&server_ca, &client_ca);
    let config = Arc::new(client(&server_ca, EACH_VERSION[1], None));
    let hello = crate::hostile::client_hello(&config, "a.example.test");
    let (mut near, far) = tokio::io::duplex(1 << 14);
    near.write_all(&hello).await.unwrap();
    let error = acceptor.accept(far).await.map(|(_, facts)| facts).unwrap_err();
    assert_eq!(error.failure(), HandshakeFailure::TimedOut);
    assert_eq!(error.server_name(), Some("a.example.test"));
}
