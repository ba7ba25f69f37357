//! Requests and uploads without number, to hosts that are not here.

use super::server::{A, C, Target, misdirected, served};
use coalesce_tests::raw::{DATA, NO_ERROR, REFUSED_STREAM};
use coalesce_tests::raw::{
    END_HEADERS, END_STREAM, HEADERS, Raw, frame, get, get_fields, literal, post,
};

/// What the allocator may keep for itself in the threads of the runtime. A hundred octets left
/// behind by each of the streams below would be more, and `h2` has some hundreds for each.
const GROWTH: u64 = 2 << 20;

/// Streams that are open at once; the server announces 250.
const AT_ONCE: usize = 200;

/// Asks for `c` on so many streams, on a connection that serves `a` once in 5,000, which keeps it
/// below the limit of 10,000 refusals in a row. In turns the header block alone settles the
/// request, and `h2` has to.
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

/// Attack: a client asks for a host that is not here and never learns. A hundred thousand times,
/// and to the octet, it does so in [`super::refusal_limit`].
#[test]
fn thousands_of_misdirected_streams_leave_nothing_behind() {
    let target = Target::start();
    // What grows by being used at all has grown.
    target.under(|| misdirected_streams(&mut target.connect(A), 5_000));
    target.under_within(GROWTH, || {
        let mut raw = target.connect(A);
        misdirected_streams(&mut raw, 30_000);
        // No stream is leaked: as many as the server announces are open at once, all served.
        let streams: Vec<u32> = (0..250).map(|_| raw.stream()).collect();
        let heads = streams.iter().flat_map(|stream| post(*stream, A)).collect::<Vec<u8>>();
        raw.send(&heads);
        raw.settle();
        let ends = streams.iter().flat_map(|stream| frame(DATA, END_STREAM, *stream, b"x"));
        raw.send(&ends.collect::<Vec<u8>>());
        for stream in streams {
            assert_eq!(raw.answer(stream), served());
        }
        // No window is leaked: an upload of four of them arrives.
        let stream = raw.stream();
        raw.send(&post(stream, A));
        raw.upload(stream, 4 << 20, 16_384, true);
        assert_eq!(raw.answer(stream), served());
    });
}

/// Attack: a thousand uploads begin at once, each with as much content as a frame holds, to a host
/// that is not here. They are refused unread; those beyond what the server announced may be refused
/// as streams. Their content is sixteen times the window of the connection.
#[test]
fn a_thousand_misdirected_uploads_at_once_leave_room_for_a_served_one() {
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

/// Attack: an upload to a host that is not here goes on after it was refused and reset, for as long
/// as the client likes; here for sixteen windows of the connection.
#[test]
fn an_upload_that_never_ends_gets_its_answer_and_no_more_memory() {
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

/// Attack: the same on many streams at once of which the server cannot know that they never end:
/// they are for a host that is here, which reads what comes and answers when it has waited long
/// enough for more.
#[test]
fn uploads_that_pause_for_ever_are_answered() {
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
