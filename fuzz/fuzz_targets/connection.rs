//! A whole connection of a generated client with the adapter, judged by the model.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| coalesce_fuzz::connection(data));
