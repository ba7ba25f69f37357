//! A client that checks the content of every answer.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use bytes::Bytes;
use coalesce_tests::{Server, World};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

use crate::world::NAMES;

/// A client that checks each answer in a thread.
pub(crate) struct Checker {
    done: Arc<AtomicBool>,
    thread: JoinHandle<(usize, usize)>,
}

impl Checker {
    pub(crate) fn start(world: &World, server: &Server) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let ca = fs::read(world.path("ca.pem")).expect("the CA");
        let (address, ended) = (server.address, done.clone());
        let thread = spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(check(&ca, address, &ended))
        });
        Self { done, thread }
    }

    /// Ends the client; returns the number of checked answers and of wrong ones.
    pub(crate) fn end(self) -> (usize, usize) {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().expect("the checker ends")
    }
}

/// Returns the authority of a turn, and the contents or statuses that either configuration allows.
fn expected(turn: usize) -> (String, &'static [&'static str]) {
    match turn % 5 {
        0 => ("a.example.test".to_owned(), &["a\n"]),
        1 => ("b.example.test".to_owned(), &["b\n", "c\n"]),
        2 => ("m.example.test".to_owned(), &["421"]),
        // A name in both tables, and a name in one.
        3 => (format!("h{}.bulk.example.test", turn * 2 % NAMES), &["a\n"]),
        _ => (format!("h{}.bulk.example.test", (turn * 2 + 1) % (2 * NAMES)), &["a\n", "421"]),
    }
}

async fn check(ca: &[u8], address: SocketAddr, done: &AtomicBool) -> (usize, usize) {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca).expect("the CA")).expect("the CA");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = tokio::net::TcpStream::connect(address).await.expect("the server listens");
    let name = ServerName::try_from("a.example.test").expect("a name");
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, stream).await.expect("a handshake");
    let (send, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    let (mut checked, mut wrong) = (0, 0);
    while !done.load(Ordering::Relaxed) {
        let (host, allowed) = expected(checked);
        let got = ask(send.clone(), &format!("https://{host}:{}/", address.port())).await;
        if !got.as_deref().is_ok_and(|got| allowed.contains(&got)) {
            wrong += 1;
            println!("{host}: {got:?}, and {allowed:?} expected");
        }
        checked += 1;
        // Leave the machine to the measurement.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    (checked, wrong)
}

/// Requests a URL; returns the content of a 200, or the status.
async fn ask(send: h2::client::SendRequest<Bytes>, url: &str) -> Result<String, h2::Error> {
    let request = http::Request::get(url).body(()).expect("a request");
    let (response, _) = send.ready().await?.send_request(request, true)?;
    let response = response.await?;
    if response.status() != 200 {
        return Ok(response.status().as_u16().to_string());
    }
    let mut content = response.into_body();
    let mut all = Vec::new();
    while let Some(data) = content.data().await {
        let data = data?;
        content.flow_control().release_capacity(data.len())?;
        all.extend_from_slice(&data);
    }
    Ok(String::from_utf8_lossy(&all).into_owned())
}
