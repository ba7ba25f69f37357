//! The origins that connections announce, and the hosts that an origin set cannot name.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use coalesce_core::{
    Listing, NamePattern, PresentedSet, RequestTarget, ServerConnection, Verdict, decide,
};
use coalesce_tls::{HandshakeFacts, PresentedNames};

use crate::error::{Notes, Subject};
use crate::names::{example_request, pattern};
use crate::origin_policy::OriginPolicy;
use crate::plan::Plan;
use crate::tables::Tables;

#[cfg(feature = "origin")]
use coalesce_h2::limits::ORIGIN_SET_BYTES_MAX;

/// Without frames, there is no limit.
#[cfg(not(feature = "origin"))]
const ORIGIN_SET_BYTES_MAX: usize = usize::MAX;

/// The setting that the warnings name.
const ANNOUNCE_ORIGINS: &str = "announce_origins";

/// The origin set of a connection (RFC 8336), and whether the connection announces it.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_site::AnnouncedOrigins;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let site = site()?;
/// let snapshot = site.snapshot();
/// let listener = snapshot.listeners().first().ok_or("no listener")?;
/// let facts = listener.handshakes().choose_by_name(Some("shop.example.test"))?.facts;
/// let origins: AnnouncedOrigins = snapshot.announced_origins(&facts);
/// assert_eq!(origins.is_announced, origins.wildcards.is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnnouncedOrigins {
    /// The origins that the connection would serve and that certificate or site spell out, sorted.
    pub origins: Vec<String>,
    /// Wildcards of the certificate below which the connection would serve hosts that no origin set
    /// can name.
    pub wildcards: Vec<String>,
    /// True if the set is too large to be announced whole. Then `origins` has the part that fits.
    pub is_cut: bool,
    /// True if the connection announces the origins, by the [`OriginPolicy`] of the site.
    pub is_announced: bool,
}

/// Returns the announcement of a connection with these facts.
pub(crate) fn of_connection(
    tables: &Tables,
    facts: &HandshakeFacts,
    policy: OriginPolicy,
) -> AnnouncedOrigins {
    let connection = tables.connection(facts);
    let (origins, listing) = origins_that_fit(tables, &connection);
    let is_cut = listing == Listing::Cut;
    let wildcards = unnamed_wildcards(tables, &connection);
    let is_announced = match policy {
        OriginPolicy::Never => false,
        OriginPolicy::WhenComplete => wildcards.is_empty() && !is_cut,
        OriginPolicy::Always => true,
    };
    AnnouncedOrigins { origins: origins.into_iter().collect(), wildcards, is_cut, is_announced }
}

/// Returns true if the origin set of `connection` names every host that the connection would serve.
#[cfg(feature = "origin")]
pub(crate) fn is_complete(tables: &Tables, connection: &ServerConnection<'_>) -> bool {
    unnamed_wildcards(tables, connection).is_empty()
        && origins_that_fit(tables, connection).1 == Listing::Whole
}

/// Returns the origins of `connection`, up to the limits of an origin set.
fn origins_that_fit(
    tables: &Tables,
    connection: &ServerConnection<'_>,
) -> (BTreeSet<String>, Listing) {
    let (mut origins, mut left) = (BTreeSet::new(), ORIGIN_SET_BYTES_MAX);
    let listing = connection.origins(&tables.authorities, |origin| {
        let origin = origin.to_string();
        // Each origin has a prefix of two bytes with its length (RFC 8336 §2.1).
        let Some(rest) = left.checked_sub(origin.len().saturating_add(2)) else {
            return ControlFlow::Break(());
        };
        if origins.insert(origin) {
            left = rest;
        }
        ControlFlow::Continue(())
    });
    (origins, listing)
}

/// Returns the wildcards of the certificate below which `connection` serves some host. A wildcard
/// of the site matches that host, because no site spells out the example.
fn unnamed_wildcards(tables: &Tables, connection: &ServerConnection<'_>) -> Vec<String> {
    let Some(port) = connection.ports().as_slice().first() else { return Vec::new() };
    // The client adds the origin of the server name to its set by itself (RFC 8336 §2.3).
    let unnamed = connection.clone().with_server_name(None);
    let served = |wildcard: &NamePattern<'_>| {
        let Some((_, host)) = example_request(wildcard) else { return false };
        let authority = format!("{host}:{port}");
        let target = RequestTarget::https(authority.as_bytes());
        match decide(&*tables.authorities, &unnamed, &target) {
            Verdict::Serve(proof) => proof.virtual_host().is_some() && proof.observed().is_none(),
            Verdict::Misdirected(_) | Verdict::Malformed(_) => false,
        }
    };
    let mut wildcards = Vec::new();
    for identifier in connection.presented().flat_map(PresentedSet::identifiers) {
        match identifier.as_pattern() {
            Some(wildcard @ NamePattern::OneLabel(_)) if served(&wildcard) => {
                wildcards.push(wildcard.to_string());
            }
            _ => {}
        }
    }
    wildcards
}

/// Warns once of connections whose origin set leaves out hosts below a wildcard.
pub(crate) fn warn(plan: &Plan, tables: &Tables, notes: &mut Notes) {
    let policy = plan.settings.origin_policy;
    if policy == OriginPolicy::Never {
        return;
    }
    let (mut seen, mut first, mut others) = (BTreeSet::new(), None, 0_usize);
    for (number, host) in plan.hosts.iter().enumerate() {
        let mut certificates = plan.certificates.get(host.certificate).into_iter().flatten();
        if !certificates.any(|certificate| has_wildcard(certificate.presented())) {
            continue;
        }
        for (at, listener) in tables.listeners.iter().enumerate() {
            let key = (at, host.group, host.certificate);
            let is_on = listener.members.iter().any(|(member, _)| plan.is_on(number, *member));
            if !is_on || !seen.insert(key) {
                continue;
            }
            let server_name =
                host.names.iter().find_map(|name| example_request(&pattern(name).ok()?)?.0);
            let Ok(choice) = listener.handshakes.choose_by_name(server_name.as_deref()) else {
                continue;
            };
            let connection = tables.connection(&choice.facts);
            let wildcards = unnamed_wildcards(tables, &connection);
            let (origins, listing) = origins_that_fit(tables, &connection);
            // Without an origin, no frame is announced that a client could heed.
            if origins.is_empty() || wildcards.is_empty() && listing == Listing::Whole {
                continue;
            }
            match first {
                None => first = Some((host.label.as_str(), wildcards)),
                Some(_) => others = others.saturating_add(1),
            }
        }
    }
    if let Some((host, wildcards)) = first {
        let reason = reason(policy, host, &wildcards, others);
        notes.warning(&Subject::Site.field(ANNOUNCE_ORIGINS), reason);
    }
}

fn has_wildcard(presented: &PresentedNames) -> bool {
    let mut identifiers = presented.identifiers().identifiers();
    identifiers.any(|one| matches!(one.as_pattern(), Some(NamePattern::OneLabel(_))))
}

fn reason(policy: OriginPolicy, host: &str, wildcards: &[String], others: usize) -> String {
    let more = match others {
        0 => String::new(),
        others => format!(", and {others} more kinds of connections"),
    };
    let left_out = match wildcards.first() {
        Some(wildcard) => format!(
            "hosts that only {wildcard} matches are served on them, and no origin set can name \
             these hosts (RFC 8336)"
        ),
        None => {
            "their origin set is too large to name all hosts that are served on them".to_owned()
        }
    };
    match policy {
        OriginPolicy::Always => format!(
            "connections for {host}{more} announce their origins: {left_out}; clients that heed \
             ORIGIN frames open a connection for each of these hosts"
        ),
        _ => format!(
            "connections for {host}{more} announce no origins: {left_out}; choose \"never\" or \
             \"always\", or write few hosts out in place of a wildcard"
        ),
    }
}
