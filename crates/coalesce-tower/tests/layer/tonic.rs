//! gRPC: tonic's server behind the layer, and what tonic's client makes of a 421.

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tonic::Code;
use tonic::transport::{Channel, Endpoint, Server, Uri};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::common::layer;
use crate::listener::listener;

/// A channel for `authority`, on a TLS connection for `api.test`.
async fn channel(authority: &'static str) -> Channel {
    let (listener, connector) = listener().await;
    let address = listener.local_addr().unwrap();
    let (_, health) = tonic_health::server::health_reporter();
    let server = Server::builder().layer(layer()).add_service(health);
    tokio::spawn(server.serve_with_incoming(listener));
    let connect = tower::service_fn(move |_: Uri| {
        let connector = connector.clone();
        async move {
            let socket = TcpStream::connect(address).await?;
            let name = ServerName::try_from("api.test").unwrap();
            let stream = connector.connect(name, socket).await?;
            Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
        }
    });
    Endpoint::from_static(authority).connect_with_connector(connect).await.unwrap()
}

#[tokio::test]
async fn service_is_reached_through_the_layer() {
    let mut client = HealthClient::new(channel("https://api.test").await);
    let answer = client.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().status, 1, "SERVING");
}

#[tokio::test]
async fn misdirected_client_gets_status_unavailable() {
    let mut client = HealthClient::new(channel("https://cdn.test").await);
    for _ in 0..3 {
        let status = client.check(HealthCheckRequest::default()).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "misdirected request"));
    }
}
