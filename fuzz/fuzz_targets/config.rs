//! Loads any text as a configuration, beside the files of the demo.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| coalesce_cli::fuzzing::config(data));
