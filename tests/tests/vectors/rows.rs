//! Reads the vectors. `tests/vectors/README.md` specifies the format.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};

/// Bytes in the notation of the vectors: a string in which each character is one byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let byte =
            |c: char| u8::try_from(c).map_err(|_| D::Error::custom("a character over U+00FF"));
        text.chars().map(byte).collect::<Result<_, _>>().map(Self)
    }
}

/// A presented name, by its kind of `GeneralName` (RFC 5280 §4.2.1.6).
#[derive(Clone, Debug)]
pub(crate) enum Presented {
    Dns(Vec<u8>),
    Ip(Vec<u8>),
    Uri(Vec<u8>),
    Email(Vec<u8>),
}

impl<'de> Deserialize<'de> for Presented {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Bytes(bytes) = Bytes::deserialize(deserializer)?;
        let rest = |kind: &[u8]| bytes.strip_prefix(kind).map(<[u8]>::to_vec);
        let name = rest(b"dns:").map(Self::Dns).or(rest(b"uri:").map(Self::Uri));
        if let Some(name) = name.or(rest(b"email:").map(Self::Email)) {
            return Ok(name);
        }
        let digits = bytes.strip_prefix(b"ip:").and_then(|rest| str::from_utf8(rest).ok());
        let octets = digits.and_then(octets).map(Self::Ip);
        octets
            .ok_or_else(|| D::Error::custom("a name is dns:, ip: with hex digits, uri: or email:"))
    }
}

fn octets(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Returns the address in the bytes of an IP-ID (RFC 5280 §4.2.1.6).
pub(crate) fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or(<[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

/// Reads a file of vectors.
pub(crate) fn read<T: DeserializeOwned>(file: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(format!("{file}.toml"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Checks that the ids are distinct, because exceptions and messages name rows by them.
pub(crate) fn assert_distinct<'a>(file: &str, ids: impl IntoIterator<Item = &'a str>) {
    let mut seen = BTreeSet::new();
    for id in ids {
        assert!(seen.insert(id), "{file}: two rows have the id {id}");
    }
}
