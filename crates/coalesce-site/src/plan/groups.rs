//! Reads the groups of a plan.

use std::collections::BTreeSet;

use coalesce_tls::{HandshakeTableBuilder, HandshakeTableError, TlsPolicy};

use crate::carried::Carried;
use crate::error::{Notes, Subject};
use crate::group::GroupSettings;
use crate::plan::model::{HostDraft, Plan, PlannedListener, SiteGroup, group_id};
use crate::settings::Cryptography;

/// The group of hosts that name no group.
const DEFAULT_GROUP: &str = "default";

/// Reads every group, and the default group if hosts need it. Returns false if a group names an
/// unknown listener.
pub(crate) fn read(
    plan: &mut Plan,
    groups: &[(String, GroupSettings)],
    hosts: &[HostDraft],
    carried: &Carried,
    notes: &mut Notes,
) -> bool {
    let mut whole = true;
    let named = |name: &str| groups.iter().any(|(known, _)| known == name);
    let default = (DEFAULT_GROUP.to_owned(), GroupSettings::new());
    let needed = hosts.iter().any(|host| host.group.as_deref().is_none_or(is_default));
    let default = (needed && !named(DEFAULT_GROUP)).then_some(&default);
    for (number, (name, settings)) in groups.iter().chain(default).enumerate() {
        let subject = Subject::Group(name.clone());
        if groups.iter().take(number).any(|(earlier, _)| earlier == name) {
            notes.error(&subject.field("group"), "a group of this name was added before");
            continue;
        }
        let listeners = on_listeners(&plan.listeners, settings, &subject, notes);
        whole &= listeners.is_some();
        let listeners = listeners.unwrap_or_default();
        let loaded = settings.load(name, &plan.settings.protocols, notes);
        let Some((tls, policy)) = loaded else { continue };
        if !check_tls(&subject, &tls, &plan.cryptography, notes) {
            continue;
        }
        let (name, tls) = (name.clone(), carried.policy(tls));
        let group = SiteGroup { name, also: Vec::new(), tls, policy, listeners };
        match plan.groups.iter_mut().find(|known| known.equals(&group)) {
            Some(known) => known.also.push(group.name),
            None => plan.groups.push(group),
        }
    }
    whole
}

/// Returns the numbers of a group's listeners, if all are known.
fn on_listeners(
    listeners: &[PlannedListener],
    settings: &GroupSettings,
    subject: &Subject,
    notes: &mut Notes,
) -> Option<BTreeSet<usize>> {
    const LISTENERS: &str = "listeners";
    let Some(names) = &settings.listeners else { return Some((0..listeners.len()).collect()) };
    if names.is_empty() {
        notes.error(&subject.field(LISTENERS), "no listener; at least one expected");
    }
    let mut found = Some(BTreeSet::new()).filter(|_| !names.is_empty());
    for name in names {
        let number = listeners.iter().position(|listener| listener.name == *name);
        if number.is_none() {
            let known = listed(listeners.iter().map(|listener| listener.name.as_str()));
            let reason = format!("no listener has the name {name:?}; there is {known}");
            notes.error(&subject.item(LISTENERS, name), reason);
        }
        found = found.zip(number).map(|(mut found, number)| {
            found.insert(number);
            found
        });
    }
    found
}

/// Checks a policy as a handshake table does, so that all faults are found at once.
fn check_tls(
    subject: &Subject,
    tls: &TlsPolicy,
    cryptography: &Cryptography,
    notes: &mut Notes,
) -> bool {
    let mut scratch = HandshakeTableBuilder::new(cryptography.provider.clone());
    let (field, error) = match scratch.group(group_id(0), tls.clone()) {
        // A fault of a protocol name belongs to the site, and has been found before.
        Ok(_) | Err(HandshakeTableError::ProtocolName { .. }) => return true,
        Err(error) => {
            let field = match error {
                HandshakeTableError::Versions { .. } => "maximum_version",
                HandshakeTableError::CipherSuite { .. } => "cipher_suites",
                _ => "group",
            };
            (field, error)
        }
    };
    notes.error(&subject.field(field), error);
    false
}

/// Returns the number of a host's group. Reports no error if the group itself has one.
pub(crate) fn of_host(
    plan: &Plan,
    host: &HostDraft,
    groups: &[(String, GroupSettings)],
    subject: &Subject,
    notes: &mut Notes,
) -> Option<usize> {
    let name = host.group.as_deref().unwrap_or(DEFAULT_GROUP);
    let found = plan.groups.iter().position(|group| group.has_name(name));
    if found.is_none() && !is_default(name) && !groups.iter().any(|(known, _)| known == name) {
        let known = listed(groups.iter().map(|(name, _)| name.as_str()));
        let reason = format!("no group has the name {name:?}; there is {known}");
        notes.error(&subject.field("group"), reason);
    }
    found
}

fn is_default(name: &str) -> bool {
    name == DEFAULT_GROUP
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
