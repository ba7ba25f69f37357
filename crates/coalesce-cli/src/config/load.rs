//! From the file to the site: all of it, or every reason why not.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use coalesce_core::{AuthorityTable, BuildError, NamePattern, VirtualHostId};
use coalesce_tls::{
    CertificateId, HandshakeTable, HandshakeTableBuilder, HandshakeTableError, ServerNamePolicy,
};
use toml::Spanned;

use crate::config::groups::{self, Groups};
use crate::config::hosts::{self, Certificate, Certificates, HostDraft, Notes};
use crate::config::listeners::{self, ListenerDraft};
use crate::config::source::{ConfigErrors, Faults, Source};
use crate::config::{Group, Listener, Site, VirtualHost, check, crypto_provider, entries};

/// Loads the configuration file `path`.
pub(crate) fn load(path: &Path) -> Result<Site, ConfigErrors> {
    let source = Source::read(path)?;
    let entries = entries::parse(&source)?;
    let mut notes = Notes::default();
    if entries.listeners.is_empty() {
        notes.faults.add_about_file("no [[listener]]; at least one expected");
    }
    if entries.virtual_hosts.is_empty() {
        notes.faults.add_about_file("no [[virtual_host]]; at least one expected");
    }
    let listeners = listeners::read(entries.listeners, &source, &mut notes.faults);
    let mut groups = Groups::read(entries.groups, &listeners, &source, &mut notes.faults);
    let mut certificates = Certificates::default();
    let hosts =
        hosts::read(entries.virtual_hosts, &mut groups, &mut certificates, &source, &mut notes);
    let table = authority_table(&groups, &hosts, &mut notes.faults);
    let draft = Draft { listeners: &listeners, groups: &groups, hosts: &hosts };
    let defaults = draft.defaults(&mut notes.faults);
    draft.every_listener_has_hosts(&mut notes.faults);
    let Some(table) = table.filter(|_| notes.faults.is_empty()) else {
        return Err(source.errors(notes.faults));
    };

    let mut built = Vec::with_capacity(listeners.len());
    for (number, listener) in listeners.iter().enumerate() {
        let default = defaults.get(number).copied().flatten();
        let handshakes = draft
            .handshakes(number, default, &certificates.read)
            .map_err(|(at, error)| notes.faults.add(at, error));
        if let Ok(handshakes) = handshakes {
            built.push(Listener {
                name: listener.name.clone(),
                address: listener.address,
                ports: listener.ports.clone(),
                handshakes: Arc::new(handshakes),
            });
        }
    }
    if !notes.faults.is_empty() {
        return Err(source.errors(notes.faults));
    }
    check::own_connections(&table, &built, &draft, &mut notes);
    if !notes.faults.is_empty() {
        return Err(source.errors(notes.faults));
    }

    let warnings = source.lines(notes.warnings);
    let groups = groups.drafts.into_iter();
    let groups =
        groups.map(|draft| Group { name: draft.name, client_roots: draft.client_roots }).collect();
    let virtual_hosts = hosts.into_iter().filter_map(finished).collect();
    Ok(Site { table, listeners: built, groups, virtual_hosts, warnings })
}

/// A virtual host without faults has all of its parts, so this leaves none out.
fn finished(host: HostDraft) -> Option<VirtualHost> {
    let (group, answer) = host.group.zip(host.answer)?;
    Some(VirtualHost {
        name: host.name.into_inner(),
        names: host.names.into_iter().map(Spanned::into_inner).collect(),
        group: groups::id(group),
        answer,
    })
}

fn authority_table(
    groups: &Groups<'_>,
    hosts: &[HostDraft],
    faults: &mut Faults,
) -> Option<AuthorityTable<Vec<u8>>> {
    let mut builder = AuthorityTable::builder();
    for (number, group) in groups.drafts.iter().enumerate() {
        if let Err(error) = builder.group(groups::id(number), group.policy) {
            faults.add_about_file(error);
            return None;
        }
    }
    // By the number of the entry.
    let mut added: Vec<(&HostDraft, &Spanned<String>)> = Vec::new();
    for (number, host) in hosts.iter().enumerate() {
        // Without its group a host has a fault already; its names are still looked at.
        let group = groups::id(host.group.unwrap_or_default());
        for name in &host.names {
            let Ok(pattern) = NamePattern::parse(name.get_ref().as_bytes()) else { continue };
            match builder.entry(pattern, virtual_host_id(number), group) {
                Ok(_) => added.push((host, name)),
                // There are no groups at all, which is a fault of its own.
                Err(BuildError::UnknownGroup { .. }) => {}
                Err(error) => {
                    faults.add(name.span(), error);
                    return None;
                }
            }
        }
    }
    let duplicates = builder.duplicates();
    for duplicate in &duplicates {
        let entry = |number: u32| added.get(number as usize);
        if let (Some((owner, _)), Some((_, name))) =
            (entry(duplicate.earlier), entry(duplicate.later))
        {
            let (text, owner) = (name.get_ref(), owner.name.get_ref());
            let message = format!("{text:?} is a name of virtual_host {owner:?} already");
            faults.add(name.span(), message);
        }
    }
    if duplicates.is_empty() { faults.take(0..0, builder.build()) } else { None }
}

/// A virtual host's number as its id.
pub(crate) fn virtual_host_id(number: usize) -> VirtualHostId {
    // The authority table refuses far fewer entries than a u32 counts.
    VirtualHostId::new(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Everything that was read.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) listeners: &'a [ListenerDraft],
    pub(crate) groups: &'a Groups<'a>,
    pub(crate) hosts: &'a [HostDraft],
}

impl<'a> Draft<'a> {
    /// The virtual hosts of the listener with this number.
    pub(crate) fn hosts_of(
        &self,
        listener: usize,
    ) -> impl Iterator<Item = (usize, &'a HostDraft)> + use<'a, '_> {
        self.hosts.iter().enumerate().filter(move |(_, host)| {
            let group = host.group.and_then(|group| self.groups.drafts.get(group));
            group.is_some_and(|group| group.listeners.contains(&listener))
        })
    }

    /// The default virtual host of each listener, by number.
    fn defaults(&self, faults: &mut Faults) -> Vec<Option<usize>> {
        let mut defaults = Vec::with_capacity(self.listeners.len());
        for (number, listener) in self.listeners.iter().enumerate() {
            let Some(wanted) = &listener.default_virtual_host else {
                defaults.push(None);
                continue;
            };
            let name = wanted.get_ref();
            let found = self.hosts.iter().position(|host| host.name.get_ref() == name);
            match found {
                None => {
                    let message = format!("no [[virtual_host]] has the name {name:?}");
                    faults.add(wanted.span(), message);
                }
                Some(host) if !self.hosts_of(number).any(|(of, _)| of == host) => {
                    let message =
                        format!("the group of virtual_host {name:?} is not on this listener");
                    faults.add(wanted.span(), message);
                }
                Some(_) => {}
            }
            defaults.push(found);
        }
        defaults
    }

    fn every_listener_has_hosts(&self, faults: &mut Faults) {
        // A host without group may belong to any listener.
        if self.hosts.iter().any(|host| host.group.is_none()) {
            return;
        }
        for (number, listener) in self.listeners.iter().enumerate() {
            if self.hosts_of(number).next().is_none() && !self.hosts.is_empty() {
                faults.add(listener.at.clone(), "no virtual host is on this listener");
            }
        }
    }

    /// The handshake table of one listener: its own groups, certificates and names, none of
    /// another's.
    fn handshakes(
        &self,
        listener: usize,
        default: Option<usize>,
        certificates: &[Certificate],
    ) -> Result<HandshakeTable, (Range<usize>, HandshakeTableError)> {
        let at = self.listeners.get(listener).map(|draft| draft.at.clone()).unwrap_or_default();
        let here = |error| (at.clone(), error);
        let mut builder = HandshakeTableBuilder::new(crypto_provider());
        builder.ticketer(rustls::crypto::ring::Ticketer::new);
        for (number, group) in self.groups.drafts.iter().enumerate() {
            if group.listeners.contains(&listener) {
                builder.group(groups::id(number), group.tls.clone()).map_err(here)?;
            }
        }
        let mut ids: Vec<Option<CertificateId>> = vec![None; certificates.len()];
        for (number, host) in self.hosts_of(listener) {
            let (Some(group), Some(shown)) = (host.group, host.certificate) else { continue };
            let (Some(certificate), Some(slot)) = (certificates.get(shown), ids.get_mut(shown))
            else {
                continue;
            };
            let id = match *slot {
                Some(id) => id,
                None => *slot.insert(
                    builder
                        .certificate(certificate.chain.clone(), certificate.key.clone_key())
                        .map_err(here)?,
                ),
            };
            let group = groups::id(group);
            for name in &host.names {
                match NamePattern::parse(name.get_ref().as_bytes()) {
                    // No ClientHello names an address (RFC 6066 §3): the default serves it.
                    Ok(NamePattern::Ip(_)) | Err(_) => {}
                    Ok(pattern) => {
                        builder
                            .server_name(pattern, group, id)
                            .map_err(|error| (name.span(), error))?;
                    }
                }
            }
            if default == Some(number) {
                let policy = ServerNamePolicy::Default { group, certificate: id };
                builder.absent_server_name(policy).unknown_server_name(policy);
            }
        }
        builder.build().map_err(here)
    }
}
