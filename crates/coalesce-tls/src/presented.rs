//! Presented identifiers: what a certificate says it is valid for.

use std::fmt;

use coalesce_core::{Host, IdentifierError, IdentifierSet, PresentedIdentifier};
use rustls_pki_types::IpAddr as PkiIpAddr;
use x509_parser::error::X509Error;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::limits::{CERTIFICATE_LEN_MAX, SUBJECT_ALT_NAMES_MAX};

/// The identifiers that one certificate presents (RFC 9525 §2), owned.
///
/// | in the certificate | becomes |
/// | --- | --- |
/// | `dNSName` that RFC 9525 §6.3 can match | `DNS:a.example.test`, `DNS:*.example.test` |
/// | `iPAddress` of 4 or 16 octets | `IP:192.0.2.1`, `IP:2001:db8::1` |
/// | `dNSName` or `iPAddress` of any other form | ignored, with the [`IdentifierError`] |
/// | any other kind of name | ignored, as another kind |
/// | the subject's common name | nothing: it identifies no service (RFC 9525 §2, RFC 9110 §4.3.4) |
///
/// Why are unusable names no error? RFC 9525 §6.3 has verifiers ignore them and match the others; a
/// server that refused the certificate would refuse one that its clients accept.
#[derive(Clone, Debug)]
pub struct PresentedNames {
    identifiers: IdentifierSet<Vec<u8>>,
    names: Vec<String>,
    ignored: Vec<IgnoredName>,
}

impl PresentedNames {
    /// Reads the subjectAltName extension (RFC 5280 §4.2.1.6) of the certificate `der`.
    ///
    /// # Errors
    /// [`CertificateError`]. A certificate whose names are all unusable is none: then
    /// [`is_empty`](Self::is_empty) is true, and [`ignored`](Self::ignored) says why.
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
        let extension = certificate.subject_alternative_name().map_err(|error| match error {
            X509Error::DuplicateExtensions => CertificateError::DuplicateSubjectAltName,
            _ => CertificateError::MalformedSubjectAltName,
        })?;
        let names = &extension.ok_or(CertificateError::NoSubjectAltName)?.value.general_names;
        if names.is_empty() {
            return Err(CertificateError::EmptySubjectAltName);
        }
        let mut collector = Collector::default();
        names.iter().try_for_each(|name| collector.take(found(name)))?;
        collector.finish()
    }

    /// Takes names as [`names`](Self::names) writes them, for tools and configuration:
    /// `DNS:*.example.com`, `IP:192.0.2.1`.
    ///
    /// # Errors
    /// [`CertificateError::UnknownKind`] for a text that begins with neither `DNS:` nor `IP:`,
    /// [`CertificateError::AddressText`] for an `IP:` without an address, which no certificate
    /// could hold, [`CertificateError::TooManyNames`]. A DNS name that can never match is ignored
    /// as in a certificate.
    pub fn from_text<'a>(
        sans: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, CertificateError> {
        let mut collector = Collector::default();
        for text in sans {
            let octets;
            let found = if let Some(name) = text.strip_prefix("DNS:") {
                Found::Dns(name.as_bytes())
            } else if let Some(address) = text.strip_prefix("IP:") {
                octets = address_octets(address)
                    .ok_or_else(|| CertificateError::AddressText { text: escape(text) })?;
                Found::Address(&octets)
            } else {
                return Err(CertificateError::UnknownKind { text: escape(text) });
            };
            collector.take(found)?;
        }
        collector.finish()
    }

    /// The identifiers, ready for lookup.
    pub fn identifiers(&self) -> IdentifierSet<&[u8]> {
        self.identifiers.borrow()
    }

    /// The names behind [`identifiers`](Self::identifiers), by their numbers:
    /// `DNS:a.example.test`, `IP:192.0.2.1`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The names that the certificate has and that never match.
    pub fn ignored(&self) -> &[IgnoredName] {
        &self.ignored
    }

    /// Whether no name is left that could match.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The name that covers `host` (RFC 9525 §6.3, RFC 9110 §4.3.5); of several the most specific.
    ///
    /// # Allocation
    /// None.
    pub fn covering(&self, host: &Host<'_>) -> Option<&str> {
        let number = self.identifiers.find(host)?;
        self.names.get(number).map(String::as_str)
    }
}

/// A name that a certificate has and that never matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredName {
    text: String,
    reason: IgnoredReason,
}

impl IgnoredName {
    /// The name with its kind, `DNS:f*.example.test` or `email:a@example.test`; bytes that do not
    /// print are escaped.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Why it never matches.
    pub const fn reason(&self) -> IgnoredReason {
        self.reason
    }
}

impl fmt::Display for IgnoredName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.text, self.reason)
    }
}

/// Why a name in a certificate never matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IgnoredReason {
    /// A `dNSName` or `iPAddress` of a form that matches nothing.
    Invalid(IdentifierError),
    /// A kind of name that no HTTP authority is compared with (RFC 9110 §4.3.4).
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

/// Why a certificate, or its names as text, cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// More than [`CERTIFICATE_LEN_MAX`] bytes.
    TooLong {
        /// The length found, in bytes.
        len: usize,
        /// The length allowed.
        max: usize,
    },
    /// Not an X.509 certificate.
    Malformed {
        /// What the parser said.
        reason: String,
    },
    /// Bytes after the certificate.
    TrailingData {
        /// How many.
        len: usize,
    },
    /// No subjectAltName. Such a certificate is valid for no name at all.
    NoSubjectAltName,
    /// A subjectAltName without a single name (RFC 5280 §4.2.1.6).
    EmptySubjectAltName,
    /// Two subjectAltName extensions, of which readers may take either (RFC 5280 §4.2).
    DuplicateSubjectAltName,
    /// A subjectAltName that is no sequence of names.
    MalformedSubjectAltName,
    /// More than [`SUBJECT_ALT_NAMES_MAX`] names.
    TooManyNames {
        /// The number allowed.
        max: usize,
    },
    /// A text that begins with neither `DNS:` nor `IP:`.
    UnknownKind {
        /// The text, escaped.
        text: String,
    },
    /// `IP:` without an address behind it.
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
            Self::MalformedSubjectAltName => {
                f.write_str("subjectAltName extension is not a sequence of general names")
            }
            Self::TooManyNames { max } => {
                write!(f, "too many subject alternative names; at most {max} allowed")
            }
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

/// A general name, reduced to what this crate tells apart.
enum Found<'a> {
    Dns(&'a [u8]),
    Address(&'a [u8]),
    Other(String),
}

fn found<'a>(name: &GeneralName<'a>) -> Found<'a> {
    // The kinds are called as OpenSSL prints them, which is what operators compare with.
    match name {
        GeneralName::DNSName(text) => Found::Dns(text.as_bytes()),
        GeneralName::IPAddress(octets) => Found::Address(octets),
        // The parser hands over a dNSName that is not UTF-8 as invalid; context tag 2 is what it
        // was (RFC 5280 §4.2.1.6), and the identifier's own rule says what is wrong with it.
        GeneralName::Invalid(tag, bytes) if tag.0 == 2 => Found::Dns(bytes),
        GeneralName::Invalid(tag, bytes) => {
            Found::Other(format!("[{}]:{}", tag.0, bytes.escape_ascii()))
        }
        GeneralName::RFC822Name(text) => Found::Other(format!("email:{}", escape(text))),
        GeneralName::URI(text) => Found::Other(format!("URI:{}", escape(text))),
        GeneralName::OtherName(kind, _) => Found::Other(format!("othername:{kind}")),
        GeneralName::RegisteredID(id) => Found::Other(format!("Registered ID:{id}")),
        GeneralName::DirectoryName(name) => {
            Found::Other(format!("DirName:{}", escape(&name.to_string())))
        }
        GeneralName::X400Address(_) => Found::Other("X400Name".to_owned()),
        GeneralName::EDIPartyName(_) => Found::Other("EdiPartyName".to_owned()),
    }
}

/// Sorts names into usable and ignored ones.
#[derive(Default)]
struct Collector<'a> {
    identifiers: Vec<PresentedIdentifier<'a>>,
    ignored: Vec<IgnoredName>,
}

impl<'a> Collector<'a> {
    fn take(&mut self, found: Found<'a>) -> Result<(), CertificateError> {
        let _ = (&mut self.identifiers, found);
        Ok(())
    }
    fn finish(self) -> Result<PresentedNames, CertificateError> {
        todo!()
    }
}

fn address_octets(_text: &str) -> Option<Vec<u8>> {
    todo!()
}
fn escape(text: &str) -> String {
    text.as_bytes().escape_ascii().to_string()
}
fn reason_of(error: x509_parser::nom::Err<X509Error>) -> String {
    let _: Option<PkiIpAddr> = None;
    error.to_string()
}
