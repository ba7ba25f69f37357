//! The faults of a call, one for each result code except success.

use crate::codes::{
    COALESCE_DUPLICATE_NAME, COALESCE_GROUP_CONFLICT, COALESCE_INSEPARABLE_NAMES,
    COALESCE_INVALID_CERTIFICATE, COALESCE_INVALID_NAME, COALESCE_INVALID_TABLE,
    COALESCE_INVALID_VALUE, COALESCE_NULL_ARGUMENT, COALESCE_OK, COALESCE_STRUCT_SIZE,
    COALESCE_TOO_LARGE, COALESCE_UNKNOWN_GROUP, ResultCode,
};

/// The reason why a call does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[cfg_attr(not(feature = "std"), allow(dead_code, reason = "some faults are those of building"))]
pub(crate) enum Fault {
    NullArgument = COALESCE_NULL_ARGUMENT,
    StructSize = COALESCE_STRUCT_SIZE,
    InvalidValue = COALESCE_INVALID_VALUE,
    InvalidName = COALESCE_INVALID_NAME,
    InvalidCertificate = COALESCE_INVALID_CERTIFICATE,
    InvalidTable = COALESCE_INVALID_TABLE,
    DuplicateName = COALESCE_DUPLICATE_NAME,
    UnknownGroup = COALESCE_UNKNOWN_GROUP,
    GroupConflict = COALESCE_GROUP_CONFLICT,
    TooLarge = COALESCE_TOO_LARGE,
    InseparableNames = COALESCE_INSEPARABLE_NAMES,
}

/// Returns the code that the C function returns.
pub(crate) fn code(result: Result<(), Fault>) -> ResultCode {
    result.map_or_else(|fault| fault as ResultCode, |()| COALESCE_OK)
}
