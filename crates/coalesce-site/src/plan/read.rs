//! Reads what the builder has collected.

use coalesce_core::AuthorityTableBuilder;

use crate::carried::Carried;
use crate::error::{Notes, SiteErrors, Subject};
use crate::group::GroupSettings;
use crate::plan::model::{HostDraft, Plan};
use crate::plan::{groups, hosts, listeners};
use crate::settings::Settings;

impl Plan {
    /// Reads and checks all parts. Returns the plan with the names of all hosts, or all errors.
    pub(crate) fn read(
        settings: Settings,
        groups: &[(String, GroupSettings)],
        hosts: Vec<HostDraft>,
        carried: &Carried,
    ) -> Result<(Self, AuthorityTableBuilder), SiteErrors> {
        let mut notes = Notes::default();
        settings.check(&mut notes);
        if hosts.is_empty() {
            notes.error(&Subject::Site.field("host"), "none; at least one expected");
        }
        let Some(cryptography) = settings.cryptography() else {
            let reason = "none; the process has no default, and the feature `ring` is off";
            notes.error(&Subject::Site.field("provider"), reason);
            return notes.finish(None).map(|(plan, _)| plan);
        };
        let mut plan = Self {
            settings,
            cryptography,
            listeners: Vec::new(),
            groups: Vec::new(),
            certificates: Vec::new(),
            hosts: Vec::with_capacity(hosts.len()),
            compiled: None,
            warnings: Vec::new(),
        };
        listeners::read(&mut plan, &mut notes);
        let on_listeners = groups::read(&mut plan, groups, &hosts, carried, &mut notes);
        let in_groups = hosts::read(&mut plan, groups, hosts, &mut notes);
        listeners::find_hosts(&mut plan, on_listeners && in_groups, &mut notes);
        let names = hosts::collect_names(&plan, &mut notes);
        let ((mut plan, names), warnings) = notes.finish(Some(plan).zip(names))?;
        plan.warnings = warnings;
        Ok((plan, names))
    }
}
