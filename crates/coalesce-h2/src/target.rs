//! The target of a request from `h2`, as the decision needs it.

use coalesce_core::{HostField, MethodKind, RequestTarget};
use coalesce_http::target;
use http::header::HOST;
use http::{Request, Uri};

use crate::engine::Target;

/// Calls `judge` with the target of `request`. The fields from the wire (`seen`) take precedence
/// over the URI that `h2` made of them. If `hosts` is false, the request had no `host` field.
pub(crate) fn with_target<B, R>(
    request: &Request<B>,
    seen: Option<&Target>,
    hosts: bool,
    judge: impl FnOnce(&RequestTarget<'_>) -> R,
) -> R {
    let method = method_kind(request);
    let target = match seen {
        Some(seen) => RequestTarget {
            authority: seen.authority(),
            host: seen.host(),
            scheme: seen.scheme(),
            method,
        },
        None => RequestTarget {
            authority: request.uri().authority().map(|authority| authority.as_str().as_bytes()),
            host: if hosts { target::host_field(request.headers()) } else { HostField::Absent },
            scheme: request.uri().scheme_str().map(str::as_bytes),
            method,
        },
    };
    judge(&target)
}

fn method_kind<B>(request: &Request<B>) -> MethodKind {
    let is_extended = request.extensions().get::<h2::ext::Protocol>().is_some();
    target::method_kind(request.method(), is_extended)
}

/// Returns true if the path is well-formed (RFC 9113 §8.3.1); a plain `CONNECT` has none. `h2` does
/// not check the path if there is no `:authority`.
pub(crate) fn path_is_well_formed<B>(request: &Request<B>, seen: Option<&Target>) -> bool {
    if method_kind(request) == MethodKind::Connect {
        return true;
    }
    // `http` shows an absent path as the root.
    if seen.is_some_and(|seen| !seen.has_path()) {
        return false;
    }
    target::path_is_well_formed(request.method(), request.uri())
}

/// Removes the placeholders of values that `http` cannot hold, before the application sees the
/// request.
pub(crate) fn remove_placeholders<B>(request: &mut Request<B>, seen: &Target) {
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    if authority.is_some() && authority != seen.authority() {
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
    }
    if let (Some(value), HostField::One(host)) = (request.headers().get(HOST), seen.host())
        && value.as_bytes() != host
    {
        request.headers_mut().remove(HOST);
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn request(method: Method, uri: &str) -> Request<()> {
        Request::builder().method(method).uri(uri).body(()).unwrap()
    }

    #[test]
    fn path_is_required_except_for_plain_connect() {
        let well_formed = |method, uri| path_is_well_formed(&request(method, uri), None);
        assert!(well_formed(Method::GET, "https://a.test/"));
        assert!(!well_formed(Method::GET, "*"));
        assert!(well_formed(Method::CONNECT, "a.test:443"));
    }

    #[test]
    fn absent_path_is_malformed_although_http_shows_the_root() {
        let shown = request(Method::GET, "/");
        for has_path in [true, false] {
            let seen = Target::new(None, Some(b"a.test"), has_path);
            assert_eq!(path_is_well_formed(&shown, Some(&seen)), has_path);
        }
    }

    #[test]
    fn placeholders_are_removed_before_the_application() {
        let handed_on = |authority: Option<&[u8]>, host: Option<&[u8]>| {
            let mut request = request(Method::GET, "https://shown.test/x?y");
            request.headers_mut().append(HOST, http::HeaderValue::from_static("shown.test"));
            remove_placeholders(&mut request, &Target::new(authority, host, true));
            (request.uri().to_string(), request.headers().contains_key(HOST))
        };
        let (uri, path): (String, String) = ("https://shown.test/x?y".into(), "/x?y".into());
        let shown = Some(&b"shown.test"[..]);
        assert_eq!(handed_on(shown, shown), (uri.clone(), true));
        assert_eq!(handed_on(shown, None), (uri.clone(), true));
        assert_eq!(handed_on(shown, Some(b"a\xff")), (uri, false));
        assert_eq!(handed_on(Some(b"a\xff"), shown), (path.clone(), true));
        assert_eq!(handed_on(None, Some(b"a\xff")), (path, false));
    }

    #[test]
    fn target_without_notes_comes_from_the_request() {
        let mut request = request(Method::GET, "https://A.test:8443/x");
        request.headers_mut().append(HOST, http::HeaderValue::from_static("a.test"));
        with_target(&request, None, true, |target| {
            assert_eq!(target.authority, Some(&b"A.test:8443"[..]));
            assert_eq!(target.host, HostField::One(b"a.test"));
            assert_eq!(target.scheme, Some(&b"https"[..]));
            assert_eq!(target.method, MethodKind::Ordinary);
        });
        request.headers_mut().append(HOST, http::HeaderValue::from_static("a.test"));
        with_target(&request, None, true, |target| assert_eq!(target.host, HostField::Several));
    }
}
