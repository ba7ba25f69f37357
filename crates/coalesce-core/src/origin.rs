//! Origins: the target of a client's request, and the members of an origin set.

use core::fmt;

use crate::authority::{Authority, AuthorityError};
use crate::folded::Folded;
use crate::forms::borrowed_form;
use crate::host::Host;
use crate::name::without_trailing_dot;
use crate::request::Scheme;

#[cfg(feature = "alloc")]
mod owned;

#[cfg(feature = "alloc")]
pub use owned::OriginBuf;

/// An origin with an HTTP scheme: scheme, host and port (RFC 6454 §4).
///
/// Two origins are the same if all three parts are equal (RFC 6454 §5). Hosts compare by [`Host`]'s
/// rule. Ports compare as numbers; a port that was not written is the scheme's default.
///
/// # Examples
/// ```
/// use coalesce_core::{Origin, OriginError, Scheme};
///
/// # fn main() -> Result<(), OriginError> {
/// let origin = Origin::parse(b"https://A.Example.test:443")?;
/// assert_eq!((origin.scheme(), origin.port()), (Scheme::Https, 443));
/// assert_eq!(origin.to_string(), "https://a.example.test");
/// assert_eq!(origin, Origin::try_from("https://a.example.test")?);
/// assert_ne!(origin, Origin::try_from("http://a.example.test:443")?);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin<'a> {
    scheme: Scheme,
    host: Host<'a>,
    port: u16,
}

impl<'a> Origin<'a> {
    /// Makes an origin from its parts.
    pub const fn new(scheme: Scheme, host: Host<'a>, port: u16) -> Self {
        Self { scheme, host, port }
    }

    /// Returns the origin of a request with this scheme and authority. An authority without a port
    /// has the scheme's default port (RFC 9110 §4.3.1).
    pub fn from_authority(scheme: Scheme, authority: &Authority<'a>) -> Self {
        Self::new(scheme, authority.host(), authority.port_or(scheme.default_port()))
    }

    /// Parses the ASCII serialisation of an origin (RFC 6454 §6.2).
    ///
    /// | bytes | result |
    /// | --- | --- |
    /// | `https://a.example.test`, `HTTPS://A.example.test.:443` | the same origin |
    /// | `http://192.0.2.1:8080`, `https://[::1]` | an address as the host |
    /// | `null`, `ftp://a.example.test`, `a.example.test`, `https:a.example.test` | [`OriginError::Scheme`] |
    /// | `https://`, `https://user@a.example.test`, `https://a.example.test/` | [`OriginError::Authority`] |
    ///
    /// Is a default port an error? No: RFC 6454 §6.2 omits it, but it names the same origin.
    /// [`Authority::parse`] reads everything after `://`.
    ///
    /// # Errors
    /// Returns [`OriginError`] for the first part that is wrong.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// Linear in `bytes.len()`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, OriginError> {
        let (scheme, authority) = [Scheme::Https, Scheme::Http]
            .into_iter()
            .find_map(|scheme| Some((scheme, after_scheme(bytes, scheme)?)))
            .ok_or(OriginError::Scheme)?;
        let authority = Authority::parse(authority).map_err(OriginError::Authority)?;
        Ok(Self::from_authority(scheme, &authority))
    }

    /// Returns the scheme.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns the host.
    pub const fn host(&self) -> Host<'a> {
        self.host
    }

    /// Returns the port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

/// Returns the bytes after `scheme` and `://`. Schemes have no case (RFC 3986 §3.1).
fn after_scheme(bytes: &[u8], scheme: Scheme) -> Option<&[u8]> {
    let name = scheme.as_str().as_bytes();
    let (found, rest) = bytes.split_at_checked(name.len())?;
    if found.eq_ignore_ascii_case(name) { rest.strip_prefix(b"://") } else { None }
}

/// Removes one trailing dot, as comparison does, unless the host would become a different one.
/// `a..` differs from `a.`, an empty host is not a host, and `192.0.2.1.` is not an address.
fn canonical_dot(bytes: &[u8]) -> &[u8] {
    match without_trailing_dot(bytes) {
        [] | [.., b'.'] => bytes,
        without if matches!(Host::classify(without), Host::Other(_)) => without,
        _ => bytes,
    }
}

borrowed_form!(Origin, OriginError);

/// Writes the ASCII serialisation (RFC 6454 §6.2): lower case, without the default port.
impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.as_str())?;
        match self.host {
            // Names are shown in lower case anyway, and RFC 6454 §4 requires lower case for every
            // host.
            Host::Other(bytes) => Folded(canonical_dot(bytes))
                .bytes()
                .try_for_each(|byte| Host::Other(&[byte]).fmt(f))?,
            host => host.fmt(f)?,
        }
        if self.port == self.scheme.default_port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// The reason why bytes are not a serialised origin.
///
/// # Examples
/// ```
/// use coalesce_core::{Origin, OriginError};
///
/// let error = Origin::parse(b"ftp://a.test").unwrap_err();
/// assert_eq!(error, OriginError::Scheme);
/// assert_eq!(error.to_string(), "expected 'http://' or 'https://' at the start");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OriginError {
    /// Neither `http://` nor `https://` at the start. The opaque origin `null` (RFC 6454 §6.2) is
    /// also such a case: no connection serves it.
    Scheme,
    /// The part after `://` is not an authority. Offsets count bytes from there.
    Authority(AuthorityError),
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str("expected 'http://' or 'https://' at the start"),
            Self::Authority(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for OriginError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn serialised_origin_parses_to_its_parts() {
        let cases = [
            ("https://a.example.test", Scheme::Https, "a.example.test", 443),
            ("HTTPS://A.example.test.:443", Scheme::Https, "a.example.test", 443),
            ("https://a.example.test:", Scheme::Https, "a.example.test", 443),
            ("http://a.example.test", Scheme::Http, "a.example.test", 80),
            ("http://a.example.test:443", Scheme::Http, "a.example.test", 443),
            ("http://192.0.2.1:8080", Scheme::Http, "192.0.2.1", 8080),
            ("https://[2001:DB8::1]", Scheme::Https, "[2001:db8::1]", 443),
        ];
        for (text, scheme, host, port) in cases {
            let origin = Origin::parse(text.as_bytes()).unwrap();
            let expected = Origin::new(scheme, Host::parse(host.as_bytes()).unwrap(), port);
            assert_eq!(origin, expected, "{text}");
            assert_eq!(
                (origin.scheme(), origin.host(), origin.port()),
                (scheme, expected.host, port)
            );
        }
    }

    #[test]
    fn anything_but_a_serialised_origin_is_refused() {
        use AuthorityError as A;
        let cases = [
            ("", OriginError::Scheme),
            ("null", OriginError::Scheme),
            ("a.example.test", OriginError::Scheme),
            ("ftp://a.example.test", OriginError::Scheme),
            ("https:a.example.test", OriginError::Scheme),
            ("https:/a.example.test", OriginError::Scheme),
            ("httpss://a.example.test", OriginError::Scheme),
            (" https://a.example.test", OriginError::Scheme),
            ("https://", OriginError::Authority(A::EmptyHost)),
            ("https://:443", OriginError::Authority(A::EmptyHost)),
            ("https://u@a.test", OriginError::Authority(A::Userinfo { at: 1 })),
            ("https://a.test/", OriginError::Authority(A::ForbiddenByte { at: 6, byte: b'/' })),
            ("https://a.test:65536", OriginError::Authority(A::BadPort)),
        ];
        for (text, error) in cases {
            assert_eq!(Origin::parse(text.as_bytes()), Err(error), "{text}");
        }
    }

    /// Checks RFC 6454 §6.2.
    #[test]
    fn serialisation_is_lower_case_without_the_default_port() {
        let cases = [
            ("https://A.Test.:443", "https://a.test"),
            ("http://A.Test:80", "http://a.test"),
            ("http://a.test:443", "http://a.test:443"),
            ("https://a.test:80", "https://a.test:80"),
            ("https://192.0.2.1:0443", "https://192.0.2.1"),
            ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
            ("https://It's~A.%4A..", "https://it's~a.%4a.."),
            ("https://%4A.test.", "https://%4a.test"),
            ("https://.", "https://."),
            ("https://192.0.2.1.", "https://192.0.2.1."),
            ("https://[V1.X]", "https://[v1.x]"),
        ];
        for (text, shown) in cases {
            let origin = Origin::parse(text.as_bytes()).unwrap();
            assert_eq!(origin.to_string(), shown);
            assert_eq!(Origin::parse(shown.as_bytes()), Ok(origin), "{shown}");
        }
    }

    #[test]
    fn origins_with_another_scheme_host_or_port_differ() {
        let origin = |text: &'static str| Origin::parse(text.as_bytes()).unwrap();
        let one = origin("https://a.test");
        for other in ["http://a.test:443", "https://b.test", "https://a.test:444", "https://[::1]"]
        {
            assert_ne!(one, origin(other), "{other}");
        }
    }
}
