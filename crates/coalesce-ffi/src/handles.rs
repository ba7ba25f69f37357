//! The handles for tables and identifier sets.

use coalesce_core::{AuthorityTable, GroupId, IdentifierSet};

use crate::codes::COALESCE_GROUP_NONE;
use crate::fault::Fault;

/// The bytes of a table or of a set.
#[derive(Debug)]
pub(crate) enum Storage {
    /// The caller keeps them for as long as the program runs.
    Static(&'static [u8]),
    /// The handle keeps them.
    #[cfg(feature = "std")]
    Owned(Box<[u8]>),
}

impl AsRef<[u8]> for Storage {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Static(bytes) => bytes,
            #[cfg(feature = "std")]
            Self::Owned(bytes) => bytes,
        }
    }
}

/// An authority table: it finds the virtual host and the group of a host. It never changes, so any
/// number of threads can use it at the same time.
#[derive(Debug)]
pub struct Table(AuthorityTable<Storage>);

impl Table {
    /// Validates all of the bytes.
    pub(crate) fn new(bytes: Storage) -> Result<Self, Fault> {
        let table = AuthorityTable::from_bytes(bytes).map_err(|_| Fault::InvalidTable)?;
        // A host of this group would be served to connections that are in no group.
        if table.group_policy(GroupId::new(COALESCE_GROUP_NONE)).is_some() {
            return Err(Fault::InvalidTable);
        }
        Ok(Self(table))
    }

    pub(crate) const fn authorities(&self) -> &AuthorityTable<Storage> {
        &self.0
    }
}

/// The identifiers that a certificate presents. A set never changes, so any number of threads can
/// use it at the same time.
#[derive(Debug)]
pub struct Identifiers(IdentifierSet<Storage>);

impl Identifiers {
    /// Validates all of the bytes.
    pub(crate) fn new(bytes: Storage) -> Result<Self, Fault> {
        IdentifierSet::from_bytes(bytes).map(Self).map_err(|_| Fault::InvalidTable)
    }

    pub(crate) const fn set(&self) -> &IdentifierSet<Storage> {
        &self.0
    }
}
