//! Every group, its connections and what they may carry, and what keeps groups apart.

use std::collections::BTreeMap;
use std::io::Write;

use coalesce_core::{GroupId, Misdirected, NamePattern, RequestTarget, Verdict};
use coalesce_site::{Overlap, OverlapReason, Question, ServedHost, SiteListener};
use coalesce_tls::HandshakeFacts;
use serde::Serialize;

use crate::config::{Site, VirtualHost};
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
    pub(super) overlaps: Vec<OverlapReport<'a>>,
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

/// What a listener has in common with others on its port.
#[derive(Debug, Serialize)]
pub(super) struct OverlapReport<'a> {
    pub(super) listener: &'a str,
    pub(super) reason: &'static str,
    /// The others.
    pub(super) with: &'a [String],
}

impl<'a> From<&'a Overlap> for OverlapReport<'a> {
    fn from(overlap: &'a Overlap) -> Self {
        // The API's own words.
        let reason = match overlap.reason {
            OverlapReason::OverlappingHostnames => "OverlappingHostnames",
            _ => "OverlappingCertificates",
        };
        Self { listener: &overlap.listener, reason, with: &overlap.with }
    }
}

/// Two groups, and why no connection is in both.
#[derive(Debug, Serialize)]
pub(super) struct Apart<'a> {
    pub(super) groups: [&'a str; 2],
    pub(super) because: Vec<Difference>,
}

pub(super) fn report(site: &Site) -> GroupsReport<'_> {
    let groups = || site.groups().iter().zip(0..);
    let reports = groups().map(|(group, number)| GroupReport {
        name: group.name(),
        also: group.also(),
        policy: difference::fields(group).into(),
        own_coalesce: own_coalesce(site, GroupId::new(number)),
        connections: connections(site, GroupId::new(number)),
    });
    let mut apart = Vec::new();
    for (one, number) in groups() {
        for (other, _) in groups().filter(|(_, other)| *other > number) {
            let because = difference::between(one, other);
            apart.push(Apart { groups: [one.name(), other.name()], because });
        }
    }
    let overlaps = site.overlaps().iter().map(OverlapReport::from).collect();
    GroupsReport { groups: reports.collect(), apart, overlaps }
}

fn own_coalesce(site: &Site, group: GroupId) -> BTreeMap<&'static str, Vec<&str>> {
    let mut own: BTreeMap<&'static str, Vec<&str>> = BTreeMap::new();
    for host in site.hosts() {
        let Some(coalesce) = host.coalesce().filter(|_| host.group_id() == group) else { continue };
        let names = host.names().iter().map(String::as_str);
        own.entry(difference::coalesce(coalesce)).or_default().extend(names);
    }
    own
}

/// The connections of the group with this number: one for each listener and certificate.
fn connections(site: &Site, id: GroupId) -> Vec<ConnectionReport<'_>> {
    let hosts: Vec<&ServedHost<VirtualHost>> =
        site.hosts().iter().filter(|host| host.group_id() == id).collect();
    let names = || hosts.iter().flat_map(|host| host.names().iter().map(|name| (*host, name)));
    let mut connections: Vec<(HandshakeFacts, ConnectionReport<'_>)> = Vec::new();
    for listener in site.listeners() {
        for (host, text) in names() {
            let Some(facts) = handshake(listener, text).filter(|facts| facts.group() == id) else {
                continue;
            };
            let same = |(known, connection): &&mut (HandshakeFacts, ConnectionReport<'_>)| {
                connection.listener == listener.name() && known.certificate() == facts.certificate()
            };
            if let Some((_, connection)) = connections.iter_mut().find(same) {
                connection.server_names.push(text);
                continue;
            }
            let mut connection = ConnectionReport {
                listener: listener.name(),
                certificate: host.certificate.display().to_string(),
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
pub(super) fn handshake(listener: &SiteListener, name: &str) -> Option<HandshakeFacts> {
    let pattern = NamePattern::parse(name.as_bytes()).ok()?;
    let question = Question::for_pattern(&pattern)?;
    let choice = listener.handshakes().choose_by_name(question.server_name());
    choice.ok().map(|choice| choice.facts)
}

/// Why a request for `name` would not be served on that connection.
pub(super) fn refusal(
    site: &Site,
    listener: &SiteListener,
    facts: &HandshakeFacts,
    name: &str,
) -> Option<&'static str> {
    let pattern = NamePattern::parse(name.as_bytes()).ok()?;
    let question = Question::for_pattern(&pattern)?;
    let host = question.authority()?;
    let authority = match listener.ports().as_slice().first() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    match site.decide(facts, &RequestTarget::https(authority.as_bytes())) {
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
    for OverlapReport { listener, reason, with } in &report.overlaps {
        let with = with.join(", ");
        output.line(format_args!("listener {listener} overlaps {with} ({reason})"))?;
    }
    Ok(())
}

fn some(names: &[&str]) -> String {
    some_of(&names.iter().map(ToString::to_string).collect::<Vec<_>>())
}
