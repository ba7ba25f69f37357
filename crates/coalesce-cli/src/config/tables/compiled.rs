//! A compiled table beside the configuration: the same virtual hosts, the same groups, or nothing.
//!
//! A table knows virtual hosts and groups by their numbers only, so that it would serve anything
//! under any configuration. What binds it to this one: every virtual host has a name in the file,
//! which must stand for the same virtual host in the table; every entry must be in the group of its
//! virtual host and as strict; the groups must be the same, with the same policies. So a virtual
//! host that was moved, put in between or taken away since the table was compiled is found here,
//! not by a client.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use coalesce_core::{NamePattern, TableEntry};
use toml::Spanned;

use crate::config::certificate::Coverage;
use crate::config::drafts::{HostDraft, SiteDraft};
use crate::config::entries::{Faults, Notes, Source};
use crate::config::site::group_id;
use crate::table_image::{self, Table};

/// How many faults of one kind a compiled table is told of; the rest are counted.
const SHOWN_MAX: usize = 20;

/// The names of a compiled table that fits the configuration.
#[derive(Debug)]
pub(crate) struct CompiledNames {
    pub(crate) table: Arc<Table>,
    /// Where the configuration names it.
    pub(crate) at: Range<usize>,
}

/// Opens the table that `named` names, and checks that it fits; what does not is noted.
pub(crate) fn open(
    named: &Spanned<PathBuf>,
    draft: &SiteDraft<'_>,
    source: &Source,
    notes: &mut Notes,
) -> Option<CompiledNames> {
    let at = named.span();
    let path = source.folder().join(named.get_ref());
    let table = notes.faults.take(at.clone(), table_image::open(&path))?;
    let mut fit =
        Fit { draft, path: path.display().to_string(), misfits: Several::default(), open_ended: 0 };
    fit.groups(&table);
    fit.own_names(&table, &mut notes.faults);
    let listed = table.entries().inspect(|entry| fit.entry(entry)).count();
    if listed != table.len() {
        let len = table.len();
        fit.misfits.add(|| format!("{listed} of its {len} entries can be listed"));
    }
    fit.finish(&at, notes);
    Some(CompiledNames { table: Arc::new(table), at })
}

/// The comparison of a table with a configuration.
struct Fit<'a> {
    draft: &'a SiteDraft<'a>,
    path: String,
    misfits: Several,
    /// Entries that stand for more names than a certificate can cover.
    open_ended: usize,
}

impl Fit<'_> {
    fn groups(&mut self, table: &Table) {
        let here = &self.draft.groups.drafts;
        for (id, policy) in table.groups() {
            match here.get(id.get() as usize) {
                None => self.misfits.add(|| {
                    format!("it has group {id}, and there are {} here, counted from 0", here.len())
                }),
                Some(group) if group.policy != policy => self
                    .misfits
                    .add(|| format!("group {id} has other policies than {:?} here", group.name)),
                Some(_) => {}
            }
        }
        for (number, group) in here.iter().enumerate() {
            if table.group_policy(group_id(number)).is_none() {
                self.misfits.add(|| format!("it has no group {number}, {:?} here", group.name));
            }
        }
    }

    /// Every name of the configuration is the same virtual host's in the table.
    fn own_names(&mut self, table: &Table, faults: &mut Faults) {
        for (number, host) in self.draft.hosts.iter().enumerate() {
            for name in &host.names {
                let text = name.get_ref();
                let Ok(pattern) = NamePattern::parse(text.as_bytes()) else { continue };
                let path = &self.path;
                match table.get(&pattern).map(|entry| entry.virtual_host.get() as usize) {
                    Some(found) if found == number => {}
                    None => {
                        let message = format!("{text:?} is not in {path}; {COMPILE_AGAIN}");
                        faults.add(name.span(), message);
                    }
                    Some(found) => {
                        let host = self.draft.hosts.get(found).map(|host| host.name.get_ref());
                        let host = host.map(|host| format!(", {host:?}")).unwrap_or_default();
                        let message = format!(
                            "{text:?} is of virtual host {found}{host} in {path}; {COMPILE_AGAIN}"
                        );
                        faults.add(name.span(), message);
                    }
                }
            }
        }
    }

    fn entry(&mut self, entry: &TableEntry<'_>) {
        let name = &entry.pattern;
        let number = entry.virtual_host.get() as usize;
        let hosts = &self.draft.hosts;
        let Some(host) = hosts.get(number) else {
            return self.misfits.add(|| {
                let hosts = hosts.len();
                format!(
                    "\"{name}\" is of virtual host {number}, and there are {hosts} here, counted \
                     from 0"
                )
            });
        };
        if host.group.map(group_id) != Some(entry.group) {
            return self.misfits.add(|| other_group(self.draft, host, entry));
        }
        if host.coalesce != entry.coalesce {
            return self.misfits.add(|| {
                let host = host.name.get_ref();
                format!("\"{name}\" has another coalesce than its virtual host {host:?} here")
            });
        }
        let shown = host.certificate.and_then(|number| self.draft.certificates.get(number));
        // A table that was opened has patterns only, and a virtual host without faults has a
        // certificate.
        let Some((pattern, certificate)) = name.as_pattern().zip(shown) else {
            return self.misfits.add(|| format!("\"{name}\" cannot be checked"));
        };
        match certificate.shown.covers(&pattern, name) {
            Ok(Coverage::Whole) => {}
            // Those of the configuration have their warnings where they stand.
            Ok(Coverage::OpenEnded) if self.draft.has_name(number, &pattern) => {}
            Ok(Coverage::OpenEnded) => self.open_ended += 1,
            Err(not_covered) => self.misfits.add(|| not_covered),
        }
    }

    /// Moves what was found into the notes.
    fn finish(mut self, at: &Range<usize>, notes: &mut Notes) {
        let path = &self.path;
        self.misfits.each(|message| format!("{path} does not fit: {message}; {COMPILE_AGAIN}"));
        self.misfits.move_to(&mut notes.faults, at);
        if self.open_ended > 0 {
            notes.warnings.add(
                at.clone(),
                format!(
                    "{} of its names stand for more names than a certificate can cover; those that \
                     it does not cover are answered 421 on every connection",
                    self.open_ended
                ),
            );
        }
    }
}

/// What to do about a table of another configuration.
const COMPILE_AGAIN: &str = "compile the table again, with --config";

fn other_group(draft: &SiteDraft<'_>, host: &HostDraft, entry: &TableEntry<'_>) -> String {
    let expected = host.group.and_then(|group| Some((group, draft.groups.drafts.get(group)?)));
    let expected = expected.map(|(number, group)| format!("{number}, {:?}", group.name));
    format!(
        "\"{}\" is in group {}, and its virtual host {:?} is in group {} here",
        entry.pattern,
        entry.group,
        host.name.get_ref(),
        expected.unwrap_or_default()
    )
}

/// Messages of which there may be as many as a table has entries: the first few, and how many more.
#[derive(Debug, Default)]
pub(crate) struct Several {
    shown: Vec<String>,
    more: usize,
}

impl Several {
    pub(crate) fn add(&mut self, message: impl FnOnce() -> String) {
        if self.shown.len() < SHOWN_MAX {
            self.shown.push(message());
        } else {
            self.more += 1;
        }
    }

    fn each(&mut self, change: impl Fn(&str) -> String) {
        for message in &mut self.shown {
            *message = change(message);
        }
    }

    pub(crate) fn move_to(self, faults: &mut Faults, at: &Range<usize>) {
        for message in self.shown {
            faults.add(at.clone(), message);
        }
        if self.more > 0 {
            faults.add(at.clone(), format!("and {} more like these", self.more));
        }
    }
}
