//! The host of an authority: a name, an IP literal, or something well-formed that is neither.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use crate::name::{DnsName, without_trailing_dot};

/// The host part of an authority (RFC 3986 §3.2.2), classified once.
///
/// Two hosts are equal when they name the same host: names by [`DnsName`]'s rule, addresses by
/// their octets, anything else byte for byte without regard to ASCII case and one trailing dot.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Host<'a> {
    /// A DNS name.
    Name(DnsName<'a>),
    /// An IPv4 address in dotted decimal, or a bracketed IPv6 address.
    Ip(IpAddr),
    /// A host that RFC 3986 allows and no table can hold: too long, percent-encoded, with an empty
    /// label, `IPvFuture` with its brackets and the like. It is well-formed and nobody's.
    Other(&'a [u8]),
}

impl<'a> Host<'a> {
    /// Classifies the bytes of an RFC 3986 `reg-name` or `IPv4address`, already checked for syntax.
    ///
    /// The address is tried first, as RFC 3986 §3.2.2 ("first-match-wins") and RFC 9525 §6.3 want.
    pub(crate) fn classify(bytes: &'a [u8]) -> Self {
        // A name that ends in a letter cannot be an address, and nearly all names do.
        let may_be_address = bytes.last().is_some_and(u8::is_ascii_digit);
        if may_be_address && let Some(address) = parse_ipv4(bytes) {
            return Self::Ip(IpAddr::V4(address));
        }
        DnsName::parse(bytes).map_or(Self::Other(bytes), Self::Name)
    }

    /// Parses a bare host: a name, an IPv4 address, or an IPv6 address with or without brackets.
    /// For configuration and command lines, where no port follows.
    ///
    /// # Errors
    /// [`NameError`](crate::NameError) when it is neither an address nor a DNS name.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, crate::NameError> {
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

impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a == b,
            (Self::Ip(a), Self::Ip(b)) => a == b,
            (Self::Other(a), Self::Other(b)) => {
                without_trailing_dot(a).eq_ignore_ascii_case(without_trailing_dot(b))
            }
            _ => false,
        }
    }
}

impl Eq for Host<'_> {}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Ip(IpAddr::V4(address)) => address.fmt(f),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Other(bytes) => bytes.iter().try_for_each(|byte| match byte {
                // RFC 3986 allows it in a host, and an escape would show another one.
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
    use std::{format, string::ToString};

    #[test]
    fn addresses_come_before_names() {
        assert!(matches!(Host::classify(b"192.0.2.1"), Host::Ip(IpAddr::V4(_))));
        for nobody in
            [&b"1.2.3"[..], b"127.1", b"0x7f.1", b"192.0.2.01", b"256.0.0.1", b"192.0.2.1."]
        {
            assert!(matches!(Host::classify(nobody), Host::Other(_)), "{}", nobody.escape_ascii());
        }
        assert!(matches!(Host::classify(b"a1"), Host::Name(_)));
    }

    #[test]
    fn a_mapped_address_is_another_address() {
        assert_ne!(Host::parse(b"::ffff:192.0.2.1").unwrap(), Host::parse(b"192.0.2.1").unwrap());
        assert_eq!(Host::parse(b"[::1]").unwrap(), Host::parse(b"0:0::1").unwrap());
    }

    #[test]
    fn brackets_are_for_ipv6() {
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
    fn what_is_shown_of_a_host_says_what_it_is() {
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
