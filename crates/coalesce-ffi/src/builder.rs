//! Builds tables.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry as Found};

use coalesce_core::{
    AuthorityTable, AuthorityTableBuilder, BuildError, GroupId, NamePattern, VirtualHostId,
};

use crate::codes::COALESCE_GROUP_NONE;
use crate::fault::Fault;
use crate::group_policy::CheckedGroupPolicy;
use crate::handles::{Place, Storage, Table};
use crate::values::CheckedHandshakePolicy;

/// Collects groups and entries for a table. Only one thread may use a builder at a time.
#[derive(Debug, Default)]
pub struct TableBuilder {
    table: AuthorityTableBuilder,
    /// The groups that `group_for` made.
    by_policy: BTreeMap<(CheckedHandshakePolicy, CheckedGroupPolicy), u32>,
    /// The values of each pattern, by its text in lower case.
    entries: BTreeMap<String, (u32, u32)>,
    /// The groups that the caller numbered.
    numbered: BTreeSet<u32>,
    /// The numbers that `group_for` gave away end here.
    last: u32,
}

impl TableBuilder {
    pub(crate) fn group(&mut self, group: u32, policy: CheckedGroupPolicy) -> Result<(), Fault> {
        if group == COALESCE_GROUP_NONE {
            return Err(Fault::InvalidValue);
        }
        // The group has a handshake policy, which this call cannot compare.
        if (1..=self.last).contains(&group) && !self.numbered.contains(&group) {
            return Err(Fault::GroupConflict);
        }
        self.table.group(GroupId::new(group), policy.to_core()).map_err(fault)?;
        self.numbered.insert(group);
        Ok(())
    }

    pub(crate) fn group_for(
        &mut self,
        handshake: CheckedHandshakePolicy,
        policy: CheckedGroupPolicy,
    ) -> Result<u32, Fault> {
        let policy = policy.with_clients(handshake.clients)?;
        let place = match self.by_policy.entry((handshake, policy)) {
            Found::Occupied(known) => return Ok(*known.get()),
            Found::Vacant(place) => place,
        };
        let mut above = self.last.saturating_add(1)..COALESCE_GROUP_NONE;
        let group = above.find(|number| !self.numbered.contains(number)).ok_or(Fault::TooLarge)?;
        self.table.group(GroupId::new(group), policy.to_core()).map_err(fault)?;
        self.last = group;
        Ok(*place.insert(group))
    }

    pub(crate) fn entry(
        &mut self,
        pattern: &[u8],
        virtual_host: u32,
        group: u32,
    ) -> Result<(), Fault> {
        let pattern = NamePattern::parse(pattern).map_err(|_| Fault::InvalidName)?;
        let place = match self.entries.entry(pattern.to_string().to_ascii_lowercase()) {
            Found::Vacant(place) => place,
            Found::Occupied(known) if *known.get() == (virtual_host, group) => return Ok(()),
            Found::Occupied(_) => return Err(Fault::DuplicateName),
        };
        let (id, of_group) = (VirtualHostId::new(virtual_host), GroupId::new(group));
        self.table.entry(pattern, id, of_group).map_err(fault)?;
        place.insert((virtual_host, group));
        Ok(())
    }

    pub(crate) fn build(&self) -> Result<Table, Fault> {
        let table: AuthorityTable = self.table.build().map_err(fault)?;
        Table::new(Storage::Owned(table.as_bytes().into()), Place::Heap)
    }
}

/// Returns the fault of a table or of a set that cannot be built.
pub(crate) fn fault(error: BuildError) -> Fault {
    match error {
        BuildError::Duplicate { .. } => Fault::DuplicateName,
        BuildError::UnknownGroup { .. } => Fault::UnknownGroup,
        BuildError::GroupConflict { .. } => Fault::GroupConflict,
        BuildError::Inseparable => Fault::InseparableNames,
        _ => Fault::TooLarge,
    }
}
