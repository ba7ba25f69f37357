//! From the file to the site: all of it, or every reason why not.

use std::path::Path;
use std::sync::Arc;

use coalesce_core::{AuthorityTable, BuildError, NamePattern, VirtualHostId};
use toml::Spanned;

use crate::config::groups::{self, GroupDraft, Groups};
use crate::config::hosts::{self, Certificate, Certificates, HostDraft, Notes};
use crate::config::kept::Kept;
use crate::config::listeners::{self, ListenerDraft};
use crate::config::model::Profile;
use crate::config::ports::Ports;
use crate::config::source::{ConfigErrors, Faults, Source};
use crate::config::table;
use crate::config::{
    CompiledTable, ConfiguredName, Group, Listener, Site, VirtualHost, check, entries, overlaps,
};
use crate::table_image::{self, Table};

/// What every part of a configuration is read with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) profile: Option<Profile>,
    pub(crate) listeners: &'a [ListenerDraft],
    pub(crate) source: &'a Source,
    pub(crate) kept: &'a Kept,
}

/// Loads the configuration file `path`.
///
/// `kept` is what it has in common with the sites that were loaded before.
pub(crate) fn load(
    path: &Path,
    compiled: CompiledTable,
    kept: &Kept,
) -> Result<Site, ConfigErrors> {
    let source = Source::read(path)?;
    let entries = entries::parse(&source)?;
    let mut notes = Notes::default();
    if entries.listeners.is_empty() {
        notes.faults.add_about_file("no [[listener]]; at least one expected");
    }
    if entries.virtual_hosts.is_empty() {
        notes.faults.add_about_file("no [[virtual_host]]; at least one expected");
    }
    let admin = entries.admin.as_ref().and_then(|admin| {
        let address = &admin.get_ref().address;
        notes.faults.take(address.span(), listeners::address(address.get_ref()))
    });
    let profile = entries.profile.map(Spanned::into_inner);
    let announces_origins = entries.announce_origins.is_none_or(Spanned::into_inner);
    let listeners = listeners::read(entries.listeners, profile, &source, &mut notes.faults);
    let context = Context { profile, listeners: &listeners, source: &source, kept };
    let mut groups = Groups::read(entries.groups, context, &mut notes);
    let mut certificates = Certificates::default();
    let hosts =
        hosts::read(entries.virtual_hosts, &mut groups, &mut certificates, context, &mut notes);
    let own_names = authority_table(&groups, &hosts, &mut notes.faults);
    let draft = Draft { listeners: &listeners, groups: &groups, hosts: &hosts };
    let defaults = draft.defaults(&mut notes.faults);
    draft.every_listener_has_hosts(&mut notes.faults);
    let Some(own_names) = own_names.filter(|_| notes.faults.is_empty()) else {
        return Err(source.errors(notes.faults));
    };
    let image = match entries.table.as_ref().filter(|_| compiled == CompiledTable::Served) {
        None => None,
        Some(named) => {
            let image = table::open(named, &draft, &certificates.read, &source, &mut notes);
            let Some(image) = image.filter(|_| notes.faults.is_empty()) else {
                return Err(source.errors(notes.faults));
            };
            Some(image)
        }
    };

    let ports = Ports {
        draft: &draft,
        defaults: &defaults,
        certificates: &certificates.read,
        image: image.as_ref(),
        kept,
    };
    let built = ports.build(&mut notes.faults);
    if !notes.faults.is_empty() {
        return Err(source.errors(notes.faults));
    }
    let table = image.as_ref().map_or(&own_names, |image| image.table.as_ref());
    check::own_connections(table, &built, &draft, &mut notes);
    if let Some(image) = &image {
        check::own_connections_by_address(image, &built, &draft, &mut notes);
    }
    if !notes.faults.is_empty() {
        return Err(source.errors(notes.faults));
    }
    let overlaps = overlaps::find(&draft, &built, &certificates.read, &mut notes);

    let warnings = source.lines(notes.warnings);
    let groups = groups.drafts.into_iter().map(|draft| {
        let GroupDraft { name, also, policy, tls, .. } = draft;
        Group { name, also, policy, tls }
    });
    let groups = groups.collect();
    let virtual_hosts =
        hosts.into_iter().filter_map(|host| finished(host, &certificates.read, &source)).collect();
    let table = image.map_or_else(|| Arc::new(own_names), |image| image.table);
    Ok(Site {
        table,
        listeners: built,
        admin,
        announces_origins,
        groups,
        virtual_hosts,
        overlaps,
        warnings,
    })
}

/// A virtual host without faults has all of its parts, so this leaves none out.
fn finished(host: HostDraft, certificates: &[Certificate], source: &Source) -> Option<VirtualHost> {
    let (group, answer) = host.group.zip(host.answer)?;
    let configured = |name: Spanned<String>| {
        let line = source.line_number(name.span().start);
        ConfiguredName { text: name.into_inner(), line }
    };
    Some(VirtualHost {
        name: host.name.into_inner(),
        names: host.names.into_iter().map(configured).collect(),
        group: groups::id(group),
        certificate: certificates.get(host.certificate?)?.shown.clone(),
        answer,
    })
}

/// The table of the configuration's own names.
fn authority_table(groups: &Groups<'_>, hosts: &[HostDraft], faults: &mut Faults) -> Option<Table> {
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
        let at = |index: u32| added.get(index as usize);
        let Some(((owner, _), (_, name))) = at(duplicate.earlier).zip(at(duplicate.later)) else {
            continue;
        };
        let (text, owner) = (name.get_ref(), owner.name.get_ref());
        faults.add(name.span(), format!("{text:?} is a name of virtual_host {owner:?} already"));
    }
    if !duplicates.is_empty() {
        return None;
    }
    let table = builder.build().map_err(|error| error.to_string());
    let table =
        table.and_then(|table| table_image::built(&table).map_err(|error| error.to_string()));
    faults.take(0..0, table)
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
        self.hosts.iter().enumerate().filter(move |(number, _)| self.is_on(*number, listener))
    }

    /// Whether the virtual host with this number is on the listener with that one.
    pub(crate) fn is_on(&self, host: usize, listener: usize) -> bool {
        let group = self.hosts.get(host).and_then(|host| self.groups.drafts.get(host.group?));
        group.is_some_and(|group| group.listeners.contains(&listener))
    }

    /// Whether the virtual host with this number is on a listener of this port.
    pub(crate) fn is_on_port(&self, host: usize, port: &Listener) -> bool {
        port.members.iter().any(|(listener, _)| self.is_on(host, *listener))
    }

    /// Whether the configuration itself gives this name to the virtual host with this number.
    pub(crate) fn has_name(&self, host: usize, pattern: &NamePattern<'_>) -> bool {
        let mut names = self.hosts.get(host).into_iter().flat_map(|host| &host.names);
        names.any(|name| NamePattern::parse(name.get_ref().as_bytes()).as_ref() == Ok(pattern))
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
}
