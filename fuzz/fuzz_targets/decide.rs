//! Decides a generated request on a generated connection, as the model does or not at all.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| coalesce_fuzz::decide(data));
