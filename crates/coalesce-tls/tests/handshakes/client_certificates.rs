//! A group that requires client certificates refuses clients without one.

use std::sync::Arc;

use coalesce_core::{
    AuthorityTable, GroupPolicy, Misdirected, RequestTarget, Verdict, VirtualHostId, decide,
};
use coalesce_tls::{ClientAuth, HandshakeTableBuilder, ServerNamePolicy, TlsPolicy};
use rustls::{AlertDescription, CertificateError, Error as TlsError};

use crate::common::{A, B, Ca, EACH_VERSION, acceptor, builder, client, meet, pattern};

/// Group `A` asks for no certificate, group `B` for one of `client_ca`.
fn two_groups(
    server_ca: &Ca,
    client_ca: &Ca,
) -> (HandshakeTableBuilder, coalesce_tls::CertificateId) {
    let own = server_ca.issue(&["*.example.test", "192.0.2.1"]);
    let mut builder = builder();
    let mut private = TlsPolicy::default();
    private.client_auth = ClientAuth::Required(client_ca.rules([]));
    builder.group(A, TlsPolicy::default()).unwrap().group(B, private).unwrap();
    let own = builder.certificate(own.chain, own.key).unwrap();
    builder.server_name(pattern("a.example.test"), A, own).unwrap();
    builder.server_name(pattern("b.example.test"), B, own).unwrap();
    (builder, own)
}

#[tokio::test]
async fn client_certificate_of_another_ca_is_refused() {
    let (server_ca, client_ca, wrong_ca) =
        (Ca::new("server ca"), Ca::new("client ca"), Ca::new("wrong ca"));
    let (builder, _) = two_groups(&server_ca, &client_ca);
    let acceptor = acceptor(&builder);
    let good = client_ca.issue(&["client.test"]);
    // Certificates of another CA, and of a CA that only has the right name.
    let wrong = wrong_ca.issue(&["client.test"]);
    let forged = Ca::new("client ca").issue(&["client.test"]);
    for versions in EACH_VERSION {
        let config = Arc::new(client(&server_ca, versions, Some(&good)));
        let (seen, served) = meet(&acceptor, &config, "b.example.test").await;
        let served = served.unwrap();
        assert_eq!(served.client_certificate.as_ref(), Some(&good.chain[0]));
        assert_eq!(served.facts.group(), B);
        assert!(seen.is_ok());
        // The other group asks for no certificate, and the client presents none.
        let (_, served) = meet(&acceptor, &config, "a.example.test").await;
        assert_eq!(served.unwrap().client_certificate, None);

        let config = Arc::new(client(&server_ca, versions, None));
        let (seen, served) = meet(&acceptor, &config, "b.example.test").await;
        let error = served.unwrap_err();
        assert_eq!(error.tls_error(), Some(&TlsError::NoCertificatesPresented));
        let seen = seen.unwrap_err();
        assert!(
            matches!(
                seen,
                TlsError::AlertReceived(
                    AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure
                )
            ),
            "{seen}"
        );
        assert!(meet(&acceptor, &config, "a.example.test").await.1.is_ok());

        for (bad, expected) in
            [(&wrong, CertificateError::UnknownIssuer), (&forged, CertificateError::BadSignature)]
        {
            let config = Arc::new(client(&server_ca, versions, Some(bad)));
            let (seen, served) = meet(&acceptor, &config, "b.example.test").await;
            assert!(seen.is_err());
            let error = served.unwrap_err();
            assert_eq!(error.tls_error(), Some(&TlsError::InvalidCertificate(expected)));
        }
    }
}

/// CVE-2026-32305: a client that hides its server name must not get a weaker rule and then reach
/// the hosts of the stricter group.
#[tokio::test]
async fn default_policy_does_not_bypass_client_certificates() {
    let (server_ca, client_ca) = (Ca::new("server ca"), Ca::new("client ca"));
    let mut table = AuthorityTable::builder();
    table.group(A, GroupPolicy::default()).unwrap().group(B, GroupPolicy::default()).unwrap();
    table.entry(pattern("a.example.test"), VirtualHostId::new(0), A).unwrap();
    table.entry(pattern("b.example.test"), VirtualHostId::new(1), B).unwrap();
    let table = table.build().unwrap();
    for versions in EACH_VERSION {
        let config = Arc::new(client(&server_ca, versions, None));

        // The weaker group is the default, and the connection stays in it.
        let (mut builder, certificate) = two_groups(&server_ca, &client_ca);
        builder.absent_server_name(ServerNamePolicy::Default { group: A, certificate });
        let (_, served) = meet(&acceptor(&builder), &config, "192.0.2.1").await;
        let facts = served.unwrap().facts;
        let answer =
            |authority| decide(&table, &facts.connection(443), &RequestTarget::https(authority));
        assert!(matches!(answer(b"a.example.test"), Verdict::Serve(_)));
        assert_eq!(answer(b"b.example.test"), Verdict::Misdirected(Misdirected::Group));

        // The stricter group is the default, and its rule applies.
        let (mut builder, certificate) = two_groups(&server_ca, &client_ca);
        builder.absent_server_name(ServerNamePolicy::Default { group: B, certificate });
        let (_, served) = meet(&acceptor(&builder), &config, "192.0.2.1").await;
        assert_eq!(served.unwrap_err().tls_error(), Some(&TlsError::NoCertificatesPresented));
    }
}
