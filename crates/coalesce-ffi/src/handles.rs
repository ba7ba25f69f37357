//! The handles for tables and identifier sets.

use coalesce_core::{AuthorityTable, GroupId, IdentifierSet};

use crate::codes::{
    COALESCE_GROUP_NONE, COALESCE_IDENTIFIERS_STORAGE, COALESCE_STORAGE_ALIGNMENT,
    COALESCE_TABLE_STORAGE,
};
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

/// Where a handle is, which decides what its `_free` function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In memory of the caller, who ends its use by using the memory for something else.
    Caller,
    /// On the heap, from which it is freed.
    #[cfg(feature = "std")]
    Heap,
}

/// An authority table: it finds the virtual host and the group of a host. It never changes, so any
/// number of threads can use it at the same time.
#[derive(Debug)]
pub struct Table {
    table: AuthorityTable<Storage>,
    #[cfg_attr(not(feature = "std"), allow(dead_code, reason = "nothing is freed without a heap"))]
    place: Place,
}

impl Table {
    /// Validates all of the bytes.
    pub(crate) fn new(bytes: Storage, place: Place) -> Result<Self, Fault> {
        let table = AuthorityTable::from_bytes(bytes).map_err(|_| Fault::InvalidTable)?;
        // A host of this group would be served to connections that are in no group.
        if table.group_policy(GroupId::new(COALESCE_GROUP_NONE)).is_some() {
            return Err(Fault::InvalidTable);
        }
        Ok(Self { table, place })
    }

    #[cfg(feature = "std")]
    pub(crate) fn is_on_heap(&self) -> bool {
        self.place == Place::Heap
    }

    pub(crate) const fn authorities(&self) -> &AuthorityTable<Storage> {
        &self.table
    }
}

/// The identifiers that a certificate presents. A set never changes, so any number of threads can
/// use it at the same time.
#[derive(Debug)]
pub struct Identifiers {
    set: IdentifierSet<Storage>,
    #[cfg_attr(not(feature = "std"), allow(dead_code, reason = "nothing is freed without a heap"))]
    place: Place,
}

impl Identifiers {
    /// Validates all of the bytes.
    pub(crate) fn new(bytes: Storage, place: Place) -> Result<Self, Fault> {
        let set = IdentifierSet::from_bytes(bytes).map_err(|_| Fault::InvalidTable)?;
        Ok(Self { set, place })
    }

    #[cfg(feature = "std")]
    pub(crate) fn is_on_heap(&self) -> bool {
        self.place == Place::Heap
    }

    pub(crate) const fn set(&self) -> &IdentifierSet<Storage> {
        &self.set
    }
}

const _: () = {
    assert!(size_of::<Table>() <= COALESCE_TABLE_STORAGE);
    assert!(size_of::<Identifiers>() <= COALESCE_IDENTIFIERS_STORAGE);
    assert!(align_of::<Table>() <= COALESCE_STORAGE_ALIGNMENT);
    assert!(align_of::<Identifiers>() <= COALESCE_STORAGE_ALIGNMENT);
};
