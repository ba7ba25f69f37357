//! Presented identifiers: the names in a certificate's subjectAltName.

use core::cmp::Ordering;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::host::Host;
use crate::name::{DnsName, NameError};

/// A name in a certificate (RFC 9525 §2): a DNS-ID, with or without a wildcard, or an IP-ID.
///
/// | presented | reference | covers |
/// | --- | --- | --- |
/// | `a.example.test` | `A.example.test.` | yes |
/// | `*.example.test` | `a.example.test` | yes: the wildcard is one whole label |
/// | `*.example.test` | `a.b.example.test`, `example.test` | no |
/// | `*.test` | `example.test` | yes: the CA decides which suffixes are public |
/// | `192.0.2.1` as an IP-ID | `192.0.2.1` | yes, by octets |
/// | `192.0.2.1` as a DNS-ID | `192.0.2.1` | no: it is not a name (RFC 9525 §6.3) |
/// | `::ffff:192.0.2.1` | `192.0.2.1` | no: the octets differ |
///
/// Does `*.example.test` cover `xn--bcher-kva.example.test`? Yes: an A-label is a whole label. May
/// a presented name be `a.example.test.`? No: RFC 5280 §4.2.1.6 requires the preferred syntax,
/// which has no trailing dot, and verifiers refuse it as well.
///
/// `Ord` is the order in which a set lists its identifiers: names in canonical order, each before
/// its wildcard, then addresses.
///
/// # Examples
/// ```
/// use coalesce_core::{Host, PresentedIdentifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let presented = PresentedIdentifier::parse_dns(b"*.example.test")?;
/// assert!(presented.covers(&Host::parse(b"A.example.test.")?));
/// assert!(!presented.covers(&Host::parse(b"example.test")?));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "RFC 9525 has these kinds and no others that HTTP uses")]
pub enum PresentedIdentifier<'a> {
    /// A DNS-ID without wildcard.
    Dns(DnsName<'a>),
    /// A DNS-ID whose complete left-most label is `*`; holds the rest of the name.
    Wildcard(DnsName<'a>),
    /// An IP-ID.
    Ip(IpAddr),
}

impl<'a> PresentedIdentifier<'a> {
    /// Parses the bytes of a `dNSName`.
    ///
    /// # Errors
    /// Returns [`IdentifierError`] for a name that must never match (RFC 9525 §6.3). Report such an
    /// identifier and continue without it.
    pub fn parse_dns(bytes: &'a [u8]) -> Result<Self, IdentifierError> {
        if let [.., b'.'] = bytes {
            return Err(IdentifierError::TrailingDot);
        }
        let (wildcard, rest) = match bytes {
            [b'*', b'.', rest @ ..] => (true, rest),
            _ => (false, bytes),
        };
        match DnsName::parse(rest) {
            // The wildcard label counts towards the length that DNS allows.
            Ok(name) if wildcard && name.as_bytes().len() > crate::limits::NAME_LEN_MAX - 2 => {
                Err(IdentifierError::Name(NameError::TooLong {
                    len: name.as_bytes().len().saturating_add(2),
                    max: crate::limits::NAME_LEN_MAX,
                }))
            }
            Ok(name) if wildcard => Ok(Self::Wildcard(name)),
            Ok(name) => Ok(Self::Dns(name)),
            Err(NameError::ForbiddenByte { byte: b'*', .. }) => Err(IdentifierError::Wildcard),
            Err(error) => Err(IdentifierError::Name(error)),
        }
    }

    /// Reads the octets of an `iPAddress`.
    ///
    /// # Errors
    /// Returns [`IdentifierError::AddressLength`] unless there are 4 or 16 octets (RFC 5280
    /// §4.2.1.6).
    ///
    /// # Examples
    /// ```
    /// use coalesce_core::PresentedIdentifier;
    ///
    /// let presented = PresentedIdentifier::from_address_octets(&[192, 0, 2, 1]).unwrap();
    /// assert_eq!(presented.to_string(), "IP:192.0.2.1");
    /// ```
    pub fn from_address_octets(octets: &[u8]) -> Result<Self, IdentifierError> {
        if let Ok(v4) = <[u8; 4]>::try_from(octets) {
            return Ok(Self::Ip(IpAddr::V4(Ipv4Addr::from(v4))));
        }
        match <[u8; 16]>::try_from(octets) {
            Ok(v6) => Ok(Self::Ip(IpAddr::V6(Ipv6Addr::from(v6)))),
            Err(_) => Err(IdentifierError::AddressLength { len: octets.len() }),
        }
    }

    /// Returns whether this identifier covers `host` (RFC 9525 §6.3, RFC 9110 §4.3.5).
    ///
    /// # Allocation
    /// None.
    pub fn covers(&self, host: &Host<'_>) -> bool {
        match (self, host) {
            (Self::Dns(presented), Host::Name(name)) => presented == name,
            (Self::Wildcard(parent), Host::Name(name)) => name.parent() == Some(*parent),
            (Self::Ip(presented), Host::Ip(address)) => presented == address,
            _ => false,
        }
    }
}

impl PresentedIdentifier<'_> {
    /// Returns the parts that decide the order of two identifiers, the most important first. Names
    /// come before addresses, and a name before its wildcard.
    fn rank(&self) -> (bool, Option<DnsName<'_>>, bool, Option<IpAddr>) {
        match *self {
            Self::Dns(name) => (false, Some(name), false, None),
            Self::Wildcard(parent) => (false, Some(parent), true, None),
            Self::Ip(address) => (true, None, false, Some(address)),
        }
    }
}

impl PartialOrd for PresentedIdentifier<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PresentedIdentifier<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl fmt::Display for PresentedIdentifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "DNS:{name}"),
            Self::Wildcard(parent) => write!(f, "DNS:*.{parent}"),
            Self::Ip(address) => write!(f, "IP:{address}"),
        }
    }
}

/// The reason why a presented identifier never matches.
///
/// # Examples
/// ```
/// use coalesce_core::{IdentifierError, PresentedIdentifier};
///
/// let error = PresentedIdentifier::parse_dns(b"f*.example.test").unwrap_err();
/// assert_eq!(error, IdentifierError::Wildcard);
/// assert_eq!(error.to_string(), "'*' must be the whole left-most label");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdentifierError {
    /// A `*` that is not the whole left-most label, or that has no name after it (RFC 9525 §6.3).
    Wildcard,
    /// A dot at the end.
    TrailingDot,
    /// Not a DNS name.
    Name(NameError),
    /// An IP-ID with a number of octets other than 4 or 16.
    AddressLength {
        /// The number of octets found.
        len: usize,
    },
}

impl fmt::Display for IdentifierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wildcard => f.write_str("'*' must be the whole left-most label"),
            Self::TrailingDot => f.write_str("a presented name may not end in a dot"),
            Self::Name(error) => error.fmt(f),
            Self::AddressLength { len } => write!(f, "address of {len} octets; 4 or 16 expected"),
        }
    }
}

impl core::error::Error for IdentifierError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::ToOwned;
    use std::string::ToString;

    fn host(text: &str) -> Host<'_> {
        Host::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn invalid_identifier_returns_its_error() {
        use IdentifierError as E;
        let cases: &[(&[u8], E)] = &[
            (b"*", E::Wildcard),
            (b"*.", E::TrailingDot),
            (b"f*.example.test", E::Wildcard),
            (b"*f.example.test", E::Wildcard),
            (b"a.*.example.test", E::Wildcard),
            (b"*.*.example.test", E::Wildcard),
            (b"**.example.test", E::Wildcard),
            (b"xn--*.example.test", E::Wildcard),
            (b"a.example.test.", E::TrailingDot),
            (b"", E::Name(NameError::Empty)),
            (b"192.0.2.1", E::Name(NameError::LastLabelNumeric { at: 8 })),
            (b"*.0.2.1", E::Name(NameError::LastLabelNumeric { at: 4 })),
            (b"a\0.test", E::Name(NameError::ForbiddenByte { at: 1, byte: 0 })),
        ];
        for (text, error) in cases {
            let found = PresentedIdentifier::parse_dns(text);
            assert_eq!(found, Err(*error), "{}", text.escape_ascii());
        }
        assert_eq!(
            PresentedIdentifier::from_address_octets(&[1, 2, 3]),
            Err(E::AddressLength { len: 3 })
        );
    }

    #[test]
    fn identifiers_are_ordered_as_sets_list_them() {
        let dns = |text: &'static str| PresentedIdentifier::parse_dns(text.as_bytes()).unwrap();
        let identifiers = [
            dns("Example.test"),
            dns("*.example.test"),
            dns("a.example.test"),
            dns("f.test"),
            PresentedIdentifier::Ip(IpAddr::from([192, 0, 2, 1])),
        ];
        for (at, identifier) in identifiers.iter().enumerate() {
            for (number, other) in identifiers.iter().enumerate() {
                assert_eq!(identifier.cmp(other), at.cmp(&number), "{identifier} {other}");
            }
        }
    }

    #[test]
    fn presented_identifier_covers_hosts_of_its_rule() {
        let cases = [
            ("a.example.test", "A.EXAMPLE.TEST.", true),
            ("A.example.TEST", "a.example.test", true),
            ("a.example.test", "b.example.test", false),
            ("*.example.test", "a.example.test", true),
            ("*.Example.Test", "XN--BCHER-KVA.example.test", true),
            ("*.example.test", "example.test", false),
            ("*.example.test", "a.b.example.test", false),
            ("*.example.test", "aexample.test", false),
            ("*.test", "example.test", true),
            ("a.example.test", "192.0.2.1", false),
        ];
        for (presented, reference, covers) in cases {
            let presented = PresentedIdentifier::parse_dns(presented.as_bytes()).unwrap();
            assert_eq!(presented.covers(&host(reference)), covers, "{presented} / {reference}");
        }
        let v4 = PresentedIdentifier::from_address_octets(&[192, 0, 2, 1]).unwrap();
        assert!(v4.covers(&host("192.0.2.1")));
        assert!(!v4.covers(&host("::ffff:192.0.2.1")));
        assert!(!v4.covers(&host("a.test")));
        assert_eq!(v4.to_string(), "IP:192.0.2.1");
    }

    /// The wildcard label and its dot count as two of the 253 bytes of RFC 1035 §2.3.4.
    #[test]
    fn wildcard_label_counts_towards_name_length() {
        let longest =
            "*.".to_owned() + &"l".repeat(59) + &".l2345678".repeat(20) + &".test".repeat(2);
        assert_eq!(longest.len(), 251);
        let length_with = |more: &str| {
            let text = longest.clone() + more;
            PresentedIdentifier::parse_dns(text.as_bytes()).map(|found| found.to_string().len())
        };
        assert_eq!(length_with("l"), Ok("DNS:".len() + 252));
        assert_eq!(length_with("ll"), Ok("DNS:".len() + 253));
        let too_long = |len| Err(IdentifierError::Name(NameError::TooLong { len, max: 253 }));
        assert_eq!(length_with("lll"), too_long(254));
        assert_eq!(length_with("llll"), too_long(255));
    }

    #[test]
    fn identifier_error_message_describes_each_fault() {
        let error = |text: &str| PresentedIdentifier::parse_dns(text.as_bytes()).unwrap_err();
        let cases = [
            (error("f*.test"), "'*' must be the whole left-most label"),
            (error("a.test."), "a presented name may not end in a dot"),
            (error("a..test"), "empty label at byte 2"),
            (IdentifierError::AddressLength { len: 3 }, "address of 3 octets; 4 or 16 expected"),
        ];
        for (fault, text) in cases {
            assert_eq!(fault.to_string(), text);
        }
    }
}
