//! The URLs of `coalesce get`.

use std::str::FromStr;

use http::Uri;

use crate::name_hint::with_name_hint;
use crate::url::Url;

/// A URL of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The URL as it is requested, without its fragment.
    pub(super) uri: Uri,
    /// The host, without brackets and port.
    pub(super) host: String,
    pub(super) port: u16,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Scheme, host and port are checked as for every other command.
        let url: Url = text.parse().map_err(|error: String| with_name_hint(&error, text))?;
        // RFC 9110 §7.1: the fragment is not part of a target.
        let without_fragment = text.split('#').next().unwrap_or_default();
        let uri: Uri = without_fragment
            .parse()
            .map_err(|error| format!("URL {text:?}: {error}; write other characters as %XX"))?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        Ok(Self { uri, host, port: url.port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_has_no_fragment_and_the_port_of_its_scheme() {
        let cases = [
            ("https://a.test", "https://a.test/", "a.test", 443),
            ("http://A.test:8080/x?y#z", "http://A.test:8080/x?y", "a.test", 8080),
            ("https://[2001:db8::1]:8443/#top", "https://[2001:db8::1]:8443/", "2001:db8::1", 8443),
        ];
        for (text, uri, host, port) in cases {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.uri.to_string(), uri);
            assert_eq!((target.host.as_str(), target.port), (host, port), "{text}");
        }
    }

    #[test]
    fn invalid_target_is_refused_with_what_to_write() {
        let cases = [
            ("a.test", "URL \"a.test\" does not begin with https:// or http://"),
            (
                "https://a.test/a b",
                "URL \"https://a.test/a b\": invalid uri character; write other \
                                    characters as %XX",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Target>().unwrap_err(), expected);
        }
        let name = "https://münchen.test/".parse::<Target>().unwrap_err();
        assert!(name.ends_with("\"xn--mnchen-3ya.test\""), "{name}");
        for text in ["ftp://a.test", "https://u@a.test", "https://a.test:x"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
