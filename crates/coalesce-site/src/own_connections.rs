//! The last check: every host is served on the connections that are made for it.
//!
//! It asks the tables themselves, as a client would come to them. A host that is served here is
//! never answered 421 on a connection made for it, or the site is not built.

use coalesce_core::{DnsName, Host, NamePattern, RequestTarget, Verdict, decide};

use crate::error::{Faults, Reason, SiteErrors};
use crate::plan::{NAME, Plan, subject};
use crate::tables::Tables;

/// A label that no host is likely to have, in the place of the `*` of a wildcard.
const ANY_LABEL: &str = "any-label-0a1b2c3d";

/// The port of every request here; this check does not ask for ports.
const PORT: u16 = 443;

/// Checks every name of `plan` in `tables`, and returns warnings.
pub(crate) fn check(plan: &Plan, tables: &Tables) -> Result<Vec<String>, SiteErrors> {
    let (mut faults, mut warnings) = (Faults::default(), Vec::new());
    for host in &plan.hosts {
        for name in &host.names {
            match own_connection(tables, name) {
                Ok(()) => {}
                Err(Finding::Fault(reason)) => faults.add(subject(&host.names), NAME, reason),
                Err(Finding::Unreachable) => warnings.push(format!(
                    "{}: {NAME}: {name:?} cannot be reached: clients send no server name for an \
                     address, and there is no default_host",
                    subject(&host.names)
                )),
            }
        }
    }
    let warnings = faults.none_for(Some(warnings))?;
    Ok(warnings)
}

enum Finding {
    Fault(Reason),
    /// No handshake leads to the name.
    Unreachable,
}

fn own_connection(tables: &Tables, name: &str) -> Result<(), Finding> {
    let Ok(pattern) = NamePattern::parse(name.as_bytes()) else { return Ok(()) };
    let Some((server_name, authority)) = example_request(&pattern) else { return Ok(()) };
    let Ok(choice) = tables.handshakes.choose_by_name(server_name.as_deref()) else {
        return Err(Finding::Unreachable);
    };
    let connection = tables.connection(&choice.facts, PORT);
    let target = RequestTarget::https(authority.as_bytes());
    let refused = match decide(&*tables.authorities, &connection, &target) {
        Verdict::Serve(proof) => match proof.observed() {
            None => return Ok(()),
            Some(reason) => reason.to_string(),
        },
        Verdict::Misdirected(reason) => reason.to_string(),
        Verdict::Malformed(reason) => reason.to_string(),
    };
    let hint = match server_name {
        Some(_) => "",
        None => "; clients send no server name for an address, so that default_host decides",
    };
    let reason = format!("{name:?} would be answered 421 on its own connections: {refused}{hint}");
    Err(Finding::Fault(reason.into()))
}

/// Returns the server name of a client that comes for a host of `pattern`, and that host; `None`
/// for open-ended patterns, which have their warning, and where no such host can be thought of.
fn example_request(pattern: &NamePattern<'_>) -> Option<(Option<String>, String)> {
    let name = match pattern {
        NamePattern::Exact(name) => name.to_string(),
        NamePattern::OneLabel(parent) => format!("{ANY_LABEL}.{parent}"),
        // No client sends a server name for an address (RFC 6066 §3).
        NamePattern::Ip(address) => return Some((None, Host::Ip(*address).to_string())),
        _ => return None,
    };
    // A suffix may be so long that there is room for shorter labels only.
    DnsName::parse(name.as_bytes()).ok()?;
    Some((Some(name.clone()), name))
}
