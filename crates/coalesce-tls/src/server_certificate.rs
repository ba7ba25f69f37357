//! A certificate chain with its private key.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{Error as TlsError, InconsistentKeys};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use crate::builder_error::HandshakeTableError;
use crate::limits::{CHAIN_LEN_MAX, RSA_KEY_BITS_MIN};
use crate::presented::{CertificateError, PresentedNames};
use crate::validity::ValidityPeriod;

/// A certificate chain and its private key, checked and ready for handshakes. Cloning is cheap.
///
/// The checks do not include whether the chain leads to a root, has expired or is revoked, because
/// the clients check that. [`validity_period`](Self::validity_period) returns when the certificate
/// expires.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_tls::{ServerCertificate, certificates_from_pem, private_key_from_pem};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (chain_pem, key_pem) = pem()?;
/// let chain = certificates_from_pem(chain_pem.as_bytes())?;
/// let key = private_key_from_pem(key_pem.as_bytes())?;
/// let provider = rustls::crypto::ring::default_provider();
/// let certificate = ServerCertificate::from_der(&provider, chain, key)?;
/// assert_eq!(certificate.presented().names(), ["DNS:*.example.test"]);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ServerCertificate {
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) presented: Arc<PresentedNames>,
    period: ValidityPeriod,
}

impl ServerCertificate {
    /// Takes a chain, the end-entity certificate first, and its private key, which `provider`
    /// loads.
    ///
    /// # Errors
    /// [`HandshakeTableError::NoCertificate`], [`HandshakeTableError::ChainTooLong`],
    /// [`HandshakeTableError::Certificate`], [`HandshakeTableError::NoUsableName`],
    /// [`HandshakeTableError::Key`], [`HandshakeTableError::RsaKeyTooShort`],
    /// [`HandshakeTableError::CertificateNotUsable`], [`HandshakeTableError::KeyMismatch`].
    pub fn from_der(
        provider: &CryptoProvider,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, HandshakeTableError> {
        let facts = read_chain(&chain)?;
        let key = provider.key_provider.load_private_key(key);
        // The error of a provider has only its own word for a key that is too short.
        let key = key.map_err(|error| match chain.first().and_then(|leaf| rsa_key_bits(leaf)) {
            Some(bits) if bits < RSA_KEY_BITS_MIN => HandshakeTableError::RsaKeyTooShort { bits },
            _ => HandshakeTableError::Key(error),
        })?;
        Self::new(chain, facts, key)
    }

    /// Takes a chain, the end-entity certificate first, and a key that signs, for example one in
    /// hardware.
    ///
    /// # Errors
    /// Returns the errors of [`from_der`](Self::from_der), except [`HandshakeTableError::Key`].
    pub fn from_signing_key(
        chain: Vec<CertificateDer<'static>>,
        key: Arc<dyn SigningKey>,
    ) -> Result<Self, HandshakeTableError> {
        let facts = read_chain(&chain)?;
        Self::new(chain, facts, key)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        (presented, period): (PresentedNames, ValidityPeriod),
        key: Arc<dyn SigningKey>,
    ) -> Result<Self, HandshakeTableError> {
        let key = CertifiedKey::new(chain, key);
        match key.keys_match() {
            // A provider may be unable to compare the keys, for example for a key in hardware. The
            // first handshake fails if they do not match.
            Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(TlsError::InconsistentKeys(_)) => return Err(HandshakeTableError::KeyMismatch),
            Err(error) => return Err(HandshakeTableError::CertificateNotUsable(error)),
        }
        Ok(Self { key: Arc::new(key), presented: Arc::new(presented), period })
    }

    /// Returns the identifiers that the certificate presents.
    pub fn presented(&self) -> &PresentedNames {
        &self.presented
    }

    /// Returns the period in which the end-entity certificate is valid.
    pub const fn validity_period(&self) -> ValidityPeriod {
        self.period
    }

    /// Returns the chain, the end-entity certificate first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.key.cert
    }
}

/// Returns the length of the certificate's key, if that is an RSA key.
fn rsa_key_bits(der: &[u8]) -> Option<usize> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(key) => Some(key.key_size()),
        _ => None,
    }
}

/// Reads the names and the validity period of the end-entity certificate.
fn read_chain(
    chain: &[CertificateDer<'static>],
) -> Result<(PresentedNames, ValidityPeriod), HandshakeTableError> {
    let leaf = chain.first().ok_or(HandshakeTableError::NoCertificate)?;
    let len = chain.iter().fold(0_usize, |sum, der| sum.saturating_add(der.len()));
    if len > CHAIN_LEN_MAX {
        return Err(HandshakeTableError::ChainTooLong { len, max: CHAIN_LEN_MAX });
    }
    let presented = PresentedNames::read_der(leaf).map_err(HandshakeTableError::Certificate)?;
    if presented.is_empty() {
        let ignored = presented.ignored().iter().map(ToString::to_string).collect();
        return Err(HandshakeTableError::NoUsableName { ignored });
    }
    let period = ValidityPeriod::read_der(leaf).ok_or_else(|| {
        // The names could be read, so the parser accepts the certificate.
        let reason = "no validity period".to_owned();
        HandshakeTableError::Certificate(CertificateError::Malformed { reason })
    })?;
    Ok((presented, period))
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ServerCertificate");
        out.field("presented", &self.presented.names()).finish_non_exhaustive()
    }
}
