//! The host of an authority: a name, an IP literal, or something well-formed that is neither.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv4Addr};

use crate::folded::Folded;
use crate::forms::borrowed_form;
use crate::name::{DnsName, NameError, without_trailing_dot};

#[cfg(feature = "alloc")]
mod owned;

#[cfg(feature = "alloc")]
pub use owned::HostBuf;

/// The host part of an authority (RFC 3986 §3.2.2), classified once.
///
/// Two hosts are equal if they name the same host: names by [`DnsName`]'s rule, addresses by their
/// octets, anything else byte for byte without regard to ASCII case and one trailing dot. `Ord` and
/// `Hash` agree with `Eq`. Names come first, in canonical order, then addresses, then the rest.
///
/// # Examples
/// ```
/// use coalesce_core::{Host, NameError};
///
/// # fn main() -> Result<(), NameError> {
/// assert!(matches!(Host::try_from("a.example.test")?, Host::Name(_)));
/// assert!(matches!(Host::try_from("192.0.2.1")?, Host::Ip(_)));
/// assert_eq!(Host::try_from("[2001:DB8::1]")?, Host::try_from("2001:db8::1")?);
/// assert_eq!(Host::try_from("a b"), Err(NameError::ForbiddenByte { at: 1, byte: b' ' }));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Host<'a> {
    /// A DNS name.
    Name(DnsName<'a>),
    /// An IPv4 address in dotted decimal, or a bracketed IPv6 address.
    Ip(IpAddr),
    /// A host that RFC 3986 allows but no table can hold: for example too long, percent-encoded,
    /// with an empty label, or `IPvFuture` with its brackets.
    Other(&'a [u8]),
}

impl<'a> Host<'a> {
    /// Classifies the bytes of an RFC 3986 `reg-name` or `IPv4address` whose syntax is already
    /// checked.
    ///
    /// The address is tried first, as RFC 3986 §3.2.2 ("first-match-wins") and RFC 9525 §6.3
    /// require.
    pub(crate) fn classify(bytes: &'a [u8]) -> Self {
        // An address ends in a digit and nearly all names end in a letter, so the last byte spares
        // most names the attempt to parse an address.
        let may_be_address = bytes.last().is_some_and(u8::is_ascii_digit);
        if may_be_address && let Some(address) = parse_ipv4(bytes) {
            return Self::Ip(IpAddr::V4(address));
        }
        DnsName::parse(bytes).map_or(Self::Other(bytes), Self::Name)
    }

    /// Parses a bare host: a name, an IPv4 address, or an IPv6 address with or without brackets.
    /// Use it for configuration and command lines, where no port follows.
    ///
    /// # Errors
    /// Returns [`NameError`] if `bytes` is neither an address nor a DNS name. The result is never a
    /// [`Host::Other`], because only an authority can have one.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// Linear in `bytes.len()`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NameError> {
        let address = match bytes {
            [b'[', inner @ .., b']'] => parse_ip(inner).filter(IpAddr::is_ipv6),
            _ => parse_ip(bytes),
        };
        address.map_or_else(|| DnsName::parse(bytes).map(Self::Name), |found| Ok(Self::Ip(found)))
    }
}

/// Parses an address without brackets.
pub(crate) fn parse_ip(bytes: &[u8]) -> Option<IpAddr> {
    core::str::from_utf8(bytes).ok()?.parse().ok()
}

fn parse_ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    core::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Returns the bytes to compare for a host that is neither a name nor an address.
fn other(bytes: &[u8]) -> Folded<'_> {
    Folded(without_trailing_dot(bytes))
}

impl PartialEq for Host<'_> {
    fn eq(&self, with: &Self) -> bool {
        match (self, with) {
            (Self::Name(a), Self::Name(b)) => a == b,
            (Self::Ip(a), Self::Ip(b)) => a == b,
            (Self::Other(a), Self::Other(b)) => other(a) == other(b),
            _ => false,
        }
    }
}

impl Eq for Host<'_> {}

impl PartialOrd for Host<'_> {
    fn partial_cmp(&self, with: &Self) -> Option<Ordering> {
        Some(self.cmp(with))
    }
}

impl Ord for Host<'_> {
    fn cmp(&self, with: &Self) -> Ordering {
        match (self, with) {
            (Self::Name(a), Self::Name(b)) => a.cmp(b),
            (Self::Ip(a), Self::Ip(b)) => a.cmp(b),
            (Self::Other(a), Self::Other(b)) => other(a).cmp(&other(b)),
            (Self::Name(_), _) | (Self::Ip(_), Self::Other(_)) => Ordering::Less,
            (Self::Ip(_), Self::Name(_)) | (Self::Other(_), _) => Ordering::Greater,
        }
    }
}

impl Hash for Host<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        core::mem::discriminant(self).hash(state);
        match self {
            Self::Name(name) => name.hash(state),
            Self::Ip(address) => address.hash(state),
            Self::Other(bytes) => other(bytes).hash(state),
        }
    }
}

borrowed_form!(Host, NameError);

impl<'a> From<DnsName<'a>> for Host<'a> {
    fn from(name: DnsName<'a>) -> Self {
        Self::Name(name)
    }
}

impl From<IpAddr> for Host<'_> {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Ip(IpAddr::V4(address)) => address.fmt(f),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Other(bytes) => bytes.iter().try_for_each(|byte| match byte {
                // `escape_ascii` would put a backslash before it, but RFC 3986 allows `'` in a host
                // and does not allow a backslash.
                b'\'' => f.write_char('\''),
                byte => byte.escape_ascii().fmt(f),
            }),
        }
    }
}

impl fmt::Debug for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Ip(address) => write!(f, "Ip({address})"),
            Self::Other(bytes) => write!(f, "Other({})", bytes.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::DefaultHasher;
    use std::{format, string::ToString};

    #[test]
    fn classify_prefers_address_to_name() {
        assert!(matches!(Host::classify(b"192.0.2.1"), Host::Ip(IpAddr::V4(_))));
        for other in
            [&b"1.2.3"[..], b"127.1", b"0x7f.1", b"192.0.2.01", b"256.0.0.1", b"192.0.2.1."]
        {
            assert!(matches!(Host::classify(other), Host::Other(_)), "{}", other.escape_ascii());
        }
        assert!(matches!(Host::classify(b"a1"), Host::Name(_)));
    }

    #[test]
    fn mapped_ipv4_address_differs_from_ipv4_address() {
        assert_ne!(Host::parse(b"::ffff:192.0.2.1").unwrap(), Host::parse(b"192.0.2.1").unwrap());
        assert_eq!(Host::parse(b"[::1]").unwrap(), Host::parse(b"0:0::1").unwrap());
    }

    #[test]
    fn brackets_around_anything_but_ipv6_are_refused() {
        assert!(matches!(Host::parse(b"[2001:db8::1]"), Ok(Host::Ip(IpAddr::V6(_)))));
        for text in [&b"[192.0.2.1]"[..], b"[a.test]", b"[::1", b"::1]", b"[]"] {
            assert!(Host::parse(text).is_err(), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn other_hosts_compare_by_their_bytes() {
        assert_eq!(Host::Other(b"%61.Test."), Host::Other(b"%61.test"));
        assert_ne!(Host::Other(b"%61.test"), Host::classify(b"a.test"));
    }

    #[test]
    fn names_come_before_addresses_and_both_before_the_rest() {
        let hosts = [
            Host::parse(b"A.test.").unwrap(),
            Host::parse(b"b.a.test").unwrap(),
            Host::parse(b"b.test").unwrap(),
            Host::parse(b"192.0.2.1").unwrap(),
            Host::parse(b"::1").unwrap(),
            Host::Other(b"%61.Test."),
            Host::Other(b"%62"),
        ];
        for (at, host) in hosts.iter().enumerate() {
            for (number, other) in hosts.iter().enumerate() {
                assert_eq!(host.cmp(other), at.cmp(&number), "{host} {other}");
            }
        }
    }

    #[test]
    fn equal_hosts_hash_equally_and_other_kinds_do_not() {
        let hash_of = |host: Host<'_>| {
            let mut hasher = DefaultHasher::new();
            host.hash(&mut hasher);
            hasher.finish()
        };
        assert_eq!(hash_of(Host::Other(b"%61.Test.")), hash_of(Host::Other(b"%61.test")));
        assert_eq!(hash_of(Host::classify(b"A.test.")), hash_of(Host::classify(b"a.test")));
        assert_ne!(hash_of(Host::classify(b"a.test")), hash_of(Host::Other(b"a.test")));
    }

    #[test]
    fn text_and_bytes_parse_to_the_same_result() {
        let cases = [
            ("A.test.", Ok(Host::from(DnsName::parse(b"a.test").unwrap()))),
            ("[::1]", Ok(Host::from(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])))),
            ("%61.test", Err(NameError::ForbiddenByte { at: 0, byte: b'%' })),
        ];
        for (text, expected) in cases {
            assert_eq!(Host::try_from(text), expected);
            assert_eq!(Host::try_from(text.as_bytes()), expected);
        }
    }

    #[test]
    fn host_debug_and_display_show_its_kind() {
        let cases = [
            (Host::classify(b"A.test."), "DnsName(a.test)", "a.test"),
            (Host::classify(b"192.0.2.1"), "Ip(192.0.2.1)", "192.0.2.1"),
            (Host::parse(b"::1").unwrap(), "Ip(::1)", "[::1]"),
            (Host::Other(b"it's..\x07"), "Other(it\\'s..\\x07)", "it's..\\x07"),
        ];
        for (host, debugged, displayed) in cases {
            assert_eq!(
                (format!("{host:?}"), host.to_string()),
                (debugged.into(), displayed.into())
            );
        }
    }
}
