//! The owner of each name: numbers from the list, or virtual hosts of a configuration.

use std::collections::HashMap;
use std::path::Path;

use coalesce_core::{
    AuthorityTableBuilder, BuildError, CoalescePolicy, Duplicate, Entry, GroupId, GroupPolicy,
    NamePattern, VirtualHostId,
};
use coalesce_site::{Coverage, ServedHost, SiteGroup};

use crate::compile::list::{Field, LineFault, ListLine};
use crate::config::{Site, VirtualHost, not_covered};

/// The kind of owner that the lines of a list may name.
#[derive(Debug)]
pub(super) enum Owners<'a> {
    /// Numbers, whose meaning the program that reads the table knows. Every group has the default
    /// policies.
    Numbers,
    /// Names of virtual hosts.
    Configured {
        site: &'a Site,
        path: &'a Path,
        /// The virtual hosts by their names.
        hosts: HashMap<&'a [u8], (VirtualHostId, &'a ServedHost<VirtualHost>)>,
    },
}

/// A virtual host and its group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub(super) virtual_host: VirtualHostId,
    pub(super) group: GroupId,
}

/// A parsed line.
#[derive(Debug)]
pub(super) struct ListEntry<'a> {
    pub(super) pattern: NamePattern<'a>,
    pub(super) owner: Owner,
    pub(super) policy: GroupPolicy,
    /// The strictness of this entry, if it differs from that of its group.
    pub(super) coalesce: Option<CoalescePolicy>,
    /// True if the entry matches more names than its certificate can cover.
    pub(super) open_ended: bool,
}

impl<'a> Owners<'a> {
    pub(super) fn new(configuration: Option<(&'a Site, &'a Path)>) -> Self {
        let Some((site, path)) = configuration else { return Self::Numbers };
        let hosts = site.hosts().iter().zip(0..);
        let hosts = hosts
            .map(|(host, number)| (host.name().as_bytes(), (VirtualHostId::new(number), host)))
            .collect();
        Self::Configured { site, path, hosts }
    }

    /// Adds every group of the configuration and the names of its virtual hosts, so that the table
    /// has all served names. Returns the number of entries.
    pub(super) fn add_configured(
        &self,
        builder: &mut AuthorityTableBuilder,
    ) -> Result<u32, BuildError> {
        let Self::Configured { site, .. } = self else { return Ok(0) };
        for (group, number) in site.groups().iter().zip(0..) {
            builder.group(GroupId::new(number), group.policy())?;
        }
        let mut added = 0;
        for (host, number) in site.hosts().iter().zip(0..) {
            for name in host.names() {
                // A site that loads has valid names only.
                if let Ok(pattern) = NamePattern::parse(name.as_bytes()) {
                    let mut entry = Entry::new(VirtualHostId::new(number), host.group_id());
                    entry.coalesce = host.coalesce();
                    builder.insert(pattern, entry)?;
                    added += 1;
                }
            }
        }
        Ok(added)
    }

    /// Returns the entry of a line, or the fault of the line.
    pub(super) fn entry<'l>(&self, line: &ListLine<'l>) -> Result<ListEntry<'l>, LineFault> {
        let pattern = line.name_pattern()?;
        match self {
            Self::Numbers => {
                let owner = Owner {
                    virtual_host: VirtualHostId::new(number(line.virtual_host, "virtual host")?),
                    group: GroupId::new(number(line.group, "group")?),
                };
                Ok(ListEntry {
                    pattern,
                    owner,
                    policy: GroupPolicy::default(),
                    coalesce: None,
                    open_ended: false,
                })
            }
            Self::Configured { site, path, hosts } => {
                let Some(named) = line.virtual_host else {
                    let message = format!(
                        "{} has no virtual host; with --config the name of one is expected behind it",
                        line.pattern
                    );
                    return Err(line.pattern.fault(message));
                };
                let Some((virtual_host, host)) = hosts.get(named.text) else {
                    let path = path.display();
                    return Err(named.fault(format_args!("no virtual_host of {path} is {named}")));
                };
                if let Some(stated) = line.group
                    && host.group().as_bytes() != stated.text
                {
                    let message = format!(
                        "{stated} is not the group of virtual_host {named}, which is {:?}",
                        host.group()
                    );
                    return Err(stated.fault(message));
                }
                let text = String::from_utf8_lossy(line.pattern.text);
                let coverage = site.coverage(*virtual_host, &pattern, &text).map_err(|found| {
                    line.pattern.fault(not_covered(&found, &host.certificate, &text))
                })?;
                let policy = site.group(host.group_id()).map(SiteGroup::policy);
                Ok(ListEntry {
                    pattern,
                    owner: Owner { virtual_host: *virtual_host, group: host.group_id() },
                    policy: policy.unwrap_or_default(),
                    coalesce: host.coalesce(),
                    open_ended: coverage == Coverage::OpenEnded,
                })
            }
        }
    }

    /// Returns the owner as text.
    pub(super) fn text(&self, owner: Owner) -> String {
        match self {
            Self::Numbers => format!("virtual host {}, group {}", owner.virtual_host, owner.group),
            Self::Configured { site, .. } => {
                let host = site.host(owner.virtual_host);
                format!("of virtual_host {:?}", host.map_or("", ServedHost::name))
            }
        }
    }

    /// Returns the message for an entry whose pattern is already in the configuration.
    pub(super) fn after_configured(&self, pair: &Duplicate, later: &Entered) -> String {
        let what = if pair.conflicting { "conflict" } else { "duplicate" };
        let start = format!("{what}: {} is ", later.pattern);
        let Self::Configured { site, path, .. } = self else { return start + "there already" };
        let path = path.display();
        let hosts = site.hosts().iter();
        let mut lines = hosts.flat_map(|host| host.lines.iter().map(move |line| (host, line)));
        match lines.nth(pair.earlier as usize) {
            Some((host, line)) => {
                let host = host.name();
                format!("{start}a name of virtual_host {host:?} in {path}:{line} already")
            }
            None => format!("{start}in {path} already"),
        }
    }
}

/// The line of an entry in the list, and its text.
pub(super) struct Entered {
    pub(super) line: u64,
    pub(super) column: usize,
    /// The pattern as written, quoted.
    pub(super) pattern: String,
    /// The owner as text.
    pub(super) owner: String,
}

impl Entered {
    /// Returns the message for this entry after `earlier`, which has the same pattern.
    pub(super) fn after(&self, earlier: &Self, conflicting: bool) -> String {
        let Self { pattern, owner, .. } = self;
        let Self { line, pattern: written, .. } = earlier;
        let written = if written == pattern { String::new() } else { format!("as {written} ") };
        if conflicting {
            let other = &earlier.owner;
            format!(
                "conflict: {pattern} is {owner} here, and {written}in line {line} it is {other}"
            )
        } else {
            format!("duplicate: {pattern} is {written}in line {line} already")
        }
    }
}

/// Parses the number in `field`; 0 without a field.
fn number(field: Option<Field<'_>>, of: &str) -> Result<u32, LineFault> {
    let Some(field) = field else { return Ok(0) };
    let text = std::str::from_utf8(field.text).ok();
    // `parse` would accept a sign.
    let digits = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|text| text.parse().ok()).ok_or_else(|| {
        field.fault(format_args!(
            "{field} is no {of}; a number from 0 to {} expected, or --config for names",
            u32::MAX
        ))
    })
}
