//! The texts of the result codes.

use core::ffi::CStr;

use crate::codes::{
    COALESCE_DUPLICATE_NAME, COALESCE_GROUP_CONFLICT, COALESCE_INSEPARABLE_NAMES,
    COALESCE_INVALID_CERTIFICATE, COALESCE_INVALID_NAME, COALESCE_INVALID_TABLE,
    COALESCE_INVALID_VALUE, COALESCE_NULL_ARGUMENT, COALESCE_OK, COALESCE_STRUCT_SIZE,
    COALESCE_TOO_LARGE, COALESCE_UNKNOWN_GROUP, ResultCode,
};

/// Returns the meaning of a result code.
pub(crate) const fn text(code: ResultCode) -> &'static CStr {
    match code {
        COALESCE_OK => c"success",
        COALESCE_NULL_ARGUMENT => c"a pointer is NULL; a value expected",
        COALESCE_STRUCT_SIZE => c"a struct has a size or fields that this library does not know",
        COALESCE_INVALID_VALUE => c"a number, length or pointer is outside of its range",
        COALESCE_INVALID_NAME => c"not a name pattern, host or identifier",
        COALESCE_INVALID_CERTIFICATE => c"not a certificate in DER with subject alternative names",
        COALESCE_INVALID_TABLE => c"not a compiled table or set of this version",
        COALESCE_DUPLICATE_NAME => c"two entries have the same name",
        COALESCE_UNKNOWN_GROUP => c"the group was not added",
        COALESCE_GROUP_CONFLICT => c"the group was added before with other policies",
        COALESCE_TOO_LARGE => c"too many names, groups or bytes",
        COALESCE_INSEPARABLE_NAMES => c"the names have colliding hashes under every seed",
        _ => c"unknown result code",
    }
}
