//! The last check: every host is served on the connections that are made for it.
//!
//! The check asks the tables as a client would. If a host would get a 421 on a connection made for
//! it, the site is not built.

use coalesce_core::{DnsName, Host, NamePattern, RequestTarget, Verdict, decide};

use crate::compiled::ENTRIES;
use crate::error::{Notes, Reason, Several, Subject};
use crate::names::{example_request, pattern};
use crate::plan::{NAME, Plan, subject};
use crate::site_listener::SiteListener;
use crate::tables::Tables;

/// Checks every name of `plan` in `tables`.
pub(crate) fn check(plan: &Plan, tables: &Tables, notes: &mut Notes) {
    for (number, host) in plan.hosts.iter().enumerate() {
        let subject = subject(&host.label);
        for name in &host.names {
            // Every name of a plan is a valid pattern.
            let Ok(parsed) = pattern(name) else { continue };
            let at = subject.item(NAME, name);
            let mut elsewhere = Vec::new();
            let mut at_home = false;
            for listener in listeners_of(plan, tables, number) {
                if let Some(reason) = responsible_elsewhere(plan, number, listener, &parsed, name) {
                    elsewhere.push(reason);
                    continue;
                }
                at_home = true;
                match own_connection(plan, tables, listener, &parsed, name) {
                    Ok(()) => {}
                    Err(Finding::Fault(reason)) => notes.error(&at, reason),
                    Err(Finding::Unreachable(reason)) => notes.warning(&at, reason),
                }
            }
            // A host may be on more addresses than there are responsible listeners for each name.
            for reason in elsewhere.into_iter().filter(|_| !at_home) {
                notes.error(&at, reason);
            }
        }
    }
    check_addresses(plan, tables, notes);
}

/// Returns the listeners of the host with this number.
fn listeners_of<'a>(
    plan: &'a Plan,
    tables: &'a Tables,
    host: usize,
) -> impl Iterator<Item = &'a SiteListener> {
    tables.listeners.iter().filter(move |listener| {
        listener.members.iter().any(|(number, _)| plan.is_on(host, *number))
    })
}

/// Returns the reason why no connection to this address is made for the name: the listeners that
/// share the address include none that is responsible and has the host.
fn responsible_elsewhere(
    plan: &Plan,
    host: usize,
    listener: &SiteListener,
    parsed: &NamePattern<'_>,
    name: &str,
) -> Option<String> {
    let hostnames = listener.hostnames.as_ref()?;
    let (server_name, _) = example_request(parsed)?;
    let responsible = match &server_name {
        Some(name) => hostnames.responsible(&Host::Name(DnsName::parse(name.as_bytes()).ok()?)),
        None => hostnames.catch_all(),
    };
    let address = listener.address;
    let Some(responsible) = responsible else {
        return Some(format!("no listener of {address} is responsible for {name:?}"));
    };
    let found = listener.members.iter().find(|(_, id)| *id == responsible);
    let number = found.map(|(number, _)| *number)?;
    if plan.is_on(host, number) {
        return None;
    }
    let other = plan.listeners.get(number).map_or("", |listener| listener.name.as_str());
    Some(format!(
        "{name:?} would never be served: of the listeners of {address}, {other:?} is responsible for \
         it, and this host is not on that one"
    ))
}

/// Checks the addresses in a compiled table, because no server name selects their connections.
///
/// Its names need no such check, because [`Plan::open_compiled`] has made it: the handshakes have
/// the same names, so a connection made for one of them is in the group of its host, and presents a
/// certificate that covers it.
fn check_addresses(plan: &Plan, tables: &Tables, notes: &mut Notes) {
    let Some(compiled) = &plan.compiled else { return };
    let (mut faults, mut unreachable) = (Several::default(), Several::default());
    for entry in compiled.table.entries() {
        let Some(parsed @ NamePattern::Ip(_)) = entry.pattern.as_pattern() else { continue };
        let Ok(number) = usize::try_from(entry.virtual_host.get()) else { continue };
        // The addresses of the builder have been checked above.
        if plan.hosts.get(number).is_none_or(|host| host.has_name(&parsed)) {
            continue;
        }
        let name = parsed.to_string();
        for listener in listeners_of(plan, tables, number) {
            match own_connection(plan, tables, listener, &parsed, &name) {
                Ok(()) => {}
                Err(Finding::Fault(reason)) => faults.add(|| reason),
                Err(Finding::Unreachable(reason)) => unreachable.add(|| reason),
            }
        }
    }
    let subject = Subject::CompiledTable(compiled.label.clone());
    let at = subject.field(ENTRIES);
    faults.each(|reason| notes.error(&at, reason));
    unreachable.each(|reason| notes.warning(&at, reason));
}

enum Finding {
    Fault(Reason),
    /// No handshake is possible for the name.
    Unreachable(Reason),
}

fn own_connection(
    plan: &Plan,
    tables: &Tables,
    listener: &SiteListener,
    parsed: &NamePattern<'_>,
    name: &str,
) -> Result<(), Finding> {
    // The build has already warned about open-ended names.
    if matches!(parsed, NamePattern::AnyDepth(_) | NamePattern::CatchAll) {
        return Ok(());
    }
    let on = |word: &str| {
        let named = plan.has_named_listeners();
        if named { format!(" {word} listener {:?}", listener.name) } else { String::new() }
    };
    let Some((server_name, host)) = example_request(parsed) else { return Ok(()) };
    let Ok(choice) = listener.handshakes.choose_by_name(server_name.as_deref()) else {
        let reason = format!(
            "{name:?} cannot be reached{}: clients send no server name for an address, and there \
             is no default host",
            on("on")
        );
        return Err(Finding::Unreachable(reason.into()));
    };
    let connection = tables.connection(&choice.facts);
    // The port does not matter here, so take one that the listener answers for.
    let authority = match listener.ports.as_slice().first() {
        Some(port) => format!("{host}:{port}"),
        None => host,
    };
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
        None => "; clients send no server name for an address, so that the default host decides",
    };
    let reason = format!(
        "{name:?} would be answered 421 on its own connections{}: {refused}{hint}",
        on("to")
    );
    Err(Finding::Fault(reason.into()))
}
