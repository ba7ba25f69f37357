//! Every group, its connections and what they may carry, and what keeps groups apart.

use std::collections::BTreeMap;
use std::io::Write;

use coalesce_core::{Misdirected, NamePattern, RequestTarget, Verdict, decide};
use coalesce_tls::HandshakeFacts;
use serde::Serialize;

use crate::config::{self, Listener, Overlap, Site, VirtualHost};
use crate::groups::difference::{self, Difference};
use crate::terminal::exit::Failure;
use crate::terminal::output::Output;
use crate::terminal::text::some_of;

/// The whole report, as `--json` writes it.
#[derive(Debug, Serialize)]
pub(super) struct GroupsReport<'a> {
    pub(super) groups: Vec<GroupReport<'a>>,
    pub(super) apart: Vec<Apart<'a>>,
    /// Listeners that share a port and overlap.
    pub(super) overlaps: &'a [Overlap],
}

#[derive(Debug, Serialize)]
pub(super) struct GroupReport<'a> {
    pub(super) name: &'a str,
    /// Groups of the file that are equal, and so the same.
    pub(super) also: &'a [String],
    #[serde(serialize_with = "as_map")]
    pub(super) policy: Vec<(&'static str, String)>,
    /// Names with another `coalesce` than the group, by that.
    pub(super) own_coalesce: BTreeMap<&'static str, Vec<&'a str>>,
    pub(super) connections: Vec<ConnectionReport<'a>>,
}

/// The connections that were made for some names and show one certificate: what they may carry.
#[derive(Debug, Serialize)]
pub(super) struct ConnectionReport<'a> {
    pub(super) listener: &'a str,
    pub(super) certificate: String,
    pub(super) server_names: Vec<&'a str>,
    pub(super) may_carry: Vec<&'a str>,
    /// Names of the group that they may not carry, by the reason.
    pub(super) may_not: BTreeMap<&'static str, Vec<&'a str>>,
}

/// Two groups, and why no connection is in both.
#[derive(Debug, Serialize)]
pub(super) struct Apart<'a> {
    pub(super) groups: [&'a str; 2],
    pub(super) because: Vec<Difference>,
}

pub(super) fn report(site: &Site) -> GroupsReport<'_> {
    let groups = || site.groups().iter().enumerate();
    let reports = groups().map(|(number, group)| GroupReport {
        name: &group.name,
        also: &group.also,
        policy: difference::fields(group).into(),
        own_coalesce: own_coalesce(site, number),
        connections: connections(site, number),
    });
    let mut apart = Vec::new();
    for (number, one) in groups() {
        for (_, other) in groups().filter(|(other, _)| *other > number) {
            let because = difference::between(one, other);
            apart.push(Apart { groups: [&one.name, &other.name], because });
        }
    }
    GroupsReport { groups: reports.collect(), apart, overlaps: &site.overlaps }
}

fn own_coalesce(site: &Site, number: usize) -> BTreeMap<&'static str, Vec<&str>> {
    let group = config::group_id(number);
    let mut own: BTreeMap<&'static str, Vec<&str>> = BTreeMap::new();
    for host in site.virtual_hosts() {
        let Some(coalesce) = host.coalesce.filter(|_| host.group == group) else { continue };
        let names = host.names.iter().map(|name| name.text.as_str());
        own.entry(difference::coalesce(coalesce)).or_default().extend(names);
    }
    own
}

/// The connections of the group with this number: one for each listener and certificate.
fn connections(site: &Site, number: usize) -> Vec<ConnectionReport<'_>> {
    let id = config::group_id(number);
    let hosts: Vec<&VirtualHost> =
        site.virtual_hosts().iter().filter(|host| host.group == id).collect();
    let names = || hosts.iter().flat_map(|host| host.names.iter().map(|name| (*host, &name.text)));
    let mut connections: Vec<(HandshakeFacts, ConnectionReport<'_>)> = Vec::new();
    for listener in &site.listeners {
        for (host, text) in names() {
            let Some(facts) = handshake(listener, text).filter(|facts| facts.group() == id) else {
                continue;
            };
            let same = |(known, connection): &&mut (HandshakeFacts, ConnectionReport<'_>)| {
                connection.listener == listener.name && known.certificate() == facts.certificate()
            };
            if let Some((_, connection)) = connections.iter_mut().find(same) {
                connection.server_names.push(text);
                continue;
            }
            let mut connection = ConnectionReport {
                listener: &listener.name,
                certificate: host.certificate.path().display().to_string(),
                server_names: vec![text],
                may_carry: Vec::new(),
                may_not: BTreeMap::new(),
            };
            for (_, carried) in names() {
                match refusal(site, listener, &facts, carried) {
                    None => connection.may_carry.push(carried),
                    Some(reason) => connection.may_not.entry(reason).or_default().push(carried),
                }
            }
            connections.push((facts, connection));
        }
    }
    connections.into_iter().map(|(_, connection)| connection).collect()
}

/// The handshake of a client that comes for `name`.
pub(super) fn handshake(listener: &Listener, name: &str) -> Option<HandshakeFacts> {
    let pattern = NamePattern::parse(name.as_bytes()).ok()?;
    let (server_name, _) = config::example_request(&pattern)?;
    listener.handshakes.choose_by_name(server_name.as_deref()).ok().map(|choice| choice.facts)
}

/// Why a request for `name` would not be served on that connection.
pub(super) fn refusal(
    site: &Site,
    listener: &Listener,
    facts: &HandshakeFacts,
    name: &str,
) -> Option<&'static str> {
    let pattern = NamePattern::parse(name.as_bytes()).ok()?;
    let (_, host) = config::example_request(&pattern)?;
    let ports = listener.ports_when_configured();
    let authority = match ports.as_slice().first() {
        Some(port) => format!("{host}:{port}"),
        None => host,
    };
    let target = RequestTarget::https(authority.as_bytes());
    match decide(site.table.as_ref(), &listener.connection(facts, ports), &target) {
        // What is only observed is not what the rules allow.
        Verdict::Serve(proof) => proof.observed().map(Misdirected::code),
        Verdict::Misdirected(reason) => Some(reason.code()),
        Verdict::Malformed(reason) => Some(reason.code()),
    }
}

fn as_map<S: serde::Serializer>(
    fields: &[(&'static str, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(field, value)| (field, value)))
}

/// Writes the report for people.
pub(super) fn write(
    report: &GroupsReport<'_>,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    for group in &report.groups {
        output.line(format_args!("group {}", group.name))?;
        if !group.also.is_empty() {
            output.line(format_args!("  the same as         {}", group.also.join(", ")))?;
        }
        for (field, value) in &group.policy {
            output.line(format_args!("  {field:<18}  {value}"))?;
        }
        for (coalesce, names) in &group.own_coalesce {
            output.line(format_args!("  {coalesce:<18}  for {}", some(names)))?;
        }
        for connection in &group.connections {
            output.line(format_args!(
                "  connections for {} (listener {}, {})",
                some(&connection.server_names),
                connection.listener,
                connection.certificate
            ))?;
            output.line(format_args!("    may carry  {}", some(&connection.may_carry)))?;
            for (reason, names) in &connection.may_not {
                output.line(format_args!("    may not    {} ({reason})", some(names)))?;
            }
        }
    }
    for apart in &report.apart {
        let [one, other] = apart.groups;
        output.line(format_args!("no connection is in {one} and in {other}"))?;
        for difference in &apart.because {
            let [one, other] = &difference.values;
            output.line(format_args!("  {:<18}  {one} / {other}", difference.field))?;
        }
    }
    for overlap in report.overlaps {
        let (listener, with) = (&overlap.listener, overlap.with.join(", "));
        output.line(format_args!("listener {listener} overlaps {with} ({:?})", overlap.reason))?;
    }
    Ok(())
}

fn some(names: &[&str]) -> String {
    some_of(&names.iter().map(ToString::to_string).collect::<Vec<_>>())
}
