//! Header blocks without end, and small ones that mean large ones.

use super::server::{A, C, Target, misdirected, served};
use coalesce_tests::raw::{
    CONTINUATION, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, PROTOCOL_ERROR, frame,
    get_fields, literal, string,
};

/// One header list of the largest size that is taken, 32 KiB, sixty times over, and what the
/// allocator keeps.
const GROWTH: u64 = 4 << 20;

/// Attack: CVE-2024-27316 and its kin. A header block that CONTINUATION frames never end: full
/// ones, of which the list soon is too large, and empty ones, which add nothing to it. `h2` counts
/// both, and the transport under it holds no more of a block than `h2` would.
#[test]
fn continuation_without_end_ends_the_connection() {
    let target = Target::start();
    let fields = literal(b"x-some", &[b'y'; 1_000]).repeat(16);
    for (what, piece) in [("full", &fields[..16_000]), ("one octet", b"\x82"), ("empty", b"")] {
        target.under_within(GROWTH, || {
            let mut raw = target.connect(A);
            let stream = raw.stream();
            raw.send(&frame(HEADERS, END_STREAM, stream, &get_fields(A, "/")));
            let flood = frame(CONTINUATION, 0, stream, piece);
            let at_once = flood.repeat(64 * 1024 / flood.len());
            // At most 64 MiB; the server has gone away long before.
            let taken = (0..1_000).take_while(|_| raw.try_send(&at_once).is_ok()).count();
            let said = raw.end();
            let calm = [None, Some(ENHANCE_YOUR_CALM), Some(PROTOCOL_ERROR)].contains(&said);
            assert!(calm && taken < 1_000, "{what}: {said:?} after {taken}");
            assert!(raw.answers.is_empty(), "{what}: {:?}", raw.answers);
        });
    }
}

/// Attack: an entry of 4 KiB is put into the table of HPACK once and pointed at again and again: an
/// octet that means four thousand. A list of more than 32 KiB is too large, whatever it is packed
/// in, and only its own stream's fault; one of a thousand pointers, four megabytes, is abuse and
/// ends the connection.
#[test]
fn a_header_bomb_is_too_large_whatever_it_is_packed_in() {
    let target = Target::start();
    // With incremental indexing (RFC 7541 §6.2.1), which makes it the newest entry, 62.
    let entry = [&[0x40], &*string(b"x-bomb"), &string(&[b'y'; 4_000])].concat();
    let bomb = |stream, host, pointers| {
        let block = [get_fields(host, "/"), vec![0x80 | 0x3e; pointers]].concat();
        frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)
    };
    target.under_within(GROWTH, || {
        let mut raw = target.connect(A);
        let stream = raw.stream();
        let block = [get_fields(A, "/"), entry].concat();
        raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &block));
        assert_eq!(raw.answer(stream), served());
        for host in [A, C] {
            for _ in 0..100 {
                let stream = raw.stream();
                raw.send(&bomb(stream, host, 10));
                assert_eq!(raw.answer(stream).status, Some(431), "{host}");
            }
            assert_eq!(raw.ask(A), served());
        }
        assert_eq!(raw.ask(C), misdirected());
        let stream = raw.stream();
        raw.send(&bomb(stream, C, 1_000));
        assert_eq!(raw.end(), Some(ENHANCE_YOUR_CALM));
    });
}

/// Attack: header lists of the largest size that is taken, on as many streams as there are, for a
/// host that is not here.
#[test]
fn the_largest_header_lists_leave_nothing_behind() {
    let target = Target::start();
    let attack = |times| {
        let mut raw = target.connect(A);
        for _ in 0..times {
            let streams: Vec<u32> = (0..50).map(|_| raw.stream()).collect();
            for stream in &streams {
                let first = get_fields(C, "/");
                let rest = literal(b"x-some", &[b'y'; 990]).repeat(15);
                raw.send(&frame(HEADERS, END_STREAM, *stream, &first));
                raw.send(&frame(CONTINUATION, 0, *stream, &rest));
                raw.send(&frame(CONTINUATION, END_HEADERS, *stream, &rest));
            }
            for stream in streams {
                assert_eq!(raw.answer(stream), misdirected());
            }
        }
    };
    target.under(|| attack(2));
    target.under_within(GROWTH, || attack(20));
}
