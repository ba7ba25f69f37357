use super::*;
use coalesce_core::{DnsName, GroupPolicy};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring;

use crate::limits::CHAIN_LEN_MAX;
use crate::presented::CertificateError;
use crate::{CipherSuites, ClientAuth, ClientRules, HandshakeRefused, TlsVersion};

const A: GroupId = GroupId::new(1);
const B: GroupId = GroupId::new(2);

fn builder() -> HandshakeTableBuilder {
    HandshakeTableBuilder::new(Arc::new(ring::default_provider()))
}

fn made(names: &[&str]) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    (vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
}

fn pattern(text: &str) -> NamePattern<'_> {
    NamePattern::parse(text.as_bytes()).unwrap()
}

fn rules_of(chain: &[CertificateDer<'static>]) -> ClientRules {
    ClientRules::new([chain[0].clone()], []).unwrap()
}

/// A builder with the groups `A` and `B` and a certificate for everything below `example.test`.
fn with_groups() -> (HandshakeTableBuilder, CertificateId) {
    let mut builder = builder();
    let (chain, key) = made(&["*.example.test", "example.test"]);
    let tls =
        TlsPolicy { client_auth: ClientAuth::Required(rules_of(&chain)), ..TlsPolicy::default() };
    let certificate = builder.certificate(chain, key).unwrap();
    builder.group(A, TlsPolicy::default()).unwrap().group(B, tls).unwrap();
    (builder, certificate)
}

#[test]
fn invalid_certificate_returns_its_error() {
    use HandshakeTableError as E;
    let (chain, key) = made(&["a.example.test"]);
    let (other_chain, other_key) = made(&["a.example.test"]);
    let mut builder = builder();
    let mut refused = |chain: &[CertificateDer<'static>], key: &PrivateKeyDer<'_>| {
        builder.certificate(chain.to_vec(), key.clone_key()).unwrap_err()
    };
    assert_eq!(refused(&[], &key), E::NoCertificate);
    assert_eq!(refused(&chain, &other_key), E::KeyMismatch);
    assert_eq!(refused(&other_chain, &key), E::KeyMismatch);
    // The key belongs to the end-entity certificate, not to a later one.
    assert_eq!(refused(&[&other_chain[..], &chain].concat(), &key), E::KeyMismatch);
    let nameless = made(&[]);
    assert_eq!(
        refused(&nameless.0, &nameless.1),
        E::Certificate(CertificateError::NoSubjectAltName)
    );
    let useless = made(&["f*.example.test"]);
    let ignored = vec!["DNS:f*.example.test: '*' must be the whole left-most label".to_owned()];
    assert_eq!(refused(&useless.0, &useless.1), E::NoUsableName { ignored });
    let junk_key = PrivateKeyDer::Pkcs8(vec![0x30, 0].into());
    assert!(matches!(refused(&chain, &junk_key), E::Key(_)));
    let long = [&chain[..], &[CertificateDer::from(vec![0; CHAIN_LEN_MAX])]].concat();
    assert!(matches!(refused(&long, &key), E::ChainTooLong { max: CHAIN_LEN_MAX, .. }));
    let first = builder.certificate(chain, key).unwrap();
    let second = builder.certificate(other_chain, other_key).unwrap();
    assert_eq!((first.get(), second.get()), (0, 1));
}

#[test]
fn invalid_group_returns_its_error() {
    use HandshakeTableError as E;
    let mut builder = builder();
    let (minimum, maximum) = (TlsVersion::Tls13, TlsVersion::Tls12);
    let tls =
        TlsPolicy { minimum_version: minimum, maximum_version: maximum, ..TlsPolicy::default() };
    assert_eq!(builder.group(A, tls).unwrap_err(), E::Versions { minimum, maximum });
    let suite = rustls::CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA;
    let known = rustls::CipherSuite::TLS13_AES_128_GCM_SHA256;
    let cipher_suites = CipherSuites::only([known, suite]);
    let tls = TlsPolicy { cipher_suites, ..TlsPolicy::default() };
    assert_eq!(builder.group(A, tls).unwrap_err(), E::CipherSuite { suite });
    for len in [0, 256] {
        let tls = TlsPolicy { alpn: vec![b"h2".to_vec(), vec![b'x'; len]], ..TlsPolicy::default() };
        assert_eq!(builder.group(A, tls).unwrap_err(), E::ProtocolName { len });
    }
    let tls = TlsPolicy { alpn: vec![vec![b'x'; 255]], ..TlsPolicy::default() };
    builder.group(A, tls).unwrap();
    let again = builder.group(A, TlsPolicy::default()).unwrap_err();
    assert_eq!(again, E::DuplicateGroup { group: A });
}

#[test]
fn invalid_name_returns_its_error_and_leaves_the_builder_unchanged() {
    use HandshakeTableError as E;
    let (mut builder, certificate) = with_groups();
    let unknown_group = GroupId::new(9);
    let unknown = CertificateId::new(9);
    builder.server_name(pattern("a.example.test"), A, certificate).unwrap();
    let address = "192.0.2.1".parse().unwrap();
    let presented = vec!["DNS:*.example.test".to_owned(), "DNS:example.test".to_owned()];
    let cases = [
        ("b.example.test", unknown_group, certificate, E::UnknownGroup { group: unknown_group }),
        ("b.example.test", A, unknown, E::UnknownCertificate { certificate: unknown }),
        ("A.example.test.", B, certificate, E::DuplicateName { name: "a.example.test".to_owned() }),
        ("192.0.2.1", A, certificate, E::AddressAsServerName { address }),
        ("a.test", A, certificate, E::NotCovered { name: "a.test".to_owned(), presented }),
    ];
    for (name, group, certificate, error) in cases {
        assert_eq!(builder.server_name(pattern(name), group, certificate).unwrap_err(), error);
    }
    let table = builder.build().unwrap();
    assert_eq!(table.choose_by_name(Some("a.example.test")).unwrap().facts.group(), A);
    let refused = table.choose_by_name(Some("b.example.test")).unwrap_err();
    let server_name = "b.example.test".to_owned();
    assert_eq!(refused, HandshakeRefused::UnknownServerName { server_name });
}

#[test]
fn certificate_fits_the_patterns_that_it_can_serve() {
    let presented = PresentedNames::from_text([
        "DNS:a.example.test",
        "DNS:*.deep.example.test",
        "DNS:example.test",
        "IP:192.0.2.1",
    ])
    .unwrap();
    let cases = [
        ("a.example.test", true),
        ("b.example.test", false),
        ("x.deep.example.test", true),
        ("x.y.deep.example.test", false),
        ("*.example.test", true),
        ("*.deep.example.test", true),
        ("*.a.example.test", false),
        ("*.test", true),
        ("**.deep.example.test", true),
        ("**.example.test", true),
        ("**.test", true),
        ("**.x.deep.example.test", false),
        ("**.invalid", false),
        ("*", true),
    ];
    for (text, expected) in cases {
        assert_eq!(fits(&pattern(text), &presented), expected, "{text}");
    }
}

#[test]
fn invalid_default_is_refused_when_the_table_is_built() {
    use HandshakeTableError as E;
    let (mut builder, certificate) = with_groups();
    let group = GroupId::new(9);
    builder.absent_server_name(ServerNamePolicy::Default { group, certificate });
    assert_eq!(builder.build().unwrap_err(), E::UnknownGroup { group });
    builder.absent_server_name(ServerNamePolicy::Refuse);
    let certificate = CertificateId::new(9);
    builder.unknown_server_name(ServerNamePolicy::Default { group: A, certificate });
    assert_eq!(builder.build().unwrap_err(), E::UnknownCertificate { certificate });
}

#[test]
fn provider_without_a_version_fails_the_build() {
    let mut provider = ring::default_provider();
    provider
        .cipher_suites
        .retain(|suite| suite.version().version != rustls::ProtocolVersion::TLSv1_3);
    let mut builder = HandshakeTableBuilder::new(Arc::new(provider));
    let (chain, key) = made(&["a.example.test"]);
    let certificate = builder.certificate(chain, key).unwrap();
    let tls = TlsPolicy { minimum_version: TlsVersion::Tls13, ..TlsPolicy::default() };
    builder.group(A, tls).unwrap();
    builder.server_name(pattern("a.example.test"), A, certificate).unwrap();
    assert!(matches!(builder.build().unwrap_err(), HandshakeTableError::Tls(_)));
}

#[test]
fn failing_ticketer_fails_the_build() {
    let (mut builder, _) = with_groups();
    builder.ticketer(Arc::new(|| Err(TlsError::FailedToGetRandomBytes)));
    let error = HandshakeTableError::Tls(TlsError::FailedToGetRandomBytes);
    assert_eq!(builder.build().unwrap_err(), error);
}

#[test]
fn ticketer_factory_captures_a_producer() {
    let captured = ring::Ticketer::new().unwrap();
    let (mut builder, certificate) = with_groups();
    let shared = captured.clone();
    builder.ticketer(Arc::new(move || Ok(shared.clone())));
    builder.server_name(pattern("a.example.test"), A, certificate).unwrap();
    let table = builder.build().unwrap();
    let config = table.choose_by_name(Some("a.example.test")).unwrap().config;
    let ticket = config.ticketer.encrypt(b"session").unwrap();
    assert!(captured.decrypt(&ticket).unwrap().ends_with(b"session"));
    assert_eq!(config.ticketer.decrypt(&ticket).unwrap(), b"session");
}

/// Sessions are resumed only in their group and with their certificate. Later tables that are built
/// with the same stores resume them too.
#[test]
fn sessions_stay_in_their_group_and_certificate() {
    let (mut builder, first) = with_groups();
    builder.ticketer(Arc::new(ring::Ticketer::new));
    let (chain, key) = made(&["*.example.test"]);
    let second = builder.certificate(chain, key).unwrap();
    builder.server_name(pattern("a.example.test"), A, first).unwrap();
    builder.server_name(pattern("b.example.test"), A, second).unwrap();
    builder.server_name(pattern("c.example.test"), B, second).unwrap();
    builder.server_name(pattern("d.example.test"), A, first).unwrap();
    let (table, afresh) = (builder.build().unwrap(), builder.build().unwrap());
    let sessions = SessionStores::new();
    let (kept, reloaded) = {
        builder.sessions(&sessions);
        (builder.build().unwrap(), builder.build().unwrap())
    };
    let config = |table: &HandshakeTable, name| table.choose_by_name(Some(name)).unwrap().config;
    let a = config(&table, "a.example.test");
    assert_eq!((a.max_early_data_size, a.send_half_rtt_data), (0, false), "no early data");
    let cases = [
        ("another certificate", &a, config(&table, "b.example.test"), false),
        ("another group", &a, config(&table, "c.example.test"), false),
        ("another table", &a, config(&afresh, "a.example.test"), false),
        (
            "the next table of the same sessions",
            &config(&kept, "a.example.test"),
            config(&reloaded, "a.example.test"),
            true,
        ),
    ];
    for (what, one, other, shared) in cases {
        let ticket = one.ticketer.encrypt(b"session").unwrap();
        assert_eq!(other.ticketer.decrypt(&ticket).is_some(), shared, "{what}");
        assert!(one.session_storage.put(b"key".to_vec(), b"session".to_vec()));
        assert_eq!(other.session_storage.get(b"key").is_some(), shared, "{what}");
        assert!(!Arc::ptr_eq(one, &other), "{what}");
    }
    assert!(Arc::ptr_eq(&a, &config(&table, "d.example.test")), "one configuration for each pair");
}

#[test]
fn default_policies_choose_their_group_and_certificate() {
    let (mut builder, certificate) = with_groups();
    builder.server_name(pattern("a.example.test"), A, certificate).unwrap();
    builder.absent_server_name(ServerNamePolicy::Default { group: B, certificate });
    let table = builder.build().unwrap();
    // An IP literal is not a server name (RFC 6066 §3).
    for absent in [None, Some("192.0.2.1"), Some("2001:db8::1")] {
        let choice = table.choose_by_name(absent).unwrap();
        assert_eq!((choice.facts.group(), choice.facts.server_name()), (B, None));
    }
    let unknown = HandshakeRefused::UnknownServerName { server_name: "b.test".to_owned() };
    assert_eq!(table.choose_by_name(Some("b.test")).unwrap_err(), unknown);

    builder.absent_server_name(ServerNamePolicy::Refuse);
    builder.unknown_server_name(ServerNamePolicy::Default { group: B, certificate });
    let table = builder.build().unwrap();
    assert_eq!(table.choose_by_name(None).unwrap_err(), HandshakeRefused::AbsentServerName);
    assert_eq!(table.choose_by_name(Some("::1")).unwrap_err(), HandshakeRefused::AbsentServerName);
    let choice = table.choose_by_name(Some("B.test.")).unwrap();
    let name = DnsName::parse(b"b.test").unwrap();
    assert_eq!((choice.facts.group(), choice.facts.server_name()), (B, Some(name)));
    assert_eq!(choice.facts.certificate(), certificate);
    // Invalid names are not looked up, and the facts contain no server name.
    for text in ["a.0x7f", "", "a b", "a.example.test\0"] {
        let choice = table.choose_by_name(Some(text)).unwrap();
        assert_eq!((choice.facts.group(), choice.facts.server_name()), (B, None), "{text:?}");
    }
    assert_eq!(table.choose_by_name(Some("a.example.test")).unwrap().facts.group(), A);
}

#[test]
fn empty_table_refuses_every_server_name() {
    let table = builder().build().unwrap();
    assert_eq!(table.choose_by_name(None).unwrap_err(), HandshakeRefused::AbsentServerName);
    assert!(table.choose_by_name(Some("a.example.test")).is_err());
}

#[test]
fn refusal_message_contains_the_server_name() {
    let absent = HandshakeRefused::AbsentServerName;
    assert_eq!(absent.to_string(), "no server name; one expected");
    assert_eq!(absent.code(), "absent_server_name");
    let table = builder().build().unwrap();
    let unknown = table.choose_by_name(Some("a\n.test")).unwrap_err();
    assert_eq!(unknown.to_string(), "server name 'a\\n.test' is not known here");
    assert_eq!(unknown.code(), "unknown_server_name");
    for refused in [absent, unknown] {
        assert_eq!(refused.alert_record(), [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x70]);
    }
}

#[test]
fn error_messages_contain_the_found_value() {
    use HandshakeTableError as E;
    let names = |count: usize| (0..count).map(|at| format!("DNS:{at}.test")).collect::<Vec<_>>();
    let tls = TlsError::FailedToGetRandomBytes;
    let not_covered =
        |count| E::NotCovered { name: "a.test".to_owned(), presented: names(count) }.to_string();
    let cases = [
        (E::NoCertificate, "empty certificate chain; at least one expected"),
        (E::ChainTooLong { len: 9, max: 8 }, "certificate chain of 9 bytes; at most 8 allowed"),
        (
            E::Certificate(CertificateError::TrailingData { len: 3 }),
            "3 bytes after the end of the certificate; none expected",
        ),
        (
            E::NoUsableName { ignored: vec!["x".to_owned(), "y".to_owned()] },
            "certificate without a usable name; found x and y",
        ),
        (E::Key(tls.clone()), "private key not usable: failed to get random bytes"),
        (
            E::CertificateNotUsable(tls.clone()),
            "certificate not usable: failed to get random bytes",
        ),
        (E::KeyMismatch, "private key belongs to another certificate"),
        (E::DuplicateGroup { group: A }, "group 1 was added before"),
        (
            E::Versions { minimum: TlsVersion::Tls13, maximum: TlsVersion::Tls12 },
            "lowest version TLS 1.3 is above highest version TLS 1.2",
        ),
        (
            E::CipherSuite { suite: rustls::CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA },
            "cipher suite TLS_RSA_WITH_AES_128_CBC_SHA is not one of the provider's",
        ),
        (E::ProtocolName { len: 0 }, "ALPN protocol name of 0 bytes; 1 to 255 expected"),
        (E::UnknownGroup { group: A }, "group 1 was not added"),
        (
            E::UnknownCertificate { certificate: CertificateId::new(7) },
            "certificate 7 was not added",
        ),
        (E::DuplicateName { name: "*.test".to_owned() }, "server name *.test was added before"),
        (
            E::AddressAsServerName { address: "::1".parse().unwrap() },
            "server name ::1 is an address; expected a DNS name, because clients send no address",
        ),
        (E::Table(BuildError::UnknownGroup { group: 3 }), "group 3 was not added"),
        (E::Tls(tls), "TLS configuration refused: failed to get random bytes"),
    ];
    for (error, message) in cases {
        assert_eq!(error.to_string(), message);
    }
    let prefix = "certificate not valid for server name a.test; only valid for ";
    for (count, listed) in [
        (0, "none"),
        (1, "DNS:0.test"),
        (3, "DNS:0.test, DNS:1.test or DNS:2.test"),
        (
            8,
            "DNS:0.test, DNS:1.test, DNS:2.test, DNS:3.test, DNS:4.test, DNS:5.test, DNS:6.test \
             or DNS:7.test",
        ),
        (
            10,
            "DNS:0.test, DNS:1.test, DNS:2.test, DNS:3.test, DNS:4.test, DNS:5.test, DNS:6.test, \
             DNS:7.test or 2 more",
        ),
    ] {
        assert_eq!(not_covered(count), format!("{prefix}{listed}"));
    }
}

#[test]
fn debug_output_contains_no_keys() {
    let (mut builder, certificate) = with_groups();
    builder.server_name(pattern("a.example.test"), A, certificate).unwrap();
    let table = builder.build().unwrap();
    let choice = table.choose_by_name(Some("a.example.test")).unwrap();
    for text in [format!("{builder:?}"), format!("{table:?}"), format!("{choice:?}")] {
        assert!(!text.to_lowercase().contains("key"), "{text}");
    }
    assert!(
        format!("{builder:?}").contains("Required(ClientRules { cas: 1, revocation_lists: 0 })")
    );
}

#[test]
fn shared_names_choose_by_virtual_host() {
    let mut names = AuthorityTable::builder();
    names.group(A, GroupPolicy::default()).unwrap();
    names.group(B, GroupPolicy::default()).unwrap();
    for (text, host, group) in
        [("a.example.test", 3, A), ("b.example.test", 4, B), ("c.test", 5, A)]
    {
        names.entry(pattern(text), VirtualHostId::new(host), group).unwrap();
    }
    let names = Arc::new(names.build().unwrap());
    let (mut builder, certificate) = with_groups();
    builder.shared_names(names.clone());
    builder.virtual_host(VirtualHostId::new(3), A, certificate).unwrap();
    builder.virtual_host(VirtualHostId::new(4), B, certificate).unwrap();
    let unknown = builder.virtual_host(VirtualHostId::new(5), GroupId::new(9), certificate);
    let expected = HandshakeTableError::UnknownGroup { group: GroupId::new(9) };
    assert_eq!(unknown.unwrap_err(), expected);
    let table = builder.build().unwrap();
    for (name, group) in [("A.example.test", A), ("b.example.test", B)] {
        let choice = table.choose_by_name(Some(name)).unwrap();
        assert_eq!((choice.facts.group(), choice.facts.certificate()), (group, certificate));
    }
    // A virtual host that was not set, and a name without an entry.
    for name in ["c.test", "d.example.test"] {
        let refused = HandshakeRefused::UnknownServerName { server_name: name.to_owned() };
        assert_eq!(table.choose_by_name(Some(name)).unwrap_err(), refused);
    }
}
