//! Whose a name is: numbers as the list has them, or virtual hosts of a configuration.

use std::collections::HashMap;
use std::path::Path;

use coalesce_core::{
    AuthorityTableBuilder, BuildError, CoalescePolicy, Duplicate, Entry, GroupId, GroupPolicy,
    NamePattern, VirtualHostId,
};
use coalesce_site::{Coverage, ServedHost, SiteGroup};

use crate::compile::list::{Field, LineFault, ListLine};
use crate::config::{Site, VirtualHost, not_covered};

/// What the lines of a list may say.
#[derive(Debug)]
pub(super) enum Owners<'a> {
    /// Numbers, which mean something to whoever reads the table. Every group has the default
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

/// A line that was understood.
#[derive(Debug)]
pub(super) struct ListEntry<'a> {
    pub(super) pattern: NamePattern<'a>,
    pub(super) owner: Owner,
    pub(super) policy: GroupPolicy,
    /// Its own strictness, if it has one.
    pub(super) coalesce: Option<CoalescePolicy>,
    /// Whether it stands for more names than its certificate can cover.
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

    /// Adds what the configuration itself has: every group, and the names of its virtual hosts, so
    /// that the table is all that is served. Gives the number of entries.
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
                // A site that loads has no other names.
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

    /// What a line stands for, or what is wrong with it.
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

    /// The owner in words.
    pub(super) fn text(&self, owner: Owner) -> String {
        match self {
            Self::Numbers => format!("virtual host {}, group {}", owner.virtual_host, owner.group),
            Self::Configured { site, .. } => {
                let host = site.host(owner.virtual_host);
                format!("of virtual_host {:?}", host.map_or("", ServedHost::name))
            }
        }
    }

    /// What is wrong with an entry of the list that has the pattern of one in the configuration.
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

/// Where the list has an entry, and what it says of it.
pub(super) struct Entered {
    pub(super) line: u64,
    pub(super) column: usize,
    /// As it was written, quoted.
    pub(super) pattern: String,
    /// In words.
    pub(super) owner: String,
}

impl Entered {
    /// What is wrong with this entry after `earlier`, which has the same pattern.
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

/// The number in `field`; 0 when there is none.
fn number(field: Option<Field<'_>>, of: &str) -> Result<u32, LineFault> {
    let Some(field) = field else { return Ok(0) };
    let text = std::str::from_utf8(field.text).ok();
    // No sign, which `parse` would take.
    let digits = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|text| text.parse().ok()).ok_or_else(|| {
        field.fault(format_args!(
            "{field} is no {of}; a number from 0 to {} expected, or --config for names",
            u32::MAX
        ))
    })
}
