//! Handles in memory of the caller, for programs without a heap.

use core::ffi::c_void;
use core::ptr;

use crate::codes::ResultCode;
use crate::fault::{Fault, code};
use crate::handles::{Identifiers, Place, Storage, Table};
use crate::pointers::{Bytes, Out};

/// Puts the handle into the storage, and its address into `out`; `NULL` after a fault.
fn init<T>(
    storage: Result<Out<'_, T>, Fault>,
    out: Out<'_, *mut T>,
    make: impl FnOnce() -> Result<T, Fault>,
) -> Result<(), Fault> {
    let out = out.place()?.write(ptr::null_mut());
    *out = storage?.place()?.write(make()?);
    Ok(())
}

/// Reads a compiled table into `storage`: `COALESCE_TABLE_STORAGE` bytes, aligned as `uint64_t`.
/// The table keeps the memory of `compiled` too. Both must stay readable and unchanged while the
/// table is used; then use the memory for something else. Never allocates.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_table_init(
    storage: *mut c_void,
    len: usize,
    compiled: Bytes<'_>,
    out: *mut *mut Table,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let (storage, out) = unsafe { (Out::in_storage(storage, len), Out::from_raw(out)) };
    code(init(storage, out, || {
        // SAFETY: the caller promises that the bytes outlive the table.
        let bytes = unsafe { compiled.present_static()? };
        Table::new(Storage::Static(bytes), Place::Caller)
    }))
}

/// Reads a compiled set into `storage`: `COALESCE_IDENTIFIERS_STORAGE` bytes, aligned as
/// `uint64_t`. The set keeps the memory of `compiled` too. Both must stay readable and unchanged
/// while the set is used; then use the memory for something else. Never allocates.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_identifiers_init(
    storage: *mut c_void,
    len: usize,
    compiled: Bytes<'_>,
    out: *mut *mut Identifiers,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let (storage, out) = unsafe { (Out::in_storage(storage, len), Out::from_raw(out)) };
    code(init(storage, out, || {
        // SAFETY: the caller promises that the bytes outlive the set.
        let bytes = unsafe { compiled.present_static()? };
        Identifiers::new(Storage::Static(bytes), Place::Caller)
    }))
}
