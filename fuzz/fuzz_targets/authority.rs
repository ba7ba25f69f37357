//! Parses one authority and compares it with the model.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| coalesce_fuzz::authority(data));
