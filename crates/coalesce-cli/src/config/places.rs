//! The place of each part of the site in the file, for the messages about faults of the site.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use coalesce_core::NamePattern;
use coalesce_site::{NotCovered, SiteErrors, SiteWarning, Subject, TableMismatch};

use crate::config::entries::{Faults, Source};
use crate::name_hint::with_name_hint;

/// The places of one listener, group or virtual host.
#[derive(Debug)]
pub(crate) struct PartPlaces {
    /// The place of its name, or of its header.
    own: Range<usize>,
    /// The places by the fields of the site's builder.
    fields: Vec<(&'static str, Range<usize>)>,
    /// The place of each value, for fields with several values.
    items: Vec<(&'static str, String, Range<usize>)>,
}

impl PartPlaces {
    pub(crate) const fn new(own: Range<usize>) -> Self {
        Self { own, fields: Vec::new(), items: Vec::new() }
    }

    pub(crate) fn add(&mut self, field: &'static str, at: Option<Range<usize>>) {
        self.fields.extend(at.map(|at| (field, at)));
    }

    pub(crate) fn add_item(&mut self, field: &'static str, item: String, at: Range<usize>) {
        self.items.push((field, item, at));
    }

    fn of(&self, field: &str, item: Option<&str>) -> Range<usize> {
        let items = self.items.iter();
        let mut items = items.filter(|(of, text, _)| *of == field && Some(text.as_str()) == item);
        let in_field = || self.fields.iter().find(|(of, _)| *of == field).map(|(_, at)| at);
        // If a value occurs twice, report the last one.
        let found = items.next_back().map(|(.., at)| at).or_else(in_field);
        found.unwrap_or(&self.own).clone()
    }
}

/// The places of all parts, by their names.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    source: &'a Source,
    table: Option<Range<usize>>,
    listeners: HashMap<String, PartPlaces>,
    groups: HashMap<String, PartPlaces>,
    hosts: HashMap<String, (PartPlaces, PathBuf)>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(source: &'a Source, table: Option<Range<usize>>) -> Self {
        let (listeners, groups, hosts) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { source, table, listeners, groups, hosts }
    }

    pub(crate) fn add_listener(&mut self, name: String, places: PartPlaces) {
        self.listeners.insert(name, places);
    }

    pub(crate) fn add_group(&mut self, name: String, places: PartPlaces) {
        self.groups.insert(name, places);
    }

    pub(crate) fn add_host(&mut self, name: String, places: PartPlaces, certificate: PathBuf) {
        self.hosts.insert(name, (places, certificate));
    }

    /// Returns the line of the listener with this name.
    pub(crate) fn listener_line(&self, name: &str) -> Option<usize> {
        self.listeners.get(name).map(|places| self.line(places))
    }

    /// Returns the line of the group with this name.
    pub(crate) fn group_line(&self, name: &str) -> Option<usize> {
        self.groups.get(name).map(|places| self.line(places))
    }

    /// Returns the line of the virtual host with this name.
    pub(crate) fn host_line(&self, name: &str) -> Option<usize> {
        self.hosts.get(name).map(|(places, _)| self.line(places))
    }

    fn line(&self, places: &PartPlaces) -> usize {
        self.source.line_number(places.own.start)
    }

    /// Adds the errors of the site to the faults of the file.
    pub(crate) fn add_errors(&self, errors: &SiteErrors, faults: &mut Faults) {
        for error in errors {
            let finding = Finding {
                subject: error.subject(),
                field: error.field(),
                item: error.item(),
                reason: error.reason(),
            };
            self.add(&finding, faults);
        }
    }

    /// Adds the warnings of the site to those of the file.
    pub(crate) fn add_warnings(&self, warnings: &[SiteWarning], found: &mut Faults) {
        for warning in warnings {
            let finding = Finding {
                subject: warning.subject(),
                field: warning.field(),
                item: warning.item(),
                reason: warning.reason(),
            };
            self.add(&finding, found);
        }
    }

    fn add(&self, finding: &Finding<'_>, faults: &mut Faults) {
        let Finding { subject, field, item, reason } = *finding;
        let mut message = reason.to_string();
        if reason.downcast_ref::<TableMismatch>().is_some() {
            message.push_str(", with --config");
        }
        let at = match subject {
            Subject::Listener(name) => self.listeners.get(name).map(|it| it.of(field, item)),
            Subject::Group(name) => self.groups.get(name).map(|it| it.of(field, item)),
            Subject::Host(name) => self.hosts.get(name).map(|(places, certificate)| {
                if field == "name" {
                    message = with_name_hint(&message, item.unwrap_or_default());
                }
                if let Some(uncovered) = reason.downcast_ref::<NotCovered>() {
                    message = not_covered(uncovered, certificate, item.unwrap_or_default());
                }
                places.of(field, item)
            }),
            Subject::CompiledTable(label) => {
                if reason.downcast_ref::<TableMismatch>().is_some() {
                    message = format!("{label} {message}");
                } else if field == "bytes" {
                    message = format!("{label}: {message}");
                }
                self.table.clone()
            }
            _ => None,
        };
        match at {
            Some(at) => faults.add(at, message),
            None => faults.add_about_file(format_args!("{field}: {message}")),
        }
    }
}

#[derive(Clone, Copy)]
struct Finding<'a> {
    subject: &'a Subject,
    field: &'a str,
    item: Option<&'a str>,
    reason: &'a (dyn std::error::Error + Send + Sync + 'static),
}

/// Returns the message about a name that the certificate in this file does not cover, and the
/// command that says more.
pub(crate) fn not_covered(found: &NotCovered, certificate: &Path, name: &str) -> String {
    let example = match NamePattern::parse(name.as_bytes()) {
        Ok(NamePattern::OneLabel(parent)) => format!("x.{parent}"),
        Ok(pattern) => pattern.to_string(),
        Err(_) => name.to_owned(),
    };
    let path = certificate.display();
    format!("{found} (see: coalesce match --certificate {path} {example})")
}
