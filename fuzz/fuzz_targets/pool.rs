//! Runs the pool of a client through any events in virtual time, and reads any ORIGIN frame.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| coalesce_fuzz::pool(data));
