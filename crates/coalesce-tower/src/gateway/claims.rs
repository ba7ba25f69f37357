//! The fields of a request in which only a gateway may speak.

use http::{HeaderMap, HeaderName};

use super::fields::GatewayFields;

/// What a gateway says of its client: who it is, and which host, path, scheme and certificate it
/// used. Each is a whole name, or the beginning of one that ends with `-`.
///
/// RFC 7239 (`forwarded`), RFC 9440 (`client-cert`), what gateways write and applications read, and
/// `proxy`, which a CGI program takes for its configuration (CVE-2016-5385).
const CLAIMS: [&str; 21] = [
    "proxy",
    "forwarded",
    "x-forwarded",
    "x-forwarded-",
    "x-original-",
    "x-rewrite-",
    "x-host",
    "x-http-host-override",
    "x-url-scheme",
    "x-scheme",
    "front-end-https",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "client-cert",
    "client-cert-chain",
    "x-client-cert",
    "x-client-cert-",
    "ssl-client-",
    "x-ssl-",
];

/// Removes the fields in which a client could pass for a gateway.
pub(crate) fn strip(headers: &mut HeaderMap, own: Option<&GatewayFields>) {
    let is_claim = |name: &&HeaderName| {
        is_claim(name.as_str()) || own.is_some_and(|fields| fields.names().any(|own| own == *name))
    };
    let claims: Vec<HeaderName> = headers.keys().filter(is_claim).cloned().collect();
    for name in &claims {
        headers.remove(name);
    }
}

fn is_claim(name: &str) -> bool {
    CLAIMS.iter().any(|claim| {
        let begins = name.get(..claim.len()).is_some_and(|begin| is_spelled(begin, claim));
        begins && (claim.len() == name.len() || claim.ends_with('-'))
    })
}

/// Compares two names. An interface such as CGI makes one variable of `-` and `_` (RFC 3875
/// §4.1.18), so both spellings are the same field to an application.
fn is_spelled(name: &str, claim: &str) -> bool {
    name.bytes().map(|byte| if byte == b'_' { b'-' } else { byte }).eq(claim.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_removed_in_every_spelling_and_nothing_else_is() {
        for name in [
            "forwarded",
            "x-forwarded-host",
            "x_forwarded_host",
            "X-Forwarded_Proto",
            "x-forwarded-client-cert",
            "x-original-url",
            "x-rewrite-url",
            "x-real-ip",
            "client-cert",
            "client_cert_chain",
            "ssl-client-verify",
            "x-ssl-client-cert",
        ] {
            assert!(is_claim(&name.to_ascii_lowercase()), "{name}");
        }
        for name in [
            "host",
            "accept",
            "forwarded-by-me",
            "x-forward",
            "client-certificate-hint",
            "via",
            "x-hosting",
            "cookie",
            "x-client-data",
            "proxy-authorization",
            "x",
            "",
        ] {
            assert!(!is_claim(name), "{name}");
        }
    }
}
