//! The baseline of the program `servers`: `h2` on tokio-rustls and nothing else.
//!
//! ```text
//! bare_h2 CERTIFICATE.pem KEY.pem SERVED-HOST [--workers N]
//! ```
//!
//! It answers as `coalesce serve` does, field for field: 200 and a small text for the one host that it
//! serves, 421 for every other, a request body read to its end before a 200 and not read before a
//! 421. Of what Coalesce does for that it does the least that gives these fields: it compares the
//! authority's host with one string.

use std::cell::RefCell;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use clap::Parser;
use h2::server::SendResponse;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio_rustls::TlsAcceptor;

/// Serve one host over HTTP/2 with nothing but h2 and tokio-rustls.
#[derive(Debug, Parser)]
#[command(name = "bare_h2")]
struct Arguments {
    /// The chain, its own certificate first.
    certificate: PathBuf,
    key: PathBuf,
    /// The host that is served; every other gets a 421.
    host: String,
    /// Threads; with one, tokio's current-thread runtime.
    #[arg(long, default_value_t = 1)]
    workers: usize,
}

/// What streams are answered with, made once.
struct Answers {
    host: String,
    served: Answer,
    misdirected: Answer,
}

struct Answer {
    status: StatusCode,
    fields: HeaderMap,
    body: Bytes,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let tls = TlsAcceptor::from(Arc::new(configuration(&arguments)?));
    let answers = Arc::new(Answers::new(arguments.host));
    start(arguments.workers)?.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut output = std::io::stdout();
        writeln!(output, "listening on {}", listener.local_addr()?)?;
        output.flush()?;
        loop {
            let (socket, _) = listener.accept().await?;
            let (tls, answers) = (tls.clone(), answers.clone());
            // A connection that fails concerns nobody else.
            tokio::spawn(async move { drop(serve(socket, tls, answers).await) });
        }
    })
}

fn start(workers: usize) -> std::io::Result<Runtime> {
    match workers {
        1 => runtime::Builder::new_current_thread().enable_all().build(),
        _ => runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build(),
    }
}

fn configuration(arguments: &Arguments) -> Result<rustls::ServerConfig> {
    let chain = CertificateDer::pem_file_iter(&arguments.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("could not read {}", arguments.certificate.display()))?;
    let key = PrivateKeyDer::from_pem_file(&arguments.key)
        .with_context(|| format!("could not read {}", arguments.key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

async fn serve(socket: TcpStream, tls: TlsAcceptor, answers: Arc<Answers>) -> Result<()> {
    socket.set_nodelay(true)?;
    let stream = tls.accept(socket).await?;
    // The limits of `coalesce_h2::limits`, so that nothing but the work differs.
    let mut connection = h2::server::Builder::new()
        .max_concurrent_streams(250)
        .max_header_list_size(32 * 1024)
        .initial_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_concurrent_reset_streams(2_000)
        .max_local_error_reset_streams(Some(10_000))
        .handshake(stream)
        .await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        if request.uri().host() != Some(answers.host.as_str()) {
            answers.misdirected.send(respond)?;
        } else if request.body().is_end_stream() {
            answers.served.send(respond)?;
        } else {
            let answers = answers.clone();
            tokio::spawn(async move {
                let mut body = request.into_body();
                while let Some(data) = body.data().await {
                    let len = data?.len();
                    body.flow_control().release_capacity(len)?;
                }
                answers.served.send(respond)
            });
        }
    }
    Ok(())
}

impl Answers {
    fn new(host: String) -> Self {
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        let served = Answer::new(StatusCode::OK, &[(CONTENT_TYPE, text)], b"hello world\n");
        let misdirected = Answer::new(
            StatusCode::MISDIRECTED_REQUEST,
            &[
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            ],
            br#"{"error":"misdirected_request"}"#,
        );
        Self { host, served, misdirected }
    }
}

impl Answer {
    fn new(status: StatusCode, fields: &[(HeaderName, HeaderValue)], body: &'static [u8]) -> Self {
        // With room for all that is to be in it, so that no copy of it grows.
        let mut map = HeaderMap::with_capacity(4);
        map.extend(fields.iter().cloned());
        map.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        Self { status, fields: map, body: Bytes::from_static(body) }
    }

    fn send(&self, mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.fields.clone();
        response.headers_mut().insert(DATE, date());
        respond.send_response(response, false)?.send_data(self.body.clone(), true)
    }
}

/// The `date` field, formatted once in a second and thread.
fn date() -> HeaderValue {
    thread_local!(static NOW: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) });
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    NOW.with_borrow_mut(|cached| match cached {
        Some((of, value)) if *of == second => value.clone(),
        _ => {
            let text = httpdate::fmt_http_date(now);
            let value = HeaderValue::try_from(text).expect("a date is a field value");
            *cached = Some((second, value.clone()));
            value
        }
    })
}
