//! The authority of a request, parsed over bytes.

use core::fmt;
use core::net::IpAddr;

use crate::forms::borrowed_form;
use crate::host::{Host, parse_ip};
use crate::name::DnsName;
use crate::simd::{Kernel, Simd, dispatch};

#[cfg(feature = "alloc")]
mod owned;

#[cfg(feature = "alloc")]
pub use owned::AuthorityBuf;

/// The host and optional port of a request (RFC 3986 §3.2 without userinfo, RFC 9110 §7.2).
///
/// Two authorities are equal if their ports are equal and their hosts are equal by [`Host`]'s rule.
/// An authority with a default port is not equal to one without a port, because only a scheme
/// determines the default; see [`Origin`](crate::Origin).
///
/// # Examples
/// ```
/// use coalesce_core::{Authority, AuthorityError};
///
/// # fn main() -> Result<(), AuthorityError> {
/// let authority = Authority::try_from("A.example.test.:8443")?;
/// assert_eq!(authority, Authority::parse(b"a.example.test:8443")?);
/// assert_eq!((authority.port(), authority.port_or(443)), (Some(8443), 8443));
/// assert_eq!(authority.to_string(), "a.example.test:8443");
///
/// let userinfo = Authority::try_from("user@a.example.test");
/// assert_eq!(userinfo, Err(AuthorityError::Userinfo { at: 4 }));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Authority<'a> {
    host: Host<'a>,
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses the bytes of an `:authority` or `Host` field.
    ///
    /// | bytes | result |
    /// | --- | --- |
    /// | `a.example.test`, `A.example.test.:443`, `192.0.2.1`, `[::1]:8443` | name or address, port |
    /// | `a.example.test:` | an empty port is the default (RFC 3986 §6.2.3) |
    /// | `%61.test`, `a..b`, `[v1.x]`, a name of 254 bytes | [`Host::Other`]: well-formed, but no table can hold it |
    /// | empty, `:443` | [`AuthorityError::EmptyHost`] (RFC 9110 §4.2.2) |
    /// | `user@a.example.test` | [`AuthorityError::Userinfo`] (RFC 9113 §8.3.1) |
    /// | NUL, CR, LF anywhere, space or tab at an end | [`AuthorityError::FieldValue`] (RFC 9113 §8.2.1) |
    /// | any other byte outside RFC 3986's `host` | [`AuthorityError::ForbiddenByte`] |
    ///
    /// Is `a.example.test:00443` port 443? Yes: the grammar is `*DIGIT`, compared by value. May
    /// brackets hold a zone identifier? No: RFC 3986 does not allow `%` there. A zone has a meaning
    /// on one machine only, so it cannot be part of an origin.
    ///
    /// # Errors
    /// Returns the first broken rule of the table: field syntax first, then userinfo, then the
    /// rest.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// Linear in `bytes.len()`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, AuthorityError> {
        struct Parsing;
        impl<'a> Kernel<&'a [u8]> for Parsing {
            type Output = Result<Authority<'a>, AuthorityError>;
            #[inline(always)]
            fn run(self, bytes: &'a [u8], simd: impl Simd) -> Self::Output {
                Authority::parse_with(simd, bytes)
            }
        }
        dispatch(Parsing, bytes)
    }

    /// Parses with an instruction set that the caller has chosen. Nearly every authority is a name,
    /// with or without a port, and takes a single pass.
    #[inline(always)]
    pub(crate) fn parse_with(simd: impl Simd, bytes: &'a [u8]) -> Result<Self, AuthorityError> {
        let (host, port) = split_port(bytes);
        match DnsName::parse_plain(simd, host) {
            Some(name) => Ok(Self { host: Host::Name(name), port: parse_port(port)? }),
            None => Self::parse_any(bytes),
        }
    }

    /// Parses everything that is not a plain name: addresses, other hosts, and errors.
    #[inline(never)]
    fn parse_any(bytes: &'a [u8]) -> Result<Self, AuthorityError> {
        check_field_value(bytes)?;
        if let Some(at) = bytes.iter().position(|byte| *byte == b'@') {
            return Err(AuthorityError::Userinfo { at });
        }
        if let [b'[', ..] = bytes {
            return parse_ip_literal(bytes);
        }
        let colon = bytes.iter().position(|byte| *byte == b':').unwrap_or(bytes.len());
        let (host, rest) = bytes.split_at_checked(colon).unwrap_or((bytes, b""));
        if host.is_empty() {
            return Err(AuthorityError::EmptyHost);
        }
        check_reg_name(host)?;
        Ok(Self { host: Host::classify(host), port: parse_port(rest)? })
    }

    /// Returns the host.
    #[inline]
    pub const fn host(&self) -> Host<'a> {
        self.host
    }

    /// Returns the port if the authority has one.
    #[inline]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns the port, or `default` if the authority has none.
    #[inline]
    pub fn port_or(&self, default: u16) -> u16 {
        self.port.unwrap_or(default)
    }
}

borrowed_form!(Authority, AuthorityError);

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(f)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Parses a host that is an address; an IPv6 address has brackets.
pub(crate) fn parse_address(host: &[u8]) -> Option<IpAddr> {
    match host {
        [b'[', inner @ .., b']'] => parse_ip(inner).filter(IpAddr::is_ipv6),
        _ => parse_ip(host).filter(IpAddr::is_ipv4),
    }
}

/// Splits off a colon and the digits after it. Most authorities end in a letter and have no port,
/// so the search starts at the end and stops at the first byte that is neither a digit nor a colon.
#[inline(always)]
pub(crate) fn split_port(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut host = bytes;
    while let [head @ .., last] = host {
        match last {
            b'0'..=b'9' => host = head,
            b':' => return bytes.split_at_checked(head.len()).unwrap_or((bytes, b"")),
            _ => break,
        }
    }
    (bytes, b"")
}

/// Checks RFC 9113 §8.2.1: a field value has no NUL, CR or LF, and no space or tab at its ends.
fn check_field_value(bytes: &[u8]) -> Result<(), AuthorityError> {
    let last = bytes.len().saturating_sub(1);
    for (at, byte) in bytes.iter().enumerate() {
        let edge = at == 0 || at == last;
        if matches!(byte, 0 | b'\r' | b'\n') || (edge && matches!(byte, b' ' | b'\t')) {
            return Err(AuthorityError::FieldValue { at, byte: *byte });
        }
    }
    Ok(())
}

/// Checks RFC 3986 §3.2.2: `reg-name = *( unreserved / pct-encoded / sub-delims )`.
fn check_reg_name(host: &[u8]) -> Result<(), AuthorityError> {
    let mut bytes = host.iter().copied().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'%' {
            let mut hex = || bytes.next().is_some_and(|(_, digit)| digit.is_ascii_hexdigit());
            if !(hex() && hex()) {
                return Err(AuthorityError::BadPercentEncoding { at });
            }
        } else if !is_unreserved_or_sub_delim(byte) {
            return Err(AuthorityError::ForbiddenByte { at, byte });
        }
    }
    Ok(())
}

fn is_unreserved_or_sub_delim(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        )
}

/// Parses RFC 3986 §3.2.2: `IP-literal`, from its opening bracket.
fn parse_ip_literal(bytes: &[u8]) -> Result<Authority<'_>, AuthorityError> {
    let end = bytes.iter().position(|byte| *byte == b']').map_or(0, |at| at.saturating_add(1));
    let (literal, rest) = bytes.split_at_checked(end).ok_or(AuthorityError::BadIpLiteral)?;
    let [b'[', inner @ .., b']'] = literal else { return Err(AuthorityError::BadIpLiteral) };
    let host = match parse_ip(inner) {
        Some(address @ IpAddr::V6(_)) => Host::Ip(address),
        // Without its brackets `[vf.1]` would be equal to the registered name `vf.1`.
        None if is_ip_future(inner) => Host::Other(literal),
        Some(IpAddr::V4(_)) | None => return Err(AuthorityError::BadIpLiteral),
    };
    Ok(Authority { host, port: parse_port(rest)? })
}

/// Checks RFC 3986 §3.2.2: `IPvFuture = "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`.
fn is_ip_future(inner: &[u8]) -> bool {
    let [b'v' | b'V', rest @ ..] = inner else { return false };
    let Some(dot) = rest.iter().position(|byte| *byte == b'.') else { return false };
    let Some((version, address)) = rest.split_at_checked(dot) else { return false };
    let address = address.get(1..).unwrap_or_default();
    !version.is_empty()
        && version.iter().all(u8::is_ascii_hexdigit)
        && !address.is_empty()
        && address.iter().all(|byte| *byte == b':' || is_unreserved_or_sub_delim(*byte))
}

/// Parses the bytes after the host: none, or a colon and the digits of a port.
pub(crate) fn parse_port(rest: &[u8]) -> Result<Option<u16>, AuthorityError> {
    let digits = match rest {
        [] | [b':'] => return Ok(None),
        [b':', digits @ ..] => digits,
        _ => return Err(AuthorityError::BadPort),
    };
    let value = digits.iter().try_fold(0_u16, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| digit.wrapping_sub(b'0'))?;
        value.checked_mul(10)?.checked_add(u16::from(digit))
    });
    value.map(Some).ok_or(AuthorityError::BadPort)
}

/// The reason why a field is not an authority. Offsets count bytes from the left.
///
/// # Examples
/// ```
/// use coalesce_core::{Authority, AuthorityError};
///
/// let error = Authority::parse(b"user@a.test").unwrap_err();
/// assert_eq!(error, AuthorityError::Userinfo { at: 4 });
/// assert_eq!(error.to_string(), "userinfo before the '@' at byte 4");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A byte that is not allowed there in an HTTP/2 field value (RFC 9113 §8.2.1).
    FieldValue {
        /// Where the byte is.
        at: usize,
        /// The byte.
        byte: u8,
    },
    /// `user@` before the host (RFC 9113 §8.3.1, RFC 9110 §4.2.4).
    Userinfo {
        /// Where the `@` is.
        at: usize,
    },
    /// No host (RFC 9110 §4.2.2).
    EmptyHost,
    /// A byte that RFC 3986 §3.2.2 does not allow in a host.
    ForbiddenByte {
        /// Where the byte is.
        at: usize,
        /// The byte.
        byte: u8,
    },
    /// A `%` without two hexadecimal digits after it (RFC 3986 §2.1).
    BadPercentEncoding {
        /// Where the `%` is.
        at: usize,
    },
    /// Brackets around something other than an IPv6 address (RFC 3986 §3.2.2).
    BadIpLiteral,
    /// A port other than a number from 0 to 65535 (RFC 3986 §3.2.3).
    BadPort,
}

impl fmt::Display for AuthorityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::FieldValue { at, byte } => {
                let byte = byte.escape_ascii();
                write!(f, "byte '{byte}' at {at} is not allowed there in a field value")
            }
            Self::Userinfo { at } => write!(f, "userinfo before the '@' at byte {at}"),
            Self::EmptyHost => f.write_str("empty host"),
            Self::ForbiddenByte { at, byte } => {
                write!(f, "byte '{}' at {at} is not allowed in a host", byte.escape_ascii())
            }
            Self::BadPercentEncoding { at } => {
                write!(f, "'%' at byte {at} without two hexadecimal digits")
            }
            Self::BadIpLiteral => f.write_str("expected an IPv6 address between brackets"),
            Self::BadPort => f.write_str("invalid port: expected 0 to 65535"),
        }
    }
}

impl core::error::Error for AuthorityError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::ToString};

    fn parse(text: &str) -> Result<Authority<'_>, AuthorityError> {
        Authority::parse(text.as_bytes())
    }

    #[test]
    fn well_formed_authority_parses_to_canonical_form() {
        let cases = [
            ("a.example.test", "a.example.test"),
            ("A.Example.TEST.", "a.example.test"),
            ("a.example.test:", "a.example.test"),
            ("a.example.test:443", "a.example.test:443"),
            ("a.example.test.:00443", "a.example.test:443"),
            ("a.example.test:0", "a.example.test:0"),
            ("a.example.test:65535", "a.example.test:65535"),
            ("a.example.test:0000000000000000000000443", "a.example.test:443"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("[::1]", "[::1]"),
            ("[0:0::0:1]:8443", "[::1]:8443"),
            ("[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]"),
        ];
        for (text, canonical) in cases {
            assert_eq!(parse(text).unwrap().to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn well_formed_host_of_no_table_is_other() {
        let long = format!("{}test", "abcde.".repeat(50));
        let cases = [
            "%61.example.test",
            "a..b",
            ".a",
            ".",
            "..",
            "a.test..",
            "1.2.3",
            "a!$&'()*+,;=~b",
            "[v1.fe80::a+en1]",
            "[VF.x]:443",
            "-a.test",
            "192.0.2.1.",
            &long,
        ];
        for text in cases {
            assert!(matches!(parse(text).unwrap().host(), Host::Other(_)), "{text}");
        }
    }

    #[test]
    fn malformed_authority_returns_its_error() {
        use AuthorityError as E;
        let cases = [
            ("", E::EmptyHost),
            (":", E::EmptyHost),
            (":443", E::EmptyHost),
            ("::1", E::EmptyHost),
            ("user@a.example.test", E::Userinfo { at: 4 }),
            ("@a", E::Userinfo { at: 0 }),
            ("a.test@", E::Userinfo { at: 6 }),
            ("user:pass@[::1]", E::Userinfo { at: 9 }),
            ("a b", E::ForbiddenByte { at: 1, byte: b' ' }),
            ("a/b", E::ForbiddenByte { at: 1, byte: b'/' }),
            ("a\\b", E::ForbiddenByte { at: 1, byte: b'\\' }),
            ("a?b", E::ForbiddenByte { at: 1, byte: b'?' }),
            ("a#b", E::ForbiddenByte { at: 1, byte: b'#' }),
            ("a\"b", E::ForbiddenByte { at: 1, byte: b'"' }),
            ("a[::1]", E::ForbiddenByte { at: 1, byte: b'[' }),
            ("bücher.test", E::ForbiddenByte { at: 1, byte: 0xc3 }),
            ("a\x7fb", E::ForbiddenByte { at: 1, byte: 0x7f }),
            ("a\0b", E::FieldValue { at: 1, byte: 0 }),
            ("a\r\nx: y", E::FieldValue { at: 1, byte: b'\r' }),
            (" a", E::FieldValue { at: 0, byte: b' ' }),
            ("a\t", E::FieldValue { at: 1, byte: b'\t' }),
            (" ", E::FieldValue { at: 0, byte: b' ' }),
            ("%6", E::BadPercentEncoding { at: 0 }),
            ("a%zz", E::BadPercentEncoding { at: 1 }),
            ("a%", E::BadPercentEncoding { at: 1 }),
            ("[::1", E::BadIpLiteral),
            ("[]", E::BadIpLiteral),
            ("[1.2.3.4]", E::BadIpLiteral),
            ("[fe80::1%25eth0]", E::BadIpLiteral),
            ("[v1.]", E::BadIpLiteral),
            ("[v.x]", E::BadIpLiteral),
            ("[::1]443", E::BadPort),
            ("[::1]]", E::BadPort),
            ("a:65536", E::BadPort),
            ("a:99999999999999999999", E::BadPort),
            ("a:https", E::BadPort),
            ("a:-1", E::BadPort),
            ("a:+1", E::BadPort),
            ("a:1:2", E::BadPort),
            ("a:443 443", E::BadPort),
        ];
        for (text, error) in cases {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn other_host_is_shown_so_that_it_parses_to_itself() {
        for text in ["a'b.test", "[v1.a]:443", "[vF.x'y:z]", "%61.test:80", "vf.1.2"] {
            let shown = parse(text).unwrap().to_string();
            assert_eq!(parse(&shown), parse(text), "{text}");
        }
        assert_ne!(parse("[vf.1.2]"), parse("vf.1.2"));
    }

    #[test]
    fn same_authority_in_other_spelling_is_equal() {
        assert_eq!(parse("A.test.:443"), parse("a.test:0443"));
        assert_ne!(parse("a.test:443"), parse("a.test"));
    }

    #[test]
    fn messages_are_lower_case_without_full_stop() {
        assert_eq!(parse("a:x").unwrap_err().to_string(), "invalid port: expected 0 to 65535");
        assert_eq!(
            parse("a\0").unwrap_err().to_string(),
            "byte '\\x00' at 1 is not allowed there in a field value"
        );
    }
}
