//! Proxies: no host shares a connection through one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use coalesce_client::ProxyConfig;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::asking::{builder, page};
use crate::origin::{Origin, Script};
use crate::place::Place;

/// Connects every tunnel to the first address of the place, and counts them.
async fn proxy(place: Place) -> Arc<AtomicUsize> {
    let listener = TcpListener::bind(place.address(100)).await.expect("a free address");
    let tunnels = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&tunnels);
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.expect("a connection");
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut client = BufReader::new(client);
                let mut line = String::new();
                client.read_line(&mut line).await.expect("a request");
                assert!(line.starts_with("CONNECT "), "{line}");
                while line.trim() != "" {
                    line.clear();
                    client.read_line(&mut line).await.expect("a request");
                }
                client.write_all(b"HTTP/1.1 200 x\r\n\r\n").await.expect("a client");
                let mut server = TcpStream::connect(place.address(1)).await.expect("a server");
                // Ends with either side.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    tunnels
}

#[tokio::test]
async fn hosts_behind_a_proxy_share_no_connection() {
    let place = Place::new();
    let server = Origin::start(place.address(1), Script::new(&["a", "b"])).await;
    let tunnels = proxy(place).await;
    let url = format!("http://{}", place.address(100));
    let client = builder().proxy(ProxyConfig::new(&url).unwrap()).build().unwrap();
    for host in ["a", "b", "a", "b"] {
        page(&client, place, host).await;
    }
    assert_eq!(tunnels.load(Ordering::Relaxed), 2);
    let log = server.log();
    assert_eq!(log.server_names(), ["a", "b"]);
    assert!(log.requests.iter().all(|it| it.host == it.server_name));
}

/// A second 421 through a proxy would be that of the proxy: it goes to the caller.
#[tokio::test]
async fn misdirected_request_through_a_proxy_is_not_repeated() {
    let place = Place::new();
    let server = Origin::start(place.address(1), Script::new(&["a"]).never_serves(&["a"])).await;
    proxy(place).await;
    let url = format!("http://{}", place.address(100));
    let client = builder().proxy(ProxyConfig::new(&url).unwrap()).build().unwrap();
    let answered = crate::asking::get(&client, &place.url("a", "/")).await;
    assert_eq!(answered.status, 421);
    assert_eq!(server.log().requests.len(), 1);
}
