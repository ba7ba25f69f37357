//! The authority table of the names that the configuration itself has.

use coalesce_core::{AuthorityTable, BuildError, Entry, NamePattern};
use toml::Spanned;

use crate::config::drafts::{Groups, HostDraft};
use crate::config::entries::Faults;
use crate::config::site::{group_id, virtual_host_id};
use crate::table_image::{self, Table};

/// The table of the configuration's own names.
pub(crate) fn authority_table(
    groups: &Groups<'_>,
    hosts: &[HostDraft],
    faults: &mut Faults,
) -> Option<Table> {
    let mut builder = AuthorityTable::builder();
    for (number, group) in groups.drafts.iter().enumerate() {
        if let Err(error) = builder.group(group_id(number), group.policy) {
            faults.add_about_file(error);
            return None;
        }
    }
    // By the number of the entry.
    let mut added: Vec<(&HostDraft, &Spanned<String>)> = Vec::new();
    for (number, host) in hosts.iter().enumerate() {
        // Without its group a host has a fault already; its names are still looked at.
        let group = group_id(host.group.unwrap_or_default());
        for name in &host.names {
            let Ok(pattern) = NamePattern::parse(name.get_ref().as_bytes()) else { continue };
            let mut entry = Entry::new(virtual_host_id(number), group);
            entry.coalesce = host.coalesce;
            match builder.insert(pattern, entry) {
                Ok(_) => added.push((host, name)),
                // There are no groups at all, which is a fault of its own.
                Err(BuildError::UnknownGroup { .. }) => {}
                Err(error) => {
                    faults.add(name.span(), error);
                    return None;
                }
            }
        }
    }
    let duplicates = builder.duplicates();
    for duplicate in &duplicates {
        let at = |index: u32| added.get(index as usize);
        let Some(((owner, _), (_, name))) = at(duplicate.earlier).zip(at(duplicate.later)) else {
            continue;
        };
        let (text, owner) = (name.get_ref(), owner.name.get_ref());
        faults.add(name.span(), format!("{text:?} is a name of virtual_host {owner:?} already"));
    }
    if !duplicates.is_empty() {
        return None;
    }
    let table = builder.build().map_err(|error| error.to_string());
    let table =
        table.and_then(|table| table_image::built(&table).map_err(|error| error.to_string()));
    faults.take(0..0, table)
}
