//! The target of a request.

/// The target of one request, with the bytes of its fields as received.
///
/// # Examples
/// ```
/// use coalesce_core::{HostField, MethodKind, RequestTarget};
///
/// // `GET / HTTP/1.1` with `Host: a.test`.
/// let target = RequestTarget {
///     authority: None,
///     host: HostField::One(b"a.test"),
///     scheme: None,
///     method: MethodKind::Ordinary,
/// };
/// // HTTP/2 with `:scheme: https` and `:authority: a.test`.
/// let other = RequestTarget::https(b"a.test");
/// assert_ne!(target, other);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "a caller fills in every field from the request")]
pub struct RequestTarget<'a> {
    /// The bytes of `:authority`, or of the authority of an absolute-form target.
    pub authority: Option<&'a [u8]>,
    /// The `Host` fields.
    pub host: HostField<'a>,
    /// The bytes of `:scheme`. `None` if the protocol has no field for it (HTTP/1.1 origin-form,
    /// plain `CONNECT`); then the connection's scheme counts.
    pub scheme: Option<&'a [u8]>,
    /// The kind of method.
    pub method: MethodKind,
}

impl<'a> RequestTarget<'a> {
    /// Makes an ordinary `https` request with this `:authority` and no `Host`.
    pub const fn https(authority: &'a [u8]) -> Self {
        Self {
            authority: Some(authority),
            host: HostField::Absent,
            scheme: Some(b"https"),
            method: MethodKind::Ordinary,
        }
    }
}

/// The `Host` fields of a request.
///
/// # Examples
/// ```
/// use coalesce_core::HostField;
///
/// let fields = |values: &[&'static str]| HostField::collect(values.iter().map(|v| v.as_bytes()));
/// assert_eq!(fields(&[]), HostField::Absent);
/// assert_eq!(fields(&["a.test"]), HostField::One(b"a.test"));
/// assert_eq!(fields(&["a.test", "a.test"]), HostField::Several);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a request has no Host, one, or more than one")]
pub enum HostField<'a> {
    /// No `Host`.
    Absent,
    /// One `Host`, with this value.
    One(&'a [u8]),
    /// More than one `Host`, with any values.
    Several,
}

impl<'a> HostField<'a> {
    /// Collects field values.
    pub fn collect(mut values: impl Iterator<Item = &'a [u8]>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Self::Absent,
            (Some(value), None) => Self::One(value),
            (Some(_), Some(_)) => Self::Several,
        }
    }
}

/// The kinds of method that the decision distinguishes.
///
/// # Examples
/// ```
/// use coalesce_core::MethodKind;
///
/// fn kind(method: &str, protocol: Option<&str>) -> MethodKind {
///     match (method, protocol) {
///         ("CONNECT", None) => MethodKind::Connect,
///         ("CONNECT", Some(_)) => MethodKind::ExtendedConnect,
///         _ => MethodKind::Ordinary,
///     }
/// }
///
/// assert_eq!(kind("CONNECT", Some("websocket")), MethodKind::ExtendedConnect);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "only the two forms of CONNECT are special")]
pub enum MethodKind {
    /// Any method except `CONNECT`.
    Ordinary,
    /// `CONNECT` for a tunnel (RFC 9113 §8.5).
    Connect,
    /// `CONNECT` with `:protocol` (RFC 8441 §4).
    ExtendedConnect,
}

/// The schemes that a connection can carry.
///
/// # Examples
/// ```
/// use coalesce_core::Scheme;
///
/// assert_eq!((Scheme::Https.as_str(), Scheme::Https.default_port()), ("https", 443));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums, reason = "RFC 9110 §4.2 defines these two")]
pub enum Scheme {
    /// `http`, in the clear.
    Http,
    /// `https`, over TLS.
    Https,
}

impl Scheme {
    /// Returns the scheme's name.
    #[inline]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Returns the port of an authority without one (RFC 9110 §4.2.1, §4.2.2).
    #[inline]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}
