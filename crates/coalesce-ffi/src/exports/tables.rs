//! Reading tables and identifier sets.

use coalesce_core::Host;

use crate::codes::ResultCode;
use crate::fault::{Fault, code};
use crate::handles::{Identifiers, Table};
use crate::pointers::{Bytes, Out};
use crate::structs::Entry;

fn host(host: Bytes<'_>) -> Result<Host<'_>, Fault> {
    Host::parse(host.present()?).map_err(|_| Fault::InvalidName)
}

/// Returns the bytes of a table, for `coalesce_table_from_bytes`. They belong to the table. Absent
/// for `NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn coalesce_table_bytes(table: Option<&Table>) -> Bytes<'_> {
    table.map_or(Bytes::ABSENT, |table| table.authorities().as_bytes().into())
}

/// Returns the number of entries. 0 for `NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn coalesce_table_len(table: Option<&Table>) -> usize {
    table.map_or(0, |table| table.authorities().len())
}

/// Finds the most specific entry of a host without a port. Sets `*found` to 1 or 0, and `*entry` if
/// it is found; `*entry` may change in any case. Never allocates.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_table_lookup(
    table: Option<&Table>,
    host: Bytes<'_>,
    entry: *mut Entry,
    found: *mut u32,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let (entry, found) = unsafe { (Out::from_raw(entry), Out::from_raw(found)) };
    let mut entry = entry;
    code((|| {
        let found = found.place()?.write(0);
        let size = entry.size()?;
        let table = table.ok_or(Fault::NullArgument)?;
        let host = self::host(host)?;
        let looked_up = table.authorities().lookup(&host);
        let (virtual_host, group) =
            looked_up.map_or((0, 0), |entry| (entry.virtual_host.get(), entry.group.get()));
        entry.write(Entry { size, virtual_host, group })?;
        *found = looked_up.is_some().into();
        Ok(())
    })())
}

/// Returns the bytes of a set, for `coalesce_identifiers_from_bytes`. They belong to the set.
/// Absent for `NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn coalesce_identifiers_bytes(identifiers: Option<&Identifiers>) -> Bytes<'_> {
    identifiers.map_or(Bytes::ABSENT, |identifiers| identifiers.set().as_bytes().into())
}

/// Returns the number of identifiers. 0 for `NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn coalesce_identifiers_len(identifiers: Option<&Identifiers>) -> usize {
    identifiers.map_or(0, |identifiers| identifiers.set().len())
}

/// Sets `*covers` to 1 if an identifier covers the host (RFC 9525 section 6.3), else to 0. Never
/// allocates.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_identifiers_cover(
    identifiers: Option<&Identifiers>,
    host: Bytes<'_>,
    covers: *mut u32,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let covers = unsafe { Out::from_raw(covers) };
    code((|| {
        let covers = covers.place()?.write(0);
        let identifiers = identifiers.ok_or(Fault::NullArgument)?;
        *covers = identifiers.set().covers(&self::host(host)?).into();
        Ok(())
    })())
}
