//! Coalescing groups and their rules for clients.

use std::sync::Arc;

use coalesce_core::{CoalescePolicy, ConnectPolicy};
use coalesce_site::{GroupSettings, Host, Site};
use coalesce_tls::ClientAuth;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::{Ca, Client, Issued, Text, builder, misdirected, serve, served};

#[tokio::test]
async fn no_request_reaches_a_host_whose_client_rules_its_connection_did_not_meet() {
    let (ca, clients) = (Ca::new(), Ca::new());
    let shared = ca.identity(&["shop.test", "staff.test"]);
    let staff = GroupSettings::new().client_auth(ClientAuth::Required(clients.rules()));
    let site = builder()
        .group("staff", staff)
        .host("shop.test", shared.clone(), Text("shop"))
        .add_host(Host::new("staff.test", shared, Text("staff")).group("staff"))
        .build()
        .unwrap();
    let address = serve(&site).await;
    let mut shop = Client::connect(&ca, address, "shop.test", None).await;
    assert_eq!(shop.get("shop.test").await, served("shop"));
    assert_eq!(shop.get("staff.test").await, misdirected());
    let own = clients.issue(&["someone.test"]);
    let mut staff = Client::connect(&ca, address, "staff.test", Some(own)).await;
    assert_eq!(staff.get("staff.test").await, served("staff"));
    assert_eq!(staff.get("shop.test").await, misdirected());
}

/// Returns true if hosts of these two groups share connections, with a certificate that covers
/// both.
fn share(one: GroupSettings, other: GroupSettings) -> bool {
    let ca = Ca::new();
    let shared = ca.identity(&["a.test", "b.test"]);
    let site = builder()
        .group("one", one)
        .group("other", other)
        .add_host(Host::new("a.test", shared.clone(), Text("a")).group("one"))
        .add_host(Host::new("b.test", shared, Text("b")).group("other"))
        .build()
        .unwrap();
    let there = site.explain(Some("a.test"), "b.test").is_served();
    assert_eq!(there, site.explain(Some("b.test"), "a.test").is_served());
    there
}

#[test]
fn equal_groups_are_one_unless_isolated() {
    let plain = GroupSettings::new;
    let (one_ca, other_ca) = (Ca::new().rules(), Ca::new().rules());
    let asks = |rules: &coalesce_tls::ClientRules| {
        GroupSettings::new().client_auth(ClientAuth::Optional(rules.clone()))
    };
    assert!(share(plain(), plain()));
    assert!(share(asks(&one_ca), asks(&one_ca)));
    assert!(!share(asks(&one_ca), asks(&other_ca)));
    assert!(!share(asks(&one_ca), plain()));
    assert!(!share(plain().isolated(), plain()));
    assert!(!share(plain().isolated(), plain().isolated()));
    assert!(!share(plain(), plain().coalesce(CoalescePolicy::StrictServerName)));
}

/// Connections for the strict host may carry other hosts of the group, but not the reverse.
#[test]
fn strict_host_is_served_on_connections_for_its_name_only() {
    let ca = Ca::new();
    let shared = ca.identity(&["a.test", "b.test"]);
    let strict = Host::new("b.test", shared.clone(), Text("b"));
    let strict = strict.coalesce(CoalescePolicy::StrictServerName);
    let site = builder().host("a.test", shared, Text("a")).add_host(strict).build().unwrap();
    assert_eq!(site.explain(Some("a.test"), "b.test").code(), "server_name");
    assert!(site.explain(Some("b.test"), "b.test").is_served());
    assert!(site.explain(Some("b.test"), "a.test").is_served());
}

#[test]
fn group_called_default_has_the_hosts_that_name_none() {
    let ca = Ca::new();
    let strict = GroupSettings::new().coalesce(CoalescePolicy::StrictServerName);
    let shared = ca.identity(&["a.test", "b.test"]);
    let site: Site<Text> = builder()
        .group("default", strict)
        .host("a.test", shared.clone(), Text("a"))
        .add_host(Host::new("b.test", shared, Text("b")).group("default"))
        .build()
        .unwrap();
    let explanation = site.explain(Some("a.test"), "b.test");
    assert_eq!((explanation.code(), explanation.group()), ("server_name", Some("default")));
}

/// Returns true if a request succeeds: in TLS 1.3 a client learns of its refusal after the
/// handshake.
async fn is_let_in(site: &Site<Text>, ca: &Ca, own: Option<Issued>) -> bool {
    let address = serve(site).await;
    match Client::try_connect(ca, address, "staff.test", own).await {
        Ok(mut client) => client.try_get("staff.test").await == Some(served("staff")),
        Err(_) => false,
    }
}

#[tokio::test]
async fn files_of_client_rules_are_read_by_the_build() {
    let (ca, clients, others) = (Ca::new(), Ca::new(), Ca::new());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let cas = [file("clients.pem", clients.certificate_pem())];
    let lists = [file("clients.crl", clients.revocation_list(7))];
    let required = GroupSettings::new().require_client_ca_files(cas.clone());
    let listed = required.clone().revocation_list_files(lists);
    let requested = GroupSettings::new().request_client_ca_files(cas);
    for (settings, with_none, with_revoked) in
        [(required, false, true), (requested, true, true), (listed, false, false)]
    {
        let host = Host::new("staff.test", ca.identity(&["staff.test"]), Text("staff"));
        let site = builder().group("staff", settings).add_host(host.group("staff"));
        let site = site.build().unwrap();
        assert!(site.warnings().is_empty());
        assert!(is_let_in(&site, &ca, Some(clients.issue_numbered(6))).await);
        assert_eq!(is_let_in(&site, &ca, Some(clients.issue_numbered(7))).await, with_revoked);
        assert_eq!(is_let_in(&site, &ca, None).await, with_none);
        assert!(!is_let_in(&site, &ca, Some(others.issue_numbered(6))).await);
    }
}

#[tokio::test]
async fn default_host_serves_addresses() {
    let ca = Ca::new();
    let site = builder()
        .default_host("127.0.0.1")
        .host("127.0.0.1", ca.identity(&["127.0.0.1"]), Text("address"))
        .build()
        .unwrap();
    assert!(site.warnings().is_empty());
    let address = serve(&site).await;
    let mut client = Client::connect(&ca, address, "127.0.0.1", None).await;
    assert_eq!(client.get("127.0.0.1").await, served("address"));
}

/// RFC 8441 §3: `axum::serve` always announces it; the site's listener does only for groups that
/// accept it.
#[tokio::test]
async fn extended_connect_is_announced_to_clients_whose_group_takes_it() {
    let ca = Ca::new();
    let site = builder()
        .group("chat", GroupSettings::new().connect(ConnectPolicy::Extended))
        .add_host(Host::new("chat.test", ca.identity(&["chat.test"]), Text("chat")).group("chat"))
        .add_host(Host::new("shop.test", ca.identity(&["shop.test"]), Text("shop")))
        .build()
        .unwrap();
    let address = serve(&site).await;
    for (name, announced) in [("chat.test", true), ("shop.test", false)] {
        let config = Arc::new(Client::config(&ca, None));
        let socket = TcpStream::connect(address).await.unwrap();
        let server_name = ServerName::try_from(name).unwrap();
        let stream = TlsConnector::from(config).connect(server_name, socket).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(async { connection.await.ok() });
        let mut client = client.ready().await.unwrap();
        let request = http::Request::get(format!("https://{name}/")).body(()).unwrap();
        let response = client.send_request(request, true).unwrap().0.await.unwrap();
        assert_eq!(response.status(), 200);
        // The settings arrive before the response.
        assert_eq!(client.is_extended_connect_protocol_enabled(), announced, "{name}");
    }
}
