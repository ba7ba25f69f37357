//! Coalescing groups: those that the file names, and those that virtual hosts make with their
//! fields.

use std::path::Path;

use coalesce_core::{CoalescePolicy, UnknownAuthority};
use coalesce_site::GroupSettings;
use toml::Spanned;

use crate::config::drafts::tls_policy;
use crate::config::entries::model::{
    DEFAULT, GroupEntry, PolicyFields, PolicyKey, Profile, Unknown, VirtualHostEntry,
};
use crate::config::entries::{Faults, Notes};
use crate::config::places::{PartPlaces, Places};

/// The groups, in the order in which they were found.
#[derive(Debug)]
pub(crate) struct Groups<'a> {
    pub(crate) found: Vec<(String, GroupSettings)>,
    /// The number of groups that the file names.
    named: usize,
    /// The fields of each group that virtual hosts make.
    made: Vec<PolicyKey>,
    profile: Option<Profile>,
    folder: &'a Path,
}

impl<'a> Groups<'a> {
    /// Reads every `[[group]]`.
    pub(crate) fn read(
        entries: Vec<Spanned<GroupEntry>>,
        profile: Option<Profile>,
        folder: &'a Path,
        places: &mut Places<'_>,
        notes: &mut Notes,
    ) -> Self {
        let found = Vec::with_capacity(entries.len());
        let mut groups = Self { found, named: 0, made: Vec::new(), profile, folder };
        for entry in entries {
            let mut entry = entry.into_inner();
            let name = &entry.name;
            if let Some(line) = places.group_line(name.get_ref()) {
                let message = format!("already the name of the one in line {line}");
                notes.faults.add(name.span(), message);
                continue;
            }
            let (name, at) = (name.get_ref().clone(), PartPlaces::new(name.span()));
            let fields = entry.take_policy();
            groups.add(name, &fields, at, places, notes);
        }
        groups.named = groups.found.len();
        groups
    }

    /// Returns the name of a virtual host's group, and the strictness of the host's names.
    pub(crate) fn of_host(
        &mut self,
        host: &mut VirtualHostEntry,
        places: &mut Places<'_>,
        notes: &mut Notes,
    ) -> (String, Option<CoalescePolicy>) {
        let mut fields = host.take_policy();
        // The strictness of its names is a property of the virtual host, in any group.
        let own = fields.coalesce.take().map(|written| written.into_inner().into());
        if let Some(name) = &host.group {
            if let Some((field, at)) = fields.places().into_iter().next() {
                let message = "not allowed beside group; the group has it for all its hosts";
                notes.faults.add(at, format!("{field} is {message}"));
            }
            return (name.get_ref().clone(), own);
        }
        let key = fields.key();
        let name = if fields.isolated() { host.name.get_ref().clone() } else { key.to_string() };
        // If the file has a group "default", that group defines the default.
        let is_default = !fields.isolated() && key == PolicyKey::default();
        let default_is_named = self.found.iter().take(self.named).any(|(name, _)| name == DEFAULT);
        let known = !fields.isolated() && self.made.contains(&key);
        if known || is_default && default_is_named {
            return (name, own);
        }
        if self.found.iter().any(|(known, _)| *known == name) {
            let message = format!("the group of this host would be {name:?}, which is taken");
            notes.faults.add(host.name.span(), message);
            return (name, own);
        }
        self.add(name.clone(), &fields, PartPlaces::new(host.name.span()), places, notes);
        if !fields.isolated() {
            self.made.push(key);
        }
        (name, own)
    }

    fn add(
        &mut self,
        name: String,
        fields: &PolicyFields,
        mut place: PartPlaces,
        places: &mut Places<'_>,
        notes: &mut Notes,
    ) {
        for (field, at) in fields.places() {
            place.add(builder_field(field), Some(at));
        }
        for (field, list) in [("client_ca", &fields.client_ca), ("client_crl", &fields.client_crl)]
        {
            let files = list.as_ref().map(|list| list.get_ref().files(list.span()));
            for (path, at) in files.into_iter().flatten() {
                let path = self.folder.join(path).display().to_string();
                place.add_item(builder_field(field), path, at);
            }
        }
        let listeners = fields.listeners.as_ref().map(Spanned::get_ref);
        for listener in listeners.into_iter().flatten() {
            place.add_item("listeners", listener.get_ref().clone(), listener.span());
        }
        places.add_group(name.clone(), place);
        let settings = settings(fields, self.profile, self.folder, &mut notes.faults);
        self.found.push((name, settings));
    }
}

/// Returns the name that the builder of the site has for a field of a group.
fn builder_field(field: &'static str) -> &'static str {
    match field {
        "client_ca" => "client_ca_files",
        "client_crl" => "revocation_list_files",
        same => same,
    }
}

fn settings(
    fields: &PolicyFields,
    profile: Option<Profile>,
    folder: &Path,
    faults: &mut Faults,
) -> GroupSettings {
    let mut settings = tls_policy::read(fields, folder, faults);
    if let Some(listeners) = &fields.listeners {
        settings =
            settings.listeners(listeners.get_ref().iter().map(|name| name.get_ref().clone()));
    }
    if let Some(coalesce) = &fields.coalesce {
        settings = settings.coalesce((*coalesce.get_ref()).into());
    }
    if fields.observed() {
        settings = settings.observed();
    }
    if fields.isolated() {
        settings = settings.isolated();
    }
    settings.unknown_authority(match fields.unknown_authority.as_ref().map(Spanned::get_ref) {
        None if profile == Some(Profile::GatewayApi) => UnknownAuthority::HandToApplication,
        None | Some(Unknown::Misdirected) => UnknownAuthority::Misdirected,
        Some(Unknown::NotFound) => UnknownAuthority::HandToApplication,
    })
}
