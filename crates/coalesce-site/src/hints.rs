//! Hints for the operator about a request that is not served.

use std::collections::BTreeSet;

use coalesce_core::{
    Authority, Host, Malformed, Misdirected, RefusalHint, Scheme, ServedAs, Verdict,
};
use coalesce_tls::{ClientAuth, HandshakeFacts};

use crate::explanation::{Explanation, Outcome, Refusal};
use crate::identity::SiteCertificate;
use crate::malformed_hints;
use crate::nearest;
use crate::plan::SiteGroup;
use crate::question::Question;
use crate::site_listener::SiteListener;
use crate::snapshot::Snapshot;

/// The number of certificates, listeners or CAs in a hint.
const LISTED_MAX: usize = 8;

const NO_NAME: &str = "no virtual host can have this name: a name has at most 253 bytes and no \
                       empty label, and a label at most 63";

impl<T> Snapshot<T> {
    /// Returns sentences that may help with a request that is not served, or only because its group
    /// is observed.
    pub(crate) fn hints(&self, question: &Question, explanation: &Explanation) -> Vec<String> {
        match explanation.outcome() {
            Outcome::Refused(refusal) => self.refused_handshake(question, refusal),
            Outcome::Decided(Verdict::Misdirected(reason)) => {
                self.misdirected(question, explanation, *reason)
            }
            Outcome::Decided(Verdict::Malformed(reason)) => {
                let named = match reason {
                    Malformed::HostBeside(_) => question.hosts().first().map(String::as_str),
                    _ => question.named(),
                };
                vec![malformed_hints::hint(*reason, named.unwrap_or_default())]
            }
            Outcome::Decided(Verdict::Serve(proof)) => {
                match (proof.observed(), proof.served_as()) {
                    (Some(reason), _) => self.misdirected(question, explanation, reason),
                    (None, ServedAs::Unlisted) => {
                        self.misdirected(question, explanation, Misdirected::UnknownAuthority)
                    }
                    _ => Vec::new(),
                }
            }
        }
    }

    fn refused_handshake(&self, question: &Question, refusal: &Refusal) -> Vec<String> {
        let Some(listener) = self.listener_of(question) else {
            let names = self.tables.listeners.iter().flat_map(SiteListener::names);
            return vec![format!("the listeners are {}", list(names))];
        };
        match refusal.code() {
            Refusal::NO_PROTOCOL => {
                let protocols = &self.plan.settings.protocols;
                let protocols = protocols.iter().map(|name| String::from_utf8_lossy(name));
                vec![format!("the server negotiates {}", list(protocols))]
            }
            Refusal::CLIENT_REQUIRED | Refusal::CLIENT_INVALID => {
                let choice = listener.handshakes.choose_by_name(question.server_name.as_deref());
                let group = choice.ok().and_then(|choice| self.group_of(&choice.facts));
                group.and_then(client_certificate).into_iter().collect()
            }
            _ => self.unknown_server_name(question, listener),
        }
    }

    fn unknown_server_name(&self, question: &Question, listener: &SiteListener) -> Vec<String> {
        let default = "a default host of the listener would get these connections";
        let name = question.server_name.as_deref().map(str::as_bytes).map(Host::parse);
        let Some(Ok(host @ Host::Name(name))) = name else {
            let hint = "clients send no server name for an address (RFC 6066 §3)";
            return vec![format!("{hint}; {default}")];
        };
        let entry = self.tables.authorities.lookup(&host);
        let mut hints = match entry.and_then(|entry| usize::try_from(entry.virtual_host.get()).ok())
        {
            Some(number) => {
                let label = self.plan.hosts.get(number).map_or("", |host| host.label.as_str());
                let on = self.plan.listeners.iter().enumerate();
                let on = on.filter(|(listener, _)| self.plan.is_on(number, *listener));
                let on = list(on.map(|(_, listener)| listener.name.as_str()));
                let responsible = match listener.responsible(&host) {
                    Some(responsible) => format!(", and {responsible} is responsible for {name}"),
                    None => String::new(),
                };
                vec![format!("virtual host {label} is on listener {on}{responsible}")]
            }
            None => nearest::hints(&self.tables.authorities, name),
        };
        hints.push(default.to_owned());
        hints
    }

    fn misdirected(
        &self,
        question: &Question,
        explanation: &Explanation,
        reason: Misdirected,
    ) -> Vec<String> {
        let (Some(facts), Some(listener)) = (explanation.facts(), self.listener_of(question))
        else {
            return Vec::new();
        };
        let named = question.named().map(|named| Authority::parse(named.as_bytes()));
        let Some(Ok(authority)) = named else { return Vec::new() };
        let own = || self.own_connection(question, &authority);
        match reason {
            Misdirected::Port => vec![port(listener, &authority)],
            Misdirected::Certificate => {
                self.covering(&authority.host()).into_iter().chain(own()).collect()
            }
            Misdirected::Listener => {
                let responsible = listener.responsible(&authority.host());
                let responsible = responsible
                    .map(|name| format!("listener {name} is responsible for {}", authority.host()));
                responsible.into_iter().chain(own()).collect()
            }
            Misdirected::Group => self.group_of_host(&authority).into_iter().chain(own()).collect(),
            Misdirected::ServerName => {
                vec![server_name(&authority.host())].into_iter().chain(own()).collect()
            }
            Misdirected::UnknownAuthority => match authority.host() {
                Host::Name(name) => nearest::hints(&self.tables.authorities, name),
                Host::Ip(_) => {
                    vec![format!("add {} to the names of a virtual host", authority.host())]
                }
                _ => vec![NO_NAME.to_owned()],
            },
            _ => {
                let connection = self.tables.connection(facts);
                let hint = RefusalHint::new(&connection, reason);
                hint.map(|hint| hint.to_string()).into_iter().collect()
            }
        }
    }

    /// Names the files of the certificates that cover `host`. `None` if they come from no file.
    fn covering(&self, host: &Host<'_>) -> Option<String> {
        let certificates = self.plan.certificates.iter().flatten();
        let mut covering = certificates.filter(|one| one.presented().covering(host).is_some());
        let files: BTreeSet<&str> = covering.clone().filter_map(SiteCertificate::file).collect();
        match covering.next() {
            None => Some(format!(
                "no certificate of the site covers {host}: its virtual host needs one"
            )),
            Some(_) if files.is_empty() => None,
            Some(_) => Some(format!("{host} is covered by {}", list(files))),
        }
    }

    fn group_of_host(&self, authority: &Authority<'_>) -> Option<String> {
        let entry = self.tables.authorities.lookup(&authority.host())?;
        let host = self.host(entry.virtual_host)?;
        Some(format!("virtual host {} is in group {}", host.name(), host.group()))
    }

    /// Returns the result of a second try on a connection for the host itself. `None` if the
    /// question was about such a connection.
    fn own_connection(&self, question: &Question, authority: &Authority<'_>) -> Option<String> {
        let mut again = Question::new().with_authority(authority.to_string());
        again.listener.clone_from(&question.listener);
        if let Host::Name(name) = authority.host() {
            again = again.with_server_name(name.to_string());
        }
        if again.server_name == question.server_name {
            return None;
        }
        let own = self.explain(&again);
        if let Outcome::Refused(refusal) = own.outcome() {
            return Some(format!("a connection of its own is refused: {refusal}"));
        }
        let facts: &HandshakeFacts = own.facts()?;
        let (host, group) = (own.host()?, self.group_of(facts)?);
        let demand = match group.tls.client_auth {
            ClientAuth::Required(_) => ", which demands a client certificate",
            ClientAuth::Optional(_) => ", which asks for a client certificate",
            _ => "",
        };
        let name = &group.name;
        Some(format!(
            "on a connection of its own it is served, by virtual host {host} in group \
             {name}{demand}"
        ))
    }
}

/// Returns a sentence about the client certificates that a group accepts.
fn client_certificate(group: &SiteGroup) -> Option<String> {
    let rules = group.tls.client_auth.rules()?;
    let lists = if rules.revocation_lists().is_empty() { "" } else { ", on no revocation list" };
    let (name, cas) = (&group.name, list(rules.describe_cas()));
    Some(format!(
        "group {name} accepts certificates for client authentication, in date{lists}, that these \
         CAs have issued: {cas}"
    ))
}

fn server_name(host: &Host<'_>) -> String {
    match host {
        // No client sends a server name for an address (RFC 6066 §3).
        Host::Ip(_) => format!("{host} is served only on connections without a server name"),
        _ => format!("{host} is served only on connections with the server name {host}"),
    }
}

fn port(listener: &SiteListener, authority: &Authority<'_>) -> String {
    if listener.ports_are_chosen {
        return "the listener's port is chosen when it starts; its 'ports' may list others"
            .to_owned();
    }
    let ports = listener.ports.as_slice();
    let known = format!("listener {} answers for port {}", listener.name, list(ports));
    let (None, Some(port)) = (authority.port(), ports.first()) else {
        return known;
    };
    let default = Scheme::Https.default_port();
    let meant = format!("without a port the authority means {default}");
    format!("{known}; {meant}: did you mean {}:{port}?", authority.host())
}

/// Writes the first of `items`, and counts the others.
fn list(items: impl IntoIterator<Item = impl ToString>) -> String {
    let mut items = items.into_iter();
    let shown: Vec<String> = items.by_ref().take(LISTED_MAX).map(|item| item.to_string()).collect();
    let shown = shown.join(", ");
    match items.count() {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
