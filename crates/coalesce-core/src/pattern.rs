//! Name patterns: the keys of an authority table.

use core::cmp::Ordering;
use core::fmt;
use core::net::IpAddr;

use crate::host::Host;
use crate::name::{DnsName, NameError};

/// The key of an entry of an authority table: a name, a wildcard, an address or the catch-all.
///
/// | written | matches |
/// | --- | --- |
/// | `a.example.test` | that name |
/// | `*.example.test` | every name with exactly one more label |
/// | `**.example.test` | every name with one or more further labels |
/// | `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]` | that address |
/// | `*` | every name and every address |
///
/// The most specific entry wins: first the exact one, then the longest wildcard, then the
/// catch-all. If two wildcards have the same suffix, the one-label wildcard wins.
///
/// `Ord` is the order in which a table lists its entries: names in canonical order, each before its
/// wildcards, then addresses, then the catch-all.
///
/// # Examples
/// ```
/// use coalesce_core::{Host, NamePattern};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pattern = NamePattern::parse(b"*.example.test")?;
/// assert!(pattern.matches(&Host::parse(b"a.example.test")?));
/// assert!(!pattern.matches(&Host::parse(b"a.b.example.test")?));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NamePattern<'a> {
    /// One name.
    Exact(DnsName<'a>),
    /// One label below a name.
    OneLabel(DnsName<'a>),
    /// One or more labels below a name.
    AnyDepth(DnsName<'a>),
    /// One address.
    Ip(IpAddr),
    /// Every name and every address.
    CatchAll,
}

impl<'a> NamePattern<'a> {
    /// Parses a pattern as written in the table above.
    ///
    /// # Errors
    /// Returns [`PatternError`] if `bytes` has none of these forms.
    ///
    /// # Allocation
    /// None.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PatternError> {
        let name = |bytes| {
            DnsName::parse(bytes).map_err(|error| match error {
                NameError::ForbiddenByte { byte: b'*', .. } => PatternError::Wildcard,
                error => PatternError::Name(error),
            })
        };
        match bytes {
            b"*" => Ok(Self::CatchAll),
            [b'*', b'*', b'.', rest @ ..] => name(rest).map(Self::AnyDepth),
            [b'*', b'.', rest @ ..] => name(rest).map(Self::OneLabel),
            _ => match Host::parse(bytes) {
                Ok(Host::Ip(address)) => Ok(Self::Ip(address)),
                _ => name(bytes).map(Self::Exact),
            },
        }
    }

    /// Returns whether this pattern matches `host`.
    pub fn matches(&self, host: &Host<'_>) -> bool {
        match (self, host) {
            (Self::Exact(pattern), Host::Name(name)) => pattern == name,
            (Self::OneLabel(parent), Host::Name(name)) => name.parent() == Some(*parent),
            (Self::AnyDepth(parent), Host::Name(name)) => name.is_below(*parent),
            (Self::Ip(pattern), Host::Ip(address)) => pattern == address,
            (Self::CatchAll, Host::Name(_) | Host::Ip(_)) => true,
            _ => false,
        }
    }
}

impl NamePattern<'_> {
    /// Returns the parts that decide the order of two patterns, the most important first.
    fn rank(&self) -> (u8, Option<DnsName<'_>>, u8, Option<IpAddr>) {
        match *self {
            Self::Exact(name) => (0, Some(name), 0, None),
            Self::OneLabel(parent) => (0, Some(parent), 1, None),
            Self::AnyDepth(parent) => (0, Some(parent), 2, None),
            Self::Ip(address) => (1, None, 0, Some(address)),
            Self::CatchAll => (2, None, 0, None),
        }
    }
}

impl PartialOrd for NamePattern<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NamePattern<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl fmt::Display for NamePattern<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => name.fmt(f),
            Self::OneLabel(parent) => write!(f, "*.{parent}"),
            Self::AnyDepth(parent) => write!(f, "**.{parent}"),
            Self::Ip(address) => address.fmt(f),
            Self::CatchAll => f.write_str("*"),
        }
    }
}

/// The reason why text is not a [`NamePattern`].
///
/// # Examples
/// ```
/// use coalesce_core::{NamePattern, PatternError};
///
/// let error = NamePattern::parse(b"a.*.test").unwrap_err();
/// assert_eq!(error, PatternError::Wildcard);
/// assert_eq!(error.to_string(), "'*' must be alone or in a leading '*.' or '**.'");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PatternError {
    /// A `*` that is neither alone nor in a leading `*.` or `**.`.
    Wildcard,
    /// Neither an address nor a DNS name.
    Name(NameError),
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wildcard => f.write_str("'*' must be alone or in a leading '*.' or '**.'"),
            Self::Name(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for PatternError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn patterns_round_trip() {
        for text in
            ["a.example.test", "*.example.test", "**.example.test", "*", "192.0.2.1", "2001:db8::1"]
        {
            assert_eq!(NamePattern::parse(text.as_bytes()).unwrap().to_string(), text);
        }
        assert_eq!(NamePattern::parse(b"[::1]").unwrap(), NamePattern::parse(b"::1").unwrap());
        assert_eq!(NamePattern::parse(b"A.Test.").unwrap().to_string(), "a.test");
    }

    #[test]
    fn star_elsewhere_is_refused() {
        for text in ["a*.test", "*a.test", "a.*.test", "***.test", "*.*.test", "**"] {
            assert_eq!(NamePattern::parse(text.as_bytes()), Err(PatternError::Wildcard), "{text}");
        }
        for text in ["", "*.", "**.", "1.2.3", "a..b"] {
            assert!(
                matches!(NamePattern::parse(text.as_bytes()), Err(PatternError::Name(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn patterns_are_ordered_as_tables_list_them() {
        let patterns = [
            "example.test",
            "*.Example.test",
            "**.example.test.",
            "a.example.test",
            "f.test",
            "192.0.2.1",
            "::1",
            "*",
        ];
        let parsed = patterns.map(|text| NamePattern::parse(text.as_bytes()).unwrap());
        for (at, pattern) in parsed.iter().enumerate() {
            for (number, other) in parsed.iter().enumerate() {
                assert_eq!(pattern.cmp(other), at.cmp(&number), "{pattern} {other}");
            }
        }
    }

    #[test]
    fn pattern_error_message_describes_each_fault() {
        let message = |text: &str| NamePattern::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(message("a*.test"), "'*' must be alone or in a leading '*.' or '**.'");
        assert_eq!(message("a..test"), "empty label at byte 2");
    }

    #[test]
    fn pattern_matches_the_hosts_of_its_table_row() {
        let hosts = ["example.test", "a.example.test", "b.a.example.test", "192.0.2.1", "[::1]"];
        let cases = [
            ("A.example.test", [false, true, false, false, false]),
            ("*.example.test", [false, true, false, false, false]),
            ("**.example.test", [false, true, true, false, false]),
            ("192.0.2.1", [false, false, false, true, false]),
            ("::1", [false, false, false, false, true]),
            ("*", [true; 5]),
        ];
        for (pattern, expected) in cases {
            let pattern = NamePattern::parse(pattern.as_bytes()).unwrap();
            let matches = |host: &str| pattern.matches(&Host::parse(host.as_bytes()).unwrap());
            assert_eq!(hosts.map(matches), expected, "{pattern}");
        }
        assert!(!NamePattern::CatchAll.matches(&Host::Other(b"a..b")), "no table has it");
    }
}
