//! The parts of a request's URL that determine its connection and its target.

use std::str::FromStr;

use coalesce_core::{Authority, Host};

/// The scheme and the authority of a URL, and the server name of a client that connects for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: String,
    pub(crate) authority: String,
    /// `None` for an address (RFC 6066 §3).
    pub(crate) server_name: Option<String>,
    /// The port that the client connects to.
    pub(crate) port: u16,
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return Err(format!("URL {text:?} does not begin with https:// or http://")),
        };
        // RFC 3986 §3.2: a slash, a question mark or a number sign ends the authority.
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            let reason = "a client sends no userinfo: leave out the part before the '@'";
            return Err(format!("URL {text:?}: {reason}"));
        }
        let parsed = Authority::parse(authority.as_bytes())
            .map_err(|error| format!("URL {text:?}: {error}"))?;
        let server_name = match parsed.host() {
            Host::Name(name) => Some(name.to_string()),
            Host::Ip(_) => None,
            _ => authority.split(':').next().map(str::to_owned),
        };
        let port = parsed.port().unwrap_or(default_port);
        Ok(Self { scheme, authority: authority.to_owned(), server_name, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_has_what_a_client_sends() {
        let cases = [
            ("https://a.test", "https", "a.test", Some("a.test"), 443),
            ("https://A.Test:8443/path?query#part", "https", "A.Test:8443", Some("a.test"), 8443),
            ("HTTP://a.test/", "http", "a.test", Some("a.test"), 80),
            ("https://192.0.2.1:8443", "https", "192.0.2.1:8443", None, 8443),
            ("https://[2001:db8::1]/", "https", "[2001:db8::1]", None, 443),
            ("https://a.test?x", "https", "a.test", Some("a.test"), 443),
        ];
        for (text, scheme, authority, server_name, port) in cases {
            let url: Url = text.parse().unwrap();
            let found = (url.scheme.as_str(), url.authority.as_str(), url.server_name.as_deref());
            assert_eq!(found, (scheme, authority, server_name), "{text}");
            assert_eq!(url.port, port, "{text}");
        }
    }

    #[test]
    fn invalid_url_is_refused_with_the_reason() {
        let cases = [
            ("a.test", "URL \"a.test\" does not begin with https:// or http://"),
            ("wss://a.test", "URL \"wss://a.test\" does not begin with https:// or http://"),
            (
                "https://user@a.test",
                "URL \"https://user@a.test\": a client sends no userinfo: leave out the part before \
                 the '@'",
            ),
            ("https:///path", "URL \"https:///path\": empty host"),
            ("https://a.test:x", "URL \"https://a.test:x\": invalid port: expected 0 to 65535"),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Url>().unwrap_err(), expected);
        }
    }
}
