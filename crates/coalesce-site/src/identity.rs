//! The certificate of a host and its private key, from files or memory.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use coalesce_tls::{
    HandshakeTableError, PemError, PresentedNames, ServerCertificate, Validity, ValidityPeriod,
    certificates_from_pem, private_key_from_pem,
};
use rustls::crypto::CryptoProvider;
use rustls::sign::SigningKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::{Notes, Subject};
use crate::files::{self, FileError};

/// A certificate chain and its private key. Cloning is cheap.
///
/// Give clones of one identity to all hosts whose names its certificate covers. The hosts then
/// share connections, and [`Site::replace_identity`](crate::Site::replace_identity) renews them
/// together.
///
/// Nothing is read or checked before the site is built, and files are read again at each build, so
/// that [`Site::reload`](crate::Site::reload) takes what has changed in them.
///
/// # Examples
/// ```
/// use coalesce_site::Identity;
///
/// // A handshake presents the first that the client can verify.
/// let identity = Identity::from_pem_files("ecdsa.pem", "ecdsa.key")
///     .and(Identity::from_pem_files("rsa.pem", "rsa.key"));
/// ```
#[derive(Clone)]
pub struct Identity {
    source: Arc<Source>,
}

enum Source {
    Several(Vec<Identity>),
    Files { chain: PathBuf, key: PathBuf },
    Pem { chain: Vec<u8>, key: Vec<u8> },
    Der { chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static> },
    SigningKey { chain: Vec<CertificateDer<'static>>, key: Arc<dyn SigningKey> },
}

impl Identity {
    /// Takes the paths of two PEM files: the chain, the end-entity certificate first, and the key.
    /// Both may be in one file.
    pub fn from_pem_files(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self::new(Source::Files { chain: chain.into(), key: key.into() })
    }

    /// Takes the text of PEM files.
    pub fn from_pem(chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self::new(Source::Pem { chain: chain.into(), key: key.into() })
    }

    /// Takes a chain and a key in DER.
    pub fn from_der(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self::new(Source::Der { chain, key })
    }

    /// Takes a chain in DER and a key that signs, for example one in hardware.
    pub fn from_signing_key(chain: Vec<CertificateDer<'static>>, key: Arc<dyn SigningKey>) -> Self {
        Self::new(Source::SigningKey { chain, key })
    }

    /// Adds another certificate for the same names, with a key of another kind: ECDSA and RSA. A
    /// handshake presents the first of them whose signatures the client can verify.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::new(Source::Several(vec![self, other]))
    }

    fn new(source: Source) -> Self {
        Self { source: Arc::new(source) }
    }

    /// Returns a number that clones of one identity share while any of them exists.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.source).addr()
    }

    /// Reads and checks the certificates for the host that is `subject`, in their order.
    pub(crate) fn load(
        &self,
        provider: &CryptoProvider,
        subject: &Subject,
        notes: &mut Notes,
    ) -> Option<Vec<SiteCertificate>> {
        let Source::Several(parts) = &*self.source else {
            let certificate = self.load_one(provider, subject, notes)?;
            let at = subject.field(CERTIFICATE);
            for ignored in certificate.presented().ignored() {
                notes.warning(&at, format!("ignored in the certificate: {ignored}"));
            }
            let loaded = SiteCertificate { certificate, label: self.label() };
            if let Some(reason) = loaded.warning(SystemTime::now()) {
                notes.warning(&at, reason);
            }
            return Some(vec![loaded]);
        };
        // Load all parts before returning, so that all faults are found.
        let parts: Vec<_> = parts.iter().map(|part| part.load(provider, subject, notes)).collect();
        let parts: Option<Vec<Vec<_>>> = parts.into_iter().collect();
        parts.map(|parts| parts.into_iter().flatten().collect())
    }

    /// Returns the name of the certificate in messages.
    fn label(&self) -> String {
        match &*self.source {
            Source::Files { chain, .. } => chain.display().to_string(),
            _ => UNNAMED.to_owned(),
        }
    }

    fn load_one(
        &self,
        provider: &CryptoProvider,
        subject: &Subject,
        notes: &mut Notes,
    ) -> Option<ServerCertificate> {
        let (at_chain, at_key) = (subject.field(CERTIFICATE), subject.field(KEY));
        let loaded = match &*self.source {
            Source::Files { chain, key } => {
                let chain = notes.take(&at_chain, files::read(chain, certificates_from_pem));
                let key = notes.take(&at_key, files::read(key, private_key_from_pem));
                let (chain, key) = chain.zip(key)?;
                ServerCertificate::from_der(provider, chain, key)
            }
            Source::Pem { chain, key } => {
                let chain: Result<_, PemError> = certificates_from_pem(chain);
                let chain = notes.take(&at_chain, chain);
                let key = notes.take(&at_key, private_key_from_pem(key));
                let (chain, key) = chain.zip(key)?;
                ServerCertificate::from_der(provider, chain, key)
            }
            Source::Der { chain, key } => {
                ServerCertificate::from_der(provider, chain.clone(), key.clone_key())
            }
            // The parts are loaded one by one.
            Source::Several(_) => return None,
            Source::SigningKey { chain, key } => {
                ServerCertificate::from_signing_key(chain.clone(), key.clone())
            }
        };
        let of_key = matches!(
            loaded,
            Err(HandshakeTableError::Key(_)
                | HandshakeTableError::RsaKeyTooShort { .. }
                | HandshakeTableError::KeyMismatch)
        );
        let at = if of_key { at_key } else { at_chain };
        match &*self.source {
            Source::Files { chain, key } => {
                let path = if of_key { key } else { chain };
                notes.take(&at, loaded.map_err(|error| FileError::content(path, error)))
            }
            _ => notes.take(&at, loaded),
        }
    }
}

/// The name in messages of a certificate without a file.
const UNNAMED: &str = "the certificate";

/// A certificate of a site, as it was loaded.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_site::SiteCertificate;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let site = site()?;
/// let snapshot = site.snapshot();
/// for certificate in snapshot.certificates() {
///     let certificate: &SiteCertificate = certificate;
///     println!("{} ends {}", certificate.label(), certificate.validity_period().not_after());
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SiteCertificate {
    pub(crate) certificate: ServerCertificate,
    /// The name in messages.
    pub(crate) label: String,
}

impl SiteCertificate {
    /// Returns the name of the certificate in messages: the path of its file, or `the certificate`
    /// without a file.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Returns the path of its file, if it has one.
    pub(crate) fn file(&self) -> Option<&str> {
        Some(self.label.as_str()).filter(|label| *label != UNNAMED)
    }

    /// Returns the names that the certificate presents.
    pub fn presented(&self) -> &PresentedNames {
        self.certificate.presented()
    }

    /// Returns the period in which the certificate is valid.
    pub const fn validity_period(&self) -> ValidityPeriod {
        self.certificate.validity_period()
    }

    /// Returns a warning if clients refuse the certificate now or soon.
    fn warning(&self, now: SystemTime) -> Option<String> {
        let (label, period) = (&self.label, self.validity_period());
        let (not_before, not_after) = (period.not_before(), period.not_after());
        match period.at(now) {
            Validity::NotYet => Some(format!("{label} is not valid before {not_before}")),
            Validity::EndsSoon => Some(format!("{label} expires soon, at {not_after}")),
            Validity::Expired => Some(format!("{label} has expired, at {not_after}")),
            _ => None,
        }
    }
}

/// The field name for the identity of a host.
const CERTIFICATE: &str = "certificate";
const KEY: &str = "key";

/// Shows the source of the identity, never the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Identity");
        match &*self.source {
            Source::Files { chain, key } => out.field("chain", chain).field("key", key),
            Source::Several(parts) => out.field("several", parts),
            Source::Pem { .. } => out.field("from", &"PEM"),
            Source::Der { .. } => out.field("from", &"DER"),
            Source::SigningKey { .. } => out.field("from", &"a signing key"),
        };
        out.finish_non_exhaustive()
    }
}
