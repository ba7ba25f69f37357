//! Decides a generated request on a generated connection, and compares the verdict with the model.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| coalesce_fuzz::decide(data));
