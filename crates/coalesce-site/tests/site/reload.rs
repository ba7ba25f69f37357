//! Reloads, and the exchange of one certificate, under open connections.

use std::sync::Arc;

use coalesce_site::{GroupSettings, Host, Identity, Site, SiteBuilder};
use coalesce_tls::{ClientAuth, TlsVersion};
use rustls::HandshakeKind;

use crate::support::{
    Ca, Client, Text, builder, misdirected, serve, serve_with_h2, serve_with_hyper, served,
};

#[tokio::test]
async fn reload_takes_effect_with_the_next_request_of_an_open_connection() {
    let ca = Ca::new();
    let shared = ca.identity(&["a.test", "b.test", "c.test"]);
    let first = || {
        let site = builder().host("a.test", shared.clone(), Text("a"));
        site.host("b.test", shared.clone(), Text("b")).build().unwrap()
    };
    for adapter in 0..3 {
        let site = first();
        let address = match adapter {
            0 => serve(&site).await,
            1 => serve_with_hyper(&site).await,
            _ => serve_with_h2(&site).await,
        };
        let mut client = Client::connect(&ca, address, "a.test", None).await;
        assert_eq!(client.get("b.test").await, served("b"));
        assert_eq!(client.get("c.test").await, misdirected());
        // The numbers of all hosts change, and a value does.
        let next = builder().host("c.test", shared.clone(), Text("c"));
        site.reload(next.host("a.test", shared.clone(), Text("a again"))).unwrap();
        assert_eq!(site.generation(), 1);
        assert_eq!(client.get("a.test").await, served("a again"));
        assert_eq!(client.get("c.test").await, served("c"));
        assert_eq!(client.get("b.test").await, misdirected(), "taken away");
        let mut later = Client::connect(&ca, address, "c.test", None).await;
        assert_eq!(later.get("a.test").await, served("a again"));
        assert!(Client::try_connect(&ca, address, "b.test", None).await.is_err());
    }
}

/// A host whose group has rules for clients.
fn staff(ca: &Ca, settings: GroupSettings) -> SiteBuilder<Text> {
    let staff = Host::new("staff.test", ca.identity(&["staff.test"]), Text("staff")).group("staff");
    builder().group("staff", settings).add_host(staff)
}

#[tokio::test]
async fn host_whose_group_changed_its_rules_is_misdirected_on_old_connections() {
    let (ca, clients) = (Ca::new(), Ca::new());
    let asked = || GroupSettings::new().client_auth(ClientAuth::Required(clients.rules()));
    let own = || Some(clients.issue(&["someone.test"]));
    let changes: [(GroupSettings, GroupSettings); 4] = [
        (GroupSettings::new(), asked()),
        (asked(), GroupSettings::new()),
        (asked(), asked().minimum_version(TlsVersion::Tls13)),
        (asked(), asked().isolated()),
    ];
    for (number, (before, after)) in changes.into_iter().enumerate() {
        let site = staff(&ca, before).build().unwrap();
        let address = serve(&site).await;
        let mut old = Client::connect(&ca, address, "staff.test", own()).await;
        assert_eq!(old.get("staff.test").await, served("staff"), "{number}");
        site.reload(staff(&ca, after)).unwrap();
        assert_eq!(old.get("staff.test").await, misdirected(), "{number}");
        let mut new = Client::connect(&ca, address, "staff.test", own()).await;
        assert_eq!(new.get("staff.test").await, served("staff"), "{number}");
    }
}

/// The number of a group does not matter: the connection stays in the group whose rules it met.
#[tokio::test]
async fn connection_is_found_in_its_group_when_groups_are_numbered_otherwise() {
    let (ca, clients) = (Ca::new(), Ca::new());
    let shared = ca.identity(&["shop.test", "staff.test"]);
    let asked = || GroupSettings::new().client_auth(ClientAuth::Required(clients.rules()));
    let hosts = |site: SiteBuilder<Text>| {
        site.add_host(Host::new("shop.test", shared.clone(), Text("shop")).group("shop"))
            .add_host(Host::new("staff.test", shared.clone(), Text("staff")).group("staff"))
    };
    let (shop, staff) = (GroupSettings::new, asked);
    let site = hosts(builder().group("shop", shop()).group("staff", staff())).build().unwrap();
    let address = serve(&site).await;
    let mut client = Client::connect(&ca, address, "shop.test", None).await;
    assert_eq!(client.get("shop.test").await, served("shop"));
    site.reload(hosts(builder().group("staff", staff()).group("shop", shop()))).unwrap();
    assert_eq!(client.get("shop.test").await, served("shop"));
    assert_eq!(client.get("staff.test").await, misdirected());
    // The rules change hands: `staff` now has the rules that the connection met.
    site.reload(hosts(builder().group("staff", shop()).group("shop", staff()))).unwrap();
    assert_eq!(client.get("shop.test").await, misdirected());
    assert_eq!(client.get("staff.test").await, served("staff"));
}

#[tokio::test]
async fn exchange_of_a_certificate_leaves_open_connections_what_they_were_shown() {
    let ca = Ca::new();
    let old = ca.identity(&["a.test", "b.test"]);
    let site = builder()
        .host("a.test", old.clone(), Text("a"))
        .host("b.test", old, Text("b"))
        .host("c.test", ca.identity(&["c.test"]), Text("c"))
        .build()
        .unwrap();
    let address = serve(&site).await;
    let mut before = Client::connect(&ca, address, "a.test", None).await;
    site.replace_identity("A.test", &ca.identity(&["a.test", "b.test", "c.test"])).unwrap();
    assert_eq!(before.get("b.test").await, served("b"));
    assert_eq!(before.get("c.test").await, misdirected(), "not in what it was shown");
    let mut after = Client::connect(&ca, address, "b.test", None).await;
    for (name, text) in [("a.test", "a"), ("b.test", "b"), ("c.test", "c")] {
        assert_eq!(after.get(name).await, served(text), "{name}");
    }
}

/// A renewed file is read by the reload of an equal builder.
#[tokio::test]
async fn reload_reads_files_again() {
    let ca = Ca::new();
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (folder.path().join("a.pem"), folder.path().join("a.key"));
    let write = |names: &[&str]| {
        let made = ca.pem(names);
        std::fs::write(&chain, made.0).unwrap();
        std::fs::write(&key, made.1).unwrap();
    };
    let hosts = || builder().host("a.test", Identity::from_pem_files(&chain, &key), Text("a"));
    write(&["a.test"]);
    let site = hosts().build().unwrap();
    let presented = |site: &Site<Text>| {
        let snapshot = site.snapshot();
        let choice = snapshot.listeners()[0].handshakes().choose_by_name(Some("a.test")).unwrap();
        choice.facts.presented().names().to_vec()
    };
    write(&["a.test", "b.test"]);
    assert_eq!(presented(&site), ["DNS:a.test"]);
    site.reload(hosts()).unwrap();
    assert_eq!(presented(&site), ["DNS:a.test", "DNS:b.test"]);
}

/// A client connects again with the session of its last connection.
#[tokio::test]
async fn sessions_outlive_a_swap_unless_certificate_or_rules_change() {
    let ca = Ca::new();
    let (identity, renewed) = (ca.identity(&["staff.test"]), ca.identity(&["staff.test"]));
    let hosts = |settings: GroupSettings, identity: &Identity| {
        let host = Host::new("staff.test", identity.clone(), Text("staff")).group("staff");
        builder().group("staff", settings).add_host(host)
    };
    let site = hosts(GroupSettings::new(), &identity).build().unwrap();
    let address = serve(&site).await;
    let config = Arc::new(Client::config(&ca, None));
    let come_again = async || {
        let connected = Client::connect_with(&config, address, "staff.test").await;
        let (mut client, kind) = connected.unwrap();
        assert_eq!(client.get("staff.test").await, served("staff"));
        kind
    };
    assert_eq!(come_again().await, HandshakeKind::Full);
    assert_eq!(come_again().await, HandshakeKind::Resumed);
    site.reload(hosts(GroupSettings::new(), &identity)).unwrap();
    assert_eq!(come_again().await, HandshakeKind::Resumed, "nothing changed");
    site.replace_identity("staff.test", &renewed).unwrap();
    assert_eq!(come_again().await, HandshakeKind::Full, "another certificate");
    assert_eq!(come_again().await, HandshakeKind::Resumed);
    let rules = ClientAuth::Optional(Ca::new().rules());
    site.reload(hosts(GroupSettings::new().client_auth(rules), &renewed)).unwrap();
    assert_eq!(come_again().await, HandshakeKind::Full, "another rule");
}

#[tokio::test]
async fn failed_build_changes_nothing() {
    let ca = Ca::new();
    let site: Site<_> =
        builder().host("a.test", ca.identity(&["a.test"]), Text("a")).build().unwrap();
    let address = serve(&site).await;
    let not_covered = |name: &str, presented: &str| {
        format!(
            "host {name:?}: name: {name:?} is not covered by the certificate, which presents \
             DNS:{presented}; it would be answered 421 on its own connections"
        )
    };
    let errors =
        site.reload(builder().host("b.test", ca.identity(&["a.test"]), Text("b"))).unwrap_err();
    assert_eq!(errors.to_string(), not_covered("b.test", "a.test"));
    let identity = ca.identity(&["b.test"]);
    let errors = site.replace_identity("a.test", &identity).unwrap_err();
    assert_eq!(errors.to_string(), not_covered("a.test", "b.test"));
    let errors = site.replace_identity("b.test", &identity).unwrap_err();
    assert_eq!(errors.to_string(), r#"host "b.test": host: no host has this name"#);
    assert_eq!(site.generation(), 0);
    let mut client = Client::connect(&ca, address, "a.test", None).await;
    assert_eq!(client.get("a.test").await, served("a"));
}
