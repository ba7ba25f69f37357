//! Whether a certificate covers the names of a host.

use coalesce_core::{Host, NamePattern, PresentedIdentifier};
use coalesce_tls::PresentedNames;

/// How many of the names that match a pattern a certificate covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// All of them.
    Whole,
    /// The pattern matches more names than any certificate can cover.
    OpenEnded,
    /// Not those that it should.
    Missing,
}

/// Returns how much of `pattern` the certificate covers.
///
/// | pattern | certificate | coverage |
/// | --- | --- | --- |
/// | `a.test` | `a.test` or `*.test` | whole |
/// | `*.a.test` | `*.a.test` | whole |
/// | `*.a.test` | `b.a.test` | missing: every other name would be answered 421 |
/// | `192.0.2.1` | the same address | whole |
/// | `**.a.test`, `*` | any | open-ended |
pub(crate) fn coverage(pattern: &NamePattern<'_>, presented: &PresentedNames) -> Coverage {
    let covered = match pattern {
        NamePattern::Exact(name) => presented.covering(&Host::Name(*name)).is_some(),
        NamePattern::Ip(address) => presented.covering(&Host::Ip(*address)).is_some(),
        NamePattern::OneLabel(parent) => {
            let wildcard = PresentedIdentifier::Wildcard(*parent);
            presented.identifiers().number(&wildcard).is_some()
        }
        _ => return Coverage::OpenEnded,
    };
    if covered { Coverage::Whole } else { Coverage::Missing }
}

/// A message names this many names of a certificate and counts the rest.
const LISTED_MAX: usize = 8;

/// Writes the names that a certificate presents: `a.test, b.test or 3 more`.
pub(crate) fn listed(presented: &PresentedNames) -> String {
    let names = presented.names();
    let mut shown: Vec<&str> = names
        .iter()
        .take(LISTED_MAX)
        .map(|name| name.split_once(':').map_or(name.as_str(), |(_, name)| name))
        .collect();
    let more = names.len().saturating_sub(LISTED_MAX);
    let more = (more > 0).then(|| format!("{more} more"));
    let last = more.or_else(|| shown.pop().map(str::to_owned)).unwrap_or_default();
    if shown.is_empty() { last } else { format!("{} or {last}", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presented(names: &[&str]) -> PresentedNames {
        PresentedNames::from_text(names.iter().copied()).unwrap()
    }

    #[test]
    fn certificate_covers_a_pattern_wholly_or_not_at_all() {
        use Coverage::{Missing, OpenEnded, Whole};
        let cases = [
            ("a.test", "DNS:a.test", Whole),
            ("a.test", "DNS:*.test", Whole),
            ("a.b.test", "DNS:*.test", Missing),
            ("*.a.test", "DNS:*.a.test", Whole),
            ("*.a.test", "DNS:b.a.test", Missing),
            ("*.a.test", "DNS:*.test", Missing),
            ("192.0.2.1", "IP:192.0.2.1", Whole),
            ("192.0.2.1", "DNS:a.test", Missing),
            ("**.a.test", "DNS:x.test", OpenEnded),
            ("*", "DNS:x.test", OpenEnded),
        ];
        for (pattern, name, expected) in cases {
            let parsed = NamePattern::parse(pattern.as_bytes()).unwrap();
            assert_eq!(coverage(&parsed, &presented(&[name])), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        let names: Vec<String> = (0..10).map(|number| format!("DNS:{number}.test")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(listed(&presented(&names[..1])), "0.test");
        assert_eq!(listed(&presented(&names[..3])), "0.test, 1.test or 2.test");
        let eight = "0.test, 1.test, 2.test, 3.test, 4.test, 5.test, 6.test";
        assert_eq!(listed(&presented(&names[..8])), format!("{eight} or 7.test"));
        assert_eq!(listed(&presented(&names)), format!("{eight}, 7.test or 2 more"));
    }
}
