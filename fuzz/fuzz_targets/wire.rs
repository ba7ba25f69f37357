//! Passes a connection, cut into pieces, to the transport under h2: once as one that passes
//! requests on, and once as one that answers misdirected requests itself.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let pieces: Vec<&[u8]> = data.chunks(13).collect();
    coalesce_fuzz::inspect(&pieces);
    coalesce_fuzz::answer(&pieces);
});
