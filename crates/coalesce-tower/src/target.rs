//! From a request as its server library shows it to the target that the decision wants.

use coalesce_core::{Authority, HostField, MethodKind, RequestTarget};
use http::header::HOST;
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};

/// A request without its body and extensions, borrowed: taking requests apart and putting them
/// together again would cost more than deciding them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) version: Version,
    pub(crate) headers: &'a HeaderMap,
}

impl<'a> Head<'a> {
    pub(crate) fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
        }
    }
}

/// Why a request has no target that could be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Formless {
    /// A target in none of the four forms of RFC 9112 §3.2, or in one that its method does not
    /// take; a `:path` that RFC 9113 §8.3.1 does not allow.
    Form,
    /// HTTP/2 without `:authority`. h2 drops `:scheme` then, and a `:path` that is missing looks
    /// like the root, so that nobody knows what was asked for.
    Unseen,
    /// HTTP/1.1 without `Host`, whatever else the request line says (RFC 9112 §3.2).
    NoHost,
    /// A `Host` beside an absolute-form target that is no authority (RFC 9112 §3.2).
    Host,
    /// A version of HTTP that has rules of its own.
    Version,
}

impl Formless {
    /// A stable name for logs, and the rule behind it.
    pub(crate) const fn code_and_rule(self) -> (&'static str, &'static str) {
        match self {
            Self::Form => ("target_form", "RFC 9112 §3.2, RFC 9113 §8.3.1"),
            Self::Unseen => ("target_unseen", "RFC 9110 §7.4"),
            Self::NoHost => ("no_host", "RFC 9112 §3.2"),
            Self::Host => ("host_invalid", "RFC 9112 §3.2"),
            Self::Version => ("version", "RFC 9110 §2.5"),
        }
    }
}

/// The target of a request.
pub(crate) fn target_of(request: Head<'_>) -> Result<RequestTarget<'_>, Formless> {
    match request.version {
        Version::HTTP_2 | Version::HTTP_3 => multiplexed(request),
        Version::HTTP_11 | Version::HTTP_10 => textual(request),
        _ => Err(Formless::Version),
    }
}

/// HTTP/2 (RFC 9113 §8.3.1) and HTTP/3 (RFC 9114 §4.3.1).
fn multiplexed(request: Head<'_>) -> Result<RequestTarget<'_>, Formless> {
    let Head { method, uri, headers, .. } = request;
    let authority = uri.authority().ok_or(Formless::Unseen)?;
    let scheme = uri.scheme_str();
    // A `CONNECT` for a tunnel has no scheme; one with `:protocol` has (RFC 8441 §4).
    let method_kind = match (method == Method::CONNECT, scheme) {
        (false, _) => MethodKind::Ordinary,
        (true, None) => MethodKind::Connect,
        (true, Some(_)) => MethodKind::ExtendedConnect,
    };
    if method_kind != MethodKind::Connect && !(scheme.is_some() && path_is_well_formed(request)) {
        return Err(Formless::Form);
    }
    Ok(RequestTarget {
        authority: Some(authority.as_str().as_bytes()),
        host: host_field(headers),
        scheme: scheme.map(str::as_bytes),
        method: method_kind,
    })
}

/// HTTP/1: the forms of RFC 9112 §3.2.
fn textual(request: Head<'_>) -> Result<RequestTarget<'_>, Formless> {
    let Head { method, uri, version, headers } = request;
    let mut host = host_field(headers);
    if host == HostField::Absent && version != Version::HTTP_10 {
        return Err(Formless::NoHost);
    }
    let method_kind = match *method {
        Method::CONNECT => MethodKind::Connect,
        _ => MethodKind::Ordinary,
    };
    let scheme = uri.scheme_str();
    let whole = match (method_kind, uri.authority(), scheme) {
        // authority-form is for CONNECT, and CONNECT is for authority-form.
        (MethodKind::Connect, authority, scheme) => authority.is_some() && scheme.is_none(),
        // origin-form and asterisk-form.
        (_, None, None) => path_is_well_formed(request),
        (_, Some(_), Some(_)) => {
            // absolute-form: `Host` is ignored (RFC 9112 §3.2.2), after it was found to be one, as
            // every request's must be.
            if let HostField::One(value) = host {
                if !value.is_empty() && Authority::parse(value).is_err() {
                    return Err(Formless::Host);
                }
                host = HostField::Absent;
            }
            true
        }
        _ => false,
    };
    if !whole {
        return Err(Formless::Form);
    }
    Ok(RequestTarget {
        authority: uri.authority().map(|authority| authority.as_str().as_bytes()),
        host,
        scheme: scheme.map(str::as_bytes),
        method: method_kind,
    })
}

fn host_field(headers: &HeaderMap) -> HostField<'_> {
    if headers.len() != headers.keys_len() {
        return HostField::collect(headers.get_all(HOST).iter().map(HeaderValue::as_bytes));
    }
    // Where no field stands twice, looking at each costs less than a hash; `Host` is mostly the
    // first (RFC 9110 §7.2 asks for that).
    let host = headers.iter().find(|(name, _)| **name == HOST);
    host.map_or(HostField::Absent, |(_, value)| HostField::One(value.as_bytes()))
}

/// A path starts with `/` or, for `OPTIONS`, is `*`.
fn path_is_well_formed(request: Head<'_>) -> bool {
    request.uri.path_and_query().is_some_and(|path| {
        path.as_str().starts_with('/') || path == "*" && *request.method == Method::OPTIONS
    })
}

/// Makes `Host` say what an absolute-form target says, so that no application that reads the one
/// takes the request for another than the one that was decided (RFC 9112 §3.2.2).
#[inline]
pub(crate) fn settle_host<B>(request: &mut Request<B>) {
    if request.version() < Version::HTTP_2 && request.uri().scheme().is_some() {
        replace_host(request);
    }
}

#[cold]
fn replace_host<B>(request: &mut Request<B>) {
    if host_agrees(request.uri(), request.headers()) {
        return;
    }
    let named = request.uri().authority().and_then(|authority| authority.as_str().parse().ok());
    match named {
        Some(named) => drop(request.headers_mut().insert(HOST, named)),
        // No authority that was served is no field value; nobody is misled by none.
        None => drop(request.headers_mut().remove(HOST)),
    }
}

fn host_agrees(uri: &Uri, headers: &HeaderMap) -> bool {
    let (HostField::One(host), Some(authority)) = (host_field(headers), uri.authority()) else {
        return false;
    };
    match (Authority::parse(host), Authority::parse(authority.as_str().as_bytes())) {
        (Ok(host), Ok(target)) => {
            // The scheme was the connection's, or this would not be served.
            let default = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
            host.host() == target.host() && host.port_or(default) == target.port_or(default)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
