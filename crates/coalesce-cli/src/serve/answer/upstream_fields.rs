//! The fields of requests and answers that pass through.

use std::net::{IpAddr, SocketAddr};

use coalesce_core::{Authority as DecidedAuthority, Scheme as DecidedScheme};
use http::header::{
    ALT_SVC, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, Entry, FORWARDED, HOST, HeaderName, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version, request};

use crate::config::{ForwardedCertificate, UpstreamProtocol};
use crate::serve::answer::client_certificate::ClientCertificate;

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Fields that only a gateway may send to an upstream: RFC 7239, RFC 9440, and `proxy`, which a CGI
/// program takes for its configuration (CVE-2016-5385).
const GATEWAY_NAMES: [&str; 5] =
    ["client-cert", "client-cert-chain", "forwarded", "proxy", "x-real-ip"];

/// The prefixes of other such fields.
const GATEWAY_PREFIXES: [&str; 4] =
    ["ssl-client-", "x-client-cert", "x-forwarded-", "x-ssl-client-"];

/// Removes the fields that only a gateway may send. No gateway is in front of this server, so each
/// of them comes from the client.
///
/// Also removes every field with an underscore in its name: WSGI, CGI and PHP make one variable of
/// `x_forwarded_for` and `x-forwarded-for`, so the client's field would replace that of this
/// server.
fn remove_claims(fields: &mut HeaderMap) {
    let is_claim = |name: &&HeaderName| {
        let name = name.as_str();
        name.contains('_')
            || GATEWAY_NAMES.contains(&name)
            || GATEWAY_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    let claims: Vec<HeaderName> = fields.keys().filter(is_claim).cloned().collect();
    for claim in claims {
        fields.remove(claim);
    }
}

/// Removes the fields of a single connection (RFC 9110 §7.6.1).
fn remove_hop_by_hop(fields: &mut HeaderMap) {
    let named: Vec<HeaderName> = fields
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        fields.remove(name);
    }
    for name in [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TE, TRANSFER_ENCODING, UPGRADE] {
        fields.remove(name);
    }
}

/// Makes the request for the upstream out of the client's.
///
/// The authority stays the one that the client requested; `upstream` replaces a missing one.
pub(super) fn request(
    parts: &mut request::Parts,
    protocol: UpstreamProtocol,
    upstream: &Authority,
    peer: SocketAddr,
) {
    let asked = asked_authority(parts).unwrap_or_else(|| upstream.clone());
    let takes_trailers = parts.headers.get_all(TE).iter().any(|value| value == "trailers");
    let fields = &mut parts.headers;
    remove_hop_by_hop(fields);
    // This server answers the client's `expect` itself.
    fields.remove(EXPECT);
    remove_claims(fields);
    let address = peer.ip().to_canonical();
    insert(fields, X_FORWARDED_FOR, &address.to_string());
    insert(fields, X_FORWARDED_HOST, asked.as_str());
    insert(fields, X_FORWARDED_PROTO, "https");
    insert(fields, FORWARDED, &forwarded(address, &asked));
    // RFC 9110 §7.6.3: a gateway adds itself.
    fields.append(VIA, HeaderValue::from_static("2.0 coalesce"));
    let mut uri = http::uri::Parts::default();
    uri.path_and_query = parts.uri.path_and_query().cloned();
    match protocol {
        // RFC 9112 §3.2.1: an origin server gets the path and the query only.
        UpstreamProtocol::Http1 => {
            join_cookies(fields);
            insert(fields, HOST, asked.as_str());
            parts.version = Version::HTTP_11;
        }
        UpstreamProtocol::H2c => {
            // `:authority` has the host; a `Host` beside it could only differ.
            fields.remove(HOST);
            if takes_trailers {
                fields.insert(TE, HeaderValue::from_static("trailers"));
            }
            parts.version = Version::HTTP_2;
            uri.scheme = Some(Scheme::HTTP);
            uri.authority = Some(asked);
        }
    }
    // All three parts come from valid URIs.
    parts.uri = Uri::from_parts(uri).unwrap_or_default();
}

/// Sets the framing of a request's content if its head does not, and closes a connection that may
/// lose sync after it.
pub(super) fn framing(parts: &mut request::Parts, protocol: UpstreamProtocol, no_content: bool) {
    let fields = &mut parts.headers;
    if no_content {
        if fields.get(CONTENT_LENGTH).is_some_and(|length| length != "0") {
            fields.remove(CONTENT_LENGTH);
        }
        return;
    }
    if protocol != UpstreamProtocol::Http1 {
        return;
    }
    // hyper sends content of unknown length with GET and HEAD only if told so.
    if !fields.contains_key(CONTENT_LENGTH) {
        fields.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    // RFC 9110 §9.3.1: content of these methods has no meaning, so many servers do not read it and
    // take it for the next request on the connection.
    if ![Method::POST, Method::PUT, Method::PATCH].contains(&parts.method) {
        fields.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Adds the client's certificate to a request (RFC 9440).
pub(super) fn client_certificate(
    fields: &mut HeaderMap,
    certificate: &ClientCertificate,
    forwarded: ForwardedCertificate,
) {
    if forwarded != ForwardedCertificate::None {
        fields.insert(CLIENT_CERT, certificate.leaf.clone());
    }
    if forwarded == ForwardedCertificate::Chain
        && let Some(chain) = &certificate.chain
    {
        fields.insert(CLIENT_CERT_CHAIN, chain.clone());
    }
}

/// Removes the fields from a request's trailers that the upstream must not get.
pub(super) fn request_trailers(fields: &mut HeaderMap) {
    trailers(fields);
    remove_claims(fields);
}

/// Removes the fields from an answer that HTTP/2 cannot carry. From a 421, removes those that would
/// send the client to another endpoint for the same refusal (RFC 7838 §6).
///
/// Also removes a length that may differ from that of the content. RFC 9112 §6.3: with
/// `transfer-encoding` the length has no meaning. RFC 9110 §8.6: a 204 has none. Joins equal
/// lengths.
pub(super) fn answer(status: StatusCode, fields: &mut HeaderMap) {
    let length = fields.get(CONTENT_LENGTH).cloned();
    let is_meant = !fields.contains_key(TRANSFER_ENCODING) && status != StatusCode::NO_CONTENT;
    let is_one = fields.get_all(CONTENT_LENGTH).iter().all(|other| Some(other) == length.as_ref());
    fields.remove(CONTENT_LENGTH);
    if let Some(length) = length.filter(|length| is_meant && is_one && is_digits(length)) {
        fields.insert(CONTENT_LENGTH, length);
    }
    remove_hop_by_hop(fields);
    if status == StatusCode::MISDIRECTED_REQUEST {
        fields.remove(ALT_SVC);
    }
}

fn is_digits(value: &HeaderValue) -> bool {
    !value.is_empty() && value.as_bytes().iter().all(u8::is_ascii_digit)
}

/// Removes the fields that trailers must not have: those for one connection, for framing and for
/// routing (RFC 9110 §6.5.1).
pub(super) fn trailers(fields: &mut HeaderMap) {
    remove_hop_by_hop(fields);
    for name in [CONTENT_LENGTH, HOST, TRAILER] {
        fields.remove(name);
    }
}

/// Returns the authority that was decided: `:authority`, else `Host`, in lower case, without a
/// trailing dot, and without the default port of `https`.
fn asked_authority(parts: &request::Parts) -> Option<Authority> {
    let asked = match parts.uri.authority() {
        Some(authority) => authority.as_str().as_bytes(),
        None => parts.headers.get(HOST)?.as_bytes(),
    };
    let asked = DecidedAuthority::parse(asked).ok()?;
    let host = asked.host();
    let text = match asked.port() {
        Some(port) if port != DecidedScheme::Https.default_port() => format!("{host}:{port}"),
        _ => host.to_string(),
    };
    Authority::try_from(text).ok()
}

/// RFC 7239 §4: the members of one element; an IPv6 address is bracketed and quoted (§6).
fn forwarded(address: IpAddr, asked: &Authority) -> String {
    let node = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    format!("for={node};host=\"{asked}\";proto=https")
}

/// RFC 9113 §8.2.3: HTTP/2 may split cookies over several fields, HTTP/1.1 may not.
fn join_cookies(fields: &mut HeaderMap) {
    let Entry::Occupied(mut cookies) = fields.entry(COOKIE) else { return };
    let mut joined = Vec::new();
    for cookie in cookies.iter() {
        if !joined.is_empty() {
            joined.extend_from_slice(b"; ");
        }
        joined.extend_from_slice(cookie.as_bytes());
    }
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        cookies.insert(joined);
    }
}

fn insert(fields: &mut HeaderMap, name: HeaderName, value: &str) {
    // Addresses and authorities are always valid field values.
    if let Ok(value) = HeaderValue::from_str(value) {
        fields.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn forwarded_request(
        protocol: UpstreamProtocol,
        fields: &[(&'static str, &'static str)],
    ) -> request::Parts {
        let mut builder = Request::builder().uri("https://A.example.test:8443/x?y");
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        let mut parts = builder.body(()).unwrap().into_parts().0;
        let upstream = Authority::from_static("127.0.0.1:3000");
        request(&mut parts, protocol, &upstream, "[::ffff:192.0.2.7]:5000".parse().unwrap());
        parts
    }

    #[test]
    fn http1_gets_the_authority_asked_for_as_host() {
        let parts = forwarded_request(
            UpstreamProtocol::Http1,
            &[("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers"), ("expect", "100-continue")],
        );
        assert_eq!(parts.uri, "/x?y");
        assert_eq!(parts.version, Version::HTTP_11);
        assert_eq!(parts.headers[HOST], "a.example.test:8443");
        assert_eq!(parts.headers[COOKIE], "a=1; b=2");
        assert!(!parts.headers.contains_key(TE) && !parts.headers.contains_key(EXPECT));
        assert_eq!(parts.headers[VIA], "2.0 coalesce");
    }

    #[test]
    fn h2c_gets_it_as_authority_and_nowhere_else() {
        let parts = forwarded_request(
            UpstreamProtocol::H2c,
            &[("host", "a.example.test:8443"), ("te", "trailers")],
        );
        assert_eq!(parts.uri, "http://a.example.test:8443/x?y");
        assert!(!parts.headers.contains_key(HOST));
        assert_eq!(parts.headers[TE], "trailers");
    }

    #[test]
    fn claims_of_the_client_are_replaced() {
        let parts = forwarded_request(
            UpstreamProtocol::Http1,
            &[
                ("x-forwarded-for", "10.0.0.1"),
                ("forwarded", "for=10.0.0.1"),
                ("x-forwarded-port", "1"),
                ("x-real-ip", "10.0.0.1"),
                ("via", "1.1 other"),
            ],
        );
        assert_eq!(parts.headers[X_FORWARDED_FOR], "192.0.2.7");
        assert_eq!(parts.headers[X_FORWARDED_PROTO], "https");
        assert_eq!(
            parts.headers[FORWARDED],
            "for=192.0.2.7;host=\"a.example.test:8443\";proto=https"
        );
        assert!(!parts.headers.contains_key("x-real-ip"));
        assert!(!parts.headers.contains_key("x-forwarded-port"));
        assert_eq!(parts.headers.get_all(VIA).iter().count(), 2);
    }

    #[test]
    fn claims_of_the_client_pass_in_no_spelling_and_in_no_trailers() {
        let claims = [
            ("x_forwarded_for", "10.0.0.1"),
            ("x_forwarded-host", "evil.test"),
            ("x-forwarded_proto", "http"),
            ("x-forwarded-user", "root"),
            ("x-forwarded-client-cert", "Subject=\"CN=root\""),
            ("ssl-client-verify", "SUCCESS"),
            ("x-ssl-client-s-dn", "CN=root"),
            ("x-client-cert", "root"),
            ("client-cert", ":AA==:"),
            ("client-cert-chain", ":AA==:"),
            ("client_cert", ":AA==:"),
            ("proxy", "http://evil.test"),
            ("content_length", "5"),
        ];
        let kept = ("x-own", "1");
        let fields: Vec<_> = claims.into_iter().chain([kept]).collect();
        for protocol in [UpstreamProtocol::Http1, UpstreamProtocol::H2c] {
            let parts = forwarded_request(protocol, &fields);
            for (name, value) in claims {
                let found = parts.headers.get(name);
                assert!(found.is_none_or(|found| found != value), "{name}");
            }
            assert_eq!(parts.headers["x-own"], "1");
        }
        let mut sent = HeaderMap::new();
        for (name, value) in fields {
            sent.append(name, HeaderValue::from_static(value));
        }
        for name in [CONNECTION, TE, TRANSFER_ENCODING, CONTENT_LENGTH, HOST, TRAILER] {
            sent.append(name, HeaderValue::from_static("1"));
        }
        request_trailers(&mut sent);
        assert_eq!(sent.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-own"]);
    }

    #[test]
    fn authority_reaches_the_upstream_as_it_was_decided() {
        for (asked, expected) in [
            ("https://A.example.TEST./", "a.example.test"),
            ("https://a.example.test:443/", "a.example.test"),
            ("https://a.example.test:0443/", "a.example.test"),
            ("https://a.example.test:/", "a.example.test"),
            ("https://a.example.test.:8443/", "a.example.test:8443"),
            ("https://[2001:DB8::1]/", "[2001:db8::1]"),
        ] {
            let mut parts = Request::builder().uri(asked).body(()).unwrap().into_parts().0;
            let upstream = Authority::from_static("127.0.0.1:3000");
            request(&mut parts, UpstreamProtocol::Http1, &upstream, ([192, 0, 2, 7], 1).into());
            assert_eq!(parts.headers[HOST], expected, "{asked}");
            assert_eq!(parts.headers[X_FORWARDED_HOST], expected, "{asked}");
        }
    }

    #[test]
    fn misdirected_answer_of_the_upstream_has_no_alternative_service() {
        for (status, kept) in [(200, true), (421, false)] {
            let mut fields = HeaderMap::new();
            fields.insert(ALT_SVC, HeaderValue::from_static("h3=\":443\""));
            answer(StatusCode::from_u16(status).unwrap(), &mut fields);
            assert_eq!(fields.contains_key(ALT_SVC), kept, "{status}");
        }
    }

    #[test]
    fn length_that_may_not_be_that_of_the_content_goes_no_further() {
        for (status, lengths, more, expected) in [
            (200, &["5"][..], None, Some("5")),
            (200, &["5", "5"], None, Some("5")),
            (200, &["5", "6"], None, None),
            (200, &["5, 5"], None, None),
            (200, &["+5"], None, None),
            (200, &[""], None, None),
            (200, &["5"], Some((TRANSFER_ENCODING, "chunked")), None),
            (204, &["5"], None, None),
            (304, &["5"], None, Some("5")),
        ] {
            let mut fields = HeaderMap::new();
            for length in lengths {
                fields.append(CONTENT_LENGTH, HeaderValue::from_static(length));
            }
            if let Some((name, value)) = more {
                fields.append(name, HeaderValue::from_static(value));
            }
            answer(StatusCode::from_u16(status).unwrap(), &mut fields);
            let found: Vec<_> = fields.get_all(CONTENT_LENGTH).iter().collect();
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{status} {lengths:?}");
        }
    }

    #[test]
    fn content_of_a_request_is_framed_whatever_its_method() {
        let framed = |method: Method, length: Option<&'static str>, no_content| {
            let mut parts = forwarded_request(UpstreamProtocol::Http1, &[]);
            parts.method = method;
            if let Some(length) = length {
                parts.headers.insert(CONTENT_LENGTH, HeaderValue::from_static(length));
            }
            framing(&mut parts, UpstreamProtocol::Http1, no_content);
            let value =
                |name| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].map(value)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(framed(Method::GET, None, false), [None, some("chunked"), some("close")]);
        assert_eq!(framed(Method::HEAD, Some("5"), false), [some("5"), None, some("close")]);
        assert_eq!(framed(Method::POST, None, false), [None, some("chunked"), None]);
        assert_eq!(framed(Method::POST, Some("5"), false), [some("5"), None, None]);
        assert_eq!(framed(Method::POST, Some("0"), true), [some("0"), None, None]);
        assert_eq!(framed(Method::GET, Some("5"), true), [None, None, None]);
    }

    #[test]
    fn client_certificate_goes_upstream_as_the_setting_says() {
        let der = |text: &'static str| rustls_pki_types::CertificateDer::from(text.as_bytes());
        let certificate = ClientCertificate::new(&[der("foo"), der("f")]).unwrap();
        for (forwarded, expected) in [
            (ForwardedCertificate::None, [None, None]),
            (ForwardedCertificate::Leaf, [Some(":Zm9v:"), None]),
            (ForwardedCertificate::Chain, [Some(":Zm9v:"), Some(":Zg==:")]),
        ] {
            let mut fields = HeaderMap::new();
            client_certificate(&mut fields, &certificate, forwarded);
            let found = [CLIENT_CERT, CLIENT_CERT_CHAIN]
                .map(|name| fields.get(name).map(|value| value.to_str().unwrap().to_owned()));
            assert_eq!(found, expected.map(|value| value.map(str::to_owned)), "{forwarded:?}");
        }
    }

    #[test]
    fn what_is_for_one_connection_stays_there() {
        let mut fields = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Own"),
            ("x-own", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-connection", "close"),
            ("x-kept", "1"),
        ] {
            fields.append(name, HeaderValue::from_static(value));
        }
        answer(StatusCode::OK, &mut fields);
        let names: Vec<&str> = fields.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-kept"]);
    }
}
