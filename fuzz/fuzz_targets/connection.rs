//! Runs a whole connection of a generated client with the adapter. The model judges it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| coalesce_fuzz::connection(data));
