//! The ORIGIN frames of connections (RFC 8336).

use std::sync::Arc;

use coalesce_site::{Identity, ListenerSettings, Site, SiteBuilder};
use rustls::client::Resumption;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Ca, Client, Text, serve_with_h2};

/// The preface of a client, an empty SETTINGS frame, and the acknowledgement of the server's.
const PREFACE: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0";

/// A PING frame.
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0coalesce";

/// A request for the root of `a.test` on this stream: indexed `GET`, `https` and `/`, and a literal
/// `:authority` (RFC 7541 §6).
fn request(stream: u8) -> Vec<u8> {
    let block = b"\x82\x87\x84\x01\x06a.test";
    let mut frame = vec![0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, stream];
    frame.extend_from_slice(block);
    frame
}

struct Frames(TlsStream<TcpStream>);

impl Frames {
    async fn connect(ca: &Ca, site: &Site<Text>) -> Self {
        let address = serve_with_h2(site).await;
        let mut config = Client::config(ca, None);
        config.resumption = Resumption::disabled();
        let socket = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("a.test").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
        stream.write_all(PREFACE).await.unwrap();
        Self(stream)
    }

    /// Sends these bytes and a PING, and returns the origins that come before its answer.
    async fn origins_after(&mut self, bytes: &[u8]) -> Vec<String> {
        const ORIGIN: u8 = 0xc;
        const PING_TYPE: u8 = 6;
        self.0.write_all(bytes).await.unwrap();
        self.0.write_all(PING).await.unwrap();
        let mut origins = Vec::new();
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.unwrap();
            let len = usize::from(head[1]) << 8 | usize::from(head[2]);
            let mut payload = vec![0; len];
            self.0.read_exact(&mut payload).await.unwrap();
            let mut rest = payload.as_slice();
            match head[3] {
                PING_TYPE => return origins,
                ORIGIN => {
                    while let [high, low, entries @ ..] = rest {
                        let len = usize::from(*high) << 8 | usize::from(*low);
                        origins.push(String::from_utf8(entries[..len].to_vec()).unwrap());
                        rest = &entries[len..];
                    }
                }
                _ => {}
            }
        }
    }
}

fn site(shared: &Identity, names: &[&'static str]) -> SiteBuilder<Text> {
    let settings = ListenerSettings::new(([127, 0, 0, 1], 0).into()).only_ports([443]);
    let site = Site::builder().listener("main", settings);
    names.iter().fold(site, |site, name| site.host(*name, shared.clone(), Text(name)))
}

#[tokio::test]
async fn connection_announces_its_origins_and_those_that_a_reload_adds() {
    let ca = Ca::new();
    let shared = ca.identity(&["a.test", "b.test", "c.test"]);
    let site = site(&shared, &["a.test", "b.test"]).build().unwrap();
    let mut frames = Frames::connect(&ca, &site).await;
    let announced = frames.origins_after(b"").await;
    assert_eq!(announced, ["https://a.test", "https://b.test"]);
    site.reload(self::site(&shared, &["c.test", "a.test"])).unwrap();
    // The connection moves to the newest snapshot with its next request.
    let mut announced = frames.origins_after(&request(1)).await;
    announced.extend(frames.origins_after(b"").await);
    assert_eq!(announced, ["https://c.test"]);
    assert_eq!(frames.origins_after(&request(3)).await, [""; 0]);
}

#[tokio::test]
async fn site_announces_no_origins_if_switched_off() {
    let ca = Ca::new();
    let site = site(&ca.identity(&["a.test"]), &["a.test"]).announce_origins(false);
    let site = site.build().unwrap();
    let mut frames = Frames::connect(&ca, &site).await;
    assert_eq!(frames.origins_after(b"").await, [""; 0]);
    assert_eq!(frames.origins_after(&request(1)).await, [""; 0]);
}
