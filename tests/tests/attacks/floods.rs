//! Floods of requests and uploads to hosts that this connection must not serve.

use super::server::{A, C, Target, misdirected, served};
use coalesce_tests::raw::{DATA, NO_ERROR, REFUSED_STREAM};
use coalesce_tests::raw::{
    END_HEADERS, END_STREAM, HEADERS, Raw, frame, get, get_fields, literal, post,
};

/// The memory that the allocator may keep for the threads of the runtime. A leak of a hundred bytes
/// on each stream below would exceed it; `h2` has some hundreds of bytes for each stream.
const GROWTH: u64 = 2 << 20;

/// The streams open at once; the server announces 250.
const AT_ONCE: usize = 200;

/// Requests `c` on `count` streams of a connection. One request in 5,000 is for `a` and is served,
/// because 10,000 refusals in a row would end the connection. The header block alone settles half
/// of the requests; `h2` answers the others.
fn misdirected_streams(raw: &mut Raw, count: usize) {
    let late = [get_fields(C, "/"), literal(b"te", b"trailers")].concat();
    for burst in 0..count / AT_ONCE {
        let mut bytes = Vec::new();
        let streams: Vec<u32> = (0..AT_ONCE).map(|_| raw.stream()).collect();
        for stream in &streams {
            bytes.extend(match burst % 2 {
                0 => get(*stream, C),
                _ => frame(HEADERS, END_HEADERS | END_STREAM, *stream, &late),
            });
        }
        raw.send(&bytes);
        for stream in streams {
            assert_eq!(raw.answer(stream), misdirected());
        }
        if burst % 25 == 24 {
            assert_eq!(raw.ask(A), served());
        }
    }
}

/// Attack: a client repeats misdirected requests. [`super::refusal_limit`] does so a hundred
/// thousand times and counts each byte.
#[test]
fn misdirected_streams_by_thousands_leak_nothing() {
    let target = Target::start();
    // Warm up first: serving alone grows the memory.
    target.under(|| misdirected_streams(&mut target.connect(A), 5_000));
    target.under_within(GROWTH, || {
        let mut raw = target.connect(A);
        misdirected_streams(&mut raw, 30_000);
        // No stream leaked: the announced number of streams opens at once, and all are served.
        let streams: Vec<u32> = (0..250).map(|_| raw.stream()).collect();
        let heads = streams.iter().flat_map(|stream| post(*stream, A)).collect::<Vec<u8>>();
        raw.send(&heads);
        raw.settle();
        let ends = streams.iter().flat_map(|stream| frame(DATA, END_STREAM, *stream, b"x"));
        raw.send(&ends.collect::<Vec<u8>>());
        for stream in streams {
            assert_eq!(raw.answer(stream), served());
        }
        // No window leaked: an upload of four times the window arrives.
        let stream = raw.stream();
        raw.send(&post(stream, A));
        raw.upload(stream, 4 << 20, 16_384, true);
        assert_eq!(raw.answer(stream), served());
    });
}

/// Attack: a thousand uploads to a misdirected host begin at once, each with a full frame of
/// content. The server refuses them unread, and may reset those beyond the announced number of
/// streams. Their content is sixteen times the window of the connection.
#[test]
fn misdirected_uploads_at_once_leave_the_window_for_a_served_one() {
    let target = Target::start();
    target.under_within(4 * GROWTH, || {
        let mut raw = target.connect(A);
        let streams: Vec<u32> = (0..1_000).map(|_| raw.stream()).collect();
        let heads = streams.iter().flat_map(|stream| post(*stream, C)).collect::<Vec<u8>>();
        raw.send(&heads);
        for stream in &streams {
            raw.upload(*stream, 16_384, 16_384, false);
        }
        let mut refused_unread = 0;
        for stream in streams {
            let answer = raw.answer(stream);
            if answer.reset == Some(REFUSED_STREAM) {
                assert_eq!(answer.status, None);
            } else {
                assert_eq!(answer.status, Some(421), "{answer:?}");
                refused_unread += 1;
            }
        }
        assert!(refused_unread >= 250, "{refused_unread}");
        let stream = raw.stream();
        raw.send(&post(stream, A));
        raw.upload(stream, 4 << 20, 16_384, true);
        assert_eq!(raw.answer(stream), served());
    });
}

/// Attack: an upload to a misdirected host continues after its refusal and reset, here for sixteen
/// windows of the connection.
#[test]
fn endless_misdirected_upload_gets_one_answer_and_no_memory() {
    let target = Target::start();
    target.under_within(GROWTH, || {
        let mut raw = target.connect(A);
        let stream = raw.stream();
        raw.send(&post(stream, C));
        raw.upload(stream, 100_000, 16_384, false);
        raw.until(|raw| raw.answers.get(&stream).is_some_and(|answer| answer.reset.is_some()));
        for _ in 0..1_000 {
            raw.send_data(stream, 16_384, false);
        }
        let mut answer = raw.answer(stream);
        assert_eq!(answer.reset.take(), Some(NO_ERROR));
        assert_eq!(answer, misdirected());
        assert_eq!(raw.ask(A), served());
    });
}

/// Attack: many uploads to a served host pause forever at once. The server cannot know that they
/// never end: it reads their content and answers after a timeout.
#[test]
fn paused_uploads_are_answered_after_a_timeout() {
    let target = Target::start();
    target.under_within(4 * GROWTH, || {
        let mut raw = target.connect(A);
        let streams: Vec<u32> = (0..250).map(|_| raw.stream()).collect();
        for stream in &streams {
            raw.send(&post(*stream, A));
            raw.upload(*stream, 100_000, 16_384, false);
        }
        for stream in streams {
            raw.until(|raw| raw.answers.get(&stream).is_some_and(|it| it.reset.is_some()));
            let mut answer = raw.answer(stream);
            assert_eq!(answer.reset.take(), Some(NO_ERROR));
            assert_eq!(answer, served());
        }
        assert_eq!(raw.ask(A), served());
    });
}
