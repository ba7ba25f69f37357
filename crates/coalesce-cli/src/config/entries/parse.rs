//! From the file's text to its entries.

use std::path::PathBuf;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::config::entries::model::{
    AdminEntry, AnnounceOrigins, GroupEntry, ListenerEntry, Profile, VirtualHostEntry,
};
use crate::config::entries::source::{ConfigErrors, Faults, Source};

/// The entries, each with its place, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub(crate) profile: Option<Spanned<Profile>>,
    pub(crate) table: Option<Spanned<PathBuf>>,
    pub(crate) map_table: Option<Spanned<bool>>,
    pub(crate) announce_origins: Option<Spanned<AnnounceOrigins>>,
    pub(crate) admin: Option<Spanned<AdminEntry>>,
    pub(crate) listeners: Vec<Spanned<ListenerEntry>>,
    pub(crate) groups: Vec<Spanned<GroupEntry>>,
    pub(crate) virtual_hosts: Vec<Spanned<VirtualHostEntry>>,
}

/// Reads every entry by itself, so that a fault in one does not hide those of the others.
pub(crate) fn parse(source: &Source) -> Result<Entries, ConfigErrors> {
    let mut faults = Faults::default();
    let (root, errors) = DeTable::parse_recoverable(source.text());
    for error in &errors {
        add(&mut faults, error);
    }
    if !faults.is_empty() {
        return Err(source.errors(faults));
    }
    let mut entries = Entries::default();
    for (key, value) in root.into_inner() {
        match key.get_ref().as_ref() {
            "profile" => entries.profile = one(value, &mut faults),
            "table" => entries.table = one(value, &mut faults),
            "map_table" => entries.map_table = one(value, &mut faults),
            "announce_origins" => entries.announce_origins = one(value, &mut faults),
            "admin" => entries.admin = one(value, &mut faults),
            "listener" => entries.listeners = list(value, &mut faults),
            "group" => entries.groups = list(value, &mut faults),
            "virtual_host" => entries.virtual_hosts = list(value, &mut faults),
            _ => faults.add(
                key.span(),
                "unknown field, expected profile, table, map_table, announce_origins, [admin], \
                 [[listener]], [[group]] or [[virtual_host]]",
            ),
        }
    }
    if faults.is_empty() { Ok(entries) } else { Err(source.errors(faults)) }
}

fn list<T: DeserializeOwned>(value: Spanned<DeValue<'_>>, faults: &mut Faults) -> Vec<Spanned<T>> {
    let span = value.span();
    let DeValue::Array(values) = value.into_inner() else {
        faults.add(span, "expected a list of tables, each begun by a header in double brackets");
        return Vec::new();
    };
    let mut entries = Vec::with_capacity(values.len());
    entries.extend(values.into_iter().filter_map(|value| one(value, faults)));
    entries
}

fn one<T: DeserializeOwned>(
    value: Spanned<DeValue<'_>>,
    faults: &mut Faults,
) -> Option<Spanned<T>> {
    let span = value.span();
    match T::deserialize(ValueDeserializer::from(value)) {
        Ok(entry) => return Some(Spanned::new(span, entry)),
        Err(error) if error.span().is_none() => faults.add(span, error.message()),
        Err(error) => add(faults, &error),
    }
    None
}

fn add(faults: &mut Faults, error: &toml::de::Error) {
    match error.span() {
        Some(span) => faults.add(span, error.message()),
        None => faults.add_about_file(error.message()),
    }
}
