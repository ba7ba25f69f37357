//! Runs the example servers and sends requests with curl, over both versions of HTTP. Runs the
//! example client against a server.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use coalesce_tests::{CONTENT_421, Curl, Server, World, curl};
use http::Response;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Two hosts of one certificate, one of another, and one for clients with a certificate.
const HOSTS: &str = "
shop   shop.example.test   site    -
img    img.example.test    site    -
cdn    cdn.example.test    cdn     -
staff  staff.example.test  site    client-ca
";

const CLIENT_CERTIFICATE: [&str; 4] = ["--cert", "client.pem", "--key", "client.key"];

fn world() -> World {
    let site = ["shop.example.test", "img.example.test", "staff.example.test"];
    World::new(&[("site", &site), ("cdn", &["cdn.example.test"])], "")
}

/// Sends a request for `authority` on a connection for `server_name`.
fn get(world: &World, server: &Server, server_name: &str, authority: &str, more: &[&str]) -> Curl {
    let port = server.address.port();
    let url = format!("https://{server_name}:{port}/");
    curl(world, server, &url, Some(&format!("{authority}:{port}")), more)
}

fn assert_decides(name: &str, versions: &[(&str, &str)]) {
    let world = world();
    let server = world.example(name, HOSTS);
    for (version, number) in versions {
        let get = |server_name: &str, authority: &str, more: &[&str]| {
            let (server_name, authority) =
                (format!("{server_name}.example.test"), format!("{authority}.example.test"));
            let more = [&[*version][..], more].concat();
            let answer = get(&world, &server, &server_name, &authority, &more);
            assert_eq!((answer.exit, &answer.version[..]), (0, *number), "{answer:?}");
            (answer.status, answer.body)
        };
        let misdirected = (421, CONTENT_421.to_owned());
        assert_eq!(get("shop", "shop", &[]), (200, "vhost=shop\n".into()));
        assert_eq!(get("shop", "img", &[]), (200, "vhost=img\n".into()), "coalesced");
        assert_eq!(get("shop", "cdn", &[]), misdirected, "another certificate");
        assert_eq!(get("cdn", "cdn", &[]), (200, "vhost=cdn\n".into()), "and a second time");
        assert_eq!(get("shop", "nobody", &[]), misdirected);
        assert_eq!(get("shop", "staff", &CLIENT_CERTIFICATE), misdirected, "another group");
        assert_eq!(get("staff", "staff", &CLIENT_CERTIFICATE), (200, "vhost=staff\n".into()));
        let upload = ["--data-binary", "@upload"];
        std::fs::write(world.path("upload"), vec![b'x'; 4 << 20]).unwrap();
        assert_eq!(get("shop", "cdn", &upload), misdirected, "refused unread");
    }
    let without = get_without_certificate(&world, &server);
    assert_eq!(without.status, 0, "{without:?}");
}

fn get_without_certificate(world: &World, server: &Server) -> Curl {
    get(world, server, "staff.example.test", "staff.example.test", &[])
}

const HTTP2: (&str, &str) = ("--http2", "2");
const HTTP1: (&str, &str) = ("--http1.1", "1.1");

#[test]
fn axum() {
    assert_decides("axum", &[HTTP2, HTTP1]);
}

#[test]
fn hyper() {
    assert_decides("hyper", &[HTTP2, HTTP1]);
}

#[test]
fn h2() {
    assert_decides("h2", &[HTTP2]);
}

/// A call of the health service, as bytes: an empty message in a gRPC frame.
#[test]
fn tonic() {
    let world = world();
    let server = world.example("tonic", HOSTS);
    std::fs::write(world.path("call"), [0; 5]).unwrap();
    let call = |authority: &str, content: &[&str]| {
        let port = server.address.port();
        let url = format!("https://shop.example.test:{port}/grpc.health.v1.Health/Check");
        let authority = format!("{authority}.example.test:{port}");
        let fields = ["--header", "content-type: application/grpc", "--header", "te: trailers"];
        let more = [content, &fields].concat();
        curl(&world, &server, &url, Some(&authority), &more)
    };
    let own = call("img", &["--data-binary", "@call"]);
    assert_eq!((own.status, own.exit), (200, 0), "{own:?}");
    assert_eq!(own.body.as_bytes(), b"\0\0\0\0\x02\x08\x01", "SERVING");
    // Without a message: curl 7 loses an answer of fields alone that comes before its upload ends.
    let other = call("cdn", &["--request", "POST"]);
    assert_eq!((other.status, other.exit, &other.body[..]), (421, 0, ""), "{other:?}");
    assert_eq!(other.header("grpc-status"), Some("14"));
}

#[test]
fn core() {
    let world = world();
    let server = world.example("core", "");
    let get = |host: &str| {
        let url = format!("http://{host}:{}/", server.address.port());
        let answer = curl(&world, &server, &url, None, &["--http1.1"]);
        (answer.status, answer.body)
    };
    assert_eq!(get("shop.test"), (200, "Some(VirtualHostId(0))\n".into()));
    assert_eq!(get("staff.test"), (421, "not here\n".into()));
    assert_eq!(get("nobody.test"), (421, "not here\n".into()));
    assert_eq!(get("shop..test").0, 421);
    let port = server.address.port();
    let url = format!("http://shop.test:{port}/");
    let bad = curl(&world, &server, &url, Some("shop.test:port"), &["--http1.1"]);
    assert_eq!((bad.status, &bad.body[..]), (400, "not understood\n"));
}

/// `hello ` a hundred times, compressed (RFC 1952).
const COMPRESSED: [u8; 32] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 203, 72, 205, 201, 201, 87, 200, 24, 37, 71, 73, 170, 146, 0,
    243, 49, 162, 13, 88, 2, 0, 0,
];

/// Starts an HTTP/2 server: `shop` redirects to `img`, whose content is compressed.
async fn redirecting(world: &World) -> SocketAddr {
    let chain = CertificateDer::pem_file_iter(world.path("site.pem")).unwrap();
    let chain = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(world.path("site.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let stream = acceptor.accept(stream).await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let to_img = request.uri().host() == Some("img.example.test");
                let answer = Response::builder();
                let answer = if to_img {
                    assert_eq!(request.headers()["accept-encoding"], "gzip");
                    answer.header("content-encoding", "gzip")
                } else {
                    let url = format!("https://img.example.test:{}/logo", address.port());
                    answer.status(302).header("location", url)
                };
                let mut body = respond.send_response(answer.body(()).unwrap(), !to_img).unwrap();
                if to_img {
                    body.send_data(COMPRESSED.to_vec().into(), true).unwrap();
                }
            }
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn client() {
    let world = world();
    let address = redirecting(&world).await;
    let (port, url) = (address.port(), format!("https://shop.example.test:{}/", address.port()));
    let mut command = world.example_command("client");
    command.args(["ca.pem", &format!("*:{port}:127.0.0.1"), &url]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(output.status.success(), "{output:?}");
    assert_eq!((lines.first(), lines.last()), (Some(&"200 OK"), Some(&"600 bytes")), "{text}");
    assert!(text.contains("sent, because the certificate covers the host"), "{text}");
}

#[test]
fn examples_are_short() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    for name in ["axum", "client", "core", "h2", "hyper", "tonic"] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap();
        assert!(text.lines().count() < 80, "{name}.rs");
    }
}
