//! Reads the hosts of a plan and their certificates.

use std::collections::BTreeMap;

use coalesce_core::{AuthorityTable, AuthorityTableBuilder, BuildError, Entry};

use crate::error::{Notes, SiteErrors, Subject};
use crate::group::GroupSettings;
use crate::identity::Identity;
use crate::names::{Coverage, pattern};
use crate::plan::groups;
use crate::plan::model::{HostDraft, NAME, Plan, PlannedHost, group_id, subject, virtual_host_id};

/// The loaded identities by address, with the number of their certificate. The clone keeps the
/// address from being reused.
type Loaded = BTreeMap<usize, (Identity, Option<usize>)>;

/// Reads every host. Returns false if one of them has no group or no certificate.
pub(crate) fn read(
    plan: &mut Plan,
    groups: &[(String, GroupSettings)],
    hosts: Vec<HostDraft>,
    notes: &mut Notes,
) -> bool {
    let (mut loaded, mut whole) = (Loaded::new(), true);
    for host in hosts {
        let first = host.names.first().cloned().unwrap_or_default();
        let label = host.label.clone().unwrap_or(first);
        let subject = subject(&label);
        let group = groups::of_host(plan, &host, groups, &subject, notes);
        let certificate = certificate(plan, &host.identity, &subject, &mut loaded, notes);
        check_names(plan, &host.names, certificate, &subject, notes);
        let of_group = group.and_then(|number| Some(plan.groups.get(number)?.policy.coalesce));
        let HostDraft { names, coalesce, .. } = host;
        let coalesce = coalesce.filter(|own| Some(*own) != of_group);
        whole &= group.is_some() && certificate.is_some();
        // A missing group or certificate has been reported, so the site is not built.
        let (group, certificate) = (group.unwrap_or(0), certificate.unwrap_or(0));
        plan.hosts.push(PlannedHost { label, names, group, certificate, coalesce });
    }
    whole
}

/// Returns the number of an identity's certificate, and reads it on the first call.
fn certificate(
    plan: &mut Plan,
    identity: &Identity,
    subject: &Subject,
    loaded: &mut Loaded,
    notes: &mut Notes,
) -> Option<usize> {
    if let Some((_, number)) = loaded.get(&identity.address()) {
        return *number;
    }
    let certificate = identity.load(&plan.cryptography.provider, subject, notes);
    let number = certificate.map(|certificate| {
        plan.certificates.push(certificate);
        plan.certificates.len().saturating_sub(1)
    });
    loaded.insert(identity.address(), (identity.clone(), number));
    number
}

/// Checks that each name is valid, and that the certificate covers it: otherwise requests for the
/// name would get a 421 on the very connection that was made for it.
fn check_names(
    plan: &Plan,
    names: &[String],
    certificate: Option<usize>,
    subject: &Subject,
    notes: &mut Notes,
) {
    for name in names {
        let at = subject.item(NAME, name);
        let Some(parsed) = notes.take(&at, pattern(name)) else { continue };
        let Some(certificate) = certificate else { continue };
        match plan.coverage(certificate, &parsed, name) {
            Ok(Coverage::Whole) => {}
            Ok(Coverage::OpenEnded) => {
                let reason = format!(
                    "{name:?} matches more names than a certificate can cover; those that it does \
                     not cover are answered 421 on every connection"
                );
                notes.warning(&at, reason);
            }
            Err(not_covered) => notes.error(&at, not_covered),
        }
    }
}

/// Collects the names of all hosts, and reports those that two hosts have.
pub(crate) fn collect_names(plan: &Plan, notes: &mut Notes) -> Option<AuthorityTableBuilder> {
    let mut builder = AuthorityTable::builder();
    for (number, group) in plan.groups.iter().enumerate() {
        let added = builder.group(group_id(number), group.policy).map(drop);
        notes.take(&Subject::Group(group.name.clone()).field("group"), added)?;
    }
    // By the number of the entry.
    let mut added: Vec<(&PlannedHost, &str)> = Vec::new();
    for (number, host) in plan.hosts.iter().enumerate() {
        for name in &host.names {
            // An invalid pattern has been reported before.
            let Ok(pattern) = pattern(name) else { continue };
            let mut entry = Entry::new(virtual_host_id(number), group_id(host.group));
            if let Some(coalesce) = host.coalesce {
                entry = entry.with_coalesce(coalesce);
            }
            match builder.insert(pattern, entry).map(drop) {
                // The unknown group has its own error.
                Err(BuildError::UnknownGroup { .. }) => {}
                inserted => {
                    notes.take(&subject(&host.label).item(NAME, name), inserted)?;
                    added.push((host, name));
                }
            }
        }
    }
    for duplicate in builder.duplicates() {
        let at = |index: u32| usize::try_from(index).ok().and_then(|index| added.get(index));
        let Some(((earlier, _), (host, name))) = at(duplicate.earlier).zip(at(duplicate.later))
        else {
            continue;
        };
        let reason = format!("{name:?} is a name of {} already", subject(&earlier.label));
        notes.error(&subject(&host.label).item(NAME, name), reason);
    }
    Some(builder)
}

impl Plan {
    /// Exchanges the certificate of the host with this label or name, and of every host that shares
    /// its identity.
    pub(crate) fn with_identity(
        &self,
        name: &str,
        identity: &Identity,
    ) -> Result<Self, SiteErrors> {
        let wanted = subject(name);
        let host = self.host_called(name).and_then(|number| self.hosts.get(number));
        let Some(host) = host else {
            return Err(Notes::only(&wanted.field("host"), "no host has this name"));
        };
        let (mut plan, mut notes) = (self.clone(), Notes::default());
        let loaded = identity.load(&self.cryptography.provider, &wanted, &mut notes);
        let slot = plan.certificates.get_mut(host.certificate);
        if let Some((loaded, slot)) = loaded.zip(slot) {
            *slot = loaded;
            for other in self.hosts.iter().filter(|other| other.certificate == host.certificate) {
                let subject = subject(&other.label);
                check_names(&plan, &other.names, Some(other.certificate), &subject, &mut notes);
                plan.warnings.retain(|warning| *warning.subject() != subject);
            }
        }
        let (mut plan, warnings) = notes.finish(Some(plan))?;
        plan.warnings.extend(warnings);
        Ok(plan)
    }
}
