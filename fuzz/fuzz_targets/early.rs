//! Shows a connection that has granted window, cut into pieces, to a transport that answers
//! misdirected requests itself.
#![no_main]

use libfuzzer_sys::fuzz_target;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// 1,000 octets for the connection.
const GRANT: &[u8] = &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 3, 232];

fuzz_target!(|data: &[u8]| {
    let mut pieces = vec![PREFACE, GRANT];
    pieces.extend(data.chunks(13));
    coalesce_h2::fuzzing::answer(&pieces);
});
