//! The decision and what belongs to it.

use core::ffi::{c_char, c_void};

use crate::codes::ResultCode;
use crate::decision;
use crate::explain;
use crate::fault::code;
use crate::handles::Table;
use crate::handshake;
use crate::origins::{self, OriginFn};
use crate::pointers::{In, Out};
use crate::structs::{Connection, HandshakeFacts, HandshakePolicy, Request, Verdict};

/// Sets `*met` to 1 if the handshake met the policy, resumed sessions included, else to 0. A policy
/// that asks no client for a certificate is met by any `client_certificate`; an optional one by a
/// client that gave none, or whose certificate this CA verified; a required one by the latter
/// alone. Never allocates.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_handshake_met(
    policy: *const HandshakePolicy,
    facts: *const HandshakeFacts,
    met: *mut u32,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let (policy, facts, met) =
        unsafe { (In::from_raw(policy), In::from_raw(facts), Out::from_raw(met)) };
    code((|| {
        let met = met.place()?.write(0);
        *met = handshake::met(policy.read()?, facts.read()?)?.into();
        Ok(())
    })())
}

/// Decides one request. Never allocates. After any other result than `COALESCE_OK`, a verdict of
/// the right size says `COALESCE_MALFORMED` with status 500.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_decide(
    table: Option<&Table>,
    connection: *const Connection<'_>,
    request: *const Request<'_>,
    verdict: *mut Verdict,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let (connection, request, verdict) =
        unsafe { (In::from_raw(connection), In::from_raw(request), Out::from_raw(verdict)) };
    code(decision::write_verdict(table, connection, request, verdict))
}

/// Writes an explanation of the decision to `out`, in one line of UTF-8 with a NUL at its end, for
/// logs and debug pages. Writes at most `len` bytes and sets `*written` to the length of the whole
/// text without the NUL, as `snprintf` does. `out` may be `NULL` if `len` is 0. Never allocates.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_explain(
    table: Option<&Table>,
    connection: *const Connection<'_>,
    request: *const Request<'_>,
    out: *mut c_char,
    len: usize,
    written: *mut usize,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let (connection, request, out, written) = unsafe {
        (
            In::from_raw(connection),
            In::from_raw(request),
            Out::from_raw(out),
            Out::from_raw(written),
        )
    };
    code((|| {
        let written = written.place()?.write(0);
        // SAFETY: the caller promises `len` writable bytes.
        let buffer = unsafe { out.text(len)? };
        *written = explain::write(table, connection, request, buffer)?;
        Ok(())
    })())
}

/// Calls `origin` with each origin that the connection may announce (RFC 8336): `https://a.test`.
/// A result of `origin` other than 0 ends the list. If there are more names than the library
/// examines for one connection, the result is `COALESCE_TOO_LARGE`, and the origins up to then are
/// right. Never allocates.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn coalesce_origins(
    table: Option<&Table>,
    connection: *const Connection<'_>,
    origin: OriginFn,
    context: *mut c_void,
) -> ResultCode {
    // SAFETY: the caller promises what the header says of each pointer.
    let connection = unsafe { In::from_raw(connection) };
    code(origins::list(table, connection, origin, context))
}
