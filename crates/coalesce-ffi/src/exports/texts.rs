//! Versions and texts.

use core::ffi::{CStr, c_char};

use crate::codes::{COALESCE_ABI_VERSION, ResultCode};
use crate::reasons;
use crate::results;

/// The version of the package.
const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

/// Returns the version of the interface that the library has: `COALESCE_ABI_VERSION` of its header.
#[unsafe(no_mangle)]
pub extern "C" fn coalesce_abi_version() -> u32 {
    COALESCE_ABI_VERSION
}

/// Returns the version of the library, for logs: "0.1.0". Static, never `NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn coalesce_version() -> *const c_char {
    VERSION.as_ptr()
}

/// Returns the meaning of a result code, for logs. Static, never `NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn coalesce_result_text(code: ResultCode) -> *const c_char {
    results::text(code).as_ptr()
}

/// Returns the stable name of a reason, for logs and metrics: "certificate", "group". Static, never
/// `NULL`; empty for 0 and for unknown numbers.
#[unsafe(no_mangle)]
pub extern "C" fn coalesce_reason_code(reason: u32) -> *const c_char {
    reasons::with_number(reason).code.as_ptr()
}

/// Returns a sentence about a reason, for operators. Static, never `NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn coalesce_reason_text(reason: u32) -> *const c_char {
    reasons::with_number(reason).text.as_ptr()
}

/// Returns the RFC sections of a reason, in UTF-8. Static, never `NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn coalesce_reason_rule(reason: u32) -> *const c_char {
    reasons::with_number(reason).rule.as_ptr()
}

/// Returns the step of the decision that has this reason, from 1 to 8, or 0.
#[unsafe(no_mangle)]
pub extern "C" fn coalesce_reason_step(reason: u32) -> u32 {
    reasons::with_number(reason).step
}
