//! Loads the site from the file: all of it, or all reasons why not.

use std::mem::take;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use coalesce_site::{OriginPolicy, SiteBuilder};

use crate::config::drafts::{Context, Groups, read_admin, read_hosts, read_listeners};
use crate::config::entries::{ConfigErrors, Entries, Faults, Notes, Source, parse};
use crate::config::places::Places;
use crate::config::site::{Configuration, VirtualHost, crypto_provider};
use crate::table_image::{self, Storage};

/// Settings of the command line that replace those of the file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Overrides {
    /// The address of the one listener.
    pub(crate) listen: Option<SocketAddr>,
    /// True if no connection announces its origin set.
    pub(crate) no_origins: bool,
    /// True if the compiled table is not read, because the command is about to make it.
    pub(crate) no_table: bool,
}

impl Configuration {
    /// Loads the configuration file `path`.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigErrors> {
        Self::load_with(path, Overrides::default(), None)
    }

    /// Loads the configuration file `path`, for the first time or after `earlier`.
    ///
    /// Connections and sessions of earlier sites stay valid as far as their rules have not changed.
    pub(crate) fn load_with(
        path: &Path,
        overrides: Overrides,
        earlier: Option<&coalesce_site::Site<VirtualHost>>,
    ) -> Result<Self, ConfigErrors> {
        let source = Source::read(path)?;
        let mut entries = parse(&source)?;
        let mut notes = Notes::default();
        let table = entries.table.as_ref().map(toml::Spanned::span);
        let mut places = Places::new(&source, table);
        let admin = entries.admin.take().map(|entry| read_admin(entry, &mut notes.faults));
        let admin = admin.unwrap_or_default();
        if entries.listeners.is_empty() {
            notes.faults.add_about_file("no [[listener]]; at least one expected");
        }
        if entries.virtual_hosts.is_empty() {
            notes.faults.add_about_file("no [[virtual_host]]; at least one expected");
            return Err(source.errors(notes.faults));
        }
        let builder = read(&mut entries, overrides, &source, &mut places, &mut notes);
        if !notes.faults.is_empty() {
            // Report the faults of the site as a whole only if all parts are valid.
            if let Err(errors) = builder.check() {
                places.add_errors(&errors, &mut notes.faults);
            }
            return Err(source.errors(notes.faults));
        }
        let built = match earlier {
            None => builder.build().map(|handle| (handle.snapshot(), handle)),
            Some(handle) => handle.prepare(builder).map(|site| (site, handle.clone())),
        };
        let (site, handle) = built.map_err(|errors| {
            places.add_errors(&errors, &mut notes.faults);
            source.errors(take(&mut notes.faults))
        })?;
        places.add_warnings(site.warnings(), &mut notes.warnings);
        Ok(Self { site, handle, admin, warnings: source.findings(notes.warnings) })
    }
}

/// Reads every entry into the builder of the site.
fn read(
    entries: &mut Entries,
    overrides: Overrides,
    source: &Source,
    places: &mut Places<'_>,
    notes: &mut Notes,
) -> SiteBuilder<VirtualHost> {
    let Overrides { listen, no_origins, no_table } = overrides;
    let announces = entries.announce_origins.as_ref().map(|announces| announces.get_ref().0);
    let announces = if no_origins { OriginPolicy::Never } else { announces.unwrap_or_default() };
    let mut builder = coalesce_site::Site::builder()
        .provider(crypto_provider())
        .ticketer(Arc::new(rustls::crypto::ring::Ticketer::new))
        .protocols(["h2"])
        .announce_origins(announces)
        .log_warnings(false);
    let profile = entries.profile.as_ref().map(|profile| *profile.get_ref());
    let listeners = take(&mut entries.listeners);
    for (name, settings) in read_listeners(listeners, profile, listen, places, &mut notes.faults) {
        builder = builder.listener(name, settings);
    }
    let groups = take(&mut entries.groups);
    let mut groups = Groups::read(groups, profile, source.folder(), places, notes);
    let hosts = take(&mut entries.virtual_hosts);
    let hosts = read_hosts(hosts, Context { profile, source }, &mut groups, places, notes);
    for (name, settings) in groups.found {
        builder = builder.group(name, settings);
    }
    if !no_table && let Some((label, bytes)) = compiled_table(entries, source, &mut notes.faults) {
        builder = builder.compiled_table(label, bytes);
    }
    hosts.into_iter().fold(builder, SiteBuilder::add_host)
}

/// Loads the compiled table of the file, if it names one.
fn compiled_table(
    entries: &Entries,
    source: &Source,
    faults: &mut Faults,
) -> Option<(String, Bytes)> {
    let Some(named) = &entries.table else {
        if let Some(map_table) = &entries.map_table {
            faults.add(map_table.span(), "only allowed with table, the file that is mapped");
        }
        return None;
    };
    let path = source.folder().join(named.get_ref());
    let mapped = entries.map_table.as_ref().is_some_and(|mapped| *mapped.get_ref());
    let storage = Storage::mapped_if(mapped);
    let bytes = faults.take(named.span(), table_image::load(&path, storage))?;
    Some((path.display().to_string(), bytes))
}
