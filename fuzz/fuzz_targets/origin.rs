//! Writes frames as `h2` does, cut and flushed in every way, while others are announced.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| coalesce_fuzz::announce(data));
