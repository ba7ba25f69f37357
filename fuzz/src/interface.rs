//! The C interface with generated arguments. Most calls are right, and their verdicts are those of
//! the core. The others have a struct of another size or a number outside of its range, and their
//! results must be faults that serve nothing.
#![allow(unsafe_code, reason = "the target calls the functions of C, as C calls them")]
#![allow(clippy::borrow_as_ptr, reason = "a reference shows what a pointer points to")]

mod arguments;
mod building;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ops::ControlFlow;

use arbitrary::{Result, Unstructured};
use coalesce_core::{Verdict as CoreVerdict, VirtualHostId};
use coalesce_ffi::codes::{
    COALESCE_GROUP_NONE, COALESCE_MALFORMED, COALESCE_MISDIRECTED, COALESCE_OK, COALESCE_SERVE,
    COALESCE_TOO_LARGE,
};
use coalesce_ffi::{
    Bytes, Table, Verdict, coalesce_decide, coalesce_explain, coalesce_origins,
    coalesce_reason_code,
};

use crate::build::{run, with_connection};
use crate::generate;
use crate::model::{Facts, Request, World};
use arguments::{Arguments, Sized, number};

/// Builds a table through the interface, decides a request with it, and compares the verdict with
/// that of the core.
pub fn interface(data: &[u8]) {
    let mut u = Unstructured::new(data);
    // Too few bytes for a case are no case.
    let _ = checked(&mut u);
}

fn checked(u: &mut Unstructured<'_>) -> Result<()> {
    let (world, facts, request) = generate::case(u)?;
    let (world, facts) = within_the_interface(world, facts);
    building::try_operations(u)?;
    let table = building::table(&world, &facts.extra);
    let presented = building::identifiers(&facts.certificate);
    let arguments = Arguments::generate(u, &facts, &request, presented.as_deref())?;
    let group = if arguments.met { facts.group } else { COALESCE_GROUP_NONE };
    let decided = Facts { group, ..facts.clone() };
    let succeeded = decide(u, &table, &arguments, &world, &decided, &request)?;
    explain(u, &table, &arguments, succeeded)?;
    origins(&table, &arguments, &world, &decided);
    Ok(())
}

/// Removes from a case the parts that the interface does not have: listeners that share a port,
/// policies of entries, and the group that no table may have.
fn within_the_interface(mut world: World, mut facts: Facts) -> (World, Facts) {
    world.groups.retain(|(group, _)| *group != COALESCE_GROUP_NONE);
    world.entries.retain(|entry| entry.group != COALESCE_GROUP_NONE);
    facts.extra.observed.retain(|(group, _)| *group != COALESCE_GROUP_NONE);
    facts.extra.listeners = None;
    facts.extra.own.clear();
    (world, facts)
}

fn code(reason: u32) -> &'static str {
    // SAFETY: the texts of reasons are static and end with NUL.
    unsafe { CStr::from_ptr(coalesce_reason_code(reason)) }.to_str().expect("codes are ASCII")
}

/// Decides, and returns whether the call succeeded.
fn decide(
    u: &mut Unstructured<'_>,
    table: &Table,
    arguments: &Arguments<'_>,
    world: &World,
    facts: &Facts,
    request: &Request,
) -> Result<bool> {
    let empty = Verdict {
        size: 0,
        outcome: 0,
        status: 0,
        reason: 0,
        step: 0,
        served_as: 0,
        virtual_host: 0,
        group: 0,
        observed: 0,
    };
    let mut out = Sized::generate(u, empty)?;
    let (connection, target) = (arguments.connection(), arguments.request());
    // SAFETY: `Sized` and `Arguments` have as many bytes as they say.
    let result = unsafe { coalesce_decide(Some(table), connection, target, out.as_mut_ptr()) };
    // A verdict has no fields that an older library could miss, so its end may have any content.
    if !out.has_known_size() {
        assert_ne!(result, COALESCE_OK);
        return Ok(false);
    }
    let verdict = out.value();
    if !arguments.valid {
        assert_ne!(result, COALESCE_OK);
        assert_eq!((verdict.outcome, verdict.status), (COALESCE_MALFORMED, 500));
        return Ok(false);
    }
    assert_eq!(result, COALESCE_OK);
    let virtual_host = (verdict.served_as == 1).then_some(verdict.virtual_host);
    let (reason, observed) = (code(verdict.reason), code(verdict.observed));
    let found = (verdict.outcome, verdict.status, reason, virtual_host, observed);
    assert_eq!(found, numbers(&run(world, facts, request)));
    assert_eq!(verdict.group, facts.group);
    Ok(true)
}

fn numbers(verdict: &CoreVerdict) -> (u32, u32, &'static str, Option<u32>, &'static str) {
    match verdict {
        CoreVerdict::Serve(proof) => {
            let observed = proof.observed().map_or("", |reason| reason.code());
            (COALESCE_SERVE, 0, "", proof.virtual_host().map(VirtualHostId::get), observed)
        }
        CoreVerdict::Misdirected(reason) => (COALESCE_MISDIRECTED, 421, reason.code(), None, ""),
        CoreVerdict::Malformed(reason) => {
            (COALESCE_MALFORMED, reason.answer().status().into(), reason.code(), None, "")
        }
    }
}

/// Explains into a buffer of any length: the text is UTF-8 and ends inside of the buffer.
fn explain(
    u: &mut Unstructured<'_>,
    table: &Table,
    arguments: &Arguments<'_>,
    succeeded: bool,
) -> Result<()> {
    let mut text = vec![b'#'; usize::from(number::<u16>(u)? % 600)];
    let mut written = usize::MAX;
    // SAFETY: the buffer has as many bytes as its length says.
    let result = unsafe {
        let out = text.as_mut_ptr().cast::<c_char>();
        let (connection, request) = (arguments.connection(), arguments.request());
        coalesce_explain(Some(table), connection, request, out, text.len(), &mut written)
    };
    assert!(!succeeded || result == COALESCE_OK);
    assert_eq!(result == COALESCE_OK, arguments.valid);
    if !text.is_empty() {
        let cut = CStr::from_bytes_until_nul(&text).expect("the text ends");
        let cut = cut.to_str().expect("the text is UTF-8");
        assert!(cut.len() <= written && cut.len() + 4 > written.min(text.len() - 1));
    }
    Ok(())
}

extern "C" fn collect(context: *mut c_void, origin: Bytes<'_>) -> c_int {
    // SAFETY: `origins` passes a list of texts.
    let list = unsafe { &mut *context.cast::<Vec<String>>() };
    list.push(building::text(origin));
    0
}

/// Lists the origin set, which must be that of the core.
fn origins(table: &Table, arguments: &Arguments<'_>, world: &World, facts: &Facts) {
    let mut found: Vec<String> = Vec::new();
    // SAFETY: the callback takes the list.
    let result = unsafe {
        let list = std::ptr::from_mut(&mut found).cast();
        coalesce_origins(Some(table), arguments.connection(), Some(collect), list)
    };
    if !arguments.valid_connection {
        assert!(result != COALESCE_OK && found.is_empty());
        return;
    }
    assert!(result == COALESCE_OK || result == COALESCE_TOO_LARGE);
    let mut expected = Vec::new();
    with_connection(world, facts, |table, connection| {
        let _ = connection.origins(table, |origin| {
            expected.push(origin.to_string());
            ControlFlow::Continue(())
        });
    });
    assert_eq!(found, expected);
}
