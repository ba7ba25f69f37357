//! Facts from a gateway, in fields and in PROXY protocol headers.

use std::net::SocketAddr;

use bytes::Bytes;
use coalesce_core::GroupId;
use coalesce_tower::{ConnectionInfo, Forwarded, GatewayFields, Listener, TrustedGateways};
use http::header::HOST;
use http::{HeaderName, Request, Response, Version, request};
use http_body_util::{BodyExt, Empty, Full};
use proxy_header::{ProxiedAddress, ProxyHeader, SslInfo, Tlv};
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, service_fn};

use crate::axum::{ask, serve};
use crate::common::{PUBLIC, STAFF, layer, tls};

const SCHEME: HeaderName = HeaderName::from_static("x-forwarded-proto");
const NAME: HeaderName = HeaderName::from_static("x-server-name");
const VERIFIED: HeaderName = HeaderName::from_static("x-client-verify");

fn group_of(client: &Forwarded<'_>) -> Option<GroupId> {
    let nobody = client.server_name.is_some_and(|name| name.to_string() == "nobody.test");
    (!nobody).then_some(if client.certificate_verified { STAFF } else { PUBLIC })
}

/// The status of a request from `peer` on a TLS connection of the public group.
async fn status(peer: &str, uri: &str, fields: &[(HeaderName, &str)]) -> u16 {
    let gateways = TrustedGateways::new(["192.0.2.0/24".parse().unwrap()], group_of);
    let names = GatewayFields::new(SCHEME).server_name(NAME).certificate_verified(VERIFIED);
    let layer = layer().trusted_gateways(gateways, names);
    let application = service_fn(async |_: Request<Empty<Bytes>>| {
        Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let peer: SocketAddr = peer.parse().unwrap();
    let mut request = Request::get(uri).version(Version::HTTP_2);
    for (name, value) in fields {
        request = request.header(name, *value);
    }
    let service = tls(PUBLIC).with_peer(peer).layer(layer.layer(application));
    service.oneshot(request.body(Empty::new()).unwrap()).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn fields_of_a_listed_gateway_are_its_clients_connection() {
    let public = [(SCHEME, "https"), (NAME, "api.test"), (VERIFIED, "NONE")];
    let staff = [(SCHEME, "https"), (NAME, "staff.test"), (VERIFIED, "SUCCESS")];
    let clear = [(SCHEME, "http"), (NAME, ""), (VERIFIED, "NONE")];
    for listed in ["192.0.2.7:1", "[::ffff:192.0.2.7]:1"] {
        // The certificate step is the gateway's: cdn is in no certificate of this connection.
        assert_eq!(status(listed, "https://cdn.test/", &public).await, 200);
        assert_eq!(status(listed, "https://staff.test/", &public).await, 421);
        assert_eq!(status(listed, "https://staff.test/", &staff).await, 200);
        assert_eq!(status(listed, "https://api.test/", &staff).await, 421);
        assert_eq!(status(listed, "https://api.test/", &clear).await, 421, "another scheme");
        assert_eq!(status(listed, "http://api.test:443/", &clear).await, 200);
    }
}

#[tokio::test]
async fn fields_of_anybody_else_mean_nothing() {
    let staff = [(SCHEME, "https"), (NAME, "staff.test"), (VERIFIED, "SUCCESS")];
    for other in ["192.0.3.7:1", "[2001:db8::1]:1"] {
        assert_eq!(status(other, "https://staff.test/", &staff).await, 421);
        assert_eq!(status(other, "https://cdn.test/", &staff).await, 421);
        assert_eq!(status(other, "https://api.test/", &staff).await, 200, "its own connection's");
    }
}

#[tokio::test]
async fn nothing_is_guessed_where_a_listed_gateway_does_not_say() {
    let whole = [(SCHEME, "https"), (NAME, "api.test"), (VERIFIED, "NONE")];
    assert_eq!(status("192.0.2.7:1", "https://api.test/", &whole).await, 200);
    for missing in 0..whole.len() {
        let mut fields = whole.to_vec();
        fields.remove(missing);
        assert_eq!(status("192.0.2.7:1", "https://api.test/", &fields).await, 400);
        fields.extend([whole[missing].clone(), whole[missing].clone()]);
        assert_eq!(status("192.0.2.7:1", "https://api.test/", &fields).await, 400);
    }
    for (at, value) in
        [(0, "https, http"), (0, ""), (0, "wsss"), (1, "a b"), (1, "192.0.2.1"), (1, "nobody.test")]
    {
        let mut fields = whole.to_vec();
        fields[at].1 = value;
        assert_eq!(status("192.0.2.7:1", "https://api.test/", &fields).await, 400, "{value}");
    }
}

/// What an application behind the layer got: the status, and the target that the handler saw.
async fn handled(
    info: ConnectionInfo,
    request: request::Builder,
    fields: GatewayFields,
) -> (u16, String) {
    let listed = ["192.0.2.7/32", "::ffff:198.51.100.0/120"].map(|it| it.parse().unwrap());
    let layer = layer().trusted_gateways(TrustedGateways::new(listed, |_| Some(PUBLIC)), fields);
    let application = service_fn(async |request: Request<Empty<Bytes>>| {
        let seen = Full::from(request.uri().to_string());
        Ok::<_, std::convert::Infallible>(Response::new(seen))
    });
    let service = info.layer(layer.layer(application));
    let answer = service.oneshot(request.body(Empty::new()).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let seen = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(seen.to_vec()).unwrap())
}

fn hop(peer: &str) -> ConnectionInfo {
    ConnectionInfo::cleartext(PUBLIC, [80, 443]).with_peer(peer.parse().unwrap())
}

/// A request for `uri` through the gateway at `peer`, whose client used the scheme `scheme`.
async fn through(peer: &str, version: Version, uri: &str, scheme: &str) -> (u16, String) {
    let request = Request::get(uri).version(version).header(HOST, "api.test");
    handled(hop(peer), request.header(SCHEME, scheme), GatewayFields::new(SCHEME)).await
}

const GATEWAY: &str = "192.0.2.7:1";

#[tokio::test]
async fn scheme_field_outranks_the_scheme_of_the_hop() {
    let (h1, h2) = (Version::HTTP_11, Version::HTTP_2);
    let seen = |uri: &str| (200, uri.to_owned());
    for version in [h1, h2] {
        for peer in [GATEWAY, "[::ffff:192.0.2.7]:1", "198.51.100.9:1"] {
            let found = through(peer, version, "http://api.test/a?b", "https").await;
            assert_eq!(found, seen("https://api.test/a?b"), "{peer} {version:?}");
        }
        let found = through(GATEWAY, version, "HTTPS://api.test/", "https").await;
        assert_eq!(found, seen("https://api.test/"));
        assert_eq!(through(GATEWAY, version, "ftp://api.test/", "https").await.0, 421);
        // Who is not listed is a client in the clear.
        assert_eq!(through("192.0.2.8:1", version, "https://api.test/", "https").await.0, 421);
        assert_eq!(through("192.0.2.8:1", version, "http://api.test/", "https").await.0, 200);
    }
    // A gateway that speaks TLS to this server, for a client that does not.
    let request = Request::get("https://api.test:443/").version(h2).header(SCHEME, "http");
    let over_tls = tls(PUBLIC).with_peer(GATEWAY.parse().unwrap());
    let found = handled(over_tls, request, GatewayFields::new(SCHEME)).await;
    assert_eq!(found, seen("http://api.test:443/"));
}

/// RFC 6455 §3, RFC 3986 §3.1.
#[tokio::test]
async fn scheme_field_may_name_a_websocket_in_any_case() {
    for (scheme, expected) in
        [("https", "https"), ("HTTPS", "https"), ("wss", "https"), ("Wss", "https")]
            .into_iter()
            .chain([("http", "http"), ("HTTP", "http"), ("ws", "http")])
    {
        let found = through(GATEWAY, Version::HTTP_2, "http://api.test/", scheme).await;
        assert_eq!(found, (200, format!("{expected}://api.test/")), "{scheme}");
        assert_eq!(through(GATEWAY, Version::HTTP_11, "/", scheme).await.0, 200, "{scheme}");
    }
}

#[tokio::test]
async fn host_is_the_authority_of_an_http2_request_from_a_gateway() {
    let ask = async |peer: &str, hosts: &[&str]| {
        let mut request = Request::post("/").version(Version::HTTP_2).header(SCHEME, "https");
        for host in hosts {
            request = request.header(HOST, *host);
        }
        handled(hop(peer), request, GatewayFields::new(SCHEME)).await.0
    };
    assert_eq!(ask(GATEWAY, &["api.test"]).await, 200);
    assert_eq!(ask(GATEWAY, &["elsewhere.test"]).await, 421);
    assert_eq!(ask(GATEWAY, &["a b"]).await, 400);
    assert_eq!(ask(GATEWAY, &["api.test", "api.test"]).await, 400);
    assert_eq!(ask(GATEWAY, &[]).await, 400);
    assert_eq!(ask("192.0.2.8:1", &["api.test"]).await, 400);
}

#[tokio::test]
async fn health_check_of_a_gateway_is_decided_as_its_own_where_that_is_set() {
    let ask = async |fields: GatewayFields, scheme: Option<&str>| {
        let mut request = Request::get("http://api.test/").version(Version::HTTP_2);
        if let Some(scheme) = scheme {
            request = request.header(SCHEME, scheme);
        }
        handled(hop(GATEWAY), request, fields).await.0
    };
    let fields = || GatewayFields::new(SCHEME).server_name(NAME);
    assert_eq!(ask(fields(), None).await, 400);
    assert_eq!(ask(fields().health_checks(), None).await, 200);
    // Some of the fields are not none.
    assert_eq!(ask(fields().health_checks(), Some("http")).await, 400);
}

/// The names of the fields that the application gets of a request from `peer`.
async fn fields_from(peer: &str, lists_gateways: bool) -> String {
    let mut layer = layer().strip_forwarded_fields();
    if lists_gateways {
        let listed = ["192.0.2.7/32".parse().unwrap()];
        let gateways = TrustedGateways::new(listed, |_| Some(PUBLIC));
        layer = layer.trusted_gateways(gateways, GatewayFields::new(SCHEME).server_name(NAME));
    }
    let application = service_fn(async |request: Request<Empty<Bytes>>| {
        let mut names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        Ok::<_, std::convert::Infallible>(Response::new(Full::from(names.join(" "))))
    });
    let fields = ["forwarded", "x-forwarded-host", "x_forwarded_host", "x-server-name"];
    let mut request = Request::get("/").header(HOST, "api.test:443").header(SCHEME, "https");
    for field in fields {
        request = request.header(field, "b.test").header(field, "b.test");
    }
    request.headers_mut().unwrap().insert(NAME, "api.test".parse().unwrap());
    let info = ConnectionInfo::trusted_gateway(
        coalesce_core::Scheme::Https,
        None,
        PUBLIC,
        coalesce_core::ClientCertificates::NotAsked,
        [443],
    );
    let service = info.with_peer(peer.parse().unwrap()).layer(layer.layer(application));
    let answer = service.oneshot(request.body(Empty::new()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let names = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(names.to_vec()).unwrap()
}

#[tokio::test]
async fn fields_of_a_gateway_reach_the_application_from_a_listed_one_alone() {
    let all = "forwarded host x-forwarded-host x-forwarded-proto x-server-name x_forwarded_host";
    assert_eq!(fields_from(GATEWAY, true).await, all);
    assert_eq!(fields_from("192.0.2.8:1", true).await, "host");
    // Where no gateway is listed, `GatewayFields` names no field.
    assert_eq!(fields_from(GATEWAY, false).await, "host x-server-name");
}

fn addresses() -> ProxiedAddress {
    ProxiedAddress::stream("192.0.2.9:1".parse().unwrap(), "192.0.2.1:443".parse().unwrap())
}

fn header(tlvs: Vec<Tlv<'_>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    ProxyHeader::with_tlvs(Some(addresses()), tlvs).encode_v2(&mut bytes).unwrap();
    bytes
}

fn over_tls(name: &'static str, certificate: bool, verify: u32) -> Vec<u8> {
    let ssl = SslInfo::new(true, certificate, false, verify);
    header(vec![Tlv::Authority(name.into()), Tlv::Ssl(ssl)])
}

async fn proxied(network: &str) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateways = TrustedGateways::new([network.parse().unwrap()], group_of);
    serve(Listener::proxied(socket, gateways, [443])).await
}

#[tokio::test]
async fn proxy_header_names_the_clients_connection() {
    let address = proxied("127.0.0.0/8").await;
    let begins = async |header: &[u8], fields: &str, status: &str| {
        let answer = ask(address, header, fields).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{fields}: {answer}");
    };
    let public = over_tls("api.test", false, 1);
    begins(&public, "Host: cdn.test", "200").await;
    begins(&public, "Host: staff.test", "421").await;
    begins(&over_tls("staff.test", true, 0), "Host: staff.test", "200").await;
    begins(&over_tls("staff.test", true, 7), "Host: staff.test", "421").await;
    // The client came in the clear, so only `http` origins are asked for, and their port is 80.
    begins(&header(Vec::new()), "Host: api.test", "421").await;
    begins(&header(Vec::new()), "Host: api.test:443", "200").await;
    // LOCAL: the gateway itself, in the clear, whatever its block holds.
    let mut local = Vec::new();
    ProxyHeader::with_tlvs(None, vec![Tlv::Ssl(SslInfo::new(true, true, false, 0))])
        .encode_v2(&mut local)
        .unwrap();
    let mut no_tlvs = local.clone();
    no_tlvs[13] = 0xff;
    no_tlvs[16..].fill(0xff);
    for local in [local, no_tlvs] {
        begins(&local, "Host: staff.test:443", "421").await;
        begins(&local, "Host: api.test:443", "200").await;
    }
}

#[tokio::test]
async fn connection_without_a_whole_proxy_header_is_refused() {
    let address = proxied("127.0.0.0/8").await;
    let authority = || Tlv::Authority("api.test".into());
    let ssl = || Tlv::Ssl(SslInfo::new(true, false, false, 1));
    let mut long = header(Vec::new());
    long[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
    let mut torn = over_tls("api.test", false, 1);
    let end = torn.len() - 1;
    torn[end - 8] = 200;
    let refused: [&[u8]; 8] = [
        b"",
        b"PROXY TCP4 192.0.2.9 192.0.2.1 1 443\r\n",
        &header(vec![authority(), authority(), ssl()]),
        &header(vec![authority(), ssl(), ssl()]),
        &header(vec![Tlv::Authority("a b".into()), ssl()]),
        &over_tls("nobody.test", false, 1),
        &long,
        &torn,
    ];
    for header in refused {
        assert_eq!(ask_or_nothing(address, header).await, "", "{header:?}");
    }
}

#[tokio::test]
async fn unlisted_gateway_is_refused() {
    let address = proxied("192.0.2.0/24").await;
    assert_eq!(ask_or_nothing(address, &over_tls("api.test", false, 1)).await, "");
}

/// As [`ask`], where the other end may close before it has read everything.
async fn ask_or_nothing(address: SocketAddr, preamble: &[u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(preamble).await;
    let _ =
        stream.write_all(b"GET / HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n").await;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

#[test]
fn gateway_connection_has_the_given_scheme_and_no_peer() {
    let info = ConnectionInfo::trusted_gateway(
        coalesce_core::Scheme::Http,
        None,
        PUBLIC,
        coalesce_core::ClientCertificates::NotAsked,
        [80],
    );
    assert_eq!(info.connection().scheme(), coalesce_core::Scheme::Http);
    assert_eq!((info.server_name(), info.peer()), (None, None));
}
