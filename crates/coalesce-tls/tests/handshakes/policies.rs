//! Tests the requirements of a group in both versions of TLS: optional certificates, several CAs,
//! revocation lists, versions and cipher suites.

use std::sync::Arc;

use coalesce_tls::{
    Acceptor, CipherSuites, ClientAuth, ClientRules, ClientRulesError, TlsPolicy, TlsVersion,
};
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, CipherSuite, ClientConfig, Error as TlsError, ProtocolVersion};
use rustls_pki_types::CertificateDer;

use crate::common::{
    A, Ca, EACH_VERSION, Identity, Versions, acceptor, builder, client, meet, pattern, provider,
};

const NAME: &str = "a.example.test";

/// A year after these tests run.
const IN_DATE: i32 = 2999;
/// A year before these tests run.
const OUT_OF_DATE: i32 = 2021;

/// Returns an acceptor with one group under `policy`, with the name [`NAME`].
fn under(server_ca: &Ca, policy: TlsPolicy) -> Acceptor {
    let own = server_ca.issue(&[NAME]);
    let mut builder = builder();
    builder.group(A, policy).unwrap();
    let own = builder.certificate(own.chain, own.key).unwrap();
    builder.server_name(pattern(NAME), A, own).unwrap();
    acceptor(&builder)
}

fn asking(client_auth: ClientAuth) -> TlsPolicy {
    let mut policy = TlsPolicy::default();
    policy.client_auth = client_auth;
    policy
}

/// Returns the client certificate that the server saw.
async fn shown(
    acceptor: &Acceptor,
    server_ca: &Ca,
    versions: Versions,
    identity: Option<&Identity>,
) -> Result<Option<CertificateDer<'static>>, TlsError> {
    let config = Arc::new(client(server_ca, versions, identity));
    let (seen, served) = meet(acceptor, &config, NAME).await;
    assert_eq!(seen.is_ok(), served.is_ok(), "{seen:?} {served:?}");
    match served {
        Ok(served) => Ok(served.client_certificate),
        Err(error) => Err(error.tls_error().unwrap().clone()),
    }
}

#[tokio::test]
async fn optional_certificate_may_be_absent_but_not_invalid() {
    let (server_ca, client_ca) = (Ca::new("server ca"), Ca::new("client ca"));
    let acceptor = under(&server_ca, asking(ClientAuth::Optional(client_ca.rules([]))));
    let (good, wrong) = (client_ca.issue(&["x.test"]), Ca::new("wrong ca").issue(&["x.test"]));
    for versions in EACH_VERSION {
        assert_eq!(shown(&acceptor, &server_ca, versions, None).await, Ok(None));
        let found = shown(&acceptor, &server_ca, versions, Some(&good)).await;
        assert_eq!(found.unwrap().as_ref(), Some(&good.chain[0]));
        let found = shown(&acceptor, &server_ca, versions, Some(&wrong)).await;
        assert_eq!(found, Err(TlsError::InvalidCertificate(CertificateError::UnknownIssuer)));
    }
}

#[tokio::test]
async fn certificate_of_any_of_several_cas_is_accepted() {
    let server_ca = Ca::new("server ca");
    let [first, second, third] = ["first", "second", "third"].map(Ca::new);
    let rules = ClientRules::new([second.certificate(), first.certificate()], []).unwrap();
    let acceptor = under(&server_ca, asking(ClientAuth::Required(rules)));
    for versions in EACH_VERSION {
        for (ca, accepted) in [(&first, true), (&second, true), (&third, false)] {
            let identity = ca.issue(&["client.test"]);
            let found = shown(&acceptor, &server_ca, versions, Some(&identity)).await;
            assert_eq!(found.is_ok(), accepted, "{versions:?}");
        }
    }
}

/// RFC 5280 §6.3: a certificate is refused if it is revoked, if its CA has no list, or if its CA's
/// list is outdated. That holds for optional and for required certificates.
#[tokio::test]
async fn certificate_revoked_or_of_unknown_status_is_refused() {
    let server_ca = Ca::new("server ca");
    let [listed, unlisted] = ["listed", "unlisted"].map(Ca::new);
    let cas = || [listed.certificate(), unlisted.certificate()];
    let rules = |until| ClientRules::new(cas(), [listed.revoked(&[7], until)]).unwrap();
    let (good, revoked) = (listed.issue_numbered(6), listed.issue_numbered(7));
    let unknown = unlisted.issue_numbered(6);
    let cases = [
        (IN_DATE, &good, None),
        (IN_DATE, &revoked, Some(CertificateError::Revoked)),
        (IN_DATE, &unknown, Some(CertificateError::UnknownRevocationStatus)),
    ];
    for versions in EACH_VERSION {
        for (until, identity, expected) in &cases {
            for client_auth in
                [ClientAuth::Optional(rules(*until)), ClientAuth::Required(rules(*until))]
            {
                let acceptor = under(&server_ca, asking(client_auth));
                let found = shown(&acceptor, &server_ca, versions, Some(identity)).await;
                let error = expected.clone().map(TlsError::InvalidCertificate);
                assert_eq!(found.err(), error, "{versions:?}");
            }
        }
        let late = under(&server_ca, asking(ClientAuth::Required(rules(OUT_OF_DATE))));
        let found = shown(&late, &server_ca, versions, Some(&good)).await;
        let Err(TlsError::InvalidCertificate(error)) = found else { panic!("{found:?}") };
        assert!(
            matches!(error, CertificateError::ExpiredRevocationListContext { .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn groups_have_separate_highest_versions() {
    let server_ca = Ca::new("server ca");
    let mut policy = TlsPolicy::default();
    policy.maximum_version = TlsVersion::Tls12;
    let acceptor = under(&server_ca, policy);
    for (versions, accepted) in [(EACH_VERSION[0], true), (EACH_VERSION[1], false)] {
        let found = shown(&acceptor, &server_ca, versions, None).await;
        assert_eq!(found.is_ok(), accepted, "{versions:?}");
    }
}

#[tokio::test]
async fn groups_have_separate_cipher_suites() {
    const OLD: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384;
    const NEW: CipherSuite = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
    let server_ca = Ca::new("server ca");
    let under = |suites: &[CipherSuite]| {
        let mut policy = TlsPolicy::default();
        policy.cipher_suites = CipherSuites::only(suites.iter().copied());
        under(&server_ca, policy)
    };
    let cases = [
        (vec![OLD, NEW], EACH_VERSION[0], Some(OLD)),
        (vec![OLD, NEW], EACH_VERSION[1], Some(NEW)),
        (vec![OLD], EACH_VERSION[1], None),
        (vec![NEW], EACH_VERSION[0], None),
    ];
    for (suites, versions, expected) in cases {
        let config = Arc::new(client(&server_ca, versions, None));
        let (seen, served) = meet(&under(&suites), &config, NAME).await;
        assert_eq!(served.ok().map(|served| served.suite), expected, "{suites:?} {versions:?}");
        assert_eq!(seen.is_ok(), expected.is_some());
    }
    // A client without the suite is refused. It does not get another suite.
    let reduced = CryptoProvider {
        cipher_suites: provider()
            .cipher_suites
            .iter()
            .copied()
            .filter(|suite| suite.suite() != NEW)
            .collect(),
        ..CryptoProvider::clone(&provider())
    };
    let config = ClientConfig::builder_with_provider(Arc::new(reduced))
        .with_protocol_versions(EACH_VERSION[1])
        .unwrap()
        .with_root_certificates(server_ca.roots())
        .with_no_client_auth();
    let (seen, _) = meet(&under(&[NEW]), &Arc::new(config), NAME).await;
    assert!(seen.is_err());
}

#[test]
fn policies_with_equal_requirements_are_equal() {
    let [a, b] = ["a", "b"].map(Ca::new);
    let rules = |cas: &[&Ca], numbers: &[u64]| {
        let lists = numbers.iter().map(|number| a.revoked(&[*number], IN_DATE));
        ClientRules::new(cas.iter().map(|ca| ca.certificate()), lists).unwrap()
    };
    let both = rules(&[&a, &b], &[]);
    assert_eq!(both, rules(&[&b, &a, &b], &[]), "order and repetition");
    assert_ne!(both, rules(&[&a], &[]));
    assert_ne!(both, rules(&[&a, &b], &[7]));
    // Signatures are random, so the same list signed twice gives two different lists.
    let list = a.revoked(&[7], IN_DATE);
    let listed = |count| {
        ClientRules::new([a.certificate()], std::iter::repeat_n(list.clone(), count)).unwrap()
    };
    assert_eq!(listed(1), listed(2));
    assert_ne!(asking(ClientAuth::Optional(listed(1))), asking(ClientAuth::Required(listed(1))));
    let suites = [CipherSuite::TLS13_AES_128_GCM_SHA256, CipherSuite::TLS13_AES_256_GCM_SHA384];
    let reversed = suites.iter().rev().copied();
    assert_eq!(CipherSuites::only(suites), CipherSuites::only(reversed));
    assert_ne!(CipherSuites::only(suites), CipherSuites::default());
    let mut isolated = TlsPolicy::default();
    isolated.isolation = Some("by itself".to_owned());
    assert_ne!(isolated, TlsPolicy::default());
}

#[test]
fn missing_and_outdated_revocation_lists_warn() {
    let [listed, unlisted] = ["listed", "unlisted"].map(Ca::new);
    let cas = || [listed.certificate(), unlisted.certificate()];
    let rules = |until| ClientRules::new(cas(), [listed.revoked(&[7], until)]).unwrap();
    let none = "there is no revocation list of \"CN=unlisted\"; every certificate that this CA issued is \
                refused";
    assert_eq!(rules(IN_DATE).warnings(), [none]);
    let warnings = rules(OUT_OF_DATE).warnings();
    let [late, other] = &warnings[..] else { panic!("{warnings:?}") };
    let expected = "the revocation list of \"CN=listed\" is out of date since ";
    assert!(late.starts_with(expected), "{late}");
    assert_eq!(other, none);
    assert_eq!(ClientRules::new(cas(), []).unwrap().warnings(), [""; 0]);
}

#[test]
fn rules_without_a_ca_are_an_error() {
    let error = ClientRules::new([], []).unwrap_err();
    assert_eq!(error, ClientRulesError::NoCa);
    let message = "no CA for client certificates; at least one expected";
    assert_eq!(error.to_string(), message);
    let ca = Ca::new("a");
    let junk = CertificateDer::from(vec![0x30, 0]);
    let error = ClientRules::new([ca.certificate(), junk], []).unwrap_err().to_string();
    assert!(error.starts_with("certificate 2 cannot be a trust anchor: "), "{error}");
    let error = ClientRules::new([ca.certificate()], [vec![0x30, 0].into()]).unwrap_err();
    let error = error.to_string();
    assert!(error.starts_with("revocation list 1 cannot be used: "), "{error}");
}

#[tokio::test]
async fn group_without_highest_version_uses_the_newest() {
    let server_ca = Ca::new("server ca");
    let acceptor = under(&server_ca, TlsPolicy::default());
    let config = client(&server_ca, rustls::ALL_VERSIONS, None);
    let (_, served) = meet(&acceptor, &Arc::new(config), NAME).await;
    assert_eq!(served.unwrap().version, ProtocolVersion::TLSv1_3);
}
