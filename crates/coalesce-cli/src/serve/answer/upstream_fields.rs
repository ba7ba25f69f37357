//! The fields of requests and answers that pass through.

use std::net::{IpAddr, SocketAddr};

use http::header::{
    CONNECTION, COOKIE, EXPECT, Entry, FORWARDED, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE,
    VIA,
};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Uri, Version, request};

use crate::config::UpstreamProtocol;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// What clients might say in place of this server. No gateway stands in front of it, so whatever
/// comes in with these names is the client's own claim.
const CLAIMS: [HeaderName; 6] =
    [FORWARDED, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO, X_REAL_IP];

/// Removes what is for one connection only (RFC 9110 §7.6.1).
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

/// Makes the request that the upstream gets out of the one that came.
///
/// The authority stays what the client asked for; `upstream` is only where the connection goes.
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
    // Answered here, where the waiting client is.
    fields.remove(EXPECT);
    for claim in CLAIMS {
        fields.remove(claim);
    }
    let address = peer.ip().to_canonical();
    insert(fields, X_FORWARDED_FOR, &address.to_string());
    insert(fields, X_FORWARDED_HOST, asked.as_str());
    insert(fields, X_FORWARDED_PROTO, "https");
    insert(fields, FORWARDED, &forwarded(address, &asked));
    // RFC 9110 §7.6.3: a gateway says that it was there.
    fields.append(VIA, HeaderValue::from_static("2.0 coalesce"));
    let to = match protocol {
        UpstreamProtocol::Http1 => {
            join_cookies(fields);
            insert(fields, HOST, asked.as_str());
            parts.version = Version::HTTP_11;
            upstream.clone()
        }
        UpstreamProtocol::H2c => {
            // `:authority` says it; a second voice could only differ.
            fields.remove(HOST);
            if takes_trailers {
                fields.insert(TE, HeaderValue::from_static("trailers"));
            }
            parts.version = Version::HTTP_2;
            asked
        }
    };
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(to);
    uri.path_and_query = parts.uri.path_and_query().cloned();
    // All three were parts of a URI before.
    parts.uri = Uri::from_parts(uri).unwrap_or_default();
}

/// Removes from an answer what HTTP/2 cannot carry.
pub(super) fn answer(fields: &mut HeaderMap) {
    remove_hop_by_hop(fields);
}

/// `:authority`, else `Host`; the decision has seen that one of them is there.
fn asked_authority(parts: &request::Parts) -> Option<Authority> {
    if let Some(authority) = parts.uri.authority() {
        return Some(authority.clone());
    }
    Authority::try_from(parts.headers.get(HOST)?.as_bytes()).ok()
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
    // Addresses and authorities are field values already.
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
        assert_eq!(parts.uri, "http://127.0.0.1:3000/x?y");
        assert_eq!(parts.version, Version::HTTP_11);
        assert_eq!(parts.headers[HOST], "A.example.test:8443");
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
        assert_eq!(parts.uri, "http://A.example.test:8443/x?y");
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
            "for=192.0.2.7;host=\"A.example.test:8443\";proto=https"
        );
        assert!(!parts.headers.contains_key(X_REAL_IP));
        assert!(!parts.headers.contains_key(X_FORWARDED_PORT));
        assert_eq!(parts.headers.get_all(VIA).iter().count(), 2);
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
        answer(&mut fields);
        let names: Vec<&str> = fields.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-kept"]);
    }
}
