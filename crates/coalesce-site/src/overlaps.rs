//! Overlaps of listeners that share an address, as the Gateway API's condition
//! `OverlappingTLSConfig` reports them: clients may use a connection for one listener for hosts of
//! the other.

use std::collections::BTreeSet;

use coalesce_core::{DnsName, Host, ListenerId, ListenerTable, NamePattern};

use crate::error::{Notes, Subject};
use crate::names::{ANY_LABEL, pattern};
use crate::plan::Plan;
use crate::site_listener::SiteListener;

/// A listener that overlaps others on its address.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_site::Overlap;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let site = site()?;
/// for overlap in site.snapshot().overlaps() {
///     let Overlap { listener, with, .. } = overlap;
///     println!("{listener} overlaps {}", with.join(", "));
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overlap {
    /// The name of the listener.
    pub listener: String,
    /// The reason.
    pub reason: OverlapReason,
    /// The names of the others.
    pub with: Vec<String>,
}

/// The reason of an overlap. If both reasons apply, it is the certificates.
///
/// # Examples
/// ```
/// use coalesce_site::OverlapReason;
///
/// assert_ne!(OverlapReason::OverlappingHostnames, OverlapReason::OverlappingCertificates);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::enum_variant_names, reason = "the Gateway API's terms")]
#[non_exhaustive]
pub enum OverlapReason {
    /// A host matches both hostnames.
    OverlappingHostnames,
    /// The certificates of one listener cover hosts for which the other is responsible.
    OverlappingCertificates,
}

/// The facts of a listener that matter for overlaps.
struct Facts<'a> {
    name: &'a str,
    id: ListenerId,
    hostname: NamePattern<'a>,
    /// The names of its certificates: `DNS:a.example.test`.
    presented: BTreeSet<&'a str>,
}

/// Finds the overlaps of every listener, and warns of them.
pub(crate) fn find(plan: &Plan, listeners: &[SiteListener], notes: &mut Notes) -> Vec<Overlap> {
    let mut all = Vec::new();
    for shared in listeners {
        let Some(of_port) = &shared.hostnames else { continue };
        let facts = shared.members.iter().filter_map(|(number, id)| {
            let listener = plan.listeners.get(*number)?;
            let shown = plan.hosts_of(*number);
            let shown = shown.filter_map(|(_, host)| plan.certificates.get(host.certificate));
            let names = shown.flatten().flat_map(|shown| shown.certificate.presented().names());
            Some(Facts {
                name: &listener.name,
                id: *id,
                hostname: pattern(listener.hostname.as_deref()?).ok()?,
                presented: names.map(String::as_str).collect(),
            })
        });
        let facts: Vec<Facts<'_>> = facts.collect();
        for overlap in overlaps(of_port, &facts) {
            let subject = Subject::Listener(overlap.listener.clone());
            let (reason, with) = (overlap.reason, overlap.with.join(", "));
            let reason = format!("OverlappingTLSConfig ({reason:?}) with listener {with}");
            notes.warning(&subject.field("hostname"), reason);
            all.push(overlap);
        }
    }
    all
}

fn overlaps(of_port: &ListenerTable, listeners: &[Facts<'_>]) -> Vec<Overlap> {
    let mut found = Vec::new();
    for one in listeners {
        let others = listeners.iter().filter(|other| other.id != one.id);
        let with: Vec<(OverlapReason, &str)> =
            others.filter_map(|other| Some((between(of_port, one, other)?, other.name))).collect();
        if let Some(reason) = with.iter().map(|(reason, _)| *reason).max() {
            let with = with.into_iter().map(|(_, name)| name.to_owned()).collect();
            found.push(Overlap { listener: one.name.to_owned(), reason, with });
        }
    }
    found
}

fn between(of_port: &ListenerTable, one: &Facts<'_>, other: &Facts<'_>) -> Option<OverlapReason> {
    let reaches = |from: &Facts<'_>, to: &Facts<'_>| {
        from.presented.iter().any(|name| is_valid_for(of_port, name, to))
    };
    if reaches(one, other) || reaches(other, one) {
        return Some(OverlapReason::OverlappingCertificates);
    }
    intersect(&one.hostname, &other.hostname).then_some(OverlapReason::OverlappingHostnames)
}

/// Returns true if a certificate with this name is valid for a host of `listener`.
fn is_valid_for(of_port: &ListenerTable, presented: &str, listener: &Facts<'_>) -> bool {
    let Some(name) = presented.strip_prefix("DNS:") else { return false };
    let responsible = |name: &str| {
        let name = DnsName::parse(name.as_bytes()).ok()?;
        of_port.responsible(&Host::Name(name))
    };
    let Some(parent) = name.strip_prefix("*.") else {
        return responsible(name) == Some(listener.id);
    };
    // Check the names below `parent` that are hostnames themselves, and one other name for all the
    // rest.
    let below = match listener.hostname {
        NamePattern::Exact(name) => name.parent().is_some_and(|of| of.to_string() == parent),
        _ => false,
    };
    below || responsible(&format!("{ANY_LABEL}.{parent}")) == Some(listener.id)
}

/// Returns true if a host matches both hostnames.
fn intersect(one: &NamePattern<'_>, other: &NamePattern<'_>) -> bool {
    use NamePattern::{AnyDepth, CatchAll, Exact, OneLabel};
    match (one, other) {
        (CatchAll, _) | (_, CatchAll) => true,
        (Exact(name), pattern) | (pattern, Exact(name)) => pattern.matches(&Host::Name(*name)),
        (AnyDepth(one), AnyDepth(other)) => {
            one == other || one.is_below(*other) || other.is_below(*one)
        }
        (OneLabel(one), OneLabel(other)) => one == other,
        (OneLabel(one), AnyDepth(other)) | (AnyDepth(other), OneLabel(one)) => {
            one == other || one.is_below(*other)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of a listener, its hostname as a pattern, and its certificates' names.
    type Row<'a> = (&'a str, &'a str, &'a [&'a str]);

    fn found(listeners: &[Row<'_>]) -> Vec<(String, OverlapReason, String)> {
        let patterns = listeners.iter().zip(0..).map(|((_, hostname, _), number)| {
            (NamePattern::parse(hostname.as_bytes()).unwrap(), ListenerId::new(number))
        });
        let of_port = ListenerTable::build(patterns).unwrap();
        let facts: Vec<Facts<'_>> = listeners
            .iter()
            .zip(0..)
            .map(|((name, hostname, presented), number)| Facts {
                name,
                id: ListenerId::new(number),
                hostname: NamePattern::parse(hostname.as_bytes()).unwrap(),
                presented: presented.iter().copied().collect(),
            })
            .collect();
        let overlaps = overlaps(&of_port, &facts).into_iter();
        overlaps.map(|found| (found.listener, found.reason, found.with.join(" "))).collect()
    }

    fn row(listener: &str, reason: OverlapReason, with: &str) -> (String, OverlapReason, String) {
        (listener.to_owned(), reason, with.to_owned())
    }

    use OverlapReason::{OverlappingCertificates, OverlappingHostnames};

    /// The listeners of the conformance test `GatewayOverlappingTLSConfigHostnames` that share
    /// port 443, with the one certificate that they all show there.
    #[test]
    fn hostnames_of_the_conformance_test_overlap() {
        let shown: &[&str] = &["DNS:*", "DNS:*.org"];
        let listeners = [
            ("foo-example-https", "foo.example.com", shown),
            ("bar-example-https", "bar.bar.example.com", shown),
            ("wildcard-example-https", "**.example.com", shown),
            ("wildcard-other-https", "**.other.com", shown),
            ("wildcard-bar-other-https", "**.bar.other.com", shown),
            ("not-overlapping-https", "example.com", shown),
            ("not-overlapping-wildcard-https", "**.example.io", shown),
        ];
        let expected = [
            row("foo-example-https", OverlappingHostnames, "wildcard-example-https"),
            row("bar-example-https", OverlappingHostnames, "wildcard-example-https"),
            row(
                "wildcard-example-https",
                OverlappingHostnames,
                "foo-example-https bar-example-https",
            ),
            row("wildcard-other-https", OverlappingHostnames, "wildcard-bar-other-https"),
            row("wildcard-bar-other-https", OverlappingHostnames, "wildcard-other-https"),
        ];
        assert_eq!(found(&listeners), expected);
    }

    /// The example of GEP-3567, and its neighbours.
    #[test]
    fn certificates_overlap_if_they_are_valid_for_hosts_of_the_other() {
        let wildcard: &[&str] = &["DNS:*.example.com"];
        let cases: &[(&[Row<'_>], Option<OverlapReason>)] = &[
            (
                &[
                    ("a", "foo.example.com", &["DNS:foo.example.com"]),
                    ("b", "**.example.com", wildcard),
                ],
                Some(OverlappingCertificates),
            ),
            (
                &[
                    ("a", "foo.example.com", &["DNS:foo.example.com"]),
                    ("b", "bar.example.com", &["DNS:bar.example.com"]),
                ],
                None,
            ),
            // The hostnames have no label in common.
            (
                &[("a", "foo.example.com", wildcard), ("b", "bar.example.com", wildcard)],
                Some(OverlappingCertificates),
            ),
            // A wildcard in a certificate is one label.
            (&[("a", "foo.example.com", wildcard), ("b", "**.bar.example.com", &[])], None),
            (
                &[("a", "**.example.com", wildcard), ("b", "**.bar.example.com", &[])],
                Some(OverlappingHostnames),
            ),
            // Names of the certificate for which no other listener is responsible.
            (
                &[
                    ("a", "foo.example.com", &["DNS:foo.example.com"]),
                    ("b", "*", &["IP:192.0.2.1"]),
                ],
                Some(OverlappingHostnames),
            ),
            (
                &[
                    ("a", "foo.example.com", &["DNS:foo.example.com", "DNS:x.test"]),
                    ("b", "*", &[]),
                ],
                Some(OverlappingCertificates),
            ),
        ];
        for (listeners, expected) in cases {
            let found = found(listeners);
            let reasons: BTreeSet<OverlapReason> =
                found.iter().map(|(_, reason, _)| *reason).collect();
            assert_eq!(Vec::from_iter(reasons), Vec::from_iter(*expected), "{listeners:?}");
            assert_eq!(found.len(), if expected.is_some() { 2 } else { 0 }, "set on both");
        }
    }
}
