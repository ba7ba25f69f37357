//! Coalescing groups: those that the file names, and those that virtual hosts make by their fields.

use std::collections::BTreeSet;
use std::sync::Arc;

use coalesce_core::{CoalescePolicy, GroupId, GroupPolicy, UnknownAuthority};
use coalesce_tls::{ClientAuth, GroupTls, TlsVersion};
use rustls::RootCertStore;
use toml::Spanned;

use crate::config::files;
use crate::config::listeners::ListenerDraft;
use crate::config::model::{
    Coalesce, GroupEntry, MinimumVersion, PolicyFields, PolicyKey, Unknown, VirtualHostEntry,
};
use crate::config::source::{Faults, Source};

/// A group on its way into the site.
#[derive(Debug)]
pub(crate) struct GroupDraft {
    pub(crate) name: String,
    pub(crate) policy: GroupPolicy,
    pub(crate) tls: GroupTls,
    pub(crate) client_roots: Option<Arc<RootCertStore>>,
    /// The listeners it is on, by number.
    pub(crate) listeners: BTreeSet<usize>,
    /// What made it, when virtual hosts did.
    made_by: Option<PolicyKey>,
}

/// The groups, by their number.
#[derive(Debug)]
pub(crate) struct Groups<'a> {
    pub(crate) drafts: Vec<GroupDraft>,
    source: &'a Source,
    listeners: &'a [ListenerDraft],
}

/// The group of virtual hosts that name none and have no fields of one.
const DEFAULT: &str = "default";

impl<'a> Groups<'a> {
    /// Reads every `[[group]]`.
    pub(crate) fn read(
        entries: Vec<Spanned<GroupEntry>>,
        listeners: &'a [ListenerDraft],
        source: &'a Source,
        faults: &mut Faults,
    ) -> Self {
        let mut groups = Self { drafts: Vec::with_capacity(entries.len()), source, listeners };
        let mut places = Vec::with_capacity(entries.len());
        for entry in entries {
            let mut entry = entry.into_inner();
            let name = entry.name.get_ref().clone();
            if let Some(first) = groups.drafts.iter().position(|draft| draft.name == name) {
                let line = source.line_number(places.get(first).copied().unwrap_or_default());
                faults
                    .add(entry.name.span(), format!("already the name of the one in line {line}"));
            }
            places.push(entry.name.span().start);
            let fields = entry.take_policy();
            let draft = groups.draft(name, &fields, None, faults);
            groups.drafts.push(draft);
        }
        groups
    }

    /// The group of a virtual host, by its number.
    pub(crate) fn of_host(
        &mut self,
        host: &mut VirtualHostEntry,
        faults: &mut Faults,
    ) -> Option<usize> {
        let fields = host.take_policy();
        if let Some(name) = &host.group {
            if let Some((field, at)) = fields.first() {
                let message = "not allowed beside group; the group has it for all its hosts";
                faults.add(at, format!("{field} is {message}"));
            }
            let found = self.drafts.iter().position(|draft| draft.name == *name.get_ref());
            if found.is_none() {
                let known: Vec<String> =
                    self.drafts.iter().map(|draft| format!("{:?}", draft.name)).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                faults.add(
                    name.span(),
                    format!("no [[group]] has the name {:?}; there is {known}", name.get_ref()),
                );
            }
            return found;
        }
        let key = fields.key();
        let made = self.drafts.iter().position(|draft| draft.made_by.as_ref() == Some(&key));
        if made.is_some() {
            return made;
        }
        let name = key.to_string();
        match self.drafts.iter().position(|draft| draft.name == name) {
            // A file that has a group "default" says what the default is.
            Some(group) if name == DEFAULT => return Some(group),
            Some(_) => {
                let message = format!("the group of this host would be {name:?}, which is taken");
                faults.add(host.name.span(), message);
                return None;
            }
            None => {}
        }
        let draft = self.draft(name, &fields, Some(key), faults);
        self.drafts.push(draft);
        Some(self.drafts.len() - 1)
    }

    fn draft(
        &self,
        name: String,
        fields: &PolicyFields,
        made_by: Option<PolicyKey>,
        faults: &mut Faults,
    ) -> GroupDraft {
        let client_roots = fields.client_ca.as_ref().and_then(|path| {
            let full = self.source.folder().join(path.get_ref());
            faults.take(path.span(), files::client_roots(&full))
        });
        let mut tls = GroupTls::default();
        if let Some(roots) = &client_roots {
            tls.client_auth = ClientAuth::Required(roots.clone());
        }
        tls.minimum_version = match fields.minimum_version.as_ref().map(Spanned::get_ref) {
            None | Some(MinimumVersion::Tls12) => TlsVersion::Tls12,
            Some(MinimumVersion::Tls13) => TlsVersion::Tls13,
        };
        let listeners = self.listeners_of(fields, faults);
        GroupDraft { name, policy: policy(fields), tls, client_roots, listeners, made_by }
    }

    fn listeners_of(&self, fields: &PolicyFields, faults: &mut Faults) -> BTreeSet<usize> {
        let Some(names) = &fields.listeners else { return (0..self.listeners.len()).collect() };
        if names.get_ref().is_empty() {
            faults.add(names.span(), "no listener; at least one expected");
        }
        let mut found = BTreeSet::new();
        for name in names.get_ref() {
            let same = |listener: &ListenerDraft| listener.name == *name.get_ref();
            match self.listeners.iter().position(same) {
                Some(number) => {
                    found.insert(number);
                }
                None => faults
                    .add(name.span(), format!("no [[listener]] has the name {:?}", name.get_ref())),
            }
        }
        found
    }
}

/// A group's number as its id.
pub(crate) fn id(number: usize) -> GroupId {
    // The authority table refuses far fewer groups than a u32 counts.
    GroupId::new(u32::try_from(number).unwrap_or(u32::MAX))
}

fn policy(fields: &PolicyFields) -> GroupPolicy {
    let mut policy = GroupPolicy::default();
    policy.coalesce = match fields.coalesce.as_ref().map(Spanned::get_ref) {
        None | Some(Coalesce::CertificateAndGroup) => CoalescePolicy::CertificateAndGroup,
        Some(Coalesce::StrictServerName) => CoalescePolicy::StrictServerName,
        Some(Coalesce::Never) => CoalescePolicy::Never,
    };
    policy.unknown_authority = match fields.unknown_authority.as_ref().map(Spanned::get_ref) {
        None | Some(Unknown::Misdirected) => UnknownAuthority::Misdirected,
        Some(Unknown::NotFound) => UnknownAuthority::HandToApplication,
    };
    policy
}
