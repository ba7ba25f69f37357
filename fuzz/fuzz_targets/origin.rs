//! Writes frames as `h2` does, with any cuts and flushes, while other frames are announced.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| coalesce_fuzz::announce(data));
