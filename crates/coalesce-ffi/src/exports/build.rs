//! Building tables, and handles on the heap.

use crate::builder::TableBuilder;
use crate::codes::ResultCode;
use crate::fault::{Fault, code};
use crate::group_policy::CheckedGroupPolicy;
use crate::handles::{Identifiers, Place, Storage, Table};
use crate::names;
use crate::pointers::{Bytes, In, Out};
use crate::structs::{GroupPolicy, HandshakePolicy};
use crate::values::CheckedHandshakePolicy;

/// Writes the handle of a success, or `NULL`.
fn hand_out<T>(
    out: Out<'_, Option<Box<T>>>,
    make: impl FnOnce() -> Result<T, Fault>,
) -> Result<(), Fault> {
    let place = out.place()?.write(None);
    *place = Some(Box::new(make()?));
    Ok(())
}

fn group_policy(policy: In<'_, GroupPolicy>) -> Result<CheckedGroupPolicy, Fault> {
    if policy.is_null() {
        return Ok(CheckedGroupPolicy::DEFAULT);
    }
    CheckedGroupPolicy::parse(policy.read()?)
}

/// Makes an empty builder. Free it with `coalesce_table_builder_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_table_builder_new(
    out: *mut Option<Box<TableBuilder>>,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let out = unsafe { Out::from_raw(out) };
    code(hand_out(out, || Ok(TableBuilder::default())))
}

/// Frees a builder. `NULL` is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn coalesce_table_builder_free(builder: Option<Box<TableBuilder>>) {
    drop(builder);
}

/// Adds a group with a number of your choice. `policy` may be `NULL` for the default policies. You
/// can add a group twice with the same policies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_table_builder_group(
    builder: Option<&mut TableBuilder>,
    group: u32,
    policy: *const GroupPolicy,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let policy = unsafe { In::from_raw(policy) };
    let Some(builder) = builder else { return Fault::NullArgument as ResultCode };
    code(group_policy(policy).and_then(|policy| builder.group(group, policy)))
}

/// Finds the group with these policies, or makes one with the next free number, from 1 on. Server
/// blocks with equal demands on the handshake share a group. `policy` may be `NULL`; its
/// `client_certificates` must be 0 or those of `handshake`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_table_builder_group_for(
    builder: Option<&mut TableBuilder>,
    handshake: *const HandshakePolicy,
    policy: *const GroupPolicy,
    group: *mut u32,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let (handshake, policy, group) =
        unsafe { (In::from_raw(handshake), In::from_raw(policy), Out::from_raw(group)) };
    code((|| {
        let builder = builder.ok_or(Fault::NullArgument)?;
        let place = group.place()?;
        let handshake = CheckedHandshakePolicy::parse(handshake.read()?)?;
        place.write(builder.group_for(handshake, group_policy(policy)?)?);
        Ok(())
    })())
}

/// Adds an entry. `pattern` is a name, "*.example.com" for one label, "**.example.com" for any
/// depth, "*" for every host, or an address. An entry that is there already with the same values is
/// no error.
#[unsafe(no_mangle)]
pub extern "C" fn coalesce_table_builder_entry(
    builder: Option<&mut TableBuilder>,
    pattern: Bytes<'_>,
    virtual_host: u32,
    group: u32,
) -> ResultCode {
    let Some(builder) = builder else { return Fault::NullArgument as ResultCode };
    code(pattern.present().and_then(|pattern| builder.entry(pattern, virtual_host, group)))
}

/// Builds a table. The builder stays as it is, so you can add more and build again. Free the table
/// with `coalesce_table_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_table_builder_build(
    builder: Option<&TableBuilder>,
    out: *mut Option<Box<Table>>,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let out = unsafe { Out::from_raw(out) };
    code(hand_out(out, || builder.ok_or(Fault::NullArgument)?.build()))
}

/// Reads a compiled table and copies its bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_table_from_bytes(
    compiled: Bytes<'_>,
    out: *mut Option<Box<Table>>,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let out = unsafe { Out::from_raw(out) };
    code(hand_out(out, || Table::new(Storage::Owned(compiled.present()?.into()), Place::Heap)))
}

/// Reads a compiled table and keeps the memory of the caller, which must stay readable and
/// unchanged until the table is freed. The bytes need no alignment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_table_from_static(
    compiled: Bytes<'_>,
    out: *mut Option<Box<Table>>,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let out = unsafe { Out::from_raw(out) };
    code(hand_out(out, || {
        // SAFETY: the caller promises that the bytes outlive the table.
        let bytes = unsafe { compiled.present_static()? };
        Table::new(Storage::Static(bytes), Place::Heap)
    }))
}

/// Frees a table. `NULL` is allowed. No other thread may use the table any longer. A table of
/// `coalesce_table_init` stays as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_table_free(table: *mut Table) {
    // SAFETY: the caller promises `NULL` or a handle of this library that no code uses any longer.
    let on_heap = unsafe { In::from_raw(table) }.get().is_some_and(Table::is_on_heap);
    if on_heap {
        // SAFETY: a handle on the heap comes from a box, and the caller gives it back once.
        drop(unsafe { Box::from_raw(table) });
    }
}

/// Reads the subject alternative names of a certificate in DER.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_identifiers_from_der(
    certificate: Bytes<'_>,
    out: *mut Option<Box<Identifiers>>,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let out = unsafe { Out::from_raw(out) };
    code(hand_out(out, || names::from_der(certificate.present()?)))
}

/// Makes a set of `count` names: `a.test`, `*.a.test`, `192.0.2.1`, `2001:db8::1`, each with or
/// without "DNS:" or "IP:" in front.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_identifiers_from_names(
    names: *const Bytes<'_>,
    count: usize,
    out: *mut Option<Box<Identifiers>>,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let (names, out) = unsafe { (In::from_raw(names), Out::from_raw(out)) };
    // SAFETY: the caller promises `count` readable names.
    let names = unsafe { names.list(count) };
    code(hand_out(out, || names::from_names(names?)))
}

/// Reads a compiled set and copies its bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_identifiers_from_bytes(
    compiled: Bytes<'_>,
    out: *mut Option<Box<Identifiers>>,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let out = unsafe { Out::from_raw(out) };
    code(hand_out(out, || {
        Identifiers::new(Storage::Owned(compiled.present()?.into()), Place::Heap)
    }))
}

/// Reads a compiled set and keeps the memory of the caller, which must stay readable and unchanged
/// until the set is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_identifiers_from_static(
    compiled: Bytes<'_>,
    out: *mut Option<Box<Identifiers>>,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let out = unsafe { Out::from_raw(out) };
    code(hand_out(out, || {
        // SAFETY: the caller promises that the bytes outlive the set.
        let bytes = unsafe { compiled.present_static()? };
        Identifiers::new(Storage::Static(bytes), Place::Heap)
    }))
}

/// Frees a set. `NULL` is allowed. No other thread may use the set any longer. A set of
/// `coalesce_identifiers_init` stays as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_identifiers_free(identifiers: *mut Identifiers) {
    // SAFETY: the caller promises `NULL` or a handle of this library that no code uses any longer.
    let on_heap = unsafe { In::from_raw(identifiers) }.get().is_some_and(Identifiers::is_on_heap);
    if on_heap {
        // SAFETY: a handle on the heap comes from a box, and the caller gives it back once.
        drop(unsafe { Box::from_raw(identifiers) });
    }
}
