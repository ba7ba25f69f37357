//! Hosts that share connections.

use coalesce_client::{Coalesce, FixedResolver, Trail};
use h2::server::Builder;

use crate::server::{Server, reply};
use crate::support::{Ca, in_time, text};

#[tokio::test(flavor = "multi_thread")]
async fn hosts_of_one_certificate_and_address_share_a_connection() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::plain(&ca, &["a.test", "b.test"]).await;
        let client = ca.client(server.address).build().unwrap();
        for host in ["a.test", "b.test", "a.test"] {
            let response = client.get(server.uri(host, "/")).await.unwrap();
            assert_eq!(response.status(), 200);
            assert!(response.extensions().get::<Trail>().is_some());
            assert_eq!(text(response).await, "0");
        }
        assert_eq!(server.accepted(), 1);
        let seen: Vec<_> = server.seen().into_iter().map(|(_, it)| it).collect();
        assert_eq!(seen, ["a.test /", "b.test /", "a.test /"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn host_that_the_certificate_lacks_fails_on_a_connection_for_itself() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::plain(&ca, &["a.test"]).await;
        let client = ca.client(server.address).build().unwrap();
        client.get(server.uri("a.test", "/")).await.unwrap();
        let error = client.get(server.uri("b.test", "/")).await.unwrap_err();
        let mut chain = vec![error.to_string()];
        let mut next = std::error::Error::source(&error);
        while let Some(source) = next {
            chain.push(source.to_string());
            next = source.source();
        }
        assert!(chain.iter().any(|it| it.contains("certificate")), "{chain:?}");
        assert_eq!(server.accepted(), 2);
        assert_eq!(server.seen().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_at_different_addresses_do_not_share() {
    in_time(async {
        let ca = Ca::new();
        let one = Server::plain(&ca, &["a.test", "b.test"]).await;
        let resolver = FixedResolver::new().host("a.test", [one.address]);
        // The address of `b` has no server.
        let resolver =
            resolver.host("b.test", ["127.0.0.2:1".parse::<std::net::SocketAddr>().unwrap()]);
        let client = ca.client_with(resolver).build().unwrap();
        client.get(one.uri("a.test", "/")).await.unwrap();
        assert!(client.get(one.uri("b.test", "/")).await.is_err());
        assert_eq!((one.accepted(), one.seen().len()), (1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_without_coalescing_makes_a_connection_for_each_host() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::plain(&ca, &["a.test", "b.test"]).await;
        let client = ca.client(server.address).coalesce(Coalesce::Off).build().unwrap();
        for host in ["a.test", "b.test", "a.test", "b.test"] {
            client.get(server.uri(host, "/")).await.unwrap();
        }
        assert_eq!(server.accepted(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thousand_cold_requests_to_one_host_make_one_connection() {
    in_time(async {
        let ca = Ca::new();
        let server = Server::plain(&ca, &["a.test"]).await;
        let client = ca.client(server.address).build().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..1_000 {
            let (client, uri) = (client.clone(), server.uri("a.test", &format!("/{number}")));
            tasks.spawn(async move { text(client.get(uri).await.unwrap()).await });
        }
        while let Some(answer) = tasks.join_next().await {
            assert_eq!(answer.unwrap(), "0");
        }
        assert_eq!(server.accepted(), 1);
        let mut paths: Vec<_> = server.seen();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), 1_000);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cold_requests_to_three_hosts_of_one_server_share_a_connection() {
    in_time(async {
        let ca = Ca::new();
        let server =
            Server::answering(&ca, &["*.site.test"], Builder::new(), |_, _, respond| async {
                reply(respond, 200, "");
            })
            .await;
        let hosts = ["a.site.test", "b.site.test", "c.site.test"];
        let mut resolver = FixedResolver::new();
        for host in hosts {
            resolver = resolver.host(host, [server.address]);
        }
        let patience = std::time::Duration::from_secs(60);
        let client = ca.client_with(resolver).leader_wait(patience).build().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..60 {
            let (client, uri) = (client.clone(), server.uri(hosts[number % 3], "/"));
            tasks.spawn(async move { client.get(uri).await.unwrap().status() });
        }
        while let Some(answer) = tasks.join_next().await {
            assert_eq!(answer.unwrap(), 200);
        }
        assert_eq!((server.accepted(), server.seen().len()), (1, 60));
    })
    .await;
}
