//! The host that a request reaches.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use coalesce_site::{ConnectionInfo, Host, Identity, ServedHost, Site};
use rustls::SignatureScheme;
use tower::Layer;
use tower_http::trace::TraceLayer;

use crate::support::{
    Ca, Client, Text, builder, misdirected, serve, serve_with_h2, serve_with_hyper, served,
};

/// Two hosts of one certificate, one of them with three names, and a host of another certificate.
fn site(ca: &Ca) -> Site<Text> {
    let shared = ca.identity(&["shop.test", "www.shop.test", "*.img.test"]);
    let shop = Host::new("shop.test", shared.clone(), Text("shop")).name("www.shop.test");
    builder()
        .add_host(shop)
        .host("*.img.test", shared, Text("img"))
        .host("admin.test", ca.identity(&["admin.test"]), Text("admin"))
        .build()
        .unwrap()
}

async fn assert_dispatches(ca: &Ca, address: SocketAddr) {
    let mut shop = Client::connect(ca, address, "shop.test", None).await;
    assert_eq!(shop.get("shop.test").await, served("shop"));
    assert_eq!(shop.get("www.shop.test").await, served("shop"));
    assert_eq!(shop.get("a.img.test").await, served("img"), "coalesced");
    assert_eq!(shop.get("admin.test").await, misdirected(), "another certificate");
    assert_eq!(shop.get("nobody.test").await, misdirected());
    assert_eq!(shop.get("shop.test:444").await, misdirected(), "another port");
    assert_eq!(shop.get(&format!("shop.test:{}", address.port())).await, served("shop"));
    let mut admin = Client::connect(ca, address, "admin.test", None).await;
    assert_eq!(admin.get("admin.test").await, served("admin"));
    assert_eq!(admin.get("shop.test").await, misdirected());
    let nobody = Client::try_connect(ca, address, "nobody.test", None).await;
    assert!(nobody.is_err(), "no host has this name");
}

#[tokio::test]
async fn layer_hands_each_request_its_host() {
    let ca = Ca::new();
    let address = serve(&site(&ca)).await;
    assert_dispatches(&ca, address).await;
}

#[tokio::test]
async fn hyper_service_hands_each_request_its_host() {
    let ca = Ca::new();
    let address = serve_with_hyper(&site(&ca)).await;
    assert_dispatches(&ca, address).await;
}

#[tokio::test]
async fn h2_adapter_hands_each_request_its_host() {
    let ca = Ca::new();
    let address = serve_with_h2(&site(&ca)).await;
    assert_dispatches(&ca, address).await;
}

fn routers(ca: &Ca) -> Site<Router> {
    let peer = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string();
    let shop = Router::new().route("/", get(async || "shop"));
    let admin = Router::new().route("/", get(peer));
    Site::builder()
        .ports([443])
        .host("shop.test", ca.identity(&["shop.test"]), shop)
        .host("admin.test", ca.identity(&["admin.test"]), admin)
        .build()
        .unwrap()
}

#[tokio::test]
async fn handlers_behind_the_layer_see_the_clients_address() {
    let ca = Ca::new();
    let site = site(&ca);
    let listener = site.listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let peer = async |host: ServedHost<Text>, ConnectInfo(peer): ConnectInfo<SocketAddr>| {
        format!("{} for {}", host.0, peer.ip())
    };
    let router = Router::new().route("/", get(peer)).layer(site.layer());
    let service = router.into_make_service_with_connect_info::<ConnectionInfo>();
    tokio::spawn(axum::serve(listener, service).into_future());
    let mut shop = Client::connect(&ca, address, "shop.test", None).await;
    assert_eq!(shop.get("shop.test").await, served("shop for 127.0.0.1"));
}

async fn assert_routes(ca: &Ca, address: SocketAddr) {
    let mut shop = Client::connect(ca, address, "shop.test", None).await;
    assert_eq!(shop.get("shop.test").await, served("shop"));
    assert_eq!(shop.get("admin.test").await, misdirected());
    let mut admin = Client::connect(ca, address, "admin.test", None).await;
    assert_eq!(admin.get("admin.test").await, served("127.0.0.1"), "the client's address");
}

#[tokio::test]
async fn site_of_routers_serves_each_host_with_its_router() {
    let ca = Ca::new();
    let site = routers(&ca);
    let listener = site.listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, site.into_make_service()).into_future());
    assert_routes(&ca, address).await;
}

#[tokio::test]
async fn outer_layer_composes_with_a_site_of_routers() {
    let ca = Ca::new();
    let site = routers(&ca);
    let listener = site.listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // The application's bodies are axum's, and `TraceLayer` wraps them.
    let traced = TraceLayer::new_for_http().layer(site.into_service());
    let traced = tower::util::MapResponse::new(traced, axum::response::IntoResponse::into_response);
    let service = axum::ServiceExt::<axum::extract::Request>::into_make_service_with_connect_info::<
        ConnectionInfo,
    >(traced);
    tokio::spawn(axum::serve(listener, service).into_future());
    assert_routes(&ca, address).await;
}

#[tokio::test]
async fn every_kind_of_identity_serves() {
    let ca = Ca::new();
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = ca.pem(&["files.test"]);
    let (chain_path, key_path) = (folder.path().join("a.pem"), folder.path().join("a.key"));
    std::fs::write(&chain_path, chain).unwrap();
    std::fs::write(&key_path, key).unwrap();
    let (pem_chain, pem_key) = ca.pem(&["pem.test"]);
    let (chain, key) = ca.issue(&["signing.test"]);
    let signing = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let site = builder()
        .host("files.test", Identity::from_pem_files(chain_path, key_path), Text("files"))
        .host("pem.test", Identity::from_pem(pem_chain, pem_key), Text("pem"))
        .host("der.test", ca.identity(&["der.test"]), Text("der"))
        .host("signing.test", Identity::from_signing_key(chain, signing), Text("signing"))
        .build()
        .unwrap();
    let address = serve(&site).await;
    for text in ["files", "pem", "der", "signing"] {
        let name = format!("{text}.test");
        let mut client = Client::connect(&ca, address, &name, None).await;
        assert_eq!(client.get(&name).await, served(text));
    }
}

/// The first certificate has a key on the curve P-256, the second on P-384.
#[tokio::test]
async fn client_gets_the_certificate_whose_signatures_it_can_verify() {
    let ca = Ca::new();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let other = ca.pem_of(&["a.test", "b.test"], &key);
    let both = ca.identity(&["a.test"]).and(Identity::from_pem(other.0, other.1));
    let site = builder().host("a.test", both, Text("a"));
    let other = ca.identity(&["b.test"]);
    let site = site.host("b.test", other, Text("b")).build().unwrap();
    let address = serve(&site).await;
    let any = Client::config(&ca, None);
    let only_p384 = Client::config_for(&ca, None, &[SignatureScheme::ECDSA_NISTP384_SHA384]);
    // The presented certificate decides about `b.test`.
    for (config, expected) in [(any, misdirected()), (only_p384, served("b"))] {
        let connected = Client::connect_with(&Arc::new(config), address, "a.test").await;
        let (mut client, _) = connected.unwrap();
        assert_eq!(client.get("a.test").await, served("a"));
        assert_eq!(client.get("b.test").await, expected);
    }
}

#[tokio::test]
async fn connection_of_another_site_is_refused() {
    let ca = Ca::new();
    let (own, other) = (site(&ca), site(&ca));
    let listener = own.listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(async || "not to be served")).layer(other.layer());
    let service = router.into_make_service_with_connect_info::<ConnectionInfo>();
    tokio::spawn(axum::serve(listener, service).into_future());
    let mut client = Client::connect(&ca, address, "shop.test", None).await;
    assert_eq!(client.get("shop.test").await, misdirected());
}

/// All lookups of a host's names use one table.
#[test]
fn handshakes_and_requests_find_the_same_host() {
    let ca = Ca::new();
    let patterns = ["a.test", "x.a.test", "*.a.test", "**.a.test", "*.b.a.test", "*"];
    let names = ["a.test", "X.a.test", "y.a.test", "z.y.a.test", "y.B.a.test", "c.test", "test"];
    // The last name of each certificate identifies it; the others cover all requested names.
    let site = patterns.iter().fold(builder(), |site, pattern| {
        let own = format!("id-{}.test", pattern.replace('*', "any"));
        let every = ["*.a.test", "*.y.a.test", "*.b.a.test", "*.test", "test", own.as_str()];
        site.host(*pattern, ca.identity(&every), Text("one"))
    });
    let site = site.build().unwrap();
    let snapshot = site.snapshot();
    let handshakes = snapshot.listeners()[0].handshakes();
    for (name, pattern) in names.iter().zip([0, 1, 2, 3, 4, 5, 5]) {
        let pattern = patterns[pattern];
        let served = site.explain(Some(name), name);
        assert_eq!(served.host(), Some(pattern), "{name}");
        let facts = handshakes.choose_by_name(Some(name)).unwrap().facts;
        let own = format!("DNS:id-{}.test", pattern.replace('*', "any"));
        assert_eq!(facts.presented().names().last(), Some(&own), "{name}");
    }
}
