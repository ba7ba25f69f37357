//! Compiled tables: a table must have the names of the site's hosts in the same groups, or the
//! build fails.
//!
//! A table knows hosts and groups by number only, so it could serve any names with any hosts. These
//! checks bind it to the site: each name of a host in the builder must belong to the same host in
//! the table; each entry must be in the group of its host, as strict as the host, and covered by
//! the host's certificate; the groups must be equal, with equal policies. So the build, not a
//! client, detects a host that was moved, added or removed since the table was compiled.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use coalesce_core::{AuthorityTable, TableEntry};

use crate::error::{Notes, Several, SiteErrors, SiteWarning, Subject};
use crate::names::{Coverage, pattern};
use crate::plan::{CompiledTable, NAME, Plan, PlannedHost, group_id, subject};

/// A compiled table that was made for other hosts or groups than the site has.
///
/// # Examples
/// ```
/// use coalesce_site::{SiteErrors, TableMismatch};
///
/// /// True if the site was refused because its compiled table was made for another.
/// fn is_of_another_site(errors: &SiteErrors) -> bool {
///     errors.iter().any(|error| error.reason().is::<TableMismatch>())
/// }
/// ```
#[derive(Debug)]
pub struct TableMismatch {
    found: String,
}

impl TableMismatch {
    fn new(found: impl fmt::Display) -> Self {
        Self { found: found.to_string() }
    }
}

impl fmt::Display for TableMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; compile the table again", self.found)
    }
}

impl Error for TableMismatch {}

/// The field name for the entries of a compiled table.
pub(crate) const ENTRIES: &str = "entries";

impl Plan {
    /// Opens the compiled table of the builder, if there is one, and checks it against this plan.
    /// Checks an open table again, because a certificate may have changed.
    pub(crate) fn open_compiled(mut self) -> Result<Self, SiteErrors> {
        let mut notes = Notes::default();
        let opened = match (self.settings.compiled.take(), self.compiled.take()) {
            (None, None) => return Ok(self),
            (None, Some(compiled)) => Some(compiled),
            (Some((label, bytes)), _) => {
                let at = Subject::CompiledTable(label.clone());
                let table = notes.take(&at.field("bytes"), AuthorityTable::from_bytes(bytes));
                table.map(|table| CompiledTable { label, table: Arc::new(table) })
            }
        };
        if let Some(compiled) = &opened {
            self.check_compiled(&compiled.label, &compiled.table, &mut notes);
        }
        let (compiled, warnings) = notes.finish(opened)?;
        let of_table =
            |warning: &SiteWarning| matches!(warning.subject(), Subject::CompiledTable(_));
        self.warnings.retain(|warning| !of_table(warning));
        self.warnings.extend(warnings);
        self.compiled = Some(compiled);
        Ok(self)
    }

    fn check_compiled(&self, label: &str, table: &AuthorityTable<Bytes>, notes: &mut Notes) {
        let mut fit = Fit { plan: self, label, found: Several::default(), open_ended: 0 };
        fit.groups(table);
        fit.own_names(table, notes);
        let listed = table.entries().inspect(|entry| fit.entry(entry)).count();
        if listed != table.len() {
            let len = table.len();
            fit.misfit(|| format!("{listed} of its {len} entries can be listed"));
        }
        let subject = Subject::CompiledTable(label.to_owned());
        let at = subject.field(ENTRIES);
        fit.found.each(|reason| notes.error(&at, reason));
        if fit.open_ended > 0 {
            let count = fit.open_ended;
            let reason = format!(
                "{count} of its names match more names than a certificate can cover; those that it \
                 does not cover are answered 421 on every connection"
            );
            notes.warning(&at, reason);
        }
    }
}

/// The comparison of a table with a plan.
struct Fit<'a> {
    plan: &'a Plan,
    label: &'a str,
    found: Several,
    /// Entries that match more names than a certificate can cover.
    open_ended: usize,
}

impl Fit<'_> {
    fn misfit<M: fmt::Display>(&mut self, found: impl FnOnce() -> M) {
        self.found.add(|| TableMismatch::new(format_args!("does not fit: {}", found())));
    }

    fn groups(&mut self, table: &AuthorityTable<Bytes>) {
        let here = &self.plan.groups;
        for (id, policy) in table.groups() {
            match usize::try_from(id.get()).ok().and_then(|number| here.get(number)) {
                None => self.misfit(|| {
                    format!("it has group {id}, and there are {} here, counted from 0", here.len())
                }),
                Some(group) if group.policy != policy => {
                    self.misfit(|| {
                        format!("group {id} has other policies than {:?} here", group.name)
                    });
                }
                Some(_) => {}
            }
        }
        for (number, group) in here.iter().enumerate() {
            if table.group_policy(group_id(number)).is_none() {
                self.misfit(|| format!("it has no group {number}, {:?} here", group.name));
            }
        }
    }

    /// Checks that every name of the builder is the same host's in the table.
    fn own_names(&mut self, table: &AuthorityTable<Bytes>, notes: &mut Notes) {
        for (number, host) in self.plan.hosts.iter().enumerate() {
            for name in &host.names {
                let Ok(pattern) = pattern(name) else { continue };
                let found = table.get(&pattern).map(|entry| entry.virtual_host.get());
                let label = self.label;
                let found = match found {
                    Some(found) if usize::try_from(found).ok() == Some(number) => continue,
                    None => format!("{name:?} is not in {label}"),
                    Some(found) => {
                        let host = usize::try_from(found).ok();
                        let host = host.and_then(|number| self.plan.hosts.get(number));
                        let host = host.map(|host| format!(", {:?}", host.label));
                        let host = host.unwrap_or_default();
                        format!("{name:?} is of virtual host {found}{host} in {label}")
                    }
                };
                let at = subject(&host.label);
                notes.error(&at.item(NAME, name), TableMismatch::new(found));
            }
        }
    }

    fn entry(&mut self, entry: &TableEntry<'_>) {
        let plan = self.plan;
        let (name, number) = (&entry.pattern, entry.virtual_host.get());
        let host = usize::try_from(number).ok().and_then(|number| plan.hosts.get(number));
        let Some(host) = host else {
            let hosts = plan.hosts.len();
            return self.misfit(|| {
                format!(
                    "\"{name}\" is of virtual host {number}, and there are {hosts} here, counted \
                     from 0"
                )
            });
        };
        if group_id(host.group) != entry.group {
            return self.misfit(|| other_group(plan, host, entry));
        }
        if host.coalesce != entry.coalesce {
            return self.misfit(|| {
                let host = &host.label;
                format!("\"{name}\" has another coalesce than its virtual host {host:?} here")
            });
        }
        // An open table has patterns only.
        let Some(pattern) = name.as_pattern() else {
            return self.misfit(|| format!("\"{name}\" cannot be checked"));
        };
        match plan.coverage(host.certificate, &pattern, name) {
            Ok(Coverage::Whole) => {}
            // The builder warns about its own entries.
            Ok(Coverage::OpenEnded) if host.has_name(&pattern) => {}
            Ok(Coverage::OpenEnded) => self.open_ended = self.open_ended.saturating_add(1),
            Err(not_covered) => self.misfit(|| not_covered),
        }
    }
}

fn other_group(plan: &Plan, host: &PlannedHost, entry: &TableEntry<'_>) -> String {
    let group = plan.groups.get(host.group);
    let expected = group.map(|group| format!("{}, {:?}", host.group, group.name));
    format!(
        "\"{}\" is in group {}, and its virtual host {:?} is in group {} here",
        entry.pattern,
        entry.group,
        host.label,
        expected.unwrap_or_default()
    )
}
