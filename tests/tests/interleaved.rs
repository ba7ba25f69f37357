//! One real TLS connection with thousands of streams, half of them misdirected.

use std::sync::Arc;

use coalesce_tests::{CONTENT_421, World};
use h2::client::ResponseFuture;
use http::{Request, Version};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const CONFIGURATION: &str = r#"
[[listener]]
address = "127.0.0.1:0"
ports = [443]

[[virtual_host]]
name = "api"
names = ["api.example.test"]
certificate = "api.pem"
key = "api.key"
answer = { text = "vhost=api\n" }

[[virtual_host]]
name = "cdn"
names = ["cdn.example.test"]
certificate = "cdn.pem"
key = "cdn.key"
answer = { text = "vhost=cdn\n" }
"#;

/// Streams in flight at once; fewer than the server announces.
const IN_FLIGHT: usize = 100;

async fn answer(response: ResponseFuture) -> (u16, Vec<u8>) {
    let response = response.await.unwrap();
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut content = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        content.extend_from_slice(&data);
    }
    (status, content)
}

#[tokio::test]
async fn misdirected_and_served_streams_by_thousands_share_a_connection() {
    let world = World::new(
        &[("api", &["api.example.test"]), ("cdn", &["cdn.example.test"])],
        CONFIGURATION,
    );
    let server = world.serve();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(world.path("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from("api.example.test").unwrap();
    let socket = TcpStream::connect(server.address).await.unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);

    let (mut answered_200, mut answered_421) = (0, 0);
    let mut waiting = Vec::new();
    for number in 0..2_000 {
        let host = if number % 2 == 0 { "api" } else { "cdn" };
        let request = Request::builder()
            .version(Version::HTTP_2)
            .uri(format!("https://{host}.example.test/{number}"))
            .body(())
            .unwrap();
        client = client.ready().await.unwrap();
        let (response, _) = client.send_request(request, true).unwrap();
        waiting.push((host, tokio::spawn(answer(response))));
        if waiting.len() == IN_FLIGHT {
            for (host, answer) in waiting.drain(..) {
                match (host, answer.await.unwrap()) {
                    ("api", (200, content)) if content == b"vhost=api\n" => answered_200 += 1,
                    ("cdn", (421, content)) if content == CONTENT_421.as_bytes() => {
                        answered_421 += 1;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    assert_eq!((answered_200, answered_421), (1_000, 1_000));
    let request = Request::builder()
        .version(Version::HTTP_2)
        .uri("https://api.example.test/last")
        .body(())
        .unwrap();
    let (response, _) = client.ready().await.unwrap().send_request(request, true).unwrap();
    assert_eq!(answer(response).await, (200, b"vhost=api\n".to_vec()), "the connection stays open");
    assert!(!connection.is_finished());
}
