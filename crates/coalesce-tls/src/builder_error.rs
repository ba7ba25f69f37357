//! The errors of building a handshake table.

use std::fmt;
use std::net::IpAddr;

use coalesce_core::{BuildError, GroupId};
use rustls::CipherSuite;

use crate::certificate_id::CertificateId;
use crate::limits::{PROTOCOL_NAME_LEN_MAX, RSA_KEY_BITS_MIN};
use crate::policy::{TlsVersion, cipher_suite_name};
use crate::presented::CertificateError;

/// An error in a handshake table. The builder then returns no table, so a server keeps its current
/// one.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_core::NamePattern;
/// use coalesce_tls::HandshakeTableError;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // The builder has one group, and one certificate for `*.example.test`.
/// # let (mut builder, group, certificate) = one_certificate()?;
/// let error = builder.server_name(NamePattern::parse(b"other.test")?, group, certificate);
/// let error = error.err().ok_or("no error")?;
/// assert!(matches!(error, HandshakeTableError::NotCovered { .. }));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum HandshakeTableError {
    /// A chain without certificates.
    NoCertificate,
    /// A chain of more than [`CHAIN_LEN_MAX`](crate::limits::CHAIN_LEN_MAX) bytes.
    #[non_exhaustive]
    ChainTooLong {
        /// The length found, in bytes.
        len: usize,
        /// The length allowed.
        max: usize,
    },
    /// The end-entity certificate cannot be read.
    Certificate(CertificateError),
    /// No name of the end-entity certificate can match, so every request on its connections would
    /// be misdirected.
    #[non_exhaustive]
    NoUsableName {
        /// The names, each with its fault.
        ignored: Vec<String>,
    },
    /// The provider cannot use the private key.
    Key(rustls::Error),
    /// The provider cannot use the private key, which is an RSA key of fewer than
    /// [`RSA_KEY_BITS_MIN`] bits.
    #[non_exhaustive]
    RsaKeyTooShort {
        /// The length of its modulus, in bits.
        bits: usize,
    },
    /// rustls cannot use the end-entity certificate, although its names can be read.
    CertificateNotUsable(rustls::Error),
    /// The private key belongs to another certificate.
    KeyMismatch,
    /// The group was added before.
    #[non_exhaustive]
    DuplicateGroup {
        /// The group.
        group: GroupId,
    },
    /// The lowest version is above the highest.
    #[non_exhaustive]
    Versions {
        /// The lowest.
        minimum: TlsVersion,
        /// The highest.
        maximum: TlsVersion,
    },
    /// A cipher suite that the provider does not have.
    #[non_exhaustive]
    CipherSuite {
        /// The suite.
        suite: CipherSuite,
    },
    /// An ALPN protocol name that is empty or longer than
    /// [`PROTOCOL_NAME_LEN_MAX`].
    #[non_exhaustive]
    ProtocolName {
        /// Its length, in bytes.
        len: usize,
    },
    /// The group was not added.
    #[non_exhaustive]
    UnknownGroup {
        /// The group.
        group: GroupId,
    },
    /// The certificate was not added to this builder.
    #[non_exhaustive]
    UnknownCertificate {
        /// The certificate.
        certificate: CertificateId,
    },
    /// The pattern was added before.
    #[non_exhaustive]
    DuplicateName {
        /// The pattern.
        name: String,
    },
    /// An address, which no client sends as a server name (RFC 6066 §3).
    #[non_exhaustive]
    AddressAsServerName {
        /// The address.
        address: IpAddr,
    },
    /// The certificate covers no name that matches the pattern.
    #[non_exhaustive]
    NotCovered {
        /// The pattern.
        name: String,
        /// The names that the certificate covers.
        presented: Vec<String>,
    },
    /// The name table refused an entry or a group.
    Table(BuildError),
    /// rustls or its provider refuses the policy of a group.
    Tls(rustls::Error),
}

impl fmt::Display for HandshakeTableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => f.write_str("empty certificate chain; at least one expected"),
            Self::ChainTooLong { len, max } => {
                write!(f, "certificate chain of {len} bytes; at most {max} allowed")
            }
            Self::Certificate(error) => error.fmt(f),
            Self::NoUsableName { ignored } => {
                write!(f, "certificate without a usable name; found {}", Listed(ignored, "and"))
            }
            Self::Key(error) => write!(f, "private key not usable: {error}"),
            Self::RsaKeyTooShort { bits } => write!(
                f,
                "RSA key of {bits} bits, expected at least {RSA_KEY_BITS_MIN}; get a certificate \
                 for a new key: openssl genpkey -algorithm RSA -pkeyopt \
                 rsa_keygen_bits:{RSA_KEY_BITS_MIN}"
            ),
            Self::CertificateNotUsable(error) => write!(f, "certificate not usable: {error}"),
            Self::KeyMismatch => f.write_str("private key belongs to another certificate"),
            Self::DuplicateGroup { group } => write!(f, "group {group} was added before"),
            Self::Versions { minimum, maximum } => {
                write!(f, "lowest version TLS {minimum} is above highest version TLS {maximum}")
            }
            Self::CipherSuite { suite } => {
                let name = cipher_suite_name(*suite);
                write!(f, "cipher suite {name} is not one of the provider's")
            }
            Self::ProtocolName { len } => write!(
                f,
                "ALPN protocol name of {len} bytes; 1 to {PROTOCOL_NAME_LEN_MAX} expected"
            ),
            Self::UnknownGroup { group } => write!(f, "group {group} was not added"),
            Self::UnknownCertificate { certificate } => {
                write!(f, "certificate {certificate} was not added")
            }
            Self::DuplicateName { name } => write!(f, "server name {name} was added before"),
            Self::AddressAsServerName { address } => write!(
                f,
                "server name {address} is an address; expected a DNS name, because clients send \
                 no address"
            ),
            Self::NotCovered { name, presented } => write!(
                f,
                "certificate not valid for server name {name}; only valid for {}",
                Listed(presented, "or")
            ),
            Self::Table(error) => error.fmt(f),
            Self::Tls(error) => write!(f, "TLS configuration refused: {error}"),
        }
    }
}

impl std::error::Error for HandshakeTableError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Key(error) | Self::CertificateNotUsable(error) | Self::Tls(error) => Some(error),
            _ => None,
        }
    }
}

/// The number of names that a message spells out; it counts the rest.
const LISTED_MAX: usize = 8;

/// Writes `a, b or c`.
struct Listed<'a>(&'a [String], &'static str);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(names, conjunction) = self;
        if let Some((shown, rest)) = names.split_at_checked(LISTED_MAX)
            && !rest.is_empty()
        {
            return write!(f, "{} {conjunction} {} more", shown.join(", "), rest.len());
        }
        match names.split_last() {
            None => f.write_str("none"),
            Some((last, [])) => f.write_str(last),
            Some((last, others)) => write!(f, "{} {conjunction} {last}", others.join(", ")),
        }
    }
}
