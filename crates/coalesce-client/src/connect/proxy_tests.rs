//! Tests of tunnels through proxies.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coalesce_pool::{Protocol, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::testing::{Ca, dial, server_config, start, target};
use super::{DialTarget, Dialer, DialerConfig, Io, ProxyConfig};
use crate::resolve::FixedResolver;
use crate::tls_config::TlsConfig;

/// The heads of the requests that a proxy got, and whether its client showed a certificate.
type Seen = Arc<Mutex<Vec<(String, bool)>>>;

/// Starts a proxy that connects every tunnel to `server`.
async fn start_proxy(server: SocketAddr, tls: Option<TlsAcceptor>) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (tls, log) = (tls.clone(), Arc::clone(&log));
            tokio::spawn(async move {
                let (mut client, certificate): (Box<dyn Io>, bool) = match tls {
                    None => (Box::new(stream), false),
                    Some(tls) => {
                        let Ok(stream) = tls.accept(stream).await else { return };
                        let shown = stream.get_ref().1.peer_certificates().is_some();
                        (Box::new(stream), shown)
                    }
                };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.unwrap());
                }
                log.lock().unwrap().push((String::from_utf8(head).unwrap(), certificate));
                client.write_all(b"HTTP/1.1 200 Connected\r\nVia: test\r\n\r\n").await.unwrap();
                client.flush().await.unwrap();
                let mut server = TcpStream::connect(server).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, seen)
}

/// Makes a dialer with a proxy at `proxy.test`.
fn dialer(tls: TlsConfig, address: SocketAddr, url: &str) -> (Dialer, Proxy) {
    let mut config = DialerConfig::new(vec![tls]);
    config.proxy_resolver = Arc::new(FixedResolver::new().host("proxy.test", [address]));
    let proxy = ProxyConfig::new(url).unwrap();
    let name = Proxy::new(&proxy.to_string());
    config.proxy = Some(proxy);
    (Dialer::new(config), name)
}

fn through(proxy: &Proxy, origin: &str) -> DialTarget {
    let mut target = target(origin, &[]);
    target.key.proxy = Some(proxy.clone());
    target
}

#[tokio::test]
async fn tunnel_carries_tls_of_the_origin_and_the_peer_is_the_proxy() {
    let ca = Ca::new();
    let server = start(server_config(ca.issue(&["a.test"]), None)).await;
    let (address, seen) = start_proxy(server, None).await;
    let tls = TlsConfig::with_roots(ca.roots()).unwrap();
    let (dialer, proxy) = dialer(tls, address, "http://user:pass@proxy.test:3128");
    let made = dial(&dialer, through(&proxy, "https://a.test")).await.unwrap();
    assert_eq!((made.peer, made.protocol), (address, Protocol::Http2));
    let expected = "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\
                    Proxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n";
    assert_eq!(*seen.lock().unwrap(), [(expected.to_owned(), false)]);
    assert!(made.tls.is_some());
    // Without a proxy in the key, there is none.
    let made = dial(&dialer, target("https://a.test", &[server])).await.unwrap();
    assert_eq!(made.peer, server);
}

#[tokio::test]
async fn cleartext_origin_gets_a_tunnel_too() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = start_proxy(server.local_addr().unwrap(), None).await;
    let tls = TlsConfig::dangerous_without_verification().unwrap();
    let (dialer, proxy) = dialer(tls, address, "http://proxy.test");
    let made = dialer.dial(through(&proxy, "http://a.test"), &mut |_| ()).await.unwrap();
    assert_eq!((made.protocol, made.tls.is_none()), (Protocol::Http1, true));
    assert!(seen.lock().unwrap()[0].0.starts_with("CONNECT a.test:80 "));
}

#[tokio::test]
async fn proxy_with_tls_is_verified_and_never_gets_the_client_certificate() {
    let ca = Ca::new();
    let server = start(server_config(ca.issue(&["a.test"]), Some(&ca))).await;
    let mut config = server_config(ca.issue(&["proxy.test"]), Some(&ca));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (address, seen) = start_proxy(server, Some(TlsAcceptor::from(Arc::new(config)))).await;
    let client = ca.issue(&["client.test"]);
    let tls = TlsConfig::with_roots(ca.roots())
        .unwrap()
        .client_certificate(client.chain, client.key)
        .unwrap();
    let (right, proxy) = dialer(tls.clone(), address, "https://proxy.test");
    let made = dial(&right, through(&proxy, "https://a.test")).await.unwrap();
    assert!(made.tls.unwrap().client_certificate_sent);
    assert!(!seen.lock().unwrap()[0].1);

    let (wrong, proxy) = dialer(tls, address, &format!("https://{address}"));
    let error = dial(&wrong, through(&proxy, "https://a.test")).await.unwrap_err().to_string();
    let start = format!("cannot connect to https://a.test: proxy https://{address}: TLS with ");
    assert!(error.starts_with(&start), "{error}");
}

#[tokio::test]
async fn errors_name_the_proxy() {
    let tls = TlsConfig::dangerous_without_verification().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await.unwrap();
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await.unwrap();
        // Accepts no second connection.
        drop(listener);
    });
    let (dialer, proxy) = dialer(tls, address, "http://proxy.test");
    let error = dial(&dialer, through(&proxy, "https://a.test")).await.unwrap_err().to_string();
    let start = "cannot connect to https://a.test: proxy http://proxy.test:";
    let expected = format!("{start} {address}: the answer to CONNECT is 403 Forbidden");
    assert_eq!(error, expected);
    let error = dial(&dialer, through(&proxy, "https://a.test")).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("{start} {address}: Connection refused")), "{error}");
    let other = Proxy::new("http://other.test");
    let error = dial(&dialer, through(&other, "https://a.test")).await.unwrap_err().to_string();
    assert_eq!(error, "cannot connect to https://a.test: no proxy http://other.test");
}

#[tokio::test]
async fn unknown_proxy_host_is_an_error() {
    let tls = TlsConfig::dangerous_without_verification().unwrap();
    let address = "127.0.0.1:1".parse().unwrap();
    let (dialer, proxy) = dialer(tls, address, "http://unknown.test");
    let error = dial(&dialer, through(&proxy, "https://a.test")).await.unwrap_err().to_string();
    let expected = "cannot connect to https://a.test: proxy http://unknown.test: \
                    no address for unknown.test";
    assert_eq!(error, expected);
}

#[tokio::test]
async fn silent_proxy_ends_with_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = TlsConfig::dangerous_without_verification().unwrap();
    let mut config = DialerConfig::new(vec![tls]);
    config.connect_timeout = Duration::from_millis(50);
    config.proxy = Some(ProxyConfig::new(&format!("http://{address}")).unwrap());
    let dialer = Dialer::new(config);
    let proxy = Proxy::new(&format!("http://{address}"));
    let error = dial(&dialer, through(&proxy, "https://a.test")).await.unwrap_err().to_string();
    assert_eq!(error, "cannot connect to https://a.test: no connection after 50 ms");
}
