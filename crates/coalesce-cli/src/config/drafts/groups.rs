//! Coalescing groups: those that the file names, and those that virtual hosts make by their fields.
//! Groups that are equal are one, unless one of them is isolated.

use std::collections::BTreeSet;
use std::sync::Arc;

use coalesce_core::{CoalescePolicy, Enforcement, GroupPolicy, UnknownAuthority};
use coalesce_tls::TlsPolicy;
use toml::Spanned;

use crate::config::drafts::listeners::{Context, ListenerDraft};
use crate::config::drafts::tls_policy;
use crate::config::entries::model::{
    DEFAULT, GroupEntry, PolicyFields, PolicyKey, Profile, Unknown, VirtualHostEntry,
};
use crate::config::entries::{Faults, Notes};

/// A group on its way into the site.
#[derive(Debug)]
pub(crate) struct GroupDraft {
    pub(crate) name: String,
    /// The names of the groups that turned out to be this one.
    pub(crate) also: Vec<String>,
    pub(crate) policy: GroupPolicy,
    pub(crate) tls: Arc<TlsPolicy>,
    /// The listeners it is on, by number.
    pub(crate) listeners: BTreeSet<usize>,
    /// What virtual hosts wrote that came to it.
    made_by: Vec<PolicyKey>,
}

impl GroupDraft {
    /// Whether one connection may be in both. What keeps an isolated group apart is in its policy.
    fn equals(&self, other: &Self) -> bool {
        // All listeners are the same ones, written out or not.
        let mut tls = TlsPolicy::clone(&self.tls);
        tls.listeners.clone_from(&other.tls.listeners);
        self.policy == other.policy && self.listeners == other.listeners && tls == *other.tls
    }

    fn has_name(&self, name: &str) -> bool {
        self.name == name || self.also.iter().any(|also| also == name)
    }
}

/// The groups, by their number.
#[derive(Debug)]
pub(crate) struct Groups<'a> {
    pub(crate) drafts: Vec<GroupDraft>,
    context: Context<'a>,
}

impl<'a> Groups<'a> {
    /// Reads every `[[group]]`.
    pub(crate) fn read(
        entries: Vec<Spanned<GroupEntry>>,
        context: Context<'a>,
        notes: &mut Notes,
    ) -> Self {
        let mut groups = Self { drafts: Vec::with_capacity(entries.len()), context };
        let mut places: Vec<(String, usize)> = Vec::with_capacity(entries.len());
        for entry in entries {
            let mut entry = entry.into_inner();
            let name = entry.name.get_ref().clone();
            if let Some((_, first)) = places.iter().find(|(known, _)| *known == name) {
                let line = context.source.line_number(*first);
                let message = format!("already the name of the one in line {line}");
                notes.faults.add(entry.name.span(), message);
            }
            places.push((name.clone(), entry.name.span().start));
            let fields = entry.take_policy();
            let isolation = fields.isolated().then(|| name.clone());
            let draft = groups.draft(name, &fields, isolation, notes);
            groups.add(draft);
        }
        groups
    }

    /// The group of a virtual host, by its number, and how strict its names are if the group says
    /// otherwise.
    pub(crate) fn of_host(
        &mut self,
        host: &mut VirtualHostEntry,
        notes: &mut Notes,
    ) -> Option<(usize, Option<CoalescePolicy>)> {
        let mut fields = host.take_policy();
        // How strict its names are is for a virtual host to say, whatever group it is in.
        let own = fields.coalesce.take().map(|written| written.into_inner().into());
        let group = self.group_of_host(host, &fields, notes)?;
        let of_group = self.drafts.get(group).map(|draft| draft.policy.coalesce);
        Some((group, own.filter(|own| Some(*own) != of_group)))
    }

    fn group_of_host(
        &mut self,
        host: &VirtualHostEntry,
        fields: &PolicyFields,
        notes: &mut Notes,
    ) -> Option<usize> {
        if let Some(name) = &host.group {
            if let Some((field, at)) = fields.first() {
                let message = "not allowed beside group; the group has it for all its hosts";
                notes.faults.add(at, format!("{field} is {message}"));
            }
            let found = self.named(name.get_ref());
            if found.is_none() {
                let known: Vec<String> =
                    self.drafts.iter().map(|draft| format!("{:?}", draft.name)).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let message =
                    format!("no [[group]] has the name {:?}; there is {known}", name.get_ref());
                notes.faults.add(name.span(), message);
            }
            return found;
        }
        if fields.isolated() {
            let own = host.name.get_ref();
            let draft = self.draft(own.clone(), fields, Some(own.clone()), notes);
            return self.add_made(draft, host, notes);
        }
        let key = fields.key();
        let made = self.drafts.iter().position(|draft| draft.made_by.contains(&key));
        // A file that has a group "default" says what the default is.
        let default = || self.named(DEFAULT).filter(|_| key == PolicyKey::default());
        if let Some(known) = made.or_else(default) {
            return Some(known);
        }
        let draft = self.draft(key.to_string(), fields, None, notes);
        let number = self.add_made(draft, host, notes)?;
        if let Some(draft) = self.drafts.get_mut(number) {
            draft.made_by.push(key);
        }
        Some(number)
    }

    fn named(&self, name: &str) -> Option<usize> {
        self.drafts.iter().position(|draft| draft.has_name(name))
    }

    /// Adds a group that a virtual host has made, whose name may be taken.
    fn add_made(
        &mut self,
        draft: GroupDraft,
        host: &VirtualHostEntry,
        notes: &mut Notes,
    ) -> Option<usize> {
        let equal = self.drafts.iter().position(|known| known.equals(&draft));
        if equal.is_none() && self.named(&draft.name).is_some() {
            let message =
                format!("the group of this host would be {:?}, which is taken", draft.name);
            notes.faults.add(host.name.span(), message);
            return None;
        }
        Some(self.add(draft))
    }

    /// Adds a group, or finds the one that it is.
    fn add(&mut self, draft: GroupDraft) -> usize {
        if let Some(number) = self.drafts.iter().position(|known| known.equals(&draft)) {
            if let Some(known) = self.drafts.get_mut(number)
                && !known.has_name(&draft.name)
            {
                known.also.push(draft.name);
            }
            return number;
        }
        self.drafts.push(draft);
        self.drafts.len().saturating_sub(1)
    }

    fn draft(
        &self,
        name: String,
        fields: &PolicyFields,
        isolation: Option<String>,
        notes: &mut Notes,
    ) -> GroupDraft {
        let mut tls = tls_policy::read(fields, self.context.source.folder(), notes);
        let listeners = self.listeners_of(fields, &mut notes.faults);
        // A listener that is added must not make other groups of those that are on all of them.
        if fields.listeners.is_some() {
            let on = listeners.iter().filter_map(|number| self.context.listeners.get(*number));
            tls.listeners = on.map(|listener| listener.name.clone()).collect();
        }
        tls.isolation = isolation;
        let policy = policy(fields, &tls, self.context.profile);
        let tls = self.context.carried.policy(tls);
        GroupDraft { name, also: Vec::new(), policy, tls, listeners, made_by: Vec::new() }
    }

    fn listeners_of(&self, fields: &PolicyFields, faults: &mut Faults) -> BTreeSet<usize> {
        let Some(names) = &fields.listeners else {
            return (0..self.context.listeners.len()).collect();
        };
        if names.get_ref().is_empty() {
            faults.add(names.span(), "no listener; at least one expected");
        }
        let mut found = BTreeSet::new();
        for name in names.get_ref() {
            let same = |listener: &ListenerDraft| listener.name == *name.get_ref();
            match self.context.listeners.iter().position(same) {
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

fn policy(fields: &PolicyFields, tls: &TlsPolicy, profile: Option<Profile>) -> GroupPolicy {
    let mut policy = GroupPolicy::default().with_handshake_rules(tls);
    policy.coalesce =
        fields.coalesce.as_ref().map_or(policy.coalesce, |written| (*written.get_ref()).into());
    if fields.observed() {
        policy.enforcement = Enforcement::Observe;
    }
    policy.unknown_authority = match fields.unknown_authority.as_ref().map(Spanned::get_ref) {
        None if profile == Some(Profile::GatewayApi) => UnknownAuthority::HandToApplication,
        None | Some(Unknown::Misdirected) => UnknownAuthority::Misdirected,
        Some(Unknown::NotFound) => UnknownAuthority::HandToApplication,
    };
    policy
}
