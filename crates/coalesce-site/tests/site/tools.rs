//! Questions to a site, and tests of handlers.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::HeaderMap;
use axum::routing::get;
use coalesce_core::{NamePattern, RequestTarget, Step, Verdict};
use coalesce_site::{
    ClientIdentity, GroupSettings, Host, OriginPolicy, Outcome, Question, ServedHost, Site,
    SiteBuilder, SiteSnapshot,
};
use coalesce_tls::ClientAuth;
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::support::{Ca, Text, builder};

fn builder_of(ca: &Ca) -> SiteBuilder<Text> {
    let shared = ca.identity(&["a.test", "b.test", "*.w.test"]);
    builder()
        .add_host(Host::new("a.test", shared.clone(), Text("a")).name("b.test"))
        .host("*.w.test", shared, Text("w"))
        .host("c.test", ca.identity(&["c.test"]), Text("c"))
}

fn site(ca: &Ca) -> Site<Text> {
    builder_of(ca).build().unwrap()
}

#[test]
fn explanation_names_verdict_step_host_and_group() {
    let site = site(&Ca::new());
    let cases = [
        (Some("a.test"), "B.test", "served", Step::Serve, Some("a.test")),
        (Some("x.w.test"), "y.w.test:443", "served", Step::Serve, Some("*.w.test")),
        (Some("a.test"), "c.test", "certificate", Step::Certificate, None),
        (Some("a.test"), "nobody.test", "unknown_authority", Step::Known, None),
        (Some("a.test"), "a.test:444", "port", Step::Port, None),
        (Some("a.test"), "user@a.test", "authority_userinfo", Step::Authority, None),
    ];
    for (server_name, authority, code, step, host) in cases {
        let found = site.explain(server_name, authority);
        assert_eq!((found.code(), found.step(), found.host()), (code, Some(step), host));
        assert_eq!((found.group(), found.is_served()), (Some("default"), host.is_some()));
    }
    for server_name in [None, Some("nobody.test")] {
        let found = site.explain(server_name, "a.test");
        assert!(matches!(found.outcome(), Outcome::Refused(_)), "{found}");
        assert_eq!((found.step(), found.group()), (None, None));
    }
}

#[test]
fn explanation_reads_as_a_sentence() {
    let site = site(&Ca::new());
    let said = |server_name, authority| site.explain(Some(server_name), authority).to_string();
    assert_eq!(said("a.test", "b.test"), r#"served as host "a.test" in group "default""#);
    assert_eq!(
        said("a.test", "c.test"),
        r#"421 in group "default", step 5: the presented certificate does not cover the host"#
    );
    assert_eq!(said("a.test", ""), r#"400 in group "default", step 1: :authority: empty host"#);
    assert_eq!(said("d.test", "d.test"), "no connection: server name 'd.test' is not known here");
}

/// The same question from clients with different certificates.
#[test]
fn explanation_asks_the_verifier_that_serves() {
    let (ca, clients, others) = (Ca::new(), Ca::new(), Ca::new());
    let optional = GroupSettings::new().client_auth(ClientAuth::Optional(clients.rules()));
    let required = GroupSettings::new().client_auth(ClientAuth::Required(clients.rules()));
    let shared = ca.identity(&["a.test", "b.test"]);
    let site = builder()
        .group("optional", optional)
        .group("required", required)
        .add_host(Host::new("a.test", shared.clone(), Text("a")).group("optional"))
        .add_host(Host::new("b.test", shared, Text("b")).label("the b").group("required"))
        .build()
        .unwrap();
    let with = |ca: &Ca| ClientIdentity::Certificate(ca.issue(&["someone.test"]).0);
    let ask = |name: &str, client| {
        let question = Question::new().with_server_name(name).with_authority(name);
        let found = site.explain_question(&question.with_client(client));
        (found.code(), found.host().map(str::to_owned))
    };
    let served = |label: &str| ("served", Some(label.to_owned()));
    assert_eq!(ask("a.test", ClientIdentity::Accepted), served("a.test"));
    assert_eq!(ask("a.test", ClientIdentity::WithoutCertificate), served("a.test"));
    assert_eq!(ask("a.test", with(&clients)), served("a.test"));
    assert_eq!(ask("a.test", with(&others)), ("client_certificate_invalid", None));
    assert_eq!(ask("b.test", with(&clients)), served("the b"));
    let without = ask("b.test", ClientIdentity::WithoutCertificate);
    assert_eq!(without, ("client_certificate_required", None));
}

#[test]
fn explanation_knows_listeners_protocols_and_every_kind_of_request() {
    let site = site(&Ca::new());
    let ask = |question: Question| {
        let found = site.explain_question(&question.with_server_name("a.test"));
        let Outcome::Refused(refused) = found.outcome() else { return (found.code(), "") };
        (found.code(), refused.rule())
    };
    let on_a = || Question::new().with_authority("a.test");
    let cases = [
        (on_a().on_listener("main"), ("served", "")),
        (on_a().on_listener("other"), ("no_listener", "")),
        (on_a().with_offered_protocols(["http/1.1", "x"]), ("served", "")),
        (on_a().with_offered_protocols(["x"]), ("no_application_protocol", "RFC 7301 §3.2")),
        (on_a().with_scheme("http"), ("scheme", "")),
        (on_a().with_host("a.test"), ("served", "")),
        (on_a().with_host("b.test"), ("host_differs", "")),
        (on_a().with_host("a.test").with_host("a.test"), ("several_hosts", "")),
        (on_a().with_method("CONNECT"), ("connect_refused", "")),
        (Question::new(), ("no_authority", "")),
    ];
    for (question, expected) in cases {
        assert_eq!(ask(question.clone()), expected, "{question:?}");
    }
    let pattern = NamePattern::parse(b"*.w.test").unwrap();
    let question = Question::for_pattern(&pattern).unwrap();
    assert_eq!(site.explain_question(&question).host(), Some("*.w.test"));
}

#[test]
fn hints_say_where_a_misdirected_request_would_be_served() {
    let site = site(&Ca::new());
    let snapshot = site.snapshot();
    let hints = |authority: &str| {
        let question = Question::new().with_server_name("a.test").with_authority(authority);
        snapshot.hints(&question, &snapshot.explain(&question))
    };
    assert_eq!(
        hints("c.test"),
        ["on a connection of its own it is served, by virtual host c.test in group default"]
    );
    assert_eq!(hints("a.test:1"), ["listener main answers for port 443"]);
    assert_eq!(hints("a.test"), [""; 0]);
}

#[test]
fn origins_are_the_served_exact_names() {
    let ca = Ca::new();
    let site = builder_of(&ca).announce_origins(OriginPolicy::Always).build().unwrap();
    let origins = site.origins(Some("a.test")).unwrap();
    assert_eq!(origins, ["https://a.test", "https://b.test"]);
    assert_eq!(site.origins(Some("c.test")).unwrap(), ["https://c.test"]);
    assert!(site.origins(Some("d.test")).is_err());
}

/// `*.w.test` is a wildcard of the certificate and of the site. A client that heeds the origins `a`
/// and `b` would no longer share the connection for hosts of the wildcard (RFC 8336 §2.4).
#[test]
fn origins_that_leave_out_hosts_below_a_wildcard_are_not_announced_by_default() {
    let ca = Ca::new();
    let warned = |site: &Site<Text>| {
        let warnings = site.warnings();
        let of_origins = warnings.iter().find(|warning| warning.field() == "announce_origins");
        of_origins.map(ToString::to_string).unwrap_or_default()
    };
    let site = builder_of(&ca).build().unwrap();
    assert_eq!(site.origins(Some("a.test")).unwrap(), [""; 0]);
    assert_eq!(site.origins(Some("c.test")).unwrap(), ["https://c.test"]);
    let expected = "site: announce_origins: connections for a.test announce no origins: hosts that \
                    only *.w.test matches are served on them";
    assert!(warned(&site).starts_with(expected), "{}", warned(&site));
    let snapshot = site.snapshot();
    let facts = snapshot.listeners()[0].handshakes().choose_by_name(Some("a.test")).unwrap().facts;
    let found = snapshot.announced_origins(&facts);
    assert_eq!(found.origins, ["https://a.test", "https://b.test"]);
    assert_eq!((found.wildcards, found.is_announced), (vec!["*.w.test".to_owned()], false));

    let site = builder_of(&ca).announce_origins(true).build().unwrap();
    assert!(warned(&site).contains("connections for a.test announce their origins"));
    let site = builder_of(&ca).announce_origins(OriginPolicy::Never).build().unwrap();
    assert_eq!(site.origins(Some("c.test")).unwrap(), [""; 0]);
    assert_eq!(warned(&site), "");
}

#[tokio::test]
async fn forwarded_fields_of_clients_are_removed_if_configured() {
    let ca = Ca::new();
    let seen = async |headers: HeaderMap| headers.contains_key("x-forwarded-host").to_string();
    for strips in [false, true] {
        let router = Router::new().route("/", get(seen));
        let site = Site::builder().host("shop.test", ca.identity(&["shop.test"]), router);
        let site = if strips { site.strip_forwarded_fields() } else { site };
        let site = site.build().unwrap();
        let request = site.for_host("shop.test").unwrap().header("x-forwarded-host", "other.test");
        let request = request.body(Body::empty()).unwrap();
        let response = site.into_service().oneshot(request).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 10).await.unwrap();
        assert_eq!(body, (!strips).to_string());
    }
}

/// A client would not send requests for the hosts that do not fit.
#[test]
fn origin_set_that_is_too_large_is_not_announced_by_default() {
    let ca = Ca::new();
    let names: Vec<String> = (0..3_000).map(|number| format!("host-{number}.w.test")).collect();
    let identity = ca.identity(&["*.w.test"]);
    let host = || {
        let host = Host::new("first.w.test", identity.clone(), Text("w"));
        names.iter().fold(host, |host, name| host.name(name.clone()))
    };
    for (policy, is_announced) in
        [(OriginPolicy::WhenComplete, false), (OriginPolicy::Always, true)]
    {
        let site = builder().add_host(host()).announce_origins(policy).build().unwrap();
        let snapshot = site.snapshot();
        let handshakes = snapshot.listeners()[0].handshakes();
        let facts = handshakes.choose_by_name(Some("host-7.w.test")).unwrap().facts;
        let found = snapshot.announced_origins(&facts);
        assert!(found.is_cut && found.wildcards.is_empty(), "{:?}", found.wildcards);
        assert!((2_000..3_000).contains(&found.origins.len()), "{}", found.origins.len());
        assert_eq!(found.is_announced, is_announced);
        assert_eq!(snapshot.origin_set(&facts).origins().count() > 0, is_announced);
        let warnings = site.warnings();
        assert!(warnings.iter().any(|it| it.to_string().contains("origin set is too large")));
    }
}

#[tokio::test]
async fn handler_of_a_router_is_tested_without_a_socket() {
    let ca = Ca::new();
    let router = Router::new().route("/cart", get(async || "cart"));
    let site = Site::builder().host("shop.test", ca.identity(&["shop.test"]), router);
    let site = site.build().unwrap();

    let request = site.for_host("shop.test").unwrap().uri("https://shop.test/cart");
    let request = request.body(Body::empty()).unwrap();
    let response = site.clone().into_service().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);

    let other = site.for_host("shop.test").unwrap().uri("https://other.test/");
    let response = site.clone().into_service().oneshot(other.body(Body::empty()).unwrap()).await;
    assert_eq!(response.unwrap().status(), 421);
    assert!(site.for_host("other.test").is_err());
}

#[tokio::test]
async fn handler_of_a_served_host_is_tested_without_a_socket() {
    let site = site(&Ca::new());
    let text = async |host: ServedHost<Text>, ConnectInfo(peer): ConnectInfo<SocketAddr>| {
        format!("{} of {} in {} for {}", host.0, host.name(), host.group(), peer.ip())
    };
    let router = Router::new().route("/", get(text));
    let request = site.for_host("b.test").unwrap().body(Body::empty()).unwrap();
    let response = router.clone().layer(site.layer()).oneshot(request).await.unwrap();
    let content = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(content, "a of a.test in default for 127.0.0.1");

    // Without the layer, the handler does not run.
    let request = site.for_host("b.test").unwrap().body(Body::empty()).unwrap();
    assert_eq!(router.oneshot(request).await.unwrap().status(), 500);
}

/// The handler runs only if its type of value is the site's.
#[tokio::test]
async fn handler_that_asks_for_values_of_another_type_is_not_run() {
    let site = site(&Ca::new());
    let number = async |host: ServedHost<u32>| host.to_string();
    let router = Router::new().route("/", get(number)).layer(site.layer());
    let request = site.for_host("b.test").unwrap().body(Body::empty()).unwrap();
    assert_eq!(router.oneshot(request).await.unwrap().status(), 500);
}

#[test]
fn site_is_shared_between_threads() {
    fn assert_shared<T: Send + Sync + Clone + 'static>() {}
    assert_shared::<Site<Router>>();
    assert_shared::<coalesce_site::SiteLayer<String>>();
    assert_shared::<ServedHost<String>>();
}

/// A snapshot never changes, and decides an earlier handshake by the policy that it met.
#[test]
fn snapshot_decides_and_names_the_host() {
    let ca = Ca::new();
    let site = site(&ca);
    let first = site.snapshot();
    let facts = first.listeners()[0].handshakes().choose_by_name(Some("a.test")).unwrap().facts;
    let text = |snapshot: &SiteSnapshot<Text>, authority: &[u8]| match snapshot
        .decide(&facts, &RequestTarget::https(authority))
    {
        Verdict::Serve(proof) => snapshot.served(proof).host.map(|host| host.0),
        Verdict::Misdirected(reason) => Some(reason.code()),
        Verdict::Malformed(reason) => Some(reason.code()),
    };
    assert_eq!(text(&first, b"b.test"), Some("a"));
    assert_eq!(text(&first, b"c.test"), Some("certificate"));
    site.reload(builder().host("b.test", ca.identity(&["b.test"]), Text("b"))).unwrap();
    assert_eq!(text(&first, b"b.test"), Some("a"));
    assert_eq!(text(&site.snapshot(), b"b.test"), Some("b"));
    assert_eq!(text(&site.snapshot(), b"a.test"), Some("unknown_authority"));
}
