//! Connectors of others, which resolve, connect and make the handshake themselves.

use std::fmt;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use coalesce_core::{Origin, Scheme};
use coalesce_pool::{HandshakeCheck, Protocol, VerifierKind};
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::client::danger::ServerCertVerifier;
use tower_service::Service;

use super::peer_facts::{PeerFacts, TlsPeer};
use super::target::{Dialed, Io, PeerTls};
use crate::error::BoxError;
use crate::tls_config::{TlsConfig, TlsConfigError};
use crate::verify;

/// A connector that you have: a `Service` from a URI to a stream with [`PeerFacts`].
///
/// The connector resolves the host, connects, and makes the TLS handshake, for which it offers `h2`
/// and `http/1.1` by ALPN. The client's resolver still finds the addresses of hosts, and compares
/// them with the connector's peers.
///
/// The client cannot see how the connector verifies certificates and whether it has a client
/// certificate. So the connections carry no other host until you make two promises,
/// [`verified_by`](Self::verified_by) and
/// [`without_client_certificate`](Self::without_client_certificate).
///
/// # Examples
/// With hyper-rustls, which needs the feature `hyper-rustls`:
#[cfg_attr(feature = "hyper-rustls", doc = "```")]
#[cfg_attr(not(feature = "hyper-rustls"), doc = "```ignore")]
/// use std::sync::Arc;
///
/// use coalesce_client::rustls::client::WebPkiServerVerifier;
/// use coalesce_client::rustls::crypto::ring::default_provider;
/// use coalesce_client::rustls::{ClientConfig, RootCertStore};
/// use coalesce_client::{Client, Connector, SystemResolver};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let made = rcgen::generate_simple_self_signed(["a.example.test".to_owned()])?;
/// # let ca_der = made.cert.der().clone();
/// let mut roots = RootCertStore::empty();
/// roots.add(ca_der)?;
/// let provider = Arc::new(default_provider());
/// let verifier =
///     WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()?;
/// let config = ClientConfig::builder_with_provider(provider)
///     .with_safe_default_protocol_versions()?
///     .dangerous()
///     .with_custom_certificate_verifier(verifier.clone())
///     .with_no_client_auth();
/// let connector = hyper_rustls::HttpsConnectorBuilder::new()
///     .with_tls_config(config)
///     .https_or_http()
///     .enable_all_versions()
///     .build();
/// let connector =
///     Connector::new(connector).verified_by(verifier).without_client_certificate();
/// let client =
///     Client::builder().connector(connector).resolver(SystemResolver::default()).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Connector {
    service: Arc<dyn Connect>,
    verifier: Option<Arc<dyn ServerCertVerifier>>,
    without_client_certificate: bool,
}

impl Connector {
    /// Takes a connector. Its connections carry their own origin alone.
    pub fn new<S>(service: S) -> Self
    where
        S: Service<Uri> + Clone + Send + 'static,
        S::Response: PeerFacts + hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        let service = Arc::new(Shared(Mutex::new(service)));
        Self { service, verifier: None, without_client_certificate: false }
    }

    /// Promises that every handshake of the connector is verified by this verifier, which can be
    /// run again, as in [`TlsConfig::rerunnable`].
    #[must_use]
    pub fn verified_by(mut self, verifier: Arc<dyn ServerCertVerifier>) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Promises that the connector sends no client certificate, if the stream does not say it.
    #[must_use]
    pub const fn without_client_certificate(mut self) -> Self {
        self.without_client_certificate = true;
        self
    }

    /// Returns the configuration that verifies the connector's chains again.
    pub(crate) fn tls_config(&self) -> Result<TlsConfig, TlsConfigError> {
        match &self.verifier {
            Some(verifier) => TlsConfig::rerunnable(Arc::clone(verifier)),
            None => TlsConfig::unused(),
        }
    }

    /// Makes one connection.
    pub(super) async fn dial(
        &self,
        origin: Origin<'_>,
        http1_only: bool,
    ) -> Result<Dialed, BoxError> {
        let uri: Uri = format!("{origin}/").parse()?;
        let Stream { io, peer, tls } = self.service.connect(uri).await?;
        if origin.scheme() == Scheme::Http {
            return Ok(Dialed { io, peer, protocol: Protocol::Http1, tls: None });
        }
        let tls = tls.ok_or("the connector made no TLS handshake")?;
        let protocol = match tls.alpn.as_deref() {
            Some(b"h2") if http1_only => {
                return Err("the connector chose h2 where only http/1.1 is allowed".into());
            }
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        Ok(Dialed { io, peer, protocol, tls: Some(self.facts(tls)?) })
    }

    fn facts(&self, tls: TlsPeer) -> Result<PeerTls, BoxError> {
        let leaf = tls.chain.first().ok_or("the connector gives no certificate of the server")?;
        let (names, readable) = verify::presented(leaf)?;
        Ok(PeerTls {
            names,
            verifier: if self.verifier.is_some() { readable } else { VerifierKind::Opaque },
            check: HandshakeCheck::Verified,
            chain: tls.chain,
            resumed: tls.resumed,
            client_certificate_sent: tls
                .client_certificate_sent
                .unwrap_or(!self.without_client_certificate),
            ocsp: Vec::new(),
            evidence: false,
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("rerunnable", &self.verifier.is_some())
            .field("without_client_certificate", &self.without_client_certificate)
            .finish_non_exhaustive()
    }
}

/// A connection of the connector.
struct Stream {
    io: Box<dyn Io>,
    peer: SocketAddr,
    tls: Option<TlsPeer>,
}

type Connecting = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

/// A connector without its type.
trait Connect: Send + Sync {
    fn connect(&self, uri: Uri) -> Connecting;
}

/// A service that is cloned for each connection. The mutex makes it `Sync`.
struct Shared<S>(Mutex<S>);

impl<S> Connect for Shared<S>
where
    S: Service<Uri> + Clone + Send + 'static,
    S::Response: PeerFacts + hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn connect(&self, uri: Uri) -> Connecting {
        let mut service = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            poll_fn(|context| service.poll_ready(context)).await.map_err(Into::into)?;
            let stream = service.call(uri).await.map_err(Into::into)?;
            let (peer, tls) = (stream.peer_address()?, stream.tls());
            Ok(Stream { io: Box::new(TokioIo::new(stream)), peer, tls })
        })
    }
}
