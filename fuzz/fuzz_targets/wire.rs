//! Shows a connection, cut into pieces, to the transport under h2: as one that passes requests on,
//! and as one that answers misdirected ones itself.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let pieces: Vec<&[u8]> = data.chunks(13).collect();
    coalesce_fuzz::inspect(&pieces);
    coalesce_fuzz::answer(&pieces);
});
