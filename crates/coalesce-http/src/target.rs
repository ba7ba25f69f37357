//! Rules of a request target that do not depend on the server library.

use std::fmt;

use coalesce_core::{HostField, MethodKind};
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Uri};

/// Returns the kind of a method. `is_extended` is true if a `CONNECT` came with `:protocol`
/// (RFC 8441 §4).
///
/// # Examples
/// ```
/// use coalesce_core::MethodKind;
/// use coalesce_http::target::method_kind;
/// use http::Method;
///
/// assert_eq!(method_kind(&Method::GET, false), MethodKind::Ordinary);
/// assert_eq!(method_kind(&Method::CONNECT, true), MethodKind::ExtendedConnect);
/// ```
#[inline]
#[must_use]
pub fn method_kind(method: &Method, is_extended: bool) -> MethodKind {
    match (*method == Method::CONNECT, is_extended) {
        (false, _) => MethodKind::Ordinary,
        (true, false) => MethodKind::Connect,
        (true, true) => MethodKind::ExtendedConnect,
    }
}

/// Returns whether the path of a target starts with `/` or, for `OPTIONS`, is `*` (RFC 9112 §3.2,
/// RFC 9113 §8.3.1). A plain `CONNECT` has no path, so do not check its path.
///
/// # Examples
/// ```
/// use coalesce_http::target::path_is_well_formed;
/// use http::{Method, Uri};
///
/// assert!(path_is_well_formed(&Method::GET, &Uri::from_static("/a")));
/// assert!(path_is_well_formed(&Method::OPTIONS, &Uri::from_static("*")));
/// assert!(!path_is_well_formed(&Method::GET, &Uri::from_static("*")));
/// ```
#[inline]
#[must_use]
pub fn path_is_well_formed(method: &Method, uri: &Uri) -> bool {
    uri.path_and_query().is_some_and(|path| {
        path.as_str().starts_with('/') || path == "*" && *method == Method::OPTIONS
    })
}

/// Collects the `Host` fields.
///
/// # Examples
/// ```
/// use coalesce_core::HostField;
/// use coalesce_http::target::host_field;
/// use http::{HeaderMap, HeaderValue, header::HOST};
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(host_field(&headers), HostField::Absent);
/// headers.append(HOST, HeaderValue::from_static("a.test"));
/// assert_eq!(host_field(&headers), HostField::One(b"a.test"));
/// headers.append(HOST, HeaderValue::from_static("b.test"));
/// assert_eq!(host_field(&headers), HostField::Several);
/// ```
#[inline]
#[must_use]
pub fn host_field(headers: &HeaderMap) -> HostField<'_> {
    if headers.len() != headers.keys_len() {
        return HostField::collect(headers.get_all(HOST).iter().map(HeaderValue::as_bytes));
    }
    // No field name repeats, so the first `Host` is the only one. Comparing the names costs less
    // than hashing, because `Host` is usually the first field (RFC 9110 §7.2 recommends that).
    let host = headers.iter().find(|(name, _)| **name == HOST);
    host.map_or(HostField::Absent, |(_, value)| HostField::One(value.as_bytes()))
}

/// The reason why the target of a request cannot be decided.
///
/// # Examples
/// ```
/// use coalesce_http::target::TargetError;
///
/// assert_eq!(TargetError::NoHost.code(), "no_host");
/// assert_eq!(TargetError::NoHost.rule(), "RFC 9112 §3.2");
/// assert_eq!(TargetError::NoHost.to_string(), "no Host field, expected one");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TargetError {
    /// The target has none of the four forms of RFC 9112 §3.2, or a form that its method does not
    /// allow, or its pseudo-header fields are not those of RFC 9113 §8.3.1.
    Form,
    /// The `:path` of an HTTP/2 request is absent or malformed.
    Path,
    /// A field of an HTTP/2 request makes the request malformed (RFC 9113 §8.1.1).
    Field,
    /// The adapter could not see the whole target, so it cannot know the authority of the request.
    Unseen,
    /// An HTTP/1.1 request has no `Host` (RFC 9112 §3.2).
    NoHost,
    /// A `Host` beside an absolute-form target is not an authority (RFC 9112 §3.2).
    Host,
    /// The HTTP version has other rules.
    Version,
}

impl TargetError {
    /// Returns a stable name for logs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Form => "target_form",
            Self::Path => "path",
            Self::Field => "field",
            Self::Unseen => "target_unseen",
            Self::NoHost => "no_host",
            Self::Host => "host_invalid",
            Self::Version => "version",
        }
    }

    /// Returns the rule that the request breaks.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Form => "RFC 9112 §3.2, RFC 9113 §8.3.1",
            Self::Path => "RFC 9113 §8.3.1",
            Self::Field => "RFC 9113 §8.1.1",
            Self::Unseen => "RFC 9110 §7.4",
            Self::NoHost | Self::Host => "RFC 9112 §3.2",
            Self::Version => "RFC 9110 §2.5",
        }
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "the request target has a form that its method does not allow",
            Self::Path => "the path is absent or does not start with '/'",
            Self::Field => "a field makes the request malformed",
            Self::Unseen => "the request target is not visible as a whole",
            Self::NoHost => "no Host field, expected one",
            Self::Host => "the Host field is not an authority",
            Self::Version => "the HTTP version is not supported",
        })
    }
}

impl std::error::Error for TargetError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_without_slash_is_well_formed_only_as_options_star() {
        let well_formed = |method, uri: &str| path_is_well_formed(&method, &uri.parse().unwrap());
        assert!(well_formed(Method::GET, "https://a.test/"));
        assert!(well_formed(Method::OPTIONS, "*"));
        assert!(!well_formed(Method::GET, "*"));
    }

    #[test]
    fn only_connect_with_protocol_is_extended() {
        for (method, is_extended, expected) in [
            (Method::GET, false, MethodKind::Ordinary),
            (Method::GET, true, MethodKind::Ordinary),
            (Method::CONNECT, false, MethodKind::Connect),
            (Method::CONNECT, true, MethodKind::ExtendedConnect),
        ] {
            assert_eq!(method_kind(&method, is_extended), expected, "{method} {is_extended}");
        }
    }

    #[test]
    fn host_field_is_found_at_any_position_and_count() {
        let found = |names: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for name in names {
                headers.append(*name, HeaderValue::from_static("a.test"));
            }
            match host_field(&headers) {
                HostField::Absent => 0,
                HostField::One(value) => usize::from(value == b"a.test"),
                HostField::Several => 2,
            }
        };
        assert_eq!(found(&[]), 0);
        assert_eq!(found(&["accept", "accept"]), 0);
        assert_eq!(found(&["host"]), 1);
        assert_eq!(found(&["accept", "host"]), 1);
        assert_eq!(found(&["accept", "host", "accept"]), 1);
        assert_eq!(found(&["host", "accept", "host"]), 2);
    }

    #[test]
    fn target_error_has_a_message() {
        for (error, message) in [
            (TargetError::Form, "the request target has a form that its method does not allow"),
            (TargetError::Path, "the path is absent or does not start with '/'"),
            (TargetError::Field, "a field makes the request malformed"),
            (TargetError::Unseen, "the request target is not visible as a whole"),
            (TargetError::NoHost, "no Host field, expected one"),
            (TargetError::Host, "the Host field is not an authority"),
            (TargetError::Version, "the HTTP version is not supported"),
        ] {
            assert_eq!(error.to_string(), message);
        }
    }
}
