//! Streams that their client gives up.

use super::server::{A, B, C, LARGE, Target, misdirected, served};
use coalesce_tests::raw::{
    DATA, ENHANCE_YOUR_CALM, NO_ERROR, Raw, frame, get, get_path, literal, post, post_fields,
    reset, window_update,
};
use coalesce_tests::raw::{END_HEADERS, HEADERS};

/// What the allocator may keep: see [`super::floods`].
const GROWTH: u64 = 2 << 20;

/// Attack: CVE-2023-44487. A request and its reset, again and again, a hundred at a time.
/// `h2` ends a connection that does so with requests it has not handed out yet; those that are
/// refused early count towards the refusal limit. Either way the end has a reason, and costs nobody
/// else anything.
#[test]
fn rapid_resets_end_the_connection_that_sends_them() {
    let target = Target::start();
    for host in [A, C] {
        target.under_within(GROWTH, || {
            let mut raw = target.connect(A);
            for _ in 0..200 {
                let mut bytes = Vec::new();
                for _ in 0..100 {
                    let stream = raw.stream();
                    bytes.extend([get(stream, host), reset(stream)].concat());
                }
                raw.send(&bytes);
                // Reads as well: what an end leaves unread on the way costs the reason of it.
                raw.settle();
                if raw.gone.is_some() {
                    break;
                }
            }
            assert_eq!(raw.gone, Some(ENHANCE_YOUR_CALM), "{host}");
        });
    }
}

/// Attack: a stream is reset at each point of its life, which must free all that it has: the place
/// among the streams, the window that its content took, the file that its answer comes from.
#[test]
fn a_stream_may_be_reset_at_any_point() {
    // So many that one leak of each kind fills what there is: 250 streams, and the window of a
    // connection, which 16 KiB of each take four times.
    const TIMES: usize = 300;
    const CONTENT: usize = 16 << 10;
    let target = Target::start();
    target.under_within(2 * GROWTH, || {
        let mut raw = target.connect(A);
        for host in [A, B, C] {
            for _ in 0..TIMES {
                // Before the server can have looked at it, which it is made to do by and by.
                let stream = raw.stream();
                raw.send(&[get_path(stream, host, "/large"), reset(stream)].concat());
                raw.settle();
                // With content under way.
                let stream = raw.stream();
                raw.send(&post(stream, host));
                raw.send_data(stream, CONTENT, false);
                raw.send(&reset(stream));
                raw.settle();
                raw.answers.clear();
            }
        }
        // Within an answer: of a large file something has come, and not all.
        for _ in 0..20 {
            let stream = raw.stream();
            raw.send(&get_path(stream, B, "/large"));
            raw.until(|raw| raw.answers.get(&stream).is_some_and(|it| !it.content.is_empty()));
            assert!(!raw.answers[&stream].ended);
            raw.send(&reset(stream));
            raw.settle();
            raw.answers.clear();
        }
        // After its end.
        for host in [A, C] {
            let stream = raw.stream();
            raw.send(&get(stream, host));
            assert!(!raw.answer(stream).content.is_empty());
            raw.send(&reset(stream));
        }
        assert_eq!(raw.ask(A), served());
        assert_eq!(raw.ask(C), misdirected());
        let stream = raw.stream();
        raw.send(&get_path(stream, B, "/large"));
        assert_eq!(raw.answer(stream).content.len(), LARGE);
        let stream = raw.stream();
        raw.send(&post(stream, A));
        raw.upload(stream, 4 << 20, CONTENT, true);
        assert_eq!(raw.answer(stream), served());
    });
}

/// Attack: a stream is reset between HEADERS and CONTINUATION, where nothing else may stand
/// (RFC 9113 §6.10). What follows would be decoded with the wrong table: the connection ends.
#[test]
fn a_reset_within_a_header_block_ends_the_connection() {
    let target = Target::start();
    target.under(|| {
        let mut raw = target.connect(A);
        let stream = raw.stream();
        let fields = post_fields(A);
        raw.send(&frame(HEADERS, 0, stream, &fields[..fields.len() / 2]));
        raw.send(&reset(stream));
        raw.send(&frame(DATA, 0, stream, b"x"));
        assert_eq!(raw.end(), Some(coalesce_tests::raw::PROTOCOL_ERROR));
        assert_eq!(raw.answers.len(), 0);
    });
}

/// Attack: the server is made to reset streams (the "made you reset" of CVE-2025-8671): malformed
/// requests, each answered by a reset of the server's, which is remembered for a while. Memory for
/// that is bounded, and so is the number.
#[test]
fn resets_that_the_server_is_made_to_send_are_numbered() {
    let target = Target::start();
    target.under_within(2 * GROWTH, || {
        let mut raw = target.connect(A);
        let two_paths = [&post_fields(A), &literal(b":path", b"/")[..]].concat();
        for _ in 0..300 {
            let mut bytes = Vec::new();
            for _ in 0..100 {
                let stream = raw.stream();
                bytes.extend(frame(HEADERS, END_HEADERS, stream, &two_paths));
            }
            raw.send(&bytes);
            raw.settle();
            if raw.gone.is_some() {
                break;
            }
        }
        assert_eq!(raw.gone, Some(ENHANCE_YOUR_CALM));
        assert!(raw.answers.len() >= 10_000);
        assert!(raw.answers.values().all(|answer| answer.reset.is_some() && !answer.ended));
    });
}

/// Attack: all window of the connection is used up and none is granted, so that further answers,
/// refusals or not, queue for it in `h2`, where they are given up. `h2` keeps what it has of such a
/// stream until the connection ends, which is therefore sent away.
#[test]
fn streams_that_are_given_up_for_want_of_window_are_numbered() {
    // A little more than the limit says of each, and what the allocator may keep.
    const KEPT: u64 = (RESETS_MAX as u64) * 1_200 + GROWTH;
    let target = Target::start();
    for host in [A, C] {
        let before = target.memory();
        target.under_within(GROWTH, || {
            let (mut raw, _) = without_window(&target);
            // One that takes no notice of a farewell, which ends with a PING.
            raw.answers_pings = false;
            let mut answered = 0;
            while raw.gone != Some(ENHANCE_YOUR_CALM) {
                answered += give_up(&mut raw, host);
                let held = target.memory().saturating_sub(before);
                assert!(held < KEPT, "{held} bytes for {answered} of {host}");
            }
            assert!(
                (RESETS_MAX..=RESETS_MAX + AT_ONCE).contains(&answered),
                "{answered} of {host}"
            );
        });
    }
}

/// No attack: so many are given up in the long life of a connection, which is told early enough to
/// say farewell, and has the answers that it waits for first.
#[test]
fn a_client_that_gives_up_many_streams_is_asked_to_connect_anew() {
    let target = Target::start();
    target.under_within(GROWTH, || {
        let (mut raw, first) = without_window(&target);
        let mut answered = 0;
        while raw.gone.is_none() {
            answered += give_up(&mut raw, C);
        }
        let half = RESETS_MAX / 2;
        assert!((half..=half + AT_ONCE).contains(&answered), "{answered}");
        let all = u32::try_from(LARGE).unwrap();
        raw.send(&[window_update(0, all), window_update(first, all)].concat());
        assert_eq!(raw.answer(first).content.len(), LARGE);
        assert_eq!(raw.end(), Some(NO_ERROR));
    });
}

const RESETS_MAX: usize = coalesce_h2::limits::RESETS_MAX as usize;

/// How many streams are given up at a time.
const AT_ONCE: usize = 100;

/// A client that has used up the connection's window, and the stream that it used it for.
fn without_window(target: &Target) -> (Raw, u32) {
    let mut raw = target.silent(A);
    raw.begin(&[]);
    let first = raw.stream();
    raw.send(&get_path(first, B, "/large"));
    raw.until(|raw| raw.answers.get(&first).is_some_and(|it| it.content.len() == 65_535));
    (raw, first)
}

/// Gives up streams once their answers have begun; says how many were. One more is served, so that
/// the refusal limit is not what ends it.
fn give_up(raw: &mut Raw, host: &str) -> usize {
    let mut streams: Vec<u32> = (0..AT_ONCE).map(|_| raw.stream()).collect();
    let asked = streams[1..].iter().flat_map(|stream| get(*stream, host));
    raw.send(&get(streams[0], A).into_iter().chain(asked).collect::<Vec<u8>>());
    raw.until(|raw| {
        raw.gone == Some(ENHANCE_YOUR_CALM)
            || streams.iter().all(|stream| raw.answers.contains_key(stream))
    });
    streams.retain(|stream| raw.answers.remove(stream).is_some_and(|it| it.status.is_some()));
    assert!(!streams.is_empty(), "nothing is answered, {:?}", raw.gone);
    raw.send(&streams.iter().flat_map(|stream| reset(*stream)).collect::<Vec<u8>>());
    raw.settle();
    streams.len()
}
