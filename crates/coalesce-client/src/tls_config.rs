//! The TLS configurations of a client.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use coalesce_core::HostBuf;
use coalesce_pool::{HandshakeCheck, Partition, VerifierKind};
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsConnector;

use crate::error::BoxError;
use crate::verify::{NoClientCertificate, NoVerification, NotingResolver, NotingVerifier};

/// The most partitions with sessions of their own. More of them start again without sessions.
const PARTITIONS_MAX: usize = 64;

/// The sessions of a partition. rustls keeps 256 for a configuration.
const SESSIONS_PER_PARTITION: usize = 64;

/// The sessions with a proxy.
const SESSIONS_OF_PROXY: usize = 8;

/// How a client verifies servers, and the certificate that it shows them.
///
/// A client shares a connection with another host only if it can verify the chain of the connection
/// for that host. So it needs the verifier, not only a `ClientConfig` that hides it.
///
/// | constructor | connections are shared with other hosts |
/// | --- | --- |
/// | [`with_roots`](Self::with_roots), `with_native_roots`, `with_webpki_roots` | yes |
/// | [`rerunnable`](Self::rerunnable), [`rerunnable_config`](Self::rerunnable_config) | yes: you promise that the verifier can run again |
/// | [`opaque`](Self::opaque) | no: the reason is `verifier` |
/// | [`dangerous_without_verification`](Self::dangerous_without_verification) | no: the reason is `handshake` |
///
/// The client offers `h2` and `http/1.1` by ALPN. It replaces the ALPN protocols of a
/// `ClientConfig`.
///
/// # Examples
/// ```
/// use coalesce_client::TlsConfig;
/// use coalesce_client::rustls::RootCertStore;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let made = rcgen::generate_simple_self_signed(["a.example.test".to_owned()])?;
/// # let ca_der = made.cert.der().clone();
/// let mut roots = RootCertStore::empty();
/// roots.add(ca_der)?;
/// let config = TlsConfig::with_roots(roots)?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TlsConfig {
    config: ClientConfig,
    /// The verifier, if it can be run again.
    verifier: Option<Arc<dyn ServerCertVerifier>>,
    check: HandshakeCheck,
    ocsp_is_checked: bool,
    client_certificate_hosts: Vec<HostBuf>,
    /// Whether the client chose how sessions are kept.
    own_sessions: bool,
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("rerunnable", &self.verifier.is_some())
            .field("check", &self.check)
            .finish_non_exhaustive()
    }
}

/// The error of a TLS configuration.
///
/// # Examples
/// ```
/// use coalesce_client::{TlsConfig, rustls::RootCertStore};
///
/// let error = TlsConfig::with_roots(RootCertStore::empty()).unwrap_err();
/// assert!(error.to_string().starts_with("the roots are not usable"));
/// ```
#[derive(Debug)]
pub struct TlsConfigError {
    message: &'static str,
    source: Option<BoxError>,
}

impl fmt::Display for TlsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)?;
        self.source.as_ref().map_or(Ok(()), |source| write!(f, ": {source}"))
    }
}

impl std::error::Error for TlsConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|it| it as _)
    }
}

fn failed<E: Into<BoxError>>(message: &'static str) -> impl FnOnce(E) -> TlsConfigError {
    move |source| TlsConfigError { message, source: Some(source.into()) }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl TlsConfig {
    /// Verifies servers with these roots.
    ///
    /// # Errors
    /// Returns [`TlsConfigError`] if there is no root.
    pub fn with_roots(roots: RootCertStore) -> Result<Self, TlsConfigError> {
        let provider = provider();
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(failed("the roots are not usable"))?;
        Self::build(provider, verifier)
    }

    /// Verifies servers with the roots of the operating system.
    ///
    /// # Errors
    /// Returns [`TlsConfigError`] if there is no root that can be read.
    #[cfg(feature = "native-roots")]
    pub fn with_native_roots() -> Result<Self, TlsConfigError> {
        let mut found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let message = "the operating system has no root certificates that can be read";
            let source = found.errors.pop().map(Into::into);
            return Err(TlsConfigError { message, source });
        }
        Self::with_roots(roots)
    }

    /// Verifies servers with the roots of Mozilla that are built into the client.
    ///
    /// # Errors
    /// Returns [`TlsConfigError`] if there is no root.
    #[cfg(feature = "webpki-roots")]
    pub fn with_webpki_roots() -> Result<Self, TlsConfigError> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        Self::with_roots(roots)
    }

    /// Verifies servers with your verifier, which can be run again.
    ///
    /// You promise that its result depends on the chain, the host, the stapled OCSP response and
    /// the time alone, and that it neither blocks nor has other effects. The client runs it again
    /// on the chain of an open connection for another host. After a resumed handshake the OCSP
    /// response is empty. [`PinMismatch`](crate::PinMismatch) and
    /// [`TransparencyMissing`](crate::TransparencyMissing) are errors that the client knows.
    ///
    /// # Errors
    /// Returns [`TlsConfigError`] if rustls refuses the configuration.
    pub fn rerunnable(verifier: Arc<dyn ServerCertVerifier>) -> Result<Self, TlsConfigError> {
        Self::build(provider(), verifier)
    }

    /// As [`rerunnable`](Self::rerunnable), with your `ClientConfig`, whose verifier is replaced by
    /// `verifier`.
    #[must_use]
    pub fn rerunnable_config(
        mut config: ClientConfig,
        verifier: Arc<dyn ServerCertVerifier>,
    ) -> Self {
        let noting = Arc::new(NotingVerifier(Arc::clone(&verifier)));
        config.dangerous().set_certificate_verifier(noting);
        Self { verifier: Some(verifier), ..Self::opaque(config) }
    }

    /// Takes a `ClientConfig` whose verifier the client does not know. Its connections are never
    /// shared with other hosts.
    #[must_use]
    pub const fn opaque(config: ClientConfig) -> Self {
        Self {
            config,
            verifier: None,
            check: HandshakeCheck::Verified,
            ocsp_is_checked: false,
            client_certificate_hosts: Vec::new(),
            own_sessions: false,
        }
    }

    /// Accepts every certificate, which is only fit for tests. Connections are never shared with
    /// other hosts.
    ///
    /// # Errors
    /// Returns [`TlsConfigError`] if rustls refuses the configuration.
    pub fn dangerous_without_verification() -> Result<Self, TlsConfigError> {
        let provider = provider();
        let verifier = Arc::new(NoVerification(Arc::clone(&provider)));
        let config = Self::build(provider, verifier)?;
        Ok(Self { check: HandshakeCheck::ErrorOverridden, ..config })
    }

    /// Makes the configuration of a client whose connector makes all handshakes.
    pub(crate) fn unused() -> Result<Self, TlsConfigError> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(failed("no usable TLS version"))?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        Ok(Self::opaque(config))
    }

    fn build(
        provider: Arc<CryptoProvider>,
        verifier: Arc<dyn ServerCertVerifier>,
    ) -> Result<Self, TlsConfigError> {
        let noting = Arc::new(NotingVerifier(Arc::clone(&verifier)));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed("no usable TLS version"))?
            .dangerous()
            .with_custom_certificate_verifier(noting)
            .with_no_client_auth();
        Ok(Self { verifier: Some(verifier), own_sessions: true, ..Self::opaque(config) })
    }

    /// Shows this certificate to every server that asks for one.
    ///
    /// A connection on which it was sent is not shared with other hosts, unless
    /// [`client_certificate_hosts`](Self::client_certificate_hosts) has both. A resumed session
    /// counts as if it was sent.
    ///
    /// # Errors
    /// Returns [`TlsConfigError`] if the key is not usable, or not that of the certificate.
    pub fn client_certificate(
        mut self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsConfigError> {
        let certified = CertifiedKey::from_der(chain, key, self.config.crypto_provider())
            .map_err(failed("the client certificate is not usable"))?;
        self.config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
        Ok(self)
    }

    /// Names the hosts that may share a connection on which a client certificate was sent.
    #[must_use]
    pub fn client_certificate_hosts(mut self, hosts: impl IntoIterator<Item = HostBuf>) -> Self {
        self.client_certificate_hosts.extend(hosts);
        self
    }

    /// Says that the verifier checks a stapled OCSP response, so that one that came is evidence of
    /// the certificate (RFC 8336 §4).
    ///
    /// The verifier of rustls ignores it: without this promise no response counts, because anybody
    /// can staple bytes.
    #[must_use]
    pub const fn stapled_ocsp_is_checked(mut self) -> Self {
        self.ocsp_is_checked = true;
        self
    }

    /// Returns the hosts that may share a connection on which a client certificate was sent.
    pub(crate) fn shared_client_certificate_hosts(&self) -> &[HostBuf] {
        &self.client_certificate_hosts
    }
}

/// A TLS configuration as connections use it.
#[derive(Debug)]
pub(crate) struct TlsSetup {
    all: Arc<ClientConfig>,
    http1: Arc<ClientConfig>,
    /// For a proxy, which never gets the client certificate.
    proxy: Arc<ClientConfig>,
    /// Configurations with sessions of their own: a session tells the server who comes back.
    partitions: Mutex<HashMap<Partition, [Arc<ClientConfig>; 2]>>,
    settings: TlsConfig,
}

impl TlsSetup {
    pub(crate) fn new(mut settings: TlsConfig) -> Self {
        let config = &mut settings.config;
        let mut proxy = config.clone();
        proxy.client_auth_cert_resolver = Arc::new(NoClientCertificate {});
        proxy.alpn_protocols = vec![b"http/1.1".to_vec()];
        proxy.resumption = Resumption::in_memory_sessions(SESSIONS_OF_PROXY);
        let resolver = Arc::clone(&config.client_auth_cert_resolver);
        config.client_auth_cert_resolver = Arc::new(NotingResolver(resolver));
        let [all, http1] = with_alpn(config.clone());
        Self { all, http1, proxy: Arc::new(proxy), partitions: Mutex::default(), settings }
    }

    /// Returns a connector.
    pub(crate) fn connector(&self, partition: &Partition, http1_only: bool) -> TlsConnector {
        let [all, http1] = if *partition == Partition::default() {
            [Arc::clone(&self.all), Arc::clone(&self.http1)]
        } else {
            self.of_partition(partition)
        };
        TlsConnector::from(if http1_only { http1 } else { all })
    }

    /// Returns a connector for a proxy.
    pub(crate) fn proxy_connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.proxy))
    }

    fn of_partition(&self, partition: &Partition) -> [Arc<ClientConfig>; 2] {
        let mut known = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= PARTITIONS_MAX && !known.contains_key(partition) {
            known.clear();
        }
        let made = known.entry(partition.clone()).or_insert_with(|| {
            let mut config = self.settings.config.clone();
            config.resumption = if self.settings.own_sessions {
                Resumption::in_memory_sessions(SESSIONS_PER_PARTITION)
            } else {
                Resumption::disabled()
            };
            with_alpn(config)
        });
        made.clone()
    }

    /// Returns the verifier, if it can be run again.
    pub(crate) fn verifier(&self) -> Option<&dyn ServerCertVerifier> {
        self.settings.verifier.as_deref()
    }

    /// Returns whether the verifier can be run again.
    pub(crate) fn verifier_kind(&self) -> VerifierKind {
        match self.settings.verifier {
            Some(_) => VerifierKind::Rerunnable,
            None => VerifierKind::Opaque,
        }
    }

    /// Returns the end that every handshake has.
    pub(crate) const fn check(&self) -> HandshakeCheck {
        self.settings.check
    }

    /// Returns whether a stapled OCSP response is evidence.
    pub(crate) const fn ocsp_is_checked(&self) -> bool {
        self.settings.ocsp_is_checked
    }

    /// Returns whether there is a certificate that a server might have got.
    pub(crate) fn has_client_certificate(&self) -> bool {
        self.settings.config.client_auth_cert_resolver.has_certs()
    }
}

/// Makes two configurations, with and without HTTP/2. They share verifier and sessions.
fn with_alpn(mut config: ClientConfig) -> [Arc<ClientConfig>; 2] {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut http1 = config.clone();
    http1.alpn_protocols = vec![b"http/1.1".to_vec()];
    [Arc::new(config), Arc::new(http1)]
}
