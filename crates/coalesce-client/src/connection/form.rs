//! The form of a request on each version of HTTP.

use http::header::{HOST, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{Method, Request, Version};

/// Brings a request with an absolute URI into the form of HTTP/1.1 (RFC 9112 §3.2): a target in
/// origin form, and a Host field.
pub(super) fn set_http1<B>(request: &mut Request<B>) {
    *request.version_mut() = Version::HTTP_11;
    if let Some(host) = host_field(request.uri()) {
        request.headers_mut().insert(HOST, host);
    }
    let uri = std::mem::take(request.uri_mut());
    *request.uri_mut() = if request.method() == Method::CONNECT {
        uri.authority().map(authority_form).unwrap_or_default()
    } else {
        origin_form(uri)
    };
}

/// Brings a request with an absolute URI into the form of HTTP/2, in which `:authority` replaces
/// the Host field (RFC 9113 §8.3.1).
pub(super) fn set_http2<B>(request: &mut Request<B>) {
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().remove(HOST);
    if request.uri().authority().is_some_and(|it| it.as_str().contains('@')) {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.authority = parts.authority.and_then(|it| without_userinfo(&it).parse().ok());
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    }
}

fn without_userinfo(authority: &Authority) -> &str {
    let whole = authority.as_str();
    whole.rsplit_once('@').map_or(whole, |(_, rest)| rest)
}

fn host_field(uri: &Uri) -> Option<HeaderValue> {
    let authority = uri.authority()?;
    let default = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let host = match authority.port_u16() {
        Some(port) if port == default => authority.host(),
        _ => without_userinfo(authority),
    };
    HeaderValue::from_str(host).ok()
}

fn origin_form(uri: Uri) -> Uri {
    let target = uri.into_parts().path_and_query;
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(target.unwrap_or_else(|| PathAndQuery::from_static("/")));
    Uri::from_parts(parts).unwrap_or_default()
}

fn authority_form(authority: &Authority) -> Uri {
    without_userinfo(authority).parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, uri: &str) -> Request<()> {
        Request::builder().method(method).uri(uri).body(()).unwrap()
    }

    #[test]
    fn http1_target_is_in_origin_form_and_host_names_other_ports() {
        for (uri, target, host) in [
            ("https://a.test", "/", "a.test"),
            ("https://a.test:443/x?y=1", "/x?y=1", "a.test"),
            ("https://a.test:80/", "/", "a.test:80"),
            ("http://a.test:80/", "/", "a.test"),
            ("http://user:pass@a.test:8080/", "/", "a.test:8080"),
            ("https://[::1]:8443/", "/", "[::1]:8443"),
            ("https://user@[::1]/", "/", "[::1]"),
            ("https://a.test?y", "/?y", "a.test"),
        ] {
            let mut request = request(Method::GET, uri);
            request.headers_mut().insert(HOST, HeaderValue::from_static("other.test"));
            set_http1(&mut request);
            assert_eq!(request.uri().to_string(), target, "{uri}");
            assert_eq!(request.headers()[HOST], host, "{uri}");
        }
    }

    #[test]
    fn http1_connect_is_in_authority_form() {
        let mut request = request(Method::CONNECT, "https://a.test:443/");
        set_http1(&mut request);
        assert_eq!(request.uri().to_string(), "a.test:443");
    }

    #[test]
    fn http2_request_has_no_host_field_and_no_userinfo() {
        let mut request = request(Method::GET, "https://user:pass@a.test:8443/x");
        request.headers_mut().insert(HOST, HeaderValue::from_static("other.test"));
        set_http2(&mut request);
        assert_eq!(request.uri().to_string(), "https://a.test:8443/x");
        assert!(!request.headers().contains_key(HOST));
    }
}
