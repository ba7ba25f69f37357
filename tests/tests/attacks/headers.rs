//! Header blocks that never end, and small blocks that decode to large lists.

use super::server::{A, C, Target, misdirected, served};
use coalesce_tests::raw::{
    CONTINUATION, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, PROTOCOL_ERROR, Raw, frame,
    get_fields, literal, string,
};

/// The memory that the allocator may keep, and sixty header lists of the largest accepted size, 32
/// KiB.
const GROWTH: u64 = 4 << 20;

/// Attack: CVE-2024-27316 and similar. CONTINUATION frames never end a header block: full frames,
/// whose list is soon too large, and empty frames, which add nothing to it. `h2` counts both, and
/// the transport below it buffers no more of a block than `h2` would.
#[test]
fn endless_continuation_ends_the_connection() {
    let target = Target::start();
    let fields = literal(b"x-some", &[b'y'; 1_000]).repeat(16);
    for (what, piece) in [("full", &fields[..16_000]), ("one octet", b"\x82"), ("empty", b"")] {
        target.under_within(GROWTH, || {
            let mut raw = target.connect(A);
            let stream = raw.stream();
            raw.send(&frame(HEADERS, END_STREAM, stream, &get_fields(A, "/")));
            let flood = frame(CONTINUATION, 0, stream, piece);
            let at_once = flood.repeat(64 * 1024 / flood.len());
            // At most 64 MiB; the server closes the connection long before.
            let taken = (0..1_000).take_while(|_| raw.try_send(&at_once).is_ok()).count();
            let said = raw.end();
            let calm = [None, Some(ENHANCE_YOUR_CALM), Some(PROTOCOL_ERROR)].contains(&said);
            assert!(calm && taken < 1_000, "{what}: {said:?} after {taken}");
            assert!(raw.answers.is_empty(), "{what}: {:?}", raw.answers);
        });
    }
}

/// Attack: an entry of 4 KiB enters the HPACK table once and is repeated by an index of one byte. A
/// list over 32 KiB is too large even if its block is small, and ends its stream only. A block of a
/// thousand indices, four megabytes, is abuse and ends the connection.
#[test]
fn header_bomb_is_too_large_by_its_decoded_size() {
    let target = Target::start();
    // Incremental indexing (RFC 7541 §6.2.1) makes the entry the newest one, index 62.
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

/// Attack: header lists of the largest accepted size on every stream, for a misdirected host.
#[test]
fn largest_header_lists_leak_nothing() {
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

/// The memory of 200 streams that wait for a window, with the allocator's reserve.
const HELD: u64 = 16 << 20;

/// Attack: CVE-2026-49975, CVE-2026-47774. A byte of HPACK makes a field, a thousand times on each
/// of many streams, and a window of zero holds the streams. Each field counts 32 bytes more than it
/// has (RFC 9113 §6.5.2), so a list of small fields is too large too, and held streams take little
/// memory.
#[test]
fn fields_of_one_byte_are_counted_and_take_little_memory() {
    const SETTINGS_INITIAL_WINDOW_SIZE: u16 = 0x4;
    let target = Target::start();
    // The newest entry of the table has index 62: a name of one byte, and no value.
    let entry = [&[0x40], &*string(b"x"), &string(b"")].concat();
    let request = |stream, fields: &[u8]| {
        let block = [&get_fields(A, "/"), fields].concat();
        frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)
    };
    target.under_within(GROWTH, || {
        let mut raw = target.silent(A);
        raw.begin(&[(SETTINGS_INITIAL_WINDOW_SIZE, 0)]);
        let status = |raw: &Raw, stream: &u32| raw.answers.get(stream).and_then(|it| it.status);
        let mut ask = |fields: &[u8], count| {
            let streams: Vec<u32> = (0..count).map(|_| raw.stream()).collect();
            raw.send(&streams.iter().flat_map(|it| request(*it, fields)).collect::<Vec<u8>>());
            raw.until(|raw| streams.iter().all(|stream| status(raw, stream).is_some()));
            streams.iter().filter_map(|stream| status(&raw, stream)).collect::<Vec<u16>>()
        };
        assert_eq!(ask(&entry, 1), [200]);
        let before = target.memory();
        assert_eq!(ask(&[0x80 | 0x3e; 900], 200), [200; 200]);
        let held = target.memory().saturating_sub(before);
        assert!(held < HELD, "{held} bytes");
        assert_eq!(ask(&[0x80 | 0x3e; 1_000], 1), [431]);
    });
}
