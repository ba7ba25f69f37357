//! Reads any bytes of a server, in any pieces, through the stream that reports to a client.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| coalesce_fuzz::reports(data));
