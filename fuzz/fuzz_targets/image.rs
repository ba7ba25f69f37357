//! Reads damaged and invented images, and compares lookups with an independent reader.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| coalesce_fuzz::image(data));
