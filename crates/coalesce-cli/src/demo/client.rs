//! The demo's client: real TLS and real HTTP/2. It reuses connections exactly as the demo demands.

use std::future::poll_fn;
use std::io::Cursor;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, Version};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::demo::files::DemoFiles;
use crate::demo::rows::{DemoCertificate, Got};

/// The longest wait for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Room for the server's first frames.
const FIRST_READ_BYTES: usize = 1024;

/// Opens connections to one server.
pub(super) struct DemoClient {
    address: SocketAddr,
    anonymous: TlsConnector,
    certified: TlsConnector,
}

/// One connection, which sends any request.
pub(super) struct DemoConnection {
    send: SendRequest<Bytes>,
}

impl DemoClient {
    pub(super) fn new(files: &DemoFiles, address: SocketAddr) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(files.ca.clone())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = || {
            Ok::<_, rustls::Error>(
                ClientConfig::builder_with_provider(Arc::clone(&provider))
                    .with_safe_default_protocol_versions()?
                    .with_root_certificates(roots.clone()),
            )
        };
        let connector = |mut config: ClientConfig| {
            config.alpn_protocols = vec![b"h2".to_vec()];
            TlsConnector::from(Arc::new(config))
        };
        let certified =
            builder()?.with_client_auth_cert(vec![files.client.clone()], files.client_key())?;
        Ok(Self {
            address,
            anonymous: connector(builder()?.with_no_client_auth()),
            certified: connector(certified),
        })
    }

    /// Opens a connection whose ClientHello carries `server_name`.
    pub(super) async fn connect(
        &self,
        server_name: &'static str,
        certificate: DemoCertificate,
    ) -> Result<DemoConnection, Got> {
        let connector = match certificate {
            DemoCertificate::None => &self.anonymous,
            DemoCertificate::Demo => &self.certified,
        };
        tokio::time::timeout(ANSWER_TIMEOUT, async {
            let name = ServerName::try_from(server_name).map_err(failed)?;
            let socket = TcpStream::connect(self.address).await.map_err(failed)?;
            let mut stream = connector.connect(name, socket).await.map_err(refused)?;
            // In TLS 1.3 a client has finished before the server checks its certificate. The
            // server's first bytes, or an alert in their place, show the result.
            let mut first = vec![0; FIRST_READ_BYTES];
            let len = stream.read(&mut first).await.map_err(refused)?;
            first.truncate(len);
            let (read, write) = tokio::io::split(stream);
            let io = tokio::io::join(Cursor::new(first).chain(read), write);
            let (send, connection) = h2::client::handshake(io).await.map_err(ended)?;
            tokio::spawn(connection);
            Ok(DemoConnection { send })
        })
        .await
        .unwrap_or_else(|_| Err(Got::Failed("no answer in time".to_owned())))
    }
}

impl DemoConnection {
    /// Sends a request unchanged and waits for the result.
    pub(super) async fn send(&self, request: Request<()>) -> Got {
        tokio::time::timeout(ANSWER_TIMEOUT, self.exchange(request))
            .await
            .unwrap_or_else(|_| Got::Failed("no answer in time".to_owned()))
    }

    async fn exchange(&self, mut request: Request<()>) -> Got {
        *request.version_mut() = Version::HTTP_2;
        match self.try_exchange(request).await {
            Ok(got) => got,
            Err(error) => ended(error),
        }
    }

    async fn try_exchange(&self, request: Request<()>) -> Result<Got, h2::Error> {
        let mut send = self.send.clone();
        poll_fn(|context| send.poll_ready(context)).await?;
        let (response, _) = send.send_request(request, true)?;
        let response = response.await?;
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let mut content = Vec::new();
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            content.extend_from_slice(&data);
        }
        Ok(Got::Response { status, content })
    }
}

fn failed(error: impl std::fmt::Display) -> Got {
    Got::Failed(error.to_string())
}

/// Returns the result for a failed handshake, or for a read that returned an alert.
#[allow(clippy::needless_pass_by_value, reason = "map_err passes the error by value")]
fn refused(error: std::io::Error) -> Got {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => Got::Refused(*alert),
        _ => failed(error),
    }
}

fn ended(error: h2::Error) -> Got {
    match error.reason() {
        Some(reason) if error.is_reset() => Got::Reset(reason),
        _ => failed(error),
    }
}
