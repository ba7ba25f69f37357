//! Octets as scenarios write them.

use serde::Deserialize;

use crate::renames::Renames;

/// A name, value or authority in a scenario. Text may have these placeholders:
///
/// | placeholder | is |
/// | --- | --- |
/// | `{address}` | the IP address of the server under test |
/// | `{port}` | the port that clients believe they connect to |
/// | `{other_port}` | a port that the server does not have |
/// | `{wrapped_port}` | the port and 65536, which 16 bits cannot hold |
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Text {
    /// Text, sent as UTF-8.
    Plain(String),
    /// A host, with the port that an ordinary client adds.
    Natural { host: String },
    /// Octets as hexadecimal digits.
    Hex { hex: Hex },
    /// A long text: `repeat` so many `times`, then `then`.
    Repeated { repeat: String, times: usize, then: String },
}

impl Text {
    /// Returns the text with the names that a world has in place of those in it.
    pub(crate) fn renamed(&self, renames: &Renames) -> Self {
        match self {
            Self::Plain(text) => Self::Plain(renames.text(text)),
            Self::Natural { host } => Self::Natural { host: renames.text(host) },
            Self::Hex { hex } => Self::Hex { hex: Hex(renames.octets(&hex.0)) },
            Self::Repeated { repeat, times, then } => {
                let then = renames.text(then);
                Self::Repeated { repeat: repeat.clone(), times: *times, then }
            }
        }
    }
}

/// Octets that a scenario writes as hexadecimal digits.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Hex(Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let pairs = text.as_bytes().chunks(2).map(|pair| {
            let digits = std::str::from_utf8(pair).ok().filter(|digits| digits.len() == 2)?;
            u8::from_str_radix(digits, 16).ok()
        });
        let octets: Option<Vec<u8>> = pairs.collect();
        octets.map(Self).ok_or_else(|| format!("hex \"{text}\": expected pairs of hex digits"))
    }
}

/// The values of the placeholders.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) address: String,
    pub(crate) port: u16,
}

impl Places {
    /// The port of `https` where an authority names none (RFC 9110 §4.2.2).
    const DEFAULT_PORT: u16 = 443;

    /// Returns a port that is not the server's.
    fn other_port(&self) -> u16 {
        if self.port == 8443 { 9443 } else { 8443 }
    }

    /// Replaces the placeholders.
    pub(crate) fn fill(&self, text: &str) -> String {
        text.replace("{address}", &self.address)
            .replace("{port}", &self.port.to_string())
            .replace("{other_port}", &self.other_port().to_string())
            .replace("{wrapped_port}", &(65_536 + u32::from(self.port)).to_string())
    }

    /// Returns the authority that an ordinary client sends for `host`.
    pub(crate) fn natural(&self, host: &str) -> String {
        let host = self.fill(host);
        if self.port == Self::DEFAULT_PORT { host } else { format!("{host}:{}", self.port) }
    }

    /// Returns the octets of `text`, with its placeholders replaced.
    pub(crate) fn octets(&self, text: &Text) -> Vec<u8> {
        match text {
            Text::Plain(text) => self.fill(text).into_bytes(),
            Text::Natural { host } => self.natural(host).into_bytes(),
            Text::Hex { hex } => hex.0.clone(),
            Text::Repeated { repeat, times, then } => (repeat.repeat(*times) + then).into_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(port: u16, toml: &str) -> Vec<u8> {
        #[derive(Deserialize)]
        struct Line {
            text: Text,
        }
        let line: Line = toml::from_str(&format!("text = {toml}")).unwrap();
        Places { address: "127.0.0.1".into(), port }.octets(&line.text)
    }

    #[test]
    fn text_is_filled_and_extended() {
        assert_eq!(octets(8443, "\"a:{port}\""), b"a:8443");
        assert_eq!(octets(8443, "\"a:{other_port}\""), b"a:9443");
        assert_eq!(octets(1, "\"{wrapped_port}\""), b"65537");
        assert_eq!(octets(443, "{ host = \"{address}\" }"), b"127.0.0.1");
        assert_eq!(octets(444, "{ host = \"a\" }"), b"a:444");
        assert_eq!(octets(1, "{ hex = \"00ff\" }"), [0, 255]);
        assert_eq!(octets(1, "{ repeat = \"ab.\", times = 2, then = \"c\" }"), b"ab.ab.c");
    }

    #[test]
    fn broken_hex_is_an_error() {
        for text in ["0", "0g", "é"] {
            assert!(Hex::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
