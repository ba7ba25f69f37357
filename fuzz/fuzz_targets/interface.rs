//! Calls the C interface with generated arguments, and compares its verdicts with the core's.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| coalesce_fuzz::interface(data));
