//! Listeners: their hosts, their ports, and the outcomes on their connections.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use coalesce_core::{RequestTarget, Verdict};
use coalesce_site::{
    ConnectionInfo, GroupSettings, Host, ListenerSettings, OverlapReason, Question, ServedHost,
    Site, SiteBuilder, Subject,
};
use coalesce_tls::HandshakeFacts;

use crate::support::{Ca, Client, Text, misdirected, serve_with_h2, serve_with_hyper, served};

fn listener() -> ListenerSettings {
    ListenerSettings::new(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// Serves the listener with this name with axum.
async fn serve(site: &Site<Text>, name: &str) -> SocketAddr {
    let listener = site.listen_named(name).await.unwrap();
    let address = listener.local_addr().unwrap();
    let text = async |host: ServedHost<Text>| host.0;
    let router = Router::new().route("/", get(text)).layer(site.layer());
    let service = router.into_make_service_with_connect_info::<ConnectionInfo>();
    tokio::spawn(axum::serve(listener, service).into_future());
    address
}

fn on(name: &str, listener: &str) -> (String, GroupSettings) {
    (name.to_owned(), GroupSettings::new().listeners([listener]))
}

#[tokio::test]
async fn listener_serves_the_hosts_of_its_groups_alone() {
    let ca = Ca::new();
    let shared = ca.identity(&["shop.test", "staff.test", "both.test"]);
    let (staff, settings) = on("staff", "inner");
    let site = Site::builder()
        .ports([443])
        .listener("outer", listener())
        .listener("inner", listener().default_host("staff.test"))
        .group(staff, settings)
        .host("shop.test", shared.clone(), Text("shop"))
        .add_host(Host::new("staff.test", shared.clone(), Text("staff")).group("staff"))
        .host("both.test", shared, Text("both"))
        .build()
        .unwrap();
    let (outer, inner) = (serve(&site, "outer").await, serve(&site, "inner").await);
    let mut client = Client::connect(&ca, outer, "shop.test", None).await;
    assert_eq!(client.get("both.test").await, served("both"));
    assert_eq!(client.get("staff.test").await, misdirected());
    for name in ["staff.test", "nobody.test"] {
        assert!(Client::try_connect(&ca, outer, name, None).await.is_err(), "{name}");
    }
    let mut client = Client::connect(&ca, inner, "staff.test", None).await;
    assert_eq!(client.get("staff.test").await, served("staff"));
    assert_eq!(client.get("shop.test").await, misdirected(), "another group");
    let mut client = Client::connect(&ca, inner, "shop.test", None).await;
    assert_eq!(client.get("both.test").await, served("both"), "on both");

    let unnamed = site.listen("127.0.0.1:0").await.unwrap_err();
    assert_eq!(unnamed.to_string(), "the site has 2 addresses; choose one by a listener's name");
    let missing = site.listen_named("other").await.unwrap_err();
    assert_eq!(missing.to_string(), "no listener has the name \"other\"");
    let absent = |name: &str| {
        let question = Question::new().on_listener(name).with_authority("staff.test");
        site.explain_question(&question).code()
    };
    assert_eq!((absent("outer"), absent("inner")), ("unrecognized_name", "served"));
}

/// A site of hosts and of listeners that share an address, each with its hostname.
fn shared(
    ca: &Ca,
    listeners: &[(&str, &str)],
    hosts: &[(&'static str, &str)],
) -> SiteBuilder<Text> {
    let names: Vec<&str> = hosts.iter().map(|(name, _)| *name).collect();
    let identity = ca.identity(&names);
    let mut site = Site::builder().ports([443]);
    for (name, hostname) in listeners {
        site = site
            .listener(*name, listener().hostname(*hostname))
            .group(format!("on {name}"), GroupSettings::new().listeners([*name]));
    }
    hosts.iter().fold(site, |site, (name, listener)| {
        let host = Host::new(*name, identity.clone(), Text(name));
        site.add_host(host.group(format!("on {listener}")))
    })
}

const WILD: (&str, &str) = ("wild", "**.a.test");
const OWN: (&str, &str) = ("own", "b.a.test");
const OTHERS: (&str, &str) = ("others", "*");

#[tokio::test]
async fn request_for_a_host_of_another_listener_on_the_address_is_misdirected() {
    let ca = Ca::new();
    let hosts = [("a.a.test", "wild"), ("b.a.test", "own"), ("c.test", "others")];
    let site = shared(&ca, &[WILD, OWN, OTHERS], &hosts).build().unwrap();
    let [listener] = site.snapshot().listeners().to_vec().try_into().unwrap();
    assert_eq!((listener.name(), listener.is_shared()), ("wild+own+others", true));
    // The socket can be bound under any of the names.
    let address = serve(&site, "own").await;
    for (server_name, _) in hosts {
        let mut client = Client::connect(&ca, address, server_name, None).await;
        for (name, _) in hosts {
            let expected = if name == server_name { served(name) } else { misdirected() };
            assert_eq!(client.get(name).await, expected, "{name} on {server_name}");
        }
    }
}

/// The hosts have one group, which is on both listeners, and one certificate.
#[tokio::test]
async fn every_adapter_tells_listeners_of_one_address_apart() {
    let ca = Ca::new();
    let identity = ca.identity(&["a.test", "b.test"]);
    let site = Site::builder()
        .ports([443])
        .listener("a", listener().hostname("a.test"))
        .listener("b", listener().hostname("b.test"))
        .add_host(Host::new("a.test", identity, Text("both")).name("b.test"))
        .build()
        .unwrap();
    let addresses =
        [serve(&site, "a").await, serve_with_hyper(&site).await, serve_with_h2(&site).await];
    for address in addresses {
        for (own, other) in [("a.test", "b.test"), ("b.test", "a.test")] {
            let mut client = Client::connect(&ca, address, own, None).await;
            assert_eq!(client.get(own).await, served("both"));
            assert_eq!(client.get(other).await, misdirected(), "{other} on {own}");
        }
    }
}

/// Returns the code of the result of a request on a connection with these facts.
fn code(site: &Site<Text>, facts: &HandshakeFacts, name: &str) -> &'static str {
    match site.snapshot().decide(facts, &RequestTarget::https(name.as_bytes())) {
        Verdict::Serve(_) => "served",
        Verdict::Misdirected(reason) => reason.code(),
        Verdict::Malformed(reason) => reason.code(),
    }
}

fn facts(site: &Site<Text>, name: &str) -> HandshakeFacts {
    let snapshot = site.snapshot();
    snapshot.listeners()[0].handshakes().choose_by_name(Some(name)).unwrap().facts
}

/// A connection stays on the listener of its server name when other listeners are added.
#[test]
fn connection_stays_on_its_listener() {
    let ca = Ca::new();
    let hosts = [("a.a.test", "wild"), ("b.a.test", "wild")];
    let site = shared(&ca, &[WILD], &hosts).build().unwrap();
    let before = facts(&site, "a.a.test");
    assert_eq!(code(&site, &before, "b.a.test"), "served");
    // A new listener in front of the other takes over a name.
    let moved = [("a.a.test", "wild"), ("b.a.test", "own")];
    site.reload(shared(&ca, &[OWN, WILD], &moved)).unwrap();
    assert_eq!(code(&site, &before, "a.a.test"), "served");
    assert_eq!(code(&site, &before, "b.a.test"), "listener");
    // The listener is removed; the address stays.
    site.reload(shared(&ca, &[OWN], &[("b.a.test", "own")])).unwrap();
    assert_eq!(code(&site, &before, "b.a.test"), "listener");
    // The address is removed too.
    let elsewhere = Site::builder().host("a.a.test", ca.identity(&["a.a.test"]), Text("a"));
    site.reload(elsewhere).unwrap();
    assert_eq!(code(&site, &before, "a.a.test"), "port");
}

/// A connection made while the listener had no hostname belongs to none of several listeners.
#[test]
fn connection_of_a_listener_without_hostname_is_on_none_that_shares_the_address() {
    let ca = Ca::new();
    let identity = ca.identity(&["a.a.test"]);
    let (group, settings) = on("on wild", "wild");
    let alone = Site::builder().ports([443]).listener("wild", listener()).group(group, settings);
    let host = Host::new("a.a.test", identity, Text("a")).group("on wild");
    let site = alone.add_host(host).build().unwrap();
    let before = facts(&site, "a.a.test");
    assert_eq!(code(&site, &before, "a.a.test"), "served");
    site.reload(shared(&ca, &[WILD], &[("a.a.test", "wild")])).unwrap();
    assert_eq!(code(&site, &before, "a.a.test"), "listener");
    assert_eq!(code(&site, &facts(&site, "a.a.test"), "a.a.test"), "served");
}

/// Adding or removing a listener does not change groups that are on all of them.
#[test]
fn connection_stays_in_its_group_when_a_listener_is_added() {
    let ca = Ca::new();
    let identity = ca.identity(&["a.test"]);
    let site = |names: &[&str]| {
        let site = Site::builder().host("a.test", identity.clone(), Text("a"));
        names.iter().fold(site.ports([443]), |site, name| site.listener(*name, listener()))
    };
    let built = site(&["one"]).build().unwrap();
    let before = facts(&built, "a.test");
    built.reload(site(&["two", "one"])).unwrap();
    assert_eq!(code(&built, &before, "a.test"), "served");
    built.reload(site(&["two"])).unwrap();
    assert_eq!(code(&built, &before, "a.test"), "port");
}

#[tokio::test]
async fn ports_are_those_of_the_newest_snapshot() {
    let ca = Ca::new();
    let identity = ca.identity(&["a.test"]);
    let with = |settings: ListenerSettings| {
        Site::builder().listener("main", settings).host("a.test", identity.clone(), Text("a"))
    };
    let site = with(listener()).build().unwrap();
    let address = serve(&site, "main").await;
    let own = format!("a.test:{}", address.port());
    let mut client = Client::connect(&ca, address, "a.test", None).await;
    let mut check = async |settings, served_ports: [bool; 3]| {
        site.reload(with(settings)).unwrap();
        let mut later = Client::connect(&ca, address, "a.test", None).await;
        for client in [&mut client, &mut later] {
            for (name, is_served) in [own.as_str(), "a.test", "a.test:8"].iter().zip(served_ports) {
                let expected = if is_served { served("a") } else { misdirected() };
                assert_eq!(client.get(name).await, expected, "{name}");
            }
        }
    };
    check(listener(), [true, false, false]).await;
    check(listener().ports([443]), [true, true, false]).await;
    check(listener().only_ports([8]), [false, false, true]).await;
    check(listener(), [true, false, false]).await;
}

#[tokio::test]
async fn listener_that_is_gone_refuses_handshakes_and_requests() {
    let ca = Ca::new();
    let identity = ca.identity(&["a.test"]);
    let with = |name: &str| {
        let site = Site::builder().ports([443]).listener(name, listener());
        site.host("a.test", identity.clone(), Text("a"))
    };
    let site = with("one").build().unwrap();
    let address = serve(&site, "one").await;
    let mut client = Client::connect(&ca, address, "a.test", None).await;
    assert_eq!(client.get("a.test").await, served("a"));
    site.reload(with("other")).unwrap();
    assert_eq!(client.get("a.test").await, misdirected());
    assert!(Client::try_connect(&ca, address, "a.test", None).await.is_err());
    site.reload(with("one")).unwrap();
    assert_eq!(client.get("a.test").await, served("a"), "it is back");
    assert!(Client::try_connect(&ca, address, "a.test", None).await.is_ok());
}

#[test]
fn overlap_of_listeners_is_a_warning() {
    let ca = Ca::new();
    let hosts = [("a.a.test", "wild"), ("b.a.test", "own")];
    let site = shared(&ca, &[WILD, OWN], &hosts).build().unwrap();
    let snapshot = site.snapshot();
    let found: Vec<_> = snapshot
        .overlaps()
        .iter()
        .map(|overlap| (overlap.listener.as_str(), overlap.reason, overlap.with.join(" ")))
        .collect();
    let reason = OverlapReason::OverlappingCertificates;
    assert_eq!(found, [("wild", reason, "own".to_owned()), ("own", reason, "wild".to_owned())]);
    assert_eq!(
        site.warnings()[0].to_string(),
        "listener \"wild\": hostname: OverlappingTLSConfig (OverlappingCertificates) with listener \
         own"
    );
}

#[test]
fn every_fault_of_listeners_names_its_listener_and_its_field() {
    let ca = Ca::new();
    let site = || Site::builder().host("a.test", ca.identity(&["a.test"]), Text("a"));
    let at = |port| ListenerSettings::new(SocketAddr::from(([127, 0, 0, 1], port)));
    let one = |settings| site().listener("one", settings);
    let two = |first, second| site().listener("one", first).listener("two", second);
    let cases: [(SiteBuilder<Text>, &str); 15] = [
        (one(at(1)).listener("one", at(2)), "one\": listener: a listener of this name was"),
        (one(at(1).hostname("a.*.test")), "one\": hostname: \"a.*.test\": '*' must be"),
        (one(at(1).hostname("192.0.2.1")), "one\": hostname: \"192.0.2.1\" is an address"),
        (one(at(1).ports([0])), "one\": ports: port 0, which no request can name"),
        (one(at(1).only_ports([0])), "one\": ports: port 0, which no request can name"),
        (one(at(1).only_ports([])), "one\": ports: no port; at least one expected"),
        (one(at(1).default_host("b.test")), "one\": default_host: no host has the name \"b.test\""),
        (two(at(1), at(1)), "two\": address: already the address of listener \"one\""),
        (
            two(at(1), at(1).hostname("a.test")),
            "two\": address: already the address of listener \"one\"",
        ),
        (
            two(at(0).hostname("A.test"), at(0).hostname("a.test")),
            "two\": hostname: listener \"one\" on this address has this hostname",
        ),
        (
            two(at(0).hostname("a.test"), at(0).hostname("*").only_ports([443])),
            "two\": ports: listener \"one\" on this address has other ports",
        ),
        (
            two(at(1), at(2)).group("default", GroupSettings::new().listeners(["one"])),
            "two\": host: no host is on this listener",
        ),
        (
            two(at(1), at(2).default_host("a.test"))
                .group("default", GroupSettings::new().listeners(["one"]))
                .add_host(Host::new("b.test", ca.identity(&["b.test"]), Text("b")).group("more"))
                .group("more", GroupSettings::new().isolated()),
            "two\": default_host: the group of host \"a.test\" is not on this listener",
        ),
        (
            one(at(1)).group("g", GroupSettings::new().listeners(["x"])),
            "group \"g\": listeners: no listener has the name \"x\"; there is \"one\"",
        ),
        (
            one(at(1)).group("g", GroupSettings::new().listeners([""; 0])),
            "group \"g\": listeners: no listener; at least one expected",
        ),
    ];
    for (site, expected) in cases {
        let errors = site.build().unwrap_err();
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let start = if expected.starts_with("group") { "" } else { "listener \"" };
        assert!(found[0].starts_with(&format!("{start}{expected}")), "{expected}: {found:#?}");
        assert_eq!(found.len(), 1, "{found:#?}");
    }
}

#[test]
fn name_that_another_listener_is_responsible_for_is_a_fault() {
    let ca = Ca::new();
    let hosts = [("a.a.test", "wild"), ("b.a.test", "wild"), ("c.test", "own")];
    let errors = shared(&ca, &[WILD, OWN], &hosts).build().unwrap_err();
    let found: Vec<_> = errors.iter().map(|error| (error.subject(), error.to_string())).collect();
    let expected = [
        (
            &Subject::Host("b.a.test".to_owned()),
            "host \"b.a.test\": name: \"b.a.test\" would never be served: of the listeners of \
             127.0.0.1:0, \"own\" is responsible for it, and this host is not on that one"
                .to_owned(),
        ),
        (
            &Subject::Host("c.test".to_owned()),
            "host \"c.test\": name: no listener of 127.0.0.1:0 is responsible for \"c.test\""
                .to_owned(),
        ),
    ];
    assert_eq!(found, expected);
}
