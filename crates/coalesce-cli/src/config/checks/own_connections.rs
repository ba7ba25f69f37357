//! The last check: every virtual host is served on the connections that are made for it.
//!
//! It asks the tables themselves, as a client would come to them. A host that is served here is
//! never answered 421 on a connection made for it, or the configuration does not load.

use coalesce_core::{DnsName, Host, NamePattern, RequestTarget, Verdict, decide};

use crate::config::drafts::SiteDraft;
use crate::config::entries::Notes;
use crate::config::site::Listener;
use crate::config::tables::{CompiledNames, Several};
use crate::table_image::Table;

/// A label that no one is likely to have as a virtual host of its own, to stand for the `*` of a
/// wildcard.
pub(crate) const ANY_LABEL: &str = "any-label-0a1b2c3d";

/// The port of every request here; which ports a listener answers for is not the question.
const PORT: u16 = 443;

pub(crate) fn own_connections(
    table: &Table,
    listeners: &[Listener],
    draft: &SiteDraft<'_>,
    notes: &mut Notes,
) {
    for (number, host) in draft.hosts.iter().enumerate() {
        for name in &host.names {
            let mut elsewhere = Vec::new();
            let mut at_home = false;
            for listener in listeners.iter().filter(|listener| draft.is_on_port(number, listener)) {
                if let Some(message) =
                    responsible_elsewhere(draft, number, listener, name.get_ref())
                {
                    elsewhere.push(message);
                    continue;
                }
                at_home = true;
                match own_connection(table, listener, name.get_ref()) {
                    Ok(()) => {}
                    Err(Finding::Fault(message)) => notes.faults.add(name.span(), message),
                    Err(Finding::Warning(message)) => notes.warnings.add(name.span(), message),
                }
            }
            // A virtual host may be on more ports than have a listener for each of its names.
            for message in elsewhere.into_iter().filter(|_| !at_home) {
                notes.faults.add(name.span(), message);
            }
        }
    }
}

/// Why no connection to this port is ever one for `text`, where listeners share it and none of
/// those that the virtual host is on is responsible.
fn responsible_elsewhere(
    draft: &SiteDraft<'_>,
    host: usize,
    listener: &Listener,
    text: &str,
) -> Option<String> {
    let of_port = listener.hostnames.as_ref()?;
    let pattern = NamePattern::parse(text.as_bytes()).ok()?;
    let (server_name, _) = example_request(&pattern)?;
    let responsible = match &server_name {
        Some(name) => of_port.responsible(&Host::Name(DnsName::parse(name.as_bytes()).ok()?)),
        None => of_port.catch_all(),
    };
    let address = listener.address;
    let Some(responsible) = responsible else {
        return Some(format!("no listener of {address} is responsible for {text:?}"));
    };
    let found = listener.members.iter().find(|(_, id)| *id == responsible);
    let number = found.map(|(number, _)| *number)?;
    if draft.is_on(host, number) {
        return None;
    }
    let name = draft.listeners.get(number).map(|draft| draft.name.as_str()).unwrap_or_default();
    Some(format!(
        "{text:?} would never be served: of the listeners of {address}, {name:?} is responsible for \
         it, and this virtual host is not on that one"
    ))
}

/// The same for the addresses of a compiled table, whose connections no server name makes.
///
/// The names of a compiled table need no such check, because [`open_compiled`] has made it: the
/// handshakes have the same names, so a connection made for one of them is in the group of its
/// virtual host, and shows a certificate that covers it.
///
/// [`open_compiled`]: crate::config::tables::open_compiled
pub(crate) fn own_connections_by_address(
    compiled: &CompiledNames,
    listeners: &[Listener],
    draft: &SiteDraft<'_>,
    notes: &mut Notes,
) {
    let (mut faults, mut warnings) = (Several::default(), Several::default());
    for entry in compiled.table.entries() {
        let host = entry.virtual_host.get() as usize;
        let Some(pattern @ NamePattern::Ip(_)) = entry.pattern.as_pattern() else { continue };
        // Those of the configuration have been asked for where they stand.
        if draft.has_name(host, &pattern) {
            continue;
        }
        for listener in listeners {
            if draft.is_on_port(host, listener) {
                match own_connection(&compiled.table, listener, &pattern.to_string()) {
                    Ok(()) => {}
                    Err(Finding::Fault(message)) => faults.add(|| message),
                    Err(Finding::Warning(message)) => warnings.add(|| message),
                }
            }
        }
    }
    faults.move_to(&mut notes.faults, &compiled.at);
    warnings.move_to(&mut notes.warnings, &compiled.at);
}

/// The server name of a client that comes for a host of `pattern`, and that host; `None` where
/// there is no such host to be thought of.
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
    // A suffix may be so long that there is room for shorter labels only.
    DnsName::parse(name.as_bytes()).ok()?;
    Some((Some(name.clone()), name))
}

/// What is not as it should be with a name on a listener.
enum Finding {
    Fault(String),
    Warning(String),
}

fn own_connection(table: &Table, listener: &Listener, text: &str) -> Result<(), Finding> {
    let Ok(pattern) = NamePattern::parse(text.as_bytes()) else { return Ok(()) };
    // Open-ended names have their warning.
    if matches!(pattern, NamePattern::AnyDepth(_) | NamePattern::CatchAll) {
        return Ok(());
    }
    let Some((server_name, authority)) = example_request(&pattern) else { return Ok(()) };
    let Ok(choice) = listener.handshakes.choose_by_name(server_name.as_deref()) else {
        return Err(Finding::Warning(format!(
            "{text:?} cannot be reached on listener {:?}: clients send no server name for an \
             address, and there is no default_virtual_host",
            listener.name,
        )));
    };
    let connection = listener.connection(&choice.facts, PORT.into());
    let refused = match decide(table, &connection, &RequestTarget::https(authority.as_bytes())) {
        Verdict::Serve(proof) => match proof.observed() {
            None => return Ok(()),
            Some(reason) => reason.to_string(),
        },
        Verdict::Misdirected(reason) => reason.to_string(),
        Verdict::Malformed(reason) => reason.to_string(),
    };
    Err(Finding::Fault(format!(
        "{text:?} would be answered 421 on its own connections to listener {:?}: {refused}{}",
        listener.name,
        if server_name.is_none() {
            "; clients send no server name for an address, so that default_virtual_host decides"
        } else {
            ""
        },
    )))
}
