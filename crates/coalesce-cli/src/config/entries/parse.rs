//! Parses the file's text into entries.

use std::borrow::Cow;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::config::entries::model::{
    AdminEntry, AnnounceOrigins, GroupEntry, ListenerEntry, Profile, VirtualHostEntry,
};
use crate::config::entries::plain_words::{plain, unknown_field};
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

/// Defines the reading of a field outside of all entries, and the list of these fields.
macro_rules! root_fields {
    ($($name:literal $read:ident $field:ident,)*) => {
        /// The fields outside of all entries, and the entries.
        pub(crate) const ROOT_FIELDS: &[&str] = &[$($name),*];

        impl Entries {
            fn read(
                &mut self,
                key: &Spanned<Cow<'_, str>>,
                value: Spanned<DeValue<'_>>,
                faults: &mut Faults,
            ) {
                match key.get_ref().as_ref() {
                    $($name => self.$field = $read(value, faults),)*
                    unknown => faults.add(key.span(), unknown_field(unknown, ROOT_FIELDS)),
                }
            }
        }
    };
}

root_fields! {
    "profile" one profile,
    "table" one table,
    "map_table" one map_table,
    "announce_origins" one announce_origins,
    "admin" one admin,
    "listener" list listeners,
    "group" list groups,
    "virtual_host" list virtual_hosts,
}

/// Reads every entry separately, so that a fault in one does not hide those of the others.
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
        entries.read(&key, value, &mut faults);
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
        Err(error) if error.span().is_none() => faults.add(span, plain(error.message())),
        Err(error) => add(faults, &error),
    }
    None
}

fn add(faults: &mut Faults, error: &toml::de::Error) {
    match error.span() {
        Some(span) => faults.add(span, plain(error.message())),
        None => faults.add_about_file(error.message()),
    }
}
