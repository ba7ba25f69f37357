//! Reads a certificate's names and checks that they cover themselves.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| coalesce_fuzz::certificate(data));
