//! From a request as its server library shows it to the target that the decision wants.

use coalesce_core::{Authority, HostField, MethodKind, RequestTarget};
use coalesce_http::target::{TargetError, host_field, method_kind, path_is_well_formed};
use http::header::HOST;
use http::uri::Scheme;
use http::{HeaderMap, Method, Request, Uri, Version};

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

/// The target of a request.
pub(crate) fn target_of(request: Head<'_>) -> Result<RequestTarget<'_>, TargetError> {
    match request.version {
        Version::HTTP_2 | Version::HTTP_3 => multiplexed(request),
        Version::HTTP_11 | Version::HTTP_10 => textual(request),
        _ => Err(TargetError::Version),
    }
}

/// The target of a request that a listed gateway sent on a connection of the scheme `hop`, for a
/// client whose scheme the gateway names in a field.
///
/// A gateway may write the scheme of the connection to this server, as nginx does over HTTP/2 in
/// the clear, so that scheme contradicts nothing. It may also send `Host` in place of `:authority`
/// (RFC 9113 §8.3.1 allows an intermediary to do so), as nginx does for gRPC where a configuration
/// sets `Host`. Then `h2` hides `:scheme` and `:path`, and the gateway is trusted with them.
pub(crate) fn target_by_gateway(
    request: Head<'_>,
    hop: coalesce_core::Scheme,
) -> Result<RequestTarget<'_>, TargetError> {
    let Head { method, uri, version, headers } = request;
    if version >= Version::HTTP_2 && uri.authority().is_none() && path_is_well_formed(method, uri) {
        return Ok(RequestTarget {
            authority: None,
            host: host_field(headers),
            scheme: None,
            method: method_kind(method, false),
        });
    }
    let mut target = target_of(request)?;
    let is_of_hop = |named: &[u8]| named.eq_ignore_ascii_case(hop.as_str().as_bytes());
    target.scheme = target.scheme.filter(|named| !is_of_hop(named));
    Ok(target)
}

/// HTTP/2 (RFC 9113 §8.3.1) and HTTP/3 (RFC 9114 §4.3.1).
fn multiplexed(request: Head<'_>) -> Result<RequestTarget<'_>, TargetError> {
    let Head { method, uri, headers, .. } = request;
    // Without `:authority` h2 drops `:scheme`, and shows a missing `:path` as the root.
    let authority = uri.authority().ok_or(TargetError::Unseen)?;
    let scheme = uri.scheme_str();
    // A `CONNECT` for a tunnel has no scheme; one with `:protocol` has (RFC 8441 §4).
    let method_kind = method_kind(method, scheme.is_some());
    if method_kind != MethodKind::Connect && !(scheme.is_some() && path_is_well_formed(method, uri))
    {
        return Err(TargetError::Form);
    }
    Ok(RequestTarget {
        authority: Some(authority.as_str().as_bytes()),
        host: host_field(headers),
        scheme: scheme.map(str::as_bytes),
        method: method_kind,
    })
}

/// HTTP/1: the forms of RFC 9112 §3.2.
fn textual(request: Head<'_>) -> Result<RequestTarget<'_>, TargetError> {
    let Head { method, uri, version, headers } = request;
    let mut host = host_field(headers);
    if host == HostField::Absent && version != Version::HTTP_10 {
        return Err(TargetError::NoHost);
    }
    // HTTP/1 has no extended CONNECT (RFC 8441 §4).
    let method_kind = method_kind(method, false);
    let scheme = uri.scheme_str();
    let whole = match (method_kind, uri.authority(), scheme) {
        // authority-form is for CONNECT, and CONNECT is for authority-form.
        (MethodKind::Connect, authority, scheme) => authority.is_some() && scheme.is_none(),
        // origin-form and asterisk-form.
        (_, None, None) => path_is_well_formed(method, uri),
        (_, Some(_), Some(_)) => {
            // absolute-form: `Host` is ignored (RFC 9112 §3.2.2), after it was found to be one, as
            // every request's must be.
            if let HostField::One(value) = host {
                if !value.is_empty() && Authority::parse(value).is_err() {
                    return Err(TargetError::Host);
                }
                host = HostField::Absent;
            }
            true
        }
        _ => false,
    };
    if !whole {
        return Err(TargetError::Form);
    }
    Ok(RequestTarget {
        authority: uri.authority().map(|authority| authority.as_str().as_bytes()),
        host,
        scheme: scheme.map(str::as_bytes),
        method: method_kind,
    })
}

/// Makes the target say the scheme of the gateway's client, if it says that of the gateway's own
/// connection: an application builds links and redirects from it.
pub(crate) fn settle_scheme<B>(request: &mut Request<B>, client: coalesce_core::Scheme) {
    if request.uri().scheme_str().is_none_or(|named| named == client.as_str()) {
        return;
    }
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(match client {
        coalesce_core::Scheme::Http => Scheme::HTTP,
        coalesce_core::Scheme::Https => Scheme::HTTPS,
    });
    // It had a scheme, and so it has all the parts that a scheme needs.
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
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
        // Every authority that was served is a field value. If one were not, no `Host` is safer
        // than another one.
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
