//! Parses names, patterns and identifiers, and compares lookups with linear scans.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| coalesce_fuzz::names(data));
