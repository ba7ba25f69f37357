//! Checks that the server name chooses the group and the certificate.

use std::sync::Arc;

use coalesce_core::{
    AuthorityTable, CoalescePolicy, GroupPolicy, ListenerId, Misdirected, RequestTarget, Verdict,
    VirtualHostId, decide,
};
use coalesce_tls::{
    Acceptor, HandshakeRefused, HandshakeTable, HandshakeTableError, PresentedNames,
    ServerNamePolicy, SessionStores, TlsPolicy, TlsVersion,
};
use rustls::client::Resumption;
use rustls::{AlertDescription, Error as TlsError, HandshakeKind, ProtocolVersion};
use tokio::net::{TcpListener, TcpStream};

use crate::common::{
    A, B, Ca, EACH_VERSION, acceptor, builder, client, connect, meet, pattern, provider, serve,
};

const UNRECOGNIZED_NAME: TlsError = TlsError::AlertReceived(AlertDescription::UnrecognisedName);

#[tokio::test]
async fn most_specific_name_chooses_group_and_certificate() {
    let ca = Ca::new("server ca");
    let exact = ca.issue(&["a.example.test", "192.0.2.1"]);
    let wide = ca.issue(&["*.example.test", "*.deep.example.test"]);
    let other = ca.issue(&["b.example.test", "*.example.test"]);
    let mut builder = builder();
    builder.group(A, TlsPolicy::default()).unwrap().group(B, TlsPolicy::default()).unwrap();
    let exact_id = builder.certificate(exact.chain.clone(), exact.key).unwrap();
    let wide_id = builder.certificate(wide.chain.clone(), wide.key).unwrap();
    let other_id = builder.certificate(other.chain.clone(), other.key).unwrap();
    builder.server_name(pattern("**.example.test"), A, wide_id).unwrap();
    builder.server_name(pattern("a.example.test"), A, exact_id).unwrap();
    builder.server_name(pattern("b.example.test"), B, other_id).unwrap();
    let acceptor = acceptor(&builder);

    let cases = [
        ("a.example.test", A, &exact.chain[0]),
        ("A.Example.TEST", A, &exact.chain[0]),
        ("b.example.test", B, &other.chain[0]),
        ("c.example.test", A, &wide.chain[0]),
        ("x.deep.example.test", A, &wide.chain[0]),
    ];
    for versions in EACH_VERSION {
        let config = Arc::new(client(&ca, versions, None));
        for (name, group, certificate) in &cases {
            let (seen, served) = meet(&acceptor, &config, name).await;
            let (seen, served) = (seen.unwrap(), served.unwrap());
            assert_eq!(seen.certificate, **certificate, "{name}");
            assert_eq!(seen.kind, HandshakeKind::Full);
            assert_eq!(served.facts.group(), *group, "{name}");
            let server_name = served.facts.server_name().unwrap().to_string();
            assert_eq!(server_name, name.to_lowercase());
            // The facts describe the certificate that the client saw.
            let presented = PresentedNames::read_der(&seen.certificate).unwrap();
            assert_eq!(served.facts.presented().names(), presented.names(), "{name}");
            assert_eq!(served.version, versions[0].version);
        }
    }
}

/// A cache by server name would grow with the names that clients ask for (CVE-2026-6860).
#[tokio::test]
async fn names_below_a_wildcard_share_one_configuration_and_leave_nothing() {
    let ca = Ca::new("server ca");
    let wide = ca.issue(&["*.example.test"]);
    let mut builder = builder();
    builder.group(A, TlsPolicy::default()).unwrap();
    let wide_id = builder.certificate(wide.chain, wide.key).unwrap();
    builder.server_name(pattern("*.example.test"), A, wide_id).unwrap();
    let table = builder.build().unwrap();
    let choose = |name: &str| table.choose_by_name(Some(name)).unwrap().config;
    let config = choose("first.example.test");
    let kept = Arc::strong_count(&config);
    for number in 0..10_000 {
        assert!(Arc::ptr_eq(&choose(&format!("n{number}.example.test")), &config));
    }
    assert_eq!(Arc::strong_count(&config), kept);
}

#[tokio::test]
async fn facts_of_the_handshake_decide_requests() {
    let ca = Ca::new("server ca");
    let both = ca.issue(&["a.example.test", "b.example.test", "d.example.test"]);
    let mut builder = builder();
    builder.group(A, TlsPolicy::default()).unwrap().group(B, TlsPolicy::default()).unwrap();
    let both = builder.certificate(both.chain, both.key).unwrap();
    builder.server_name(pattern("a.example.test"), A, both).unwrap();
    builder.server_name(pattern("b.example.test"), B, both).unwrap();

    let mut strict = GroupPolicy::default();
    strict.coalesce = CoalescePolicy::StrictServerName;
    let table = |policy| {
        let mut table = AuthorityTable::builder();
        table.group(A, policy).unwrap().group(B, GroupPolicy::default()).unwrap();
        table.entry(pattern("a.example.test"), VirtualHostId::new(0), A).unwrap();
        table.entry(pattern("b.example.test"), VirtualHostId::new(1), B).unwrap();
        table.entry(pattern("c.example.test"), VirtualHostId::new(2), A).unwrap();
        table.entry(pattern("d.example.test"), VirtualHostId::new(3), A).unwrap();
        table.build().unwrap()
    };
    let (table, strict) = (table(GroupPolicy::default()), table(strict));

    let config = Arc::new(client(&ca, EACH_VERSION[1], None));
    let (_, served) = meet(&acceptor(&builder), &config, "a.example.test").await;
    let facts = served.unwrap().facts.clone();
    let answer = |authority: &'static [u8], ports: &'static [u16]| {
        decide(&table, &facts.connection(ports), &RequestTarget::https(authority))
    };
    let Verdict::Serve(proof) = answer(b"a.example.test", &[443]) else { panic!("own name") };
    assert_eq!((proof.virtual_host(), proof.group()), (Some(VirtualHostId::new(0)), A));
    let misdirected = |reason| Verdict::Misdirected(reason);
    assert_eq!(answer(b"b.example.test", &[443]), misdirected(Misdirected::Group));
    assert_eq!(answer(b"c.example.test", &[443]), misdirected(Misdirected::Certificate));
    assert_eq!(answer(b"a.example.test", &[8443]), misdirected(Misdirected::Port));
    // The server name is one of the facts.
    assert!(matches!(answer(b"d.example.test", &[443]), Verdict::Serve(_)));
    let answer = |authority: &'static [u8]| {
        decide(&strict, &facts.connection(443), &RequestTarget::https(authority))
    };
    assert!(matches!(answer(b"a.example.test"), Verdict::Serve(_)));
    assert_eq!(answer(b"d.example.test"), misdirected(Misdirected::ServerName));
}

#[tokio::test]
async fn absent_and_unknown_names_without_default_get_unrecognized_name() {
    let ca = Ca::new("server ca");
    let own = ca.issue(&["a.example.test", "*.other.test"]);
    let mut builder = builder();
    builder.group(A, TlsPolicy::default()).unwrap();
    let own = builder.certificate(own.chain, own.key).unwrap();
    builder.server_name(pattern("a.example.test"), A, own).unwrap();
    let acceptor = acceptor(&builder);
    for versions in EACH_VERSION {
        let config = Arc::new(client(&ca, versions, None));
        // rustls accepts the last one as a name, but coalesce-core does not.
        for name in ["b.other.test", "x.a.example.test", "example.test", "a.0x7f"] {
            let (seen, served) = meet(&acceptor, &config, name).await;
            assert_eq!(seen.unwrap_err(), UNRECOGNIZED_NAME, "{name}");
            let error = served.unwrap_err();
            let refused = error.refused();
            assert!(matches!(refused, Some(HandshakeRefused::UnknownServerName { .. })), "{name}");
            assert_eq!(error.to_string(), format!("server name '{name}' is not known here"));
        }
        let mut silent = client(&ca, versions, None);
        silent.enable_sni = false;
        let (seen, served) = meet(&acceptor, &Arc::new(silent), "a.example.test").await;
        assert_eq!(seen.unwrap_err(), UNRECOGNIZED_NAME);
        assert_eq!(served.unwrap_err().refused(), Some(&HandshakeRefused::AbsentServerName));
        // A client that connects to an address sends no server name.
        let (seen, served) = meet(&acceptor, &config, "192.0.2.1").await;
        assert_eq!(seen.unwrap_err(), UNRECOGNIZED_NAME);
        assert_eq!(served.unwrap_err().refused(), Some(&HandshakeRefused::AbsentServerName));
    }
}

#[tokio::test]
async fn default_policy_serves_under_its_group() {
    let ca = Ca::new("server ca");
    let own = ca.issue(&["a.example.test"]);
    let fallback = ca.issue(&["192.0.2.1", "*.other.test"]);
    let mut builder = builder();
    builder.group(A, TlsPolicy::default()).unwrap().group(B, TlsPolicy::default()).unwrap();
    let own = builder.certificate(own.chain, own.key).unwrap();
    let certificate = builder.certificate(fallback.chain.clone(), fallback.key).unwrap();
    builder.server_name(pattern("a.example.test"), A, own).unwrap();
    let default = ServerNamePolicy::Default { group: B, certificate };
    builder.absent_server_name(default).unknown_server_name(default);
    let acceptor = acceptor(&builder);
    for versions in EACH_VERSION {
        let config = Arc::new(client(&ca, versions, None));
        let cases = [("192.0.2.1", None), ("x.other.test", Some("x.other.test".to_owned()))];
        for (name, server_name) in cases {
            let (seen, served) = meet(&acceptor, &config, name).await;
            let (seen, served) = (seen.unwrap(), served.unwrap());
            assert_eq!(seen.certificate, fallback.chain[0]);
            assert_eq!(served.facts.group(), B);
            assert_eq!(served.facts.server_name().map(|name| name.to_string()), server_name);
            assert_eq!(served.facts.presented().names(), ["IP:192.0.2.1", "DNS:*.other.test"]);
        }
        let (_, served) = meet(&acceptor, &config, "a.example.test").await;
        assert_eq!(served.unwrap().facts.group(), A);
    }
}

/// GEP-3567: the server name chooses the listener with the most specific hostname, and the listener
/// chooses the certificate and the group.
#[tokio::test]
async fn listeners_on_a_shared_port_are_chosen_by_server_name() {
    let ca = Ca::new("server ca");
    let sessions = SessionStores::new();
    let listener = |group, identifiers: &[&str], names: &[&str]| {
        let own = ca.issue(identifiers);
        let mut builder = builder();
        builder.sessions(&sessions).ticketer(Arc::new(rustls::crypto::ring::Ticketer::new));
        builder.group(group, TlsPolicy::default()).unwrap();
        let own = builder.certificate(own.chain, own.key).unwrap();
        for name in names {
            builder.server_name(pattern(name), group, own).unwrap();
        }
        let policy = ServerNamePolicy::Default { group, certificate: own };
        builder.absent_server_name(policy).unknown_server_name(policy);
        builder.build().unwrap()
    };
    let ids = [0, 1, 2].map(ListenerId::new);
    let all = ["other.test", "*.example.test", "*.wild.example.test", "192.0.2.1"];
    let table = HandshakeTable::from_listeners([
        (pattern("*"), ids[0], listener(A, &all, &["a.example.test"])),
        (pattern("**.example.test"), ids[1], listener(B, &all, &[])),
        (pattern("b.example.test"), ids[2], listener(A, &all, &["b.example.test"])),
    ])
    .unwrap();
    let acceptor = Acceptor::new(Arc::new(table));
    let cases = [
        ("other.test", ids[0], A),
        ("192.0.2.1", ids[0], A),
        // A name in the catch-all's table, but another listener is responsible for it.
        ("a.example.test", ids[1], B),
        ("x.wild.example.test", ids[1], B),
        ("b.example.test", ids[2], A),
    ];
    for versions in EACH_VERSION {
        for (name, listener, group) in cases {
            let mut config = client(&ca, versions, None);
            config.resumption = Resumption::in_memory_sessions(8);
            let config = Arc::new(config);
            for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
                let (seen, served) = meet(&acceptor, &config, name).await;
                let (seen, served) = (seen.unwrap(), served.unwrap());
                assert_eq!((seen.kind, served.kind), (kind, kind), "{name}");
                assert_eq!(served.facts.listener(), Some(listener), "{name}");
                assert_eq!(served.facts.group(), group, "{name}");
            }
        }
    }
}

#[test]
fn unmatched_name_without_catch_all_is_refused() {
    let table = |names: &[&str]| {
        let made = names.iter().zip(0..).map(|(name, number)| {
            (pattern(name), ListenerId::new(number), builder().build().unwrap())
        });
        HandshakeTable::from_listeners(made)
    };
    let two = table(&["a.example.test", "**.test"]).unwrap();
    assert_eq!(two.choose_by_name(None).unwrap_err(), HandshakeRefused::AbsentServerName);
    assert_eq!(
        two.choose_by_name(Some("192.0.2.1")).unwrap_err(),
        HandshakeRefused::AbsentServerName
    );
    for name in ["a.example.test", "b.invalid", "a b"] {
        let refused = two.choose_by_name(Some(name)).unwrap_err();
        assert_eq!(refused.to_string(), format!("server name '{name}' is not known here"));
    }
    assert!(format!("{two:?}").contains("listeners: 2"), "{two:?}");
    assert!(matches!(table(&["a.test", "A.test"]), Err(HandshakeTableError::Table(_))));
}

#[tokio::test]
async fn groups_have_separate_minimum_versions() {
    let ca = Ca::new("server ca");
    let own = ca.issue(&["*.example.test"]);
    let mut builder = builder();
    let mut strict = TlsPolicy::default();
    strict.minimum_version = TlsVersion::Tls13;
    builder.group(A, TlsPolicy::default()).unwrap().group(B, strict).unwrap();
    let own = builder.certificate(own.chain, own.key).unwrap();
    builder.server_name(pattern("a.example.test"), A, own).unwrap();
    builder.server_name(pattern("b.example.test"), B, own).unwrap();
    let acceptor = acceptor(&builder);
    let [old, new] = EACH_VERSION.map(|versions| Arc::new(client(&ca, versions, None)));

    let (_, served) = meet(&acceptor, &old, "a.example.test").await;
    assert_eq!(served.unwrap().version, ProtocolVersion::TLSv1_2);
    let (seen, served) = meet(&acceptor, &old, "b.example.test").await;
    assert_eq!(seen.unwrap_err(), TlsError::AlertReceived(AlertDescription::ProtocolVersion));
    let error = served.unwrap_err();
    assert!(error.tls_error().is_some());
    assert!(error.to_string().starts_with("TLS handshake failed: "), "{error}");
    for name in ["a.example.test", "b.example.test"] {
        let (_, served) = meet(&acceptor, &new, name).await;
        assert_eq!(served.unwrap().version, ProtocolVersion::TLSv1_3, "{name}");
    }
}

#[tokio::test]
async fn groups_negotiate_separate_protocols() {
    let ca = Ca::new("server ca");
    let own = ca.issue(&["*.example.test"]);
    let mut builder = builder();
    let mut both = TlsPolicy::default();
    both.alpn = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    builder.group(A, TlsPolicy::default()).unwrap().group(B, both).unwrap();
    let own = builder.certificate(own.chain, own.key).unwrap();
    builder.server_name(pattern("a.example.test"), A, own).unwrap();
    builder.server_name(pattern("b.example.test"), B, own).unwrap();
    let acceptor = acceptor(&builder);
    let refused = Err(TlsError::AlertReceived(AlertDescription::NoApplicationProtocol));
    let cases = [
        ("a.example.test", vec!["http/1.1", "h2"], Ok(Some("h2"))),
        ("a.example.test", vec!["http/1.1"], refused),
        ("a.example.test", vec![], Ok(None)),
        ("b.example.test", vec!["http/1.1"], Ok(Some("http/1.1"))),
        ("b.example.test", vec!["http/1.1", "h2"], Ok(Some("h2"))),
    ];
    for (name, offered, expected) in cases {
        let mut config = client(&ca, EACH_VERSION[1], None);
        config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let (seen, _) = meet(&acceptor, &Arc::new(config), name).await;
        let expected = expected.map(|alpn| alpn.map(|name| name.as_bytes().to_vec()));
        assert_eq!(seen.map(|seen| seen.alpn), expected, "{name} {offered:?}");
    }
}

/// RFC 8446 §4.1.4: the second ClientHello must have the same server name, so the first choice
/// remains valid.
#[tokio::test]
async fn choice_holds_after_a_hello_retry_request() {
    let ca = Ca::new("server ca");
    let own = ca.issue(&["a.example.test"]);
    let mut slow = rustls::crypto::ring::default_provider();
    slow.kx_groups.retain(|group| group.name() == rustls::NamedGroup::secp384r1);
    let mut builder = coalesce_tls::HandshakeTableBuilder::new(Arc::new(slow));
    assert!(provider().kx_groups[0].name() != rustls::NamedGroup::secp384r1);
    builder.group(A, TlsPolicy::default()).unwrap();
    let own = builder.certificate(own.chain, own.key).unwrap();
    builder.server_name(pattern("a.example.test"), A, own).unwrap();
    let config = Arc::new(client(&ca, EACH_VERSION[1], None));
    let (seen, served) = meet(&acceptor(&builder), &config, "a.example.test").await;
    assert_eq!(seen.unwrap().kind, HandshakeKind::FullWithHelloRetryRequest);
    assert_eq!(served.unwrap().facts.group(), A);
}

/// Runs over TCP in separate tasks: a reset must not overtake the alert.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_client_over_tcp_receives_the_alert() {
    let ca = Ca::new("server ca");
    let own = ca.issue(&["a.example.test"]);
    let mut builder = builder();
    builder.group(A, TlsPolicy::default()).unwrap();
    let own = builder.certificate(own.chain, own.key).unwrap();
    builder.server_name(pattern("a.example.test"), A, own).unwrap();
    let acceptor: Acceptor = acceptor(&builder);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut handshakes = Vec::new();
        for _ in 0..8 {
            let (io, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            handshakes.push(tokio::spawn(async move { serve(&acceptor, io).await.is_ok() }));
        }
        let mut accepted = 0;
        for handshake in handshakes {
            accepted += usize::from(handshake.await.unwrap());
        }
        accepted
    });
    for versions in EACH_VERSION {
        let config = Arc::new(client(&ca, versions, None));
        for (name, accepted) in [
            ("a.example.test", true),
            ("b.test", false),
            ("192.0.2.1", false),
            ("a.example.test", true),
        ] {
            let io = TcpStream::connect(address).await.unwrap();
            match connect(&config, name, io).await {
                Ok(_) => assert!(accepted, "{name}"),
                Err(error) => assert_eq!((error, accepted), (UNRECOGNIZED_NAME, false), "{name}"),
            }
        }
    }
    assert_eq!(server.await.unwrap(), 4);
}
