//! From the file to the site: all of it, or every reason why not.

use std::mem::take;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;

use crate::config::carried::Carried;
use crate::config::checks::{find_overlaps, own_connections, own_connections_by_address};
use crate::config::drafts::{
    Certificate, Certificates, Context, GroupDraft, Groups, HostDraft, SiteDraft, address,
    read_hosts, read_listeners,
};
use crate::config::entries::model::Profile;
use crate::config::entries::{ConfigErrors, Entries, Faults, Notes, Source, parse};
use crate::config::site::{ConfiguredName, Group, Listener, Site, VirtualHost, group_id};
use crate::config::tables::{Ports, authority_table, open_compiled};
use crate::table_image::Table;

impl Site {
    /// Loads the configuration file `path`.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigErrors> {
        Self::load_after(path, &Carried::default())
    }

    /// Loads the configuration file `path` for a server that loads more than once.
    ///
    /// Connections and sessions of sites that were loaded with the same `carried` stay valid as far
    /// as their rules have not changed.
    pub(crate) fn load_after(path: &Path, carried: &Carried) -> Result<Self, ConfigErrors> {
        load(path, CompiledTable::Served, carried)
    }

    /// Loads the site of the configuration's own names, whatever `table` it has.
    pub(crate) fn load_without_table(path: &Path) -> Result<Self, ConfigErrors> {
        load(path, CompiledTable::Ignored, &Carried::default())
    }
}

/// How the loader treats the compiled table that a configuration names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CompiledTable {
    /// The table is served; it must fit the configuration.
    Served,
    /// The table is not read, because it is about to be made.
    Ignored,
}

fn load(path: &Path, compiled: CompiledTable, carried: &Carried) -> Result<Site, ConfigErrors> {
    let source = Source::read(path)?;
    let mut entries = parse(&source)?;
    let mut notes = Notes::default();
    let settings = Settings::read(&entries, &mut notes.faults);
    let profile = settings.profile;
    let listeners =
        read_listeners(take(&mut entries.listeners), profile, &source, &mut notes.faults);
    let context = Context { profile, listeners: &listeners, source: &source, carried };
    let mut groups = Groups::read(take(&mut entries.groups), context, &mut notes);
    let mut certificates = Certificates::default();
    let hosts = read_hosts(
        take(&mut entries.virtual_hosts),
        &mut groups,
        &mut certificates,
        context,
        &mut notes,
    );

    let certificates = certificates.read;
    let draft = SiteDraft {
        listeners: &listeners,
        groups: &groups,
        hosts: &hosts,
        certificates: &certificates,
    };
    let named = entries.table.as_ref().filter(|_| compiled == CompiledTable::Served);
    let Built { table, listeners } = build(&draft, named, context, &mut notes)?;
    let overlaps = find_overlaps(&draft, &listeners, &mut notes);

    let groups = groups.drafts.into_iter().map(|draft| {
        let GroupDraft { name, also, policy, tls, .. } = draft;
        Group { name, also, policy, tls }
    });
    let virtual_hosts = hosts.into_iter().filter_map(|host| finished(host, &certificates, &source));
    Ok(Site {
        table,
        listeners,
        admin: settings.admin,
        announces_origins: settings.announces_origins,
        groups: groups.collect(),
        virtual_hosts: virtual_hosts.collect(),
        overlaps,
        warnings: source.lines(notes.warnings),
    })
}

/// What the file says outside of its lists.
struct Settings {
    profile: Option<Profile>,
    admin: Option<SocketAddr>,
    announces_origins: bool,
}

impl Settings {
    fn read(entries: &Entries, faults: &mut Faults) -> Self {
        if entries.listeners.is_empty() {
            faults.add_about_file("no [[listener]]; at least one expected");
        }
        if entries.virtual_hosts.is_empty() {
            faults.add_about_file("no [[virtual_host]]; at least one expected");
        }
        let admin = entries.admin.as_ref().and_then(|admin| {
            let written = &admin.get_ref().address;
            faults.take(written.span(), address(written.get_ref()))
        });
        let announces_origins = entries.announce_origins.as_ref();
        Self {
            profile: entries.profile.as_ref().map(|profile| *profile.get_ref()),
            admin,
            announces_origins: announces_origins.is_none_or(|announces| *announces.get_ref()),
        }
    }
}

/// The tables of a site, each checked against the others.
struct Built {
    table: Arc<Table>,
    listeners: Vec<Listener>,
}

/// Builds and checks the tables of `draft`; `named` is the compiled table to serve.
///
/// A step builds on what the steps before it found whole, so each of them ends the load when there
/// are faults.
fn build(
    draft: &SiteDraft<'_>,
    named: Option<&Spanned<PathBuf>>,
    context: Context<'_>,
    notes: &mut Notes,
) -> Result<Built, ConfigErrors> {
    let Context { source, carried, .. } = context;
    let own_names = authority_table(draft.groups, draft.hosts, &mut notes.faults);
    let defaults = draft.defaults(&mut notes.faults);
    draft.every_listener_has_hosts(&mut notes.faults);
    let own_names = without_faults(own_names, source, notes)?;
    let compiled = match named {
        None => None,
        Some(named) => {
            let opened = open_compiled(named, draft, source, notes);
            Some(without_faults(opened, source, notes)?)
        }
    };

    let ports = Ports { draft, defaults: &defaults, compiled: compiled.as_ref(), carried };
    let listeners = ports.build(&mut notes.faults);
    let listeners = without_faults(Some(listeners), source, notes)?;
    let table = compiled.as_ref().map_or(&own_names, |compiled| compiled.table.as_ref());
    own_connections(table, &listeners, draft, notes);
    if let Some(compiled) = &compiled {
        own_connections_by_address(compiled, &listeners, draft, notes);
    }
    let listeners = without_faults(Some(listeners), source, notes)?;
    let table = compiled.map_or_else(|| Arc::new(own_names), |compiled| compiled.table);
    Ok(Built { table, listeners })
}

/// Returns `found` unless there are faults, which are returned otherwise.
fn without_faults<T>(
    found: Option<T>,
    source: &Source,
    notes: &mut Notes,
) -> Result<T, ConfigErrors> {
    let found = found.filter(|_| notes.faults.is_empty());
    found.ok_or_else(|| source.errors(take(&mut notes.faults)))
}

/// A virtual host without faults has all of its parts, so this leaves none out.
fn finished(host: HostDraft, certificates: &[Certificate], source: &Source) -> Option<VirtualHost> {
    let (group, answer) = host.group.zip(host.answer)?;
    let configured = |name: Spanned<String>| {
        let line = source.line_number(name.span().start);
        ConfiguredName { text: name.into_inner(), line }
    };
    Some(VirtualHost {
        name: host.name.into_inner(),
        names: host.names.into_iter().map(configured).collect(),
        group: group_id(group),
        coalesce: host.coalesce,
        certificate: certificates.get(host.certificate?)?.shown.clone(),
        answer,
    })
}
