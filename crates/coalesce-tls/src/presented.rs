//! Reads the identifiers that a certificate presents.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use coalesce_core::{BuildError, Host, IdentifierError, IdentifierSet, PresentedIdentifier};
use x509_parser::asn1_rs::Tag;
use x509_parser::error::X509Error;
use x509_parser::extensions::{GeneralName, SubjectAlternativeName};
use x509_parser::nom::{self, error::ErrorKind};
use x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::limits::{CERTIFICATE_LEN_MAX, SUBJECT_ALT_NAMES_MAX};

/// The identifiers that one certificate presents (RFC 9525 §2).
///
/// | in the certificate | becomes |
/// | --- | --- |
/// | `dNSName` that RFC 9525 §6.3 can match | `DNS:a.example.test`, `DNS:*.example.test` |
/// | `iPAddress` of 4 or 16 octets | `IP:192.0.2.1`, `IP:2001:db8::1` |
/// | `dNSName` or `iPAddress` of any other form | ignored, with the [`IdentifierError`] |
/// | any other kind of name | ignored, as another kind |
/// | the subject's common name | nothing: it identifies no service (RFC 9525 §2, RFC 9110 §4.3.4) |
///
/// Why is an unusable name not an error? By RFC 9525 §6.3, verifiers ignore it and match the other
/// names. A server that refused the certificate would refuse one that its clients accept.
///
/// # Examples
///
#[cfg_attr(feature = "rustls", doc = "```")]
#[cfg_attr(not(feature = "rustls"), doc = "```ignore")]
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_core::Host;
/// use coalesce_tls::{PresentedNames, certificates_from_pem};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (chain_pem, key_pem) = pem()?;
/// let chain = certificates_from_pem(chain_pem.as_bytes())?;
/// let presented = PresentedNames::read_der(&chain[0])?;
/// assert_eq!(presented.covering(&Host::parse(b"a.example.test")?), Some("DNS:*.example.test"));
/// assert_eq!(presented.covering(&Host::parse(b"example.test")?), None);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PresentedNames {
    identifiers: Arc<IdentifierSet>,
    names: Vec<String>,
    /// For each number of `identifiers`, the index into `names`.
    places: Vec<Option<usize>>,
    ignored: Vec<IgnoredName>,
}

impl PresentedNames {
    /// Reads the subjectAltName extension (RFC 5280 §4.2.1.6) of the certificate `der`.
    ///
    /// Returns [`CertificateError`]. A certificate without a usable name is not an error:
    /// [`is_empty`](Self::is_empty) is then true, and [`ignored`](Self::ignored) has the reasons.
    pub fn read_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > CERTIFICATE_LEN_MAX {
            let max = CERTIFICATE_LEN_MAX;
            return Err(CertificateError::TooLong { len: der.len(), max });
        }
        let (rest, certificate) = X509Certificate::from_der(der)
            .map_err(|error| CertificateError::Malformed { reason: reason_of(error) })?;
        if !rest.is_empty() {
            return Err(CertificateError::TrailingData { len: rest.len() });
        }
        let extension = certificate
            .get_extension_unique(&OID_X509_EXT_SUBJECT_ALT_NAME)
            .map_err(|_| CertificateError::DuplicateSubjectAltName)?
            .ok_or(CertificateError::NoSubjectAltName)?;
        once_each(&certificate)?;
        let (rest, names) = SubjectAlternativeName::from_der(extension.value)
            .map_err(|_| CertificateError::MalformedSubjectAltName)?;
        if !rest.is_empty() {
            return Err(CertificateError::MalformedSubjectAltName);
        }
        if names.general_names.is_empty() {
            return Err(CertificateError::EmptySubjectAltName);
        }
        let mut collector = Collector::default();
        names.general_names.iter().try_for_each(|name| collector.general_name(name))?;
        collector.finish()
    }

    /// Reads names in the form of [`names`](Self::names), for tools and configuration:
    /// `DNS:*.example.com`, `IP:192.0.2.1`.
    ///
    /// # Errors
    /// Returns [`CertificateError::UnknownKind`] for a text that begins with neither `DNS:` nor
    /// `IP:`, [`CertificateError::AddressText`] for an `IP:` without an address, which a
    /// certificate cannot contain, and [`CertificateError::TooManyNames`]. A DNS name that can
    /// never match is ignored, as in a certificate.
    ///
    /// # Examples
    /// ```
    /// use coalesce_tls::PresentedNames;
    ///
    /// let presented = PresentedNames::from_text(["DNS:*.example.test", "IP:192.0.2.1"]).unwrap();
    /// assert_eq!(presented.identifiers().len(), 2);
    /// ```
    pub fn from_text<'a>(
        sans: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, CertificateError> {
        let mut collector = Collector::default();
        for text in sans {
            if let Some(name) = text.strip_prefix("DNS:") {
                collector.dns(name.as_bytes())?;
            } else if let Some(address) = text.strip_prefix("IP:") {
                let address = address
                    .parse()
                    .map_err(|_| CertificateError::AddressText { text: escape(text) })?;
                collector.usable(PresentedIdentifier::Ip(address))?;
            } else {
                return Err(CertificateError::UnknownKind { text: escape(text) });
            }
        }
        collector.finish()
    }

    /// Returns the identifiers as a set that you can share and search.
    pub const fn identifiers(&self) -> &Arc<IdentifierSet> {
        &self.identifiers
    }

    /// Returns the names of the [`identifiers`](Self::identifiers), in the order of the
    /// certificate:
    /// `DNS:a.example.test`, `IP:192.0.2.1`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the names in the certificate that never match.
    pub fn ignored(&self) -> &[IgnoredName] {
        &self.ignored
    }

    /// Returns whether no name of the certificate can match.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns the most specific name that covers `host` (RFC 9525 §6.3, RFC 9110 §4.3.5).
    ///
    /// # Allocation
    /// None.
    pub fn covering(&self, host: &Host<'_>) -> Option<&str> {
        let number = self.identifiers.find(host)?;
        let place = self.places.get(number).copied().flatten()?;
        self.names.get(place).map(String::as_str)
    }
}

impl fmt::Debug for PresentedNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ignored: Vec<&str> = self.ignored.iter().map(IgnoredName::text).collect();
        f.debug_struct("PresentedNames")
            .field("names", &self.names)
            .field("ignored", &ignored)
            .finish_non_exhaustive()
    }
}

/// A name in a certificate that never matches.
///
/// # Examples
/// ```
/// use coalesce_tls::{IgnoredReason, PresentedNames};
///
/// let presented = PresentedNames::from_text(["DNS:f*.example.test"]).unwrap();
/// let ignored = &presented.ignored()[0];
/// assert_eq!(ignored.text(), "DNS:f*.example.test");
/// assert!(matches!(ignored.reason(), IgnoredReason::Invalid(_)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredName {
    text: String,
    reason: IgnoredReason,
}

impl IgnoredName {
    /// Returns the name with its kind: `DNS:f*.example.test`, `email:a@example.test`. Unprintable
    /// bytes are escaped.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the reason why the name never matches.
    pub const fn reason(&self) -> IgnoredReason {
        self.reason
    }
}

impl fmt::Display for IgnoredName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.text, self.reason)
    }
}

/// The reason why a name in a certificate never matches.
///
/// # Examples
/// ```
/// use coalesce_core::IdentifierError;
/// use coalesce_tls::{IgnoredReason, PresentedNames};
///
/// let presented = PresentedNames::from_text(["DNS:f*.example.test"]).unwrap();
/// let reason = presented.ignored()[0].reason();
/// assert_eq!(reason, IgnoredReason::Invalid(IdentifierError::Wildcard));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IgnoredReason {
    /// A `dNSName` or `iPAddress` with a form that never matches.
    Invalid(IdentifierError),
    /// A kind of name that is not compared with HTTP authorities (RFC 9110 §4.3.4).
    OtherKind,
}

impl fmt::Display for IgnoredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => error.fmt(f),
            Self::OtherKind => f.write_str("neither a DNS name nor an address"),
        }
    }
}

/// An error in a certificate, or in names as text.
///
/// # Examples
/// ```
/// use coalesce_tls::{CertificateError, PresentedNames};
///
/// let error = PresentedNames::from_text(["email:a@example.test"]).unwrap_err();
/// assert!(matches!(error, CertificateError::UnknownKind { .. }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// More than [`CERTIFICATE_LEN_MAX`] bytes.
    #[non_exhaustive]
    TooLong {
        /// The length found, in bytes.
        len: usize,
        /// The length allowed.
        max: usize,
    },
    /// Not an X.509 certificate.
    #[non_exhaustive]
    Malformed {
        /// The message of the parser.
        reason: String,
    },
    /// Bytes after the certificate.
    #[non_exhaustive]
    TrailingData {
        /// The number of bytes.
        len: usize,
    },
    /// No subjectAltName extension. Such a certificate covers no name.
    NoSubjectAltName,
    /// A subjectAltName extension without names (RFC 5280 §4.2.1.6).
    EmptySubjectAltName,
    /// Two subjectAltName extensions (RFC 5280 §4.2). Readers differ on which one counts.
    DuplicateSubjectAltName,
    /// Another extension twice (RFC 5280 §4.2). rustls refuses such a certificate as well.
    #[non_exhaustive]
    DuplicateExtension {
        /// Its object identifier.
        oid: String,
    },
    /// A subjectAltName extension that is not a sequence of names.
    MalformedSubjectAltName,
    /// More than [`SUBJECT_ALT_NAMES_MAX`] names.
    #[non_exhaustive]
    TooManyNames {
        /// The number allowed.
        max: usize,
    },
    /// Names that the identifier set refuses. Only names chosen to collide in its hash cause this.
    Identifiers(BuildError),
    /// A text that begins with neither `DNS:` nor `IP:`.
    #[non_exhaustive]
    UnknownKind {
        /// The text, escaped.
        text: String,
    },
    /// `IP:` without an address after it.
    #[non_exhaustive]
    AddressText {
        /// The text, escaped.
        text: String,
    },
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { len, max } => {
                write!(f, "certificate of {len} bytes; at most {max} allowed")
            }
            Self::Malformed { reason } => write!(f, "not an X.509 certificate in DER: {reason}"),
            Self::TrailingData { len } => {
                write!(f, "{len} bytes after the end of the certificate; none expected")
            }
            Self::NoSubjectAltName => f.write_str(
                "no subjectAltName extension; one expected, since the common name does not count",
            ),
            Self::EmptySubjectAltName => {
                f.write_str("subjectAltName extension without names; at least one expected")
            }
            Self::DuplicateSubjectAltName => {
                f.write_str("more than one subjectAltName extension; exactly one expected")
            }
            Self::DuplicateExtension { oid } => {
                write!(f, "more than one extension {oid}; at most one of each expected")
            }
            Self::MalformedSubjectAltName => {
                f.write_str("subjectAltName extension is not a sequence of general names")
            }
            Self::TooManyNames { max } => {
                write!(f, "too many subject alternative names; at most {max} allowed")
            }
            Self::Identifiers(error) => write!(f, "names that cannot be indexed: {error}"),
            Self::UnknownKind { text } => {
                write!(f, "name '{text}' of unknown kind; 'DNS:' or 'IP:' expected")
            }
            Self::AddressText { text } => {
                write!(f, "no address in '{text}'; IPv4 or IPv6 expected after 'IP:'")
            }
        }
    }
}

impl std::error::Error for CertificateError {}

/// Sorts names into usable and ignored ones.
#[derive(Default)]
struct Collector<'a> {
    identifiers: Vec<PresentedIdentifier<'a>>,
    ignored: Vec<IgnoredName>,
}

impl<'a> Collector<'a> {
    fn general_name(&mut self, name: &GeneralName<'a>) -> Result<(), CertificateError> {
        // The other kinds have the labels that OpenSSL prints, so that operators can compare.
        match name {
            GeneralName::DNSName(text) => self.dns(text.as_bytes()),
            GeneralName::IPAddress(octets) => self.address(octets),
            // The parser reports a dNSName that is not UTF-8 as invalid. The context tag still
            // shows its kind, so the identifier parser can report the exact fault.
            GeneralName::Invalid(tag, bytes) if *tag == DNS_NAME => self.dns(bytes),
            GeneralName::Invalid(tag, bytes) => {
                self.other(format!("[{}]:{}", tag.0, bytes.escape_ascii()))
            }
            GeneralName::RFC822Name(text) => self.other(format!("email:{}", escape(text))),
            GeneralName::URI(text) => self.other(format!("URI:{}", escape(text))),
            GeneralName::OtherName(kind, _) => self.other(format!("othername:{kind}")),
            GeneralName::RegisteredID(id) => self.other(format!("Registered ID:{id}")),
            GeneralName::DirectoryName(name) => {
                self.other(format!("DirName:{}", escape(&name.to_string())))
            }
            GeneralName::X400Address(_) => self.other("X400Name".to_owned()),
            GeneralName::EDIPartyName(_) => self.other("EdiPartyName".to_owned()),
        }
    }

    fn dns(&mut self, bytes: &'a [u8]) -> Result<(), CertificateError> {
        match PresentedIdentifier::parse_dns(bytes) {
            Ok(identifier) => self.usable(identifier),
            Err(error) => self.ignore(IgnoredName {
                text: format!("DNS:{}", bytes.escape_ascii()),
                reason: IgnoredReason::Invalid(error),
            }),
        }
    }

    fn address(&mut self, octets: &[u8]) -> Result<(), CertificateError> {
        match PresentedIdentifier::from_address_octets(octets) {
            Ok(identifier) => self.usable(identifier),
            Err(error) => {
                let hex: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
                self.ignore(IgnoredName {
                    text: format!("IP:{}", hex.join(":")),
                    reason: IgnoredReason::Invalid(error),
                })
            }
        }
    }

    fn other(&mut self, text: String) -> Result<(), CertificateError> {
        self.ignore(IgnoredName { text, reason: IgnoredReason::OtherKind })
    }

    fn usable(&mut self, identifier: PresentedIdentifier<'a>) -> Result<(), CertificateError> {
        self.make_room()?;
        self.identifiers.push(identifier);
        Ok(())
    }

    fn ignore(&mut self, name: IgnoredName) -> Result<(), CertificateError> {
        self.make_room()?;
        self.ignored.push(name);
        Ok(())
    }

    fn make_room(&self) -> Result<(), CertificateError> {
        let full = self.identifiers.len().saturating_add(self.ignored.len());
        if full < SUBJECT_ALT_NAMES_MAX { Ok(()) } else { Err(TOO_MANY_NAMES) }
    }

    fn finish(self) -> Result<PresentedNames, CertificateError> {
        let names = self.identifiers.iter().map(ToString::to_string).collect();
        let identifiers = IdentifierSet::build(self.identifiers.iter().copied())
            .map_err(CertificateError::Identifiers)?;
        let mut places = vec![None; identifiers.len()];
        // The first of several equal names counts.
        for (place, identifier) in self.identifiers.iter().enumerate() {
            let number = identifiers.number(identifier);
            if let Some(first) = number.and_then(|number| places.get_mut(number)) {
                first.get_or_insert(place);
            }
        }
        Ok(PresentedNames {
            identifiers: Arc::new(identifiers),
            names,
            places,
            ignored: self.ignored,
        })
    }
}

const TOO_MANY_NAMES: CertificateError =
    CertificateError::TooManyNames { max: SUBJECT_ALT_NAMES_MAX };

/// The context tag of a `dNSName` (RFC 5280 §4.2.1.6).
const DNS_NAME: Tag = Tag(2);

fn escape(text: &str) -> String {
    text.as_bytes().escape_ascii().to_string()
}

/// Refuses a repeated extension, because readers differ on which one counts.
fn once_each(certificate: &X509Certificate<'_>) -> Result<(), CertificateError> {
    let mut seen = BTreeSet::new();
    for extension in certificate.extensions() {
        if !seen.insert(extension.oid.as_bytes()) {
            return Err(CertificateError::DuplicateExtension { oid: extension.oid.to_id_string() });
        }
    }
    Ok(())
}

fn reason_of(error: nom::Err<X509Error>) -> String {
    match error {
        nom::Err::Error(X509Error::NomError(ErrorKind::Eof)) | nom::Err::Incomplete(_) => {
            "it ends too early".to_owned()
        }
        nom::Err::Error(error) | nom::Err::Failure(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
