//! The last check: every virtual host is served on the connections that are made for it.
//!
//! It asks the tables themselves, as a client would come to them. A host that is served here is
//! never answered 421 on a connection made for it, or the configuration does not load.

use coalesce_core::{AuthorityTable, DnsName, Host, NamePattern, RequestTarget, Verdict, decide};
use toml::Spanned;

use crate::config::Listener;
use crate::config::hosts::Notes;
use crate::config::load::Draft;

/// A label that no one is likely to have as a virtual host of its own, to stand for the `*` of a
/// wildcard.
const ANY_LABEL: &str = "any-label-0a1b2c3d";

/// The port of every request here; which ports a listener answers for is not the question.
const PORTS: [u16; 1] = [443];

pub(crate) fn own_connections(
    table: &AuthorityTable<Vec<u8>>,
    listeners: &[Listener],
    draft: &Draft<'_>,
    notes: &mut Notes,
) {
    for (number, listener) in listeners.iter().enumerate() {
        for (_, host) in draft.hosts_of(number) {
            for name in &host.names {
                own_connection(table, listener, name, notes);
            }
        }
    }
}

fn own_connection(
    table: &AuthorityTable<Vec<u8>>,
    listener: &Listener,
    name: &Spanned<String>,
    notes: &mut Notes,
) {
    let Ok(pattern) = NamePattern::parse(name.get_ref().as_bytes()) else { return };
    let (server_name, authority) = match pattern {
        NamePattern::Exact(name) => (Some(name.to_string()), name.to_string()),
        NamePattern::OneLabel(parent) => {
            let name = format!("{ANY_LABEL}.{parent}");
            // A suffix so long has room for shorter labels only.
            if DnsName::parse(name.as_bytes()).is_err() {
                return;
            }
            (Some(name.clone()), name)
        }
        // No client sends a server name for an address (RFC 6066 §3).
        NamePattern::Ip(address) => (None, Host::Ip(address).to_string()),
        // Open-ended names have their warning.
        _ => return,
    };
    let Ok(choice) = listener.handshakes.choose_by_name(server_name.as_deref()) else {
        notes.warnings.add(
            name.span(),
            format!(
                "{:?} cannot be reached on listener {:?}: clients send no server name for an \
                 address, and there is no default_virtual_host",
                name.get_ref(),
                listener.name,
            ),
        );
        return;
    };
    let connection = choice.facts.connection(&PORTS);
    let refused = match decide(table, &connection, &RequestTarget::https(authority.as_bytes())) {
        Verdict::Serve(_) => return,
        Verdict::Misdirected(reason) => reason.to_string(),
        Verdict::Malformed(reason) => reason.to_string(),
    };
    notes.faults.add(
        name.span(),
        format!(
            "{:?} would be answered 421 on its own connections to listener {:?}: {refused}{}",
            name.get_ref(),
            listener.name,
            if server_name.is_none() {
                "; clients send no server name for an address, so that default_virtual_host decides"
            } else {
                ""
            },
        ),
    );
}
