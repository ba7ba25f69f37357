//! The connections of a group, and the names that each of them may carry.
//!
//! A policy may compare a host with the server name, so two connections with one certificate may
//! carry different names. Each server name is judged separately, but only verdicts that depend on
//! the server name are decided again: a report of n names takes about 2n decisions.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use coalesce_core::{DnsName, GroupId, ListenerId, NamePattern, ServerConnection};
use coalesce_site::{AnnouncedOrigins, Question, SiteListener};
use coalesce_tls::{CertificateId, HandshakeFacts};
use serde::{Serialize, Serializer};

use crate::config::Site;
use crate::groups::judge::{self, Refused};

/// Connections with one certificate that may carry the same names.
#[derive(Debug)]
pub(super) struct ConnectionReport<'a> {
    pub(super) listener: &'a str,
    pub(super) certificate: Rc<str>,
    pub(super) server_names: Vec<&'a str>,
    carried: Rc<[CarriedName<'a>]>,
    /// For each carried name, the refusal on a connection with a server name that no host has.
    shared: Rc<[Refused]>,
    /// The refusals that differ from `shared` on these connections.
    changes: Changes,
    /// The origins that these connections announce.
    pub(super) origins: Rc<AnnouncedOrigins>,
}

/// Refusals by the number of the carried name.
type Changes = BTreeMap<usize, Refused>;

#[derive(Clone, Copy, Debug)]
struct CarriedName<'a> {
    text: &'a str,
    is_wildcard: bool,
}

impl<'a> ConnectionReport<'a> {
    /// Returns the names whose hosts these connections may all carry.
    pub(super) fn may_carry(&self) -> Vec<&'a str> {
        let carried = self.judged().filter(|judged| judged.refused.is_none());
        carried.filter(|judged| !judged.server_name_only).map(|judged| judged.text).collect()
    }

    /// Returns the wildcards for which these connections may carry one host only, their server
    /// name.
    pub(super) fn server_name_only(&self) -> Vec<&'a str> {
        let judged = self.judged().filter(|judged| judged.refused.is_none());
        judged.filter(|judged| judged.server_name_only).map(|judged| judged.text).collect()
    }

    /// Returns the names of the group that these connections may not carry, by the reason.
    pub(super) fn may_not(&self) -> BTreeMap<&'static str, Vec<&'a str>> {
        let mut refused: BTreeMap<&'static str, Vec<&'a str>> = BTreeMap::new();
        for judged in self.judged() {
            if let Some(reason) = judged.refused {
                refused.entry(reason).or_default().push(judged.text);
            }
        }
        refused
    }

    /// Returns whether the origin set of these connections leaves out hosts that they would serve.
    pub(super) fn leaves_hosts_out(&self) -> bool {
        self.origins.is_cut || !self.origins.wildcards.is_empty()
    }

    fn judged(&self) -> impl Iterator<Item = Judged<'a>> {
        let names = self.carried.iter().zip(self.shared.iter()).enumerate();
        names.map(|(number, (name, shared))| {
            let own = self.changes.get(&number);
            let refused = *own.unwrap_or(shared);
            // The other hosts of the wildcard get the `shared` verdict.
            let server_name_only = name.is_wildcard && own.is_some() && refused.is_none();
            Judged { text: name.text, refused, server_name_only }
        })
    }
}

struct Judged<'a> {
    text: &'a str,
    refused: Refused,
    server_name_only: bool,
}

impl Serialize for ConnectionReport<'_> {
    /// Makes the lists of one connection at a time, because n strict names would need n² names in
    /// memory.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Members<'a> {
            listener: &'a str,
            certificate: &'a str,
            server_names: &'a [&'a str],
            may_carry: Vec<&'a str>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            server_name_only: Vec<&'a str>,
            may_not: BTreeMap<&'static str, Vec<&'a str>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            announces_origins: Option<bool>,
            #[serde(skip_serializing_if = "<[String]>::is_empty")]
            origins_left_out: &'a [String],
        }
        let left_out = &self.origins.wildcards;
        let members = Members {
            listener: self.listener,
            certificate: &self.certificate,
            server_names: &self.server_names,
            may_carry: self.may_carry(),
            server_name_only: self.server_name_only(),
            may_not: self.may_not(),
            announces_origins: self.leaves_hosts_out().then_some(self.origins.is_announced),
            origins_left_out: left_out,
        };
        members.serialize(serializer)
    }
}

/// Returns the connections of the group with this number, in the order of their server names.
pub(super) fn connections(site: &Site, group: GroupId) -> Vec<ConnectionReport<'_>> {
    let names: Vec<Name<'_>> = names(site, group).collect();
    let carried: Rc<[CarriedName<'_>]> = names.iter().map(Name::carried).collect();
    let mut found = Vec::new();
    for listener in site.listeners() {
        let judge = Judge::new(site, listener, &names);
        found.extend(judge.connections(group, &carried));
    }
    found
}

/// A name of the group, and the client that connects for one of its hosts.
struct Name<'a> {
    text: &'a str,
    certificate: String,
    client: Question,
}

impl<'a> Name<'a> {
    fn carried(&self) -> CarriedName<'a> {
        let pattern = NamePattern::parse(self.text.as_bytes());
        let is_one = matches!(pattern, Ok(NamePattern::Exact(_) | NamePattern::Ip(_)));
        CarriedName { text: self.text, is_wildcard: !is_one }
    }
}

fn names(site: &Site, group: GroupId) -> impl Iterator<Item = Name<'_>> {
    let hosts = site.hosts().iter().filter(move |host| host.group_id() == group);
    hosts.flat_map(move |host| {
        host.names().iter().filter_map(move |text| {
            let client = judge::client_for(site, text)?;
            Some(Name { text, certificate: host.certificate.display().to_string(), client })
        })
    })
}

/// Judges the connections to one listener.
struct Judge<'a, 'n> {
    site: &'a Site,
    listener: &'a SiteListener,
    names: &'n [Name<'a>],
    /// The `:authority` of a request for each name.
    authorities: Vec<String>,
    /// The numbers of the names whose request has this host.
    by_host: HashMap<&'n str, Vec<usize>>,
    /// A name that differs from all of these hosts.
    stranger: String,
}

/// Connections with one certificate.
struct Shown<'a> {
    certificate: Option<String>,
    shared: Rc<[Refused]>,
    origins: Rc<AnnouncedOrigins>,
    /// The changes of connections without a server name; all of these are equal.
    unnamed: Option<Changes>,
    reports: Vec<(Changes, Vec<&'a str>)>,
    by_changes: BTreeMap<Changes, usize>,
}

impl<'a, 'n> Judge<'a, 'n> {
    fn new(site: &'a Site, listener: &'a SiteListener, names: &'n [Name<'a>]) -> Self {
        let authority = |name: &Name<'_>| judge::authority(listener, &name.client);
        let authorities = names.iter().map(authority).collect();
        let mut by_host: HashMap<&str, Vec<usize>> = HashMap::new();
        for (number, name) in names.iter().enumerate() {
            by_host.entry(name.client.authority().unwrap_or_default()).or_default().push(number);
        }
        let mut strangers = (0_u64..).map(|number| format!("stranger-{number}.invalid"));
        let stranger = strangers.find(|name| !by_host.contains_key(name.as_str()));
        let stranger = stranger.unwrap_or_default();
        Self { site, listener, names, authorities, by_host, stranger }
    }

    fn connections(
        &self,
        group: GroupId,
        carried: &Rc<[CarriedName<'a>]>,
    ) -> Vec<ConnectionReport<'a>> {
        // Listeners that share an address have one `SiteListener`, and each its own certificates.
        let mut shown: Vec<Shown<'a>> = Vec::new();
        let mut by_facts: BTreeMap<(Option<ListenerId>, CertificateId), usize> = BTreeMap::new();
        for name in self.names {
            let facts = judge::handshake(self.listener, &name.client);
            let Some(facts) = facts.filter(|facts| facts.group() == group) else { continue };
            let number =
                *by_facts.entry((facts.listener(), facts.certificate())).or_insert_with(|| {
                    let origins = self.site.announced_origins(&facts);
                    shown.push(Shown::new(self.shared(&facts), origins));
                    shown.len() - 1
                });
            let shown = &mut shown[number];
            let changes = self.changes(&facts, shown);
            shown.add(name, changes);
        }
        let listener = self.listener.name();
        let reports = shown.into_iter().flat_map(|shown| {
            let certificate: Rc<str> = shown.certificate.unwrap_or_default().into();
            let (shared, carried, origins) = (shown.shared, carried.clone(), shown.origins);
            shown.reports.into_iter().map(move |(changes, server_names)| ConnectionReport {
                listener,
                certificate: certificate.clone(),
                server_names,
                carried: carried.clone(),
                shared: shared.clone(),
                changes,
                origins: origins.clone(),
            })
        });
        reports.collect()
    }

    /// Returns the refusal of each name on a connection for an unrelated server name.
    fn shared(&self, facts: &HandshakeFacts) -> Rc<[Refused]> {
        let stranger = DnsName::parse(self.stranger.as_bytes()).ok();
        let connection = self.site.connection(facts).with_server_name(stranger);
        self.authorities
            .iter()
            .map(|authority| judge::refused(self.site, &connection, authority))
            .collect()
    }

    fn changes(&self, facts: &HandshakeFacts, shown: &mut Shown<'a>) -> Changes {
        let connection = self.site.connection(facts);
        let Some(server_name) = facts.server_name() else {
            let all = 0..self.names.len();
            let unnamed = shown.unnamed.take();
            let unnamed = unnamed.unwrap_or_else(|| self.differing(&connection, shown, all));
            return shown.unnamed.insert(unnamed).clone();
        };
        let own = self.by_host.get(server_name.to_string().as_str());
        self.differing(&connection, shown, own.into_iter().flatten().copied())
    }

    fn differing(
        &self,
        connection: &ServerConnection<'_>,
        shown: &Shown<'_>,
        names: impl Iterator<Item = usize>,
    ) -> Changes {
        let judged = names.map(|number| {
            (number, judge::refused(self.site, connection, &self.authorities[number]))
        });
        judged.filter(|(number, refused)| shown.shared[*number] != *refused).collect()
    }
}

impl<'a> Shown<'a> {
    fn new(shared: Rc<[Refused]>, origins: AnnouncedOrigins) -> Self {
        let (reports, by_changes, origins) = (Vec::new(), BTreeMap::new(), Rc::new(origins));
        Self { certificate: None, shared, origins, unnamed: None, reports, by_changes }
    }

    fn add(&mut self, name: &Name<'a>, changes: Changes) {
        // A client without a server name gets the certificate of the default host.
        if self.certificate.is_none() && name.client.server_name().is_some() {
            self.certificate = Some(name.certificate.clone());
        }
        let number = *self.by_changes.entry(changes).or_insert_with_key(|changes| {
            self.reports.push((changes.clone(), Vec::new()));
            self.reports.len() - 1
        });
        self.reports[number].1.push(name.text);
    }
}
