//! Tests the policies of a group, and connections that have no certificate.

use super::*;

#[test]
fn strict_server_name_serves_only_the_host_of_the_server_name() {
    check(
        &table_with(coalesce(CoalescePolicy::StrictServerName)),
        &[
            ("a.example.test", "a.example.test", "serve a"),
            ("a.example.test", "A.Example.TEST.:443", "serve a"),
            ("A.EXAMPLE.test", "a.example.test", "serve a"),
            ("foo.wild.example.test", "foo.wild.example.test", "serve wild"),
            ("a.example.test", "b.example.test", "421 server_name"),
            ("foo.wild.example.test", "bar.wild.example.test", "421 server_name"),
            ("wrong.example.test", "a.example.test", "421 server_name"),
            // A missing server name does not weaken the policy.
            ("", "a.example.test", "421 server_name"),
            // Steps 3 to 6 come first.
            ("a.example.test", "dead.example.test", "421 unknown_authority"),
            ("a.example.test", "cdn.example.test", "421 certificate"),
            ("a.example.test", "m.example.test", "421 group"),
            // The policy of one group does not apply to another.
            ("m.example.test", "m.example.test", "serve m"),
        ],
    );
}

/// RFC 6066 §3: no client sends an address as server name, so a client without a server name may
/// ask for an address.
#[test]
fn address_needs_no_server_name_unless_coalescing_is_off() {
    use CoalescePolicy::{CertificateAndGroup, Never, StrictServerName};
    let presented = set(&["192.0.2.1", "a.example.test"]);
    let (name, none) = (DnsName::parse(b"a.example.test").ok(), None);
    let cases = [
        (CertificateAndGroup, none, "serve a"),
        (CertificateAndGroup, name, "serve a"),
        (StrictServerName, none, "serve a"),
        (StrictServerName, name, "421 server_name"),
        (Never, none, "421 server_name"),
        (Never, name, "421 server_name"),
    ];
    for (policy, server_name, expected) in cases {
        let table = table_of(&[("a", "192.0.2.1", PUBLIC)], coalesce(policy));
        let connection =
            ServerConnection::tls(&presented, PUBLIC, ClientCertificates::NotAsked, [443]);
        let connection = connection.with_server_name(server_name);
        let verdict = decide(&table, &connection, &get("192.0.2.1"));
        assert_eq!(line(&verdict), expected, "{policy:?} with {server_name:?}");
    }
}

#[test]
fn never_policy_serves_one_host_per_connection() {
    check(
        &table_with(coalesce(CoalescePolicy::Never)),
        &[
            ("a.example.test", "a.example.test", "serve a"),
            ("a.example.test", "b.example.test", "421 server_name"),
            ("", "a.example.test", "421 server_name"),
            ("c.example.test", "a.example.test", "421 server_name"),
            ("a.example.test", "m.example.test", "421 group"),
        ],
    );
}

/// The application answers 404 for an unknown authority. A host of another group stays misdirected.
#[test]
fn unknown_authority_goes_to_the_application_by_policy() {
    let table = table_with(unknown_to_application());
    check(
        &table,
        &[
            ("a.example.test", "dead.example.test", "unlisted"),
            ("a.example.test", "www.unrelated.test:8443", "unlisted"),
            ("a.example.test", "%61.example.test", "unlisted"),
            ("a.example.test", "[v1.a]", "unlisted"),
            ("a.example.test", "a.example.test", "serve a"),
            ("a.example.test", "cdn.example.test", "421 certificate"),
            ("a.example.test", "m.example.test", "421 group"),
            ("a.example.test", "user@dead.example.test", "reset authority_userinfo"),
            // The policy of the connection's group applies.
            ("m.example.test", "dead.example.test", "421 unknown_authority"),
        ],
    );
    let handshakes = Handshakes::new();
    let connection = handshakes.with("a.example.test");
    let dead = get("dead.example.test");
    let other = HostField::One(b"other.example.test");
    let extended = MethodKind::ExtendedConnect;
    let http = Some(&b"http"[..]);
    let cases = [
        (RequestTarget { scheme: http, host: other, method: extended, ..dead }, "421 scheme"),
        (RequestTarget { host: other, method: extended, ..dead }, "reset host_differs"),
        (RequestTarget { method: extended, ..dead }, "405 extended_connect_refused"),
    ];
    for (request, expected) in cases {
        assert_eq!(line(&decide(&table, &connection, &request)), expected);
    }
    let Verdict::Serve(proof) = decide(&table, &connection, &dead) else { panic!("refused") };
    assert_eq!((proof.virtual_host(), proof.group()), (None, PUBLIC));
}

/// RFC 9110 §9.3.6, RFC 9113 §8.5: a tunnel is refused or goes to the application, but never gets a
/// 421.
#[test]
fn plain_connect_is_refused_unless_the_user_opts_in() {
    let handshakes = Handshakes::new();
    let connection = handshakes.with("a.example.test");
    let cases = [
        ("a.example.test:443", "tunnel"),
        ("cdn.example.test:443", "tunnel"),
        ("m.example.test:443", "tunnel"),
        ("www.unrelated.test:25", "tunnel"),
        ("a.example.test", "400 connect_port"),
        ("a.example.test:", "400 connect_port"),
    ];
    for (policy, taken) in [
        (ConnectPolicy::Refuse, false),
        (ConnectPolicy::Extended, false),
        (ConnectPolicy::Any, true),
    ] {
        let table = table_with(connect(policy));
        for (authority, allowed) in cases {
            let request =
                RequestTarget { method: MethodKind::Connect, scheme: None, ..get(authority) };
            let expected = if taken { allowed } else { "405 connect_refused" };
            let verdict = decide(&table, &connection, &request);
            assert_eq!(line(&verdict), expected, "{authority} with {policy:?}");
        }
    }
}

/// RFC 9113 §8.5: the target is in `:authority`. §8.3.1 and step 7 apply to a tunnel as well. RFC
/// 9112 §3.2.3 shows a `Host` without the port.
#[test]
fn plain_connect_takes_its_target_from_authority_only() {
    const TARGET: &str = "b.example.test:443";
    let handshakes = Handshakes::new();
    let cases: &[(Option<&str>, &[&str], &str)] = &[
        (Some(TARGET), &[TARGET], "tunnel"),
        (Some(TARGET), &["b.example.test"], "tunnel"),
        (Some("b.example.test:8080"), &["b.example.test"], "tunnel"),
        (Some("b.example.test:8080"), &["b.example.test:443"], "reset host_differs"),
        (Some(TARGET), &["b.example.test:80"], "reset host_differs"),
        (Some(TARGET), &["m.example.test:443"], "reset host_differs"),
        (Some(TARGET), &["user@b.example.test"], "400 host_invalid"),
        (Some(TARGET), &[TARGET, TARGET], "400 several_hosts"),
        (Some("user@b.example.test:443"), &[], "reset authority_userinfo"),
        (None, &[TARGET], "400 no_authority"),
        (None, &[], "400 no_authority"),
    ];
    let table = table_with(connect(ConnectPolicy::Any));
    for (authority, hosts, expected) in cases {
        let request = RequestTarget {
            authority: authority.map(str::as_bytes),
            host: HostField::collect(hosts.iter().map(|host| host.as_bytes())),
            scheme: None,
            method: MethodKind::Connect,
        };
        let verdict = decide(&table, &handshakes.with("a.example.test"), &request);
        assert_eq!(line(&verdict), *expected, "{authority:?} {hosts:?}");
    }
}

/// RFC 8441 §4: a request with `:protocol` has an origin to decide, so a misdirected one gets a
/// 421.
#[test]
fn extended_connect_is_decided_like_any_request() {
    let handshakes = Handshakes::new();
    let cases = [
        ("api.example.test", "405 extended_connect_refused", "serve api"),
        ("cdn.example.test", "421 certificate", "421 certificate"),
        ("wrong.example.test", "421 unknown_authority", "421 unknown_authority"),
        ("api.example.test:80", "421 port", "421 port"),
    ];
    for policy in [ConnectPolicy::Refuse, ConnectPolicy::Extended, ConnectPolicy::Any] {
        let table = table_with(connect(policy));
        for (authority, refused, taken) in cases {
            let request = RequestTarget { method: MethodKind::ExtendedConnect, ..get(authority) };
            let expected = if policy == ConnectPolicy::Refuse { refused } else { taken };
            let verdict = decide(&table, &handshakes.with("api.example.test"), &request);
            assert_eq!(line(&verdict), expected, "{authority} with {policy:?}");
        }
    }
}

// ---------------------------------------------------------------- other connections

/// RFC 9110 §7.4: the gateway replaces the certificate step and no other.
#[test]
fn trusted_gateway_skips_only_the_certificate_step() {
    let table = table();
    let gateway = ServerConnection::trusted_gateway(
        Scheme::Https,
        PUBLIC,
        ClientCertificates::NotAsked,
        [443],
    );
    let cases = [
        ("a.example.test", "serve a"),
        ("cdn.example.test", "serve cdn"),
        ("m.example.test", "421 group"),
        ("dead.example.test", "421 unknown_authority"),
        ("a.example.test:8443", "421 port"),
        ("user@a.example.test", "reset authority_userinfo"),
    ];
    for (authority, expected) in cases {
        assert_eq!(line(&decide(&table, &gateway, &get(authority))), expected, "{authority}");
    }
    let http = RequestTarget { scheme: Some(b"http"), ..get("a.example.test") };
    assert_eq!(line(&decide(&table, &gateway, &http)), "421 scheme");
    let gateway =
        ServerConnection::trusted_gateway(Scheme::Http, PUBLIC, ClientCertificates::NotAsked, [80]);
    assert_eq!(line(&decide(&table, &gateway, &http)), "serve a");
}

/// A trusted gateway replaces the certificate step, not the policy on server names.
#[test]
fn server_name_from_gateway_is_compared() {
    let gateway = ServerConnection::trusted_gateway(
        Scheme::Https,
        PUBLIC,
        ClientCertificates::NotAsked,
        [443],
    );
    let named = gateway.clone().with_server_name(DnsName::parse(b"a.example.test").ok());
    for policy in [CoalescePolicy::StrictServerName, CoalescePolicy::Never] {
        let table = table_with(coalesce(policy));
        assert_eq!(line(&decide(&table, &named, &get("a.example.test"))), "serve a");
        assert_eq!(line(&decide(&table, &named, &get("b.example.test"))), "421 server_name");
        // A missing server name does not weaken the policy: the gateway should have passed it on.
        assert_eq!(line(&decide(&table, &gateway, &get("b.example.test"))), "421 server_name");
    }
}

/// RFC 9113 §9.1.1: without TLS no certificate must cover the host, but the group still counts.
#[test]
fn cleartext_serves_its_group_by_name_and_port() {
    let cleartext = ServerConnection::cleartext(PUBLIC, [80]);
    let cases = [
        ("a.example.test", "serve a"),
        ("cdn.example.test", "serve cdn"),
        ("m.example.test", "421 group"),
        ("dead.example.test", "421 unknown_authority"),
        ("a.example.test:443", "421 port"),
    ];
    for policy in [CoalescePolicy::CertificateAndGroup, CoalescePolicy::StrictServerName] {
        let table = table_with(coalesce(policy));
        for (authority, expected) in cases {
            let request = RequestTarget { scheme: Some(b"http"), ..get(authority) };
            assert_eq!(line(&decide(&table, &cleartext, &request)), expected, "{authority}");
        }
    }
}
