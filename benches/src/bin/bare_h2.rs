//! A server that is the baseline of the program `servers`: `h2` on tokio-rustls and nothing else.
//! `coalesce_benches::bare` serves its connections.
//!
//! ```text
//! bare_h2 CERTIFICATE.pem KEY.pem SERVED-HOST [--workers N]
//! ```

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Parser;
use coalesce_benches::bare::{self, Answers};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio_rustls::TlsAcceptor;

/// Serve one host over HTTP/2 with nothing but h2 and tokio-rustls.
#[derive(Debug, Parser)]
#[command(name = "bare_h2")]
struct Arguments {
    /// The certificate chain, the end-entity certificate first.
    certificate: PathBuf,
    key: PathBuf,
    /// The served host. Any other host gets a 421.
    host: String,
    /// The number of threads. With one, tokio's current-thread runtime.
    #[arg(long, default_value_t = 1)]
    workers: usize,
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
            // A failed connection does not affect the others.
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
    Ok(bare::serve(tls.accept(socket).await?, answers).await?)
}
