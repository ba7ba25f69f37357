//! Certificates and keys from PEM text (RFC 7468).
//!
//! A file with one unreadable section is refused as a whole, because the readable rest is not the
//! intended content. This matters for security: if all certificates of a client CA file were
//! skipped, that must not mean "no client certificate needed".

use std::fmt;

use rustls::RootCertStore;
use rustls_pki_types::pem::{Error as SyntaxError, PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use crate::file_format::FileFormat;
use crate::policy::check_revocation_list;

/// Reads the certificates of a PEM text, in their order: the end-entity certificate first, then the
/// chain to the root. Other sections are ignored, so the file may hold the key as well.
///
/// # Errors
/// [`PemError::NoCertificate`], [`PemError::NotPem`], [`PemError::Syntax`].
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_tls::certificates_from_pem;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (chain_pem, key_pem) = pem()?;
/// let chain = certificates_from_pem(chain_pem.as_bytes())?;
/// assert_eq!(chain.len(), 1);
/// # Ok(()) }
/// ```
pub fn certificates_from_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let mut certificates = Vec::new();
    for section in sections(pem) {
        let (kind, der) = section?;
        certificates.extend(CertificateDer::from_pem(kind, der));
    }
    if certificates.is_empty() {
        not_pem(pem)?;
        return Err(PemError::NoCertificate { found: labels(pem) });
    }
    Ok(certificates)
}

/// Reads the one private key of a PEM text: PKCS #8, PKCS #1 or SEC 1. Other sections are ignored.
///
/// # Errors
/// [`PemError::NoKey`], [`PemError::EncryptedKey`], [`PemError::SeveralKeys`],
/// [`PemError::NotPem`], [`PemError::Syntax`].
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_tls::private_key_from_pem;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (chain_pem, key_pem) = pem()?;
/// let key = private_key_from_pem(key_pem.as_bytes())?;
/// assert!(private_key_from_pem(chain_pem.as_bytes()).is_err());
/// # Ok(()) }
/// ```
pub fn private_key_from_pem(pem: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    let mut keys = Vec::new();
    // The header lines of such a key are no base64, so the parser would stop at them.
    if has_encrypted_section(pem) {
        return Err(PemError::EncryptedKey);
    }
    for section in sections(pem) {
        let (kind, der) = section?;
        keys.extend(PrivateKeyDer::from_pem(kind, der));
    }
    let count = keys.len();
    match (keys.pop(), count) {
        (Some(key), 1) => Ok(key),
        (Some(_), count) => Err(PemError::SeveralKeys { count }),
        (None, _) => {
            not_pem(pem)?;
            let found = labels(pem);
            let encrypted = found.iter().any(|label| label == "ENCRYPTED PRIVATE KEY");
            Err(if encrypted { PemError::EncryptedKey } else { PemError::NoKey { found } })
        }
    }
}

/// Reads the CA certificates of a PEM text, for [`ClientRules`](crate::ClientRules).
///
/// # Errors
/// The errors of [`certificates_from_pem`], and [`PemError::Root`] for the first certificate that
/// cannot be a trust anchor. No certificate is skipped silently.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_tls::{ClientAuth, ClientRules, client_cas_from_pem};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (chain_pem, key_pem) = pem()?;
/// let cas = client_cas_from_pem(chain_pem.as_bytes())?;
/// let rules = ClientAuth::Required(ClientRules::new(cas, [])?);
/// # Ok(()) }
/// ```
pub fn client_cas_from_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let cas = certificates_from_pem(pem)?;
    let mut roots = RootCertStore::empty();
    for (at, ca) in cas.iter().enumerate() {
        roots
            .add(ca.clone())
            .map_err(|error| PemError::Root { number: at.saturating_add(1), error })?;
    }
    Ok(cas)
}

/// Reads the revocation lists of a PEM text, or a single list in DER, the form that CAs publish,
/// for [`ClientRules`](crate::ClientRules). Other sections are ignored.
///
/// # Errors
/// Returns [`PemError::NoRevocationList`], [`PemError::Syntax`], or [`PemError::RevocationList`]
/// for the first unusable list. No list is skipped silently.
///
/// # Examples
/// ```
/// use coalesce_tls::{PemError, revocation_lists_from_pem_or_der};
///
/// let error = revocation_lists_from_pem_or_der(b"").unwrap_err();
/// assert!(matches!(error, PemError::NoRevocationList { .. }));
/// ```
pub fn revocation_lists_from_pem_or_der(
    bytes: &[u8],
) -> Result<Vec<CertificateRevocationListDer<'static>>, PemError> {
    /// The tag of a SEQUENCE. No PEM text starts with this byte.
    const SEQUENCE: u8 = 0x30;
    let mut lists = Vec::new();
    if bytes.first() == Some(&SEQUENCE) {
        lists.push(CertificateRevocationListDer::from(bytes.to_vec()));
    } else {
        for section in sections(bytes) {
            let (kind, der) = section?;
            lists.extend(CertificateRevocationListDer::from_pem(kind, der));
        }
    }
    if lists.is_empty() {
        not_pem(bytes)?;
        return Err(PemError::NoRevocationList { found: labels(bytes) });
    }
    for (at, list) in lists.iter().enumerate() {
        check_revocation_list(list)
            .map_err(|error| PemError::RevocationList { number: at.saturating_add(1), error })?;
    }
    Ok(lists)
}

/// Returns an error for a file in a known format that is not PEM text.
fn not_pem(bytes: &[u8]) -> Result<(), PemError> {
    match FileFormat::detect(bytes) {
        Some(format) => Err(PemError::NotPem { format }),
        None => Ok(()),
    }
}

/// Returns whether a key is encrypted in the form of RFC 1421 §4.6.1.1, which OpenSSL wrote before
/// it wrote PKCS #8.
fn has_encrypted_section(pem: &[u8]) -> bool {
    let mut lines = pem.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.any(|line| line.trim_ascii() == b"Proc-Type: 4,ENCRYPTED")
}

fn sections(
    pem: &[u8],
) -> impl Iterator<Item = Result<(SectionKind, Vec<u8>), PemError>> + use<'_> {
    // Some editors start a text in UTF-8 with this mark; no line of RFC 7468 starts with it.
    let pem = pem.strip_prefix(b"\xef\xbb\xbf").unwrap_or(pem);
    <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).map(|section| {
        section.map_err(|error| PemError::Syntax(CertificateSyntaxError::from(error)))
    })
}

/// Returns the labels of all sections, including ignored ones, for use in error messages.
fn labels(pem: &[u8]) -> Vec<String> {
    pem.split(|byte| matches!(byte, b'\n' | b'\r'))
        .filter_map(|line| {
            line.strip_prefix(b"-----BEGIN ")?.trim_ascii_end().strip_suffix(b"-----")
        })
        .map(|label| label.escape_ascii().to_string())
        .collect()
}

/// An error in a PEM text. No message repeats the content of a section, because it may be a key.
///
/// # Examples
/// ```
/// use coalesce_tls::{PemError, certificates_from_pem};
///
/// let error = certificates_from_pem(b"").unwrap_err();
/// assert!(matches!(error, PemError::NoCertificate { .. }));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PemError {
    /// No `CERTIFICATE` section.
    #[non_exhaustive]
    NoCertificate {
        /// The labels of the sections found.
        found: Vec<String>,
    },
    /// No section with a private key.
    #[non_exhaustive]
    NoKey {
        /// The labels of the sections found.
        found: Vec<String>,
    },
    /// No section with a revocation list.
    #[non_exhaustive]
    NoRevocationList {
        /// The labels of the sections found.
        found: Vec<String>,
    },
    /// The private key is encrypted. This crate cannot decrypt keys.
    EncryptedKey,
    /// No PEM text at all, but another format.
    #[non_exhaustive]
    NotPem {
        /// The format.
        format: FileFormat,
    },
    /// More than one private key, so the right one is unknown.
    #[non_exhaustive]
    SeveralKeys {
        /// The number of keys.
        count: usize,
    },
    /// A section that breaks the syntax of RFC 7468.
    Syntax(CertificateSyntaxError),
    /// A certificate that cannot be a trust anchor.
    #[non_exhaustive]
    Root {
        /// Its number in the file, counted from 1.
        number: usize,
        /// The error of the library that reads it.
        error: rustls::Error,
    },
    /// A revocation list that cannot be used.
    #[non_exhaustive]
    RevocationList {
        /// Its number in the file, counted from 1.
        number: usize,
        /// The error of the library that reads it.
        error: webpki::Error,
    },
}

/// A syntax error in a PEM section.
///
/// # Examples
/// ```
/// use coalesce_tls::{PemError, certificates_from_pem};
///
/// let text = b"-----BEGIN CERTIFICATE-----\nAAAA\n";
/// let Err(PemError::Syntax(error)) = certificates_from_pem(text) else { panic!() };
/// println!("{error}");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateSyntaxError {
    /// A `BEGIN` line that does not end in five hyphens.
    Begin,
    /// A `BEGIN` line without its `END` line.
    End,
    /// Text between the two lines that is not base64.
    Base64,
    /// Any other error of the parser.
    Other,
}

impl From<SyntaxError> for CertificateSyntaxError {
    fn from(error: SyntaxError) -> Self {
        match error {
            SyntaxError::IllegalSectionStart { .. } => Self::Begin,
            SyntaxError::MissingSectionEnd { .. } => Self::End,
            SyntaxError::Base64Decode(_) => Self::Base64,
            _ => Self::Other,
        }
    }
}

impl PemError {
    /// Returns the commands that make what was expected of the file `file`, if there are any. The
    /// names of their outputs are examples.
    ///
    /// # Examples
    /// ```
    /// use coalesce_tls::private_key_from_pem;
    ///
    /// let pem = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----";
    /// let error = private_key_from_pem(pem.as_bytes()).unwrap_err();
    /// let expected = "openssl pkey -in shop.key -out plain.key";
    /// assert_eq!(error.conversion("shop.key").as_deref(), Some(expected));
    /// ```
    pub fn conversion(&self, file: &str) -> Option<String> {
        let file = &shell_word(file);
        Some(match self {
            Self::EncryptedKey => format!("openssl pkey -in {file} -out plain.key"),
            Self::NotPem { format: FileFormat::Pkcs12 } => format!(
                "openssl pkcs12 -in {file} -nokeys -out chain.pem, and \
                 openssl pkcs12 -in {file} -nocerts -nodes -out plain.key"
            ),
            Self::NotPem { format: FileFormat::Pkcs7 } => {
                format!("openssl pkcs7 -inform DER -in {file} -print_certs -out chain.pem")
            }
            Self::NotPem { format: FileFormat::Der } => format!(
                "openssl x509 -inform DER -in {file} -out chain.pem for a certificate, or \
                 openssl pkey -inform DER -in {file} -out plain.key for a key"
            ),
            Self::NotPem { format: FileFormat::Utf16 } => {
                format!("iconv -f UTF-16 -t UTF-8 {file} > chain.pem")
            }
            Self::NoCertificate { found } if found.iter().any(|label| label == "PKCS7") => {
                format!("openssl pkcs7 -in {file} -print_certs -out chain.pem")
            }
            _ => return None,
        })
    }
}

/// Quotes a file name for a shell, if it needs that.
fn shell_word(file: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if !file.starts_with('-') && file.bytes().all(plain) {
        return file.to_owned();
    }
    format!("'{}'", file.replace('\'', r"'\''"))
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate { found } => {
                write!(f, "no CERTIFICATE section in the PEM text; found {}", Labels(found))
            }
            Self::NoKey { found } => {
                write!(f, "no PRIVATE KEY section in the PEM text; found {}", Labels(found))
            }
            Self::NoRevocationList { found } => {
                write!(f, "no X509 CRL section in the PEM text; found {}", Labels(found))
            }
            Self::EncryptedKey => {
                f.write_str("the private key is encrypted; one without a passphrase expected")
            }
            Self::NotPem { format } => write!(f, "found {format}, expected PEM text"),
            Self::SeveralKeys { count } => {
                write!(f, "{count} private keys in the PEM text; exactly one expected")
            }
            Self::Syntax(syntax) => syntax.fmt(f),
            Self::Root { number, error } => {
                write!(f, "certificate {number} cannot be a trust anchor: {error}")
            }
            Self::RevocationList { number, error } => {
                write!(f, "revocation list {number} cannot be used: {error}")
            }
        }
    }
}

impl fmt::Display for CertificateSyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begin => {
                "a PEM section starts with a broken line; '-----BEGIN ...-----' expected"
            }
            Self::End => "a PEM section is cut off; a matching '-----END ...-----' line expected",
            Self::Base64 => "a PEM section contains something other than base64",
            Self::Other => "a PEM section cannot be read",
        })
    }
}

impl std::error::Error for PemError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Root { error, .. } => Some(error),
            Self::RevocationList { error, .. } => Some(error),
            _ => None,
        }
    }
}

struct Labels<'a>(&'a [String]);

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("no section at all"),
            labels => f.write_str(&labels.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Made {
        certificate: String,
        der: Vec<u8>,
        key: String,
    }

    fn made() -> Made {
        let made = rcgen::generate_simple_self_signed(["a.example.test".to_owned()]).unwrap();
        let der = made.cert.der().to_vec();
        Made { certificate: made.cert.pem(), der, key: made.signing_key.serialize_pem() }
    }

    fn section(label: &str) -> String {
        format!("-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n")
    }

    #[test]
    fn chain_keeps_its_order_beside_its_key() {
        let (a, b) = (made(), made());
        let pem = format!("# note\n{}{}{}", a.key, b.certificate, a.certificate);
        let chain = certificates_from_pem(pem.as_bytes()).unwrap();
        assert_eq!(chain, [CertificateDer::from(b.der), CertificateDer::from(a.der)]);
        assert!(matches!(private_key_from_pem(pem.as_bytes()), Ok(PrivateKeyDer::Pkcs8(_))));
        let marked = format!("\u{feff}{}", a.certificate);
        assert_eq!(certificates_from_pem(marked.as_bytes()).unwrap().len(), 1);
        let windows = pem.replace('\n', "\r\n");
        assert_eq!(certificates_from_pem(windows.as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn private_key_is_read_in_each_of_three_forms() {
        let pem = section("EC PARAMETERS") + &section("EC PRIVATE KEY");
        assert!(matches!(private_key_from_pem(pem.as_bytes()), Ok(PrivateKeyDer::Sec1(_))));
        let pem = section("RSA PRIVATE KEY");
        assert!(matches!(private_key_from_pem(pem.as_bytes()), Ok(PrivateKeyDer::Pkcs1(_))));
    }

    #[test]
    fn missing_section_error_lists_the_sections_found() {
        let made = made();
        let two = section("CERTIFICATE REQUEST") + &made.key;
        let cases = [
            ("junk", "found no section at all"),
            ("", "found no section at all"),
            (made.key.as_str(), "found PRIVATE KEY"),
            (two.as_str(), "found CERTIFICATE REQUEST, PRIVATE KEY"),
            (&section("TRUSTED CERTIFICATE"), "found TRUSTED CERTIFICATE"),
        ];
        for (pem, found) in cases {
            let error = certificates_from_pem(pem.as_bytes()).unwrap_err();
            let message = format!("no CERTIFICATE section in the PEM text; {found}");
            assert_eq!(error.to_string(), message);
            assert_eq!(client_cas_from_pem(pem.as_bytes()).unwrap_err(), error);
        }
        let cases = [
            (made.certificate.clone(), "no PRIVATE KEY section in the PEM text; found CERTIFICATE"),
            (
                section("OPENSSH PRIVATE KEY"),
                "no PRIVATE KEY section in the PEM text; found OPENSSH PRIVATE KEY",
            ),
            (
                section("ENCRYPTED PRIVATE KEY"),
                "the private key is encrypted; one without a passphrase expected",
            ),
            (made.key.repeat(2), "2 private keys in the PEM text; exactly one expected"),
        ];
        for (pem, message) in cases {
            let error = private_key_from_pem(pem.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        let der = PemError::NotPem { format: FileFormat::Der };
        assert_eq!(certificates_from_pem(&made.der), Err(der.clone()));
        assert_eq!(private_key_from_pem(&made.der).unwrap_err(), der);
        assert_eq!(der.to_string(), "found a certificate or key in DER, expected PEM text");
    }

    #[test]
    fn encrypted_key_is_named_in_both_forms() {
        let headers = "Proc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-256-CBC,00\r\n\r\n";
        let old =
            section("RSA PRIVATE KEY").replace("KEY-----\nM", &format!("KEY-----\n{headers}M"));
        assert!(old.contains(headers));
        for pem in [old, section("ENCRYPTED PRIVATE KEY")] {
            assert_eq!(private_key_from_pem(pem.as_bytes()).unwrap_err(), PemError::EncryptedKey);
        }
    }

    #[test]
    fn conversion_names_the_file_as_a_shell_takes_it() {
        let error = PemError::NotPem { format: FileFormat::Utf16 };
        let command = |file| error.conversion(file).unwrap();
        assert_eq!(command("a/b.pem"), "iconv -f UTF-16 -t UTF-8 a/b.pem > chain.pem");
        assert_eq!(command("a b'c"), r"iconv -f UTF-16 -t UTF-8 'a b'\''c' > chain.pem");
        assert_eq!(command("-x"), "iconv -f UTF-16 -t UTF-8 '-x' > chain.pem");
        assert_eq!(PemError::SeveralKeys { count: 2 }.conversion("a"), None);
        let pkcs7 = certificates_from_pem(section("PKCS7").as_bytes()).unwrap_err();
        assert!(pkcs7.conversion("a").unwrap().starts_with("openssl pkcs7 -in a -print_certs"));
    }

    #[test]
    fn one_broken_section_fails_the_whole_text() {
        let made = made();
        let cut_off = made.certificate.replace("-----END CERTIFICATE-----", "");
        let base64 = made.certificate.replace("\nMII", "\n!!!");
        let begin = made.certificate.replace("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE---");
        assert!(base64 != made.certificate, "the certificate starts as a long SEQUENCE does");
        let cases = [
            (cut_off, "a PEM section is cut off; a matching '-----END ...-----' line expected"),
            (base64, "a PEM section contains something other than base64"),
            (begin, "a PEM section starts with a broken line; '-----BEGIN ...-----' expected"),
        ];
        for (broken, message) in cases {
            let pem = made.certificate.clone() + &broken;
            let error = certificates_from_pem(pem.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(client_cas_from_pem(pem.as_bytes()).is_err());
            let pem = made.key.clone() + &broken;
            assert!(private_key_from_pem(pem.as_bytes()).is_err());
        }
        assert_eq!(
            PemError::Syntax(CertificateSyntaxError::Other).to_string(),
            "a PEM section cannot be read"
        );
    }

    #[test]
    fn unusable_root_is_an_error() {
        let made = made();
        let cas = client_cas_from_pem(made.certificate.as_bytes()).unwrap();
        assert_eq!(cas.len(), 1);
        let pem = made.certificate + &section("CERTIFICATE");
        let error = client_cas_from_pem(pem.as_bytes()).unwrap_err();
        assert!(matches!(error, PemError::Root { number: 2, .. }));
        let message = error.to_string();
        assert!(message.starts_with("certificate 2 cannot be a trust anchor: "), "{message}");
    }

    #[test]
    fn unusable_revocation_list_is_an_error() {
        let made = made();
        let error = revocation_lists_from_pem_or_der(made.certificate.as_bytes()).unwrap_err();
        let message = "no X509 CRL section in the PEM text; found CERTIFICATE";
        assert_eq!(error.to_string(), message);
        let error = revocation_lists_from_pem_or_der(section("X509 CRL").as_bytes()).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with("revocation list 1 cannot be used: "), "{message}");
        let in_der = revocation_lists_from_pem_or_der(&[0x30, 0]).unwrap_err();
        assert!(matches!(in_der, PemError::RevocationList { number: 1, .. }), "{in_der}");
    }
}
