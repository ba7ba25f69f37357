//! The names of a host: the certificate's coverage of each, and the client that connects for it.

use std::error::Error;
use std::fmt;

use coalesce_core::{DnsName, Host, NamePattern, PresentedIdentifier};
use coalesce_tls::PresentedNames;

/// The part of a pattern's names that a certificate covers.
///
/// # Examples
/// ```
/// use coalesce_site::Coverage;
///
/// fn describe(coverage: Coverage) -> &'static str {
///     match coverage {
///         Coverage::Whole => "all names are covered",
///         _ => "some names may not be covered",
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Coverage {
    /// All names.
    Whole,
    /// The pattern matches more names than any certificate can cover.
    OpenEnded,
}

/// A name of a host that the host's certificate does not cover.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_site::{NotCovered, Site};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let identity = identity()?;
/// let errors = Site::builder().host("shop.test", identity, ()).build().unwrap_err();
/// assert!(errors.iter().any(|error| error.reason().is::<NotCovered>()));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCovered {
    name: String,
    certificate: String,
    presented: Vec<String>,
    more: usize,
}

/// The number of a certificate's names in a message; the rest are counted.
const LISTED_MAX: usize = 8;

impl fmt::Display for NotCovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, certificate, presented, more } = self;
        let presented = presented.join(", ");
        write!(f, "\"{name}\" is not covered by {certificate}, which presents {presented}")?;
        if *more > 0 {
            write!(f, " and {more} more")?;
        }
        f.write_str("; it would be answered 421 on its own connections")
    }
}

impl Error for NotCovered {}

/// Returns the certificate's coverage of `pattern`. `name` is the pattern as written, `certificate`
/// is the certificate's name in messages.
///
/// | pattern | certificate | coverage |
/// | --- | --- | --- |
/// | `a.test` | `a.test` or `*.test` | whole |
/// | `*.a.test` | `*.a.test` | whole |
/// | `*.a.test` | `b.a.test` | none: every other name would be answered 421 |
/// | `192.0.2.1` | the same address | whole |
/// | `**.a.test` | `b.a.test`, `*.a.test`, `*.b.a.test` | open-ended |
/// | `**.a.test` | others | none: every name would be answered 421 |
/// | `*` | any | open-ended |
pub(crate) fn coverage(
    pattern: &NamePattern<'_>,
    name: &dyn fmt::Display,
    presented: &PresentedNames,
    certificate: &str,
) -> Result<Coverage, NotCovered> {
    let covered = match pattern {
        NamePattern::Exact(name) => presented.covering(&Host::Name(*name)).is_some(),
        NamePattern::Ip(address) => presented.covering(&Host::Ip(*address)).is_some(),
        NamePattern::OneLabel(parent) => {
            let wildcard = PresentedIdentifier::Wildcard(*parent);
            presented.identifiers().number(&wildcard).is_some()
        }
        NamePattern::AnyDepth(suffix) => {
            presented.identifiers().identifiers().any(|identifier| match identifier.as_pattern() {
                Some(NamePattern::Exact(name)) => name.is_below(*suffix),
                Some(NamePattern::OneLabel(parent)) => {
                    parent == *suffix || parent.is_below(*suffix)
                }
                _ => false,
            })
        }
        _ => true,
    };
    if covered {
        let open_ended = matches!(pattern, NamePattern::AnyDepth(_) | NamePattern::CatchAll);
        return Ok(if open_ended { Coverage::OpenEnded } else { Coverage::Whole });
    }
    let names = presented.names();
    Err(NotCovered {
        name: name.to_string(),
        certificate: certificate.to_owned(),
        presented: names.iter().take(LISTED_MAX).cloned().collect(),
        more: names.len().saturating_sub(LISTED_MAX),
    })
}

/// An unlikely label, used in place of the `*` of a wildcard.
pub(crate) const ANY_LABEL: &str = "any-label-0a1b2c3d";

/// Returns a host that `pattern` matches, and the server name of a client that connects for it;
/// `None` if there is no such host.
pub(crate) fn example_request(pattern: &NamePattern<'_>) -> Option<(Option<String>, String)> {
    let name = match pattern {
        NamePattern::Exact(name) => name.to_string(),
        NamePattern::OneLabel(parent) | NamePattern::AnyDepth(parent) => {
            format!("{ANY_LABEL}.{parent}")
        }
        // No client sends a server name for an address (RFC 6066 §3).
        NamePattern::Ip(address) => return Some((None, Host::Ip(*address).to_string())),
        _ => ANY_LABEL.to_owned(),
    };
    // A long suffix may leave room for shorter labels only.
    DnsName::parse(name.as_bytes()).ok()?;
    Some((Some(name.clone()), name))
}

pub(crate) fn pattern(name: &str) -> Result<NamePattern<'_>, String> {
    NamePattern::parse(name.as_bytes()).map_err(|error| format!("{name:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presented(names: &[&str]) -> PresentedNames {
        PresentedNames::from_text(names.iter().copied()).unwrap()
    }

    #[test]
    fn certificate_covers_a_pattern_wholly_or_not_at_all() {
        use Coverage::{OpenEnded, Whole};
        let cases = [
            ("a.test", "DNS:a.test", Some(Whole)),
            ("a.test", "DNS:*.test", Some(Whole)),
            ("a.b.test", "DNS:*.test", None),
            ("*.a.test", "DNS:*.a.test", Some(Whole)),
            ("*.a.test", "DNS:b.a.test", None),
            ("*.a.test", "DNS:*.test", None),
            ("192.0.2.1", "IP:192.0.2.1", Some(Whole)),
            ("192.0.2.1", "DNS:a.test", None),
            ("**.a.test", "DNS:x.a.test", Some(OpenEnded)),
            ("**.a.test", "DNS:*.a.test", Some(OpenEnded)),
            ("**.a.test", "DNS:*.x.a.test", Some(OpenEnded)),
            ("**.a.test", "DNS:a.test", None),
            ("**.a.test", "DNS:*.test", None),
            ("*", "DNS:x.test", Some(OpenEnded)),
        ];
        for (text, name, expected) in cases {
            let found = coverage(&pattern(text).unwrap(), &text, &presented(&[name]), "it");
            assert_eq!(found.ok(), expected, "{text} {name}");
        }
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        let names: Vec<String> = (0..10).map(|number| format!("DNS:{number}.test")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let said = |names: &[&str]| {
            let found =
                coverage(&pattern("a.test").unwrap(), &"A.test", &presented(names), "c.pem");
            found.unwrap_err().to_string()
        };
        let start = "\"A.test\" is not covered by c.pem, which presents ";
        let end = "; it would be answered 421 on its own connections";
        assert_eq!(said(&names[..2]), format!("{start}DNS:0.test, DNS:1.test{end}"));
        assert!(said(&names).ends_with(&format!(", DNS:7.test and 2 more{end}")));
    }
}
