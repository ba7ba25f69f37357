//! Every fault of a builder, with its message.

use coalesce_site::{GroupSettings, Host, Identity, SiteBuilder, Subject};
use coalesce_tls::{CipherSuites, TlsVersion};
use rustls::CipherSuite;

use crate::support::{Ca, Text, builder};

/// A builder and the start of each of its messages. Messages of other crates are cut.
type Bad = (SiteBuilder<Text>, &'static [&'static str]);

fn of_hosts(ca: &Ca) -> Vec<Bad> {
    let a = || ca.identity(&["a.test"]);
    let (chain, key) = ca.issue(&["a.test"]);
    let (_, other_key) = ca.issue(&["a.test"]);
    let missing = Identity::from_pem_files("no/such.pem", "no/such.key");
    vec![
        (builder(), &["site: host: none; at least one expected"]),
        (builder().host("a..test", a(), Text("a")), &[r#"host "a..test": name: "a..test": "#]),
        (
            builder().add_host(Host::new("a.test", a(), Text("a")).name("*x.test").name("b.test")),
            &[
                r#"host "a.test": name: "*x.test": '*' "#,
                r#"host "a.test": name: "b.test" is not covered by the certificate, which "#,
            ],
        ),
        (
            builder().host("*.a.test", ca.identity(&["b.a.test", "a.test", "x.test"]), Text("a")),
            &["host \"*.a.test\": name: \"*.a.test\" is not covered by the certificate, which \
                 presents DNS:b.a.test, DNS:a.test, DNS:x.test; it would be answered 421 on its \
                 own connections"],
        ),
        (
            builder().host("a.test", a(), Text("a")).host("A.test", a(), Text("b")),
            &[r#"host "A.test": name: "A.test" is a name of host "a.test" already"#],
        ),
        (
            builder().host("a.test", missing, Text("a")),
            &[
                r#"host "a.test": certificate: cannot read no/such.pem: No such file or directory"#,
                r#"host "a.test": key: cannot read no/such.key: No such file or directory"#,
            ],
        ),
        (
            builder().host("a.test", Identity::from_pem("", ""), Text("a")),
            &[r#"host "a.test": certificate: "#, r#"host "a.test": key: "#],
        ),
        (
            builder().host("a.test", Identity::from_der(vec![], key.clone_key()), Text("a")),
            &[r#"host "a.test": certificate: empty certificate chain"#],
        ),
        (
            builder().host("a.test", Identity::from_der(chain, other_key), Text("a")),
            &[r#"host "a.test": key: private key "#],
        ),
        (
            builder().host("a.test", a().and(ca.identity(&["b.test"])), Text("a")),
            &[r#"host "a.test": name: "a.test" is not covered by the certificate, which "#],
        ),
        (
            builder().add_host(Host::new("a.test", a(), Text("a")).group("staff")),
            &[r#"host "a.test": group: no group has the name "staff"; there is none"#],
        ),
        (
            builder()
                .group("x", GroupSettings::new())
                .group("y", GroupSettings::new())
                .add_host(Host::new("a.test", a(), Text("a")).group("staff")),
            &[r#"host "a.test": group: no group has the name "staff"; there is "x", "y""#],
        ),
    ]
}

fn of_groups_and_site(ca: &Ca) -> Vec<Bad> {
    let one = || builder().host("a.test", ca.identity(&["a.test"]), Text("a"));
    let group = |settings: GroupSettings| one().group("g", settings);
    let settings = GroupSettings::new;
    let suite = CipherSuites::only([CipherSuite::TLS_NULL_WITH_NULL_NULL]);
    let crossed = settings().minimum_version(TlsVersion::Tls13).maximum_version(TlsVersion::Tls12);
    let unused = || {
        let bad = GroupSettings::new().require_client_ca_files(["no/such.pem"]);
        builder().group("g", bad)
    };
    vec![
        (
            group(settings().require_client_ca_files(["no/such.pem"])),
            &[r#"group "g": client_ca_files: cannot read no/such.pem: No such file or directory"#],
        ),
        (
            group(settings().require_client_ca_files([""; 0])),
            &[r#"group "g": client_ca_files: no CA "#],
        ),
        (
            group(settings().revocation_list_files(["list.crl"])),
            &[r#"group "g": revocation_list_files: only allowed with files of client CAs"#],
        ),
        (group(crossed), &[r#"group "g": maximum_version: lowest version "#]),
        (
            group(settings().cipher_suites(suite)),
            &[r#"group "g": cipher_suites: cipher suite TLS_NULL_WITH_NULL_NULL"#],
        ),
        (
            group(settings()).group("g", settings()),
            &[r#"group "g": group: a group of this name was added before"#],
        ),
        // The group's fault is reported once, and not for its hosts.
        (
            unused().add_host(Host::new("a.test", ca.identity(&["a.test"]), Text("a")).group("g")),
            &[r#"group "g": client_ca_files: cannot read no/such.pem: No such file or directory"#],
        ),
        (
            one().ports([443, 0]),
            &["site: ports: port 0, which no request can name; 1 to 65535 allowed"],
        ),
        (one().protocols(["h2", ""]), &["site: protocols: name of 0 bytes; 1 to 255 expected"]),
        (one().default_host("b.test"), &[r#"site: default_host: no host has the name "b.test""#]),
    ]
}

#[test]
fn every_fault_names_its_host_or_group_and_its_field() {
    let ca = Ca::new();
    for (bad, expected) in of_hosts(&ca).into_iter().chain(of_groups_and_site(&ca)) {
        let errors = bad.build().unwrap_err();
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let fits = found.len() == expected.len()
            && found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected));
        assert!(fits, "expected {expected:#?}, found {found:#?}");
    }
}

#[test]
fn all_faults_are_found_at_once_with_their_subjects() {
    let ca = Ca::new();
    let errors = builder()
        .ports([0])
        .group("g", GroupSettings::new().require_client_ca_files(["no/such.pem"]))
        .host("a.test", ca.identity(&["b.test"]), Text("a"))
        .build()
        .unwrap_err();
    let found: Vec<_> =
        errors.iter().map(|error| (error.subject().clone(), error.field(), error.item())).collect();
    let expected = [
        (Subject::Site, "ports", None),
        (Subject::Group("g".to_owned()), "client_ca_files", Some("no/such.pem")),
        (Subject::Host("a.test".to_owned()), "name", Some("a.test")),
    ];
    assert_eq!(found, expected);
}

/// The default host of clients without a server name is in another group than the address.
#[test]
fn address_that_would_be_misdirected_on_its_own_connections_is_a_fault() {
    let ca = Ca::new();
    let shared = ca.identity(&["a.test", "192.0.2.1"]);
    let address = || Host::new("192.0.2.1", shared.clone(), Text("b"));
    let site = || builder().host("a.test", shared.clone(), Text("a"));
    let strict = || GroupSettings::new().isolated();
    let errors = site().group("g", strict()).add_host(address().group("g")).default_host("a.test");
    assert_eq!(
        errors.build().unwrap_err().to_string(),
        "host \"192.0.2.1\": name: \"192.0.2.1\" would be answered 421 on its own connections: the \
         virtual host is in another coalescing group; clients send no server name for an address, \
         so that the default host decides"
    );
    let unreachable = site().add_host(address()).build().unwrap();
    let warnings: Vec<String> = unreachable.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["host \"192.0.2.1\": name: \"192.0.2.1\" cannot be reached: clients send no server name \
          for an address, and there is no default host"]
    );
}

#[test]
fn name_for_more_than_a_certificate_can_cover_is_a_warning() {
    let ca = Ca::new();
    let site = builder().host("**.a.test", ca.identity(&["b.a.test"]), Text("a")).build().unwrap();
    let [warning] = &site.warnings()[..] else { panic!("one warning expected") };
    assert_eq!((warning.field(), warning.item()), ("name", Some("**.a.test")));
    assert!(
        warning
            .to_string()
            .starts_with(r#"host "**.a.test": name: "**.a.test" matches more names"#)
    );
    assert!(site.explain(Some("b.a.test"), "b.a.test").is_served());
    assert_eq!(site.explain(Some("c.a.test"), "c.a.test").code(), "certificate");
}

#[test]
fn nothing_shows_a_private_key() {
    let ca = Ca::new();
    let (chain, key) = ca.pem(&["a.test"]);
    let secret: String = key.lines().skip(1).take(1).collect();
    let site = builder().host("a.test", Identity::from_pem(chain, key), Text("a"));
    assert!(!format!("{site:?}").contains(&secret));
    assert!(!format!("{:?}", site.build().unwrap()).contains(&secret));
}
