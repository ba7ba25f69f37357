//! The demo's client: real TLS, real HTTP/2, and no judgement of its own about what to reuse.

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

/// How long one answer may take on loopback before the demo gives up on it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Room for the server's first frames.
const FIRST_READ_BYTES: usize = 1024;

/// Opens connections to one server.
pub(super) struct DemoClient {
    address: SocketAddr,
    anonymous: TlsConnector,
    certified: TlsConnector,
}

/// One connection, which sends whatever it is told to.
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
            // With TLS 1.3 a client learns only after its own last word whether its certificate
            // was accepted: by the server's first bytes, or by an alert in their place.
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
    /// Sends a request as it is and waits for what comes back.
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

/// What a failed handshake, or a read that found an alert, says.
#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err calls")]
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
