//! Streams that the client resets.

use super::server::{A, B, C, LARGE, Target, misdirected, served};
use coalesce_tests::raw::{
    DATA, ENHANCE_YOUR_CALM, NO_ERROR, Raw, frame, get, get_path, literal, post, post_fields,
    reset, window_update,
};
use coalesce_tests::raw::{END_HEADERS, HEADERS};

/// The memory that the allocator may keep: see [`super::floods`].
const GROWTH: u64 = 2 << 20;

/// Attack: CVE-2023-44487. A client repeats a request and its reset, a hundred pairs at a time.
/// `h2` ends a connection that resets too many requests before the server accepts them. Early
/// refusals count towards the refusal limit. Either way the connection ends with an error code, and
/// other connections are not affected.
#[test]
fn rapid_resets_end_their_connection() {
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
                // Read too: bytes left unread at the end would turn the server's GOAWAY into a TCP
                // reset.
                raw.settle();
                if raw.gone.is_some() {
                    break;
                }
            }
            assert_eq!(raw.gone, Some(ENHANCE_YOUR_CALM), "{host}");
        });
    }
}

/// Attack: a client resets a stream at each point of its life. The reset must free the place among
/// the streams, the window that the content used, and the file that the answer comes from.
#[test]
fn stream_reset_at_any_point_leaks_nothing() {
    // Enough that one leak of each kind uses up the limit: 250 streams, or the connection's window,
    // which 300 times 16 KiB fill four times.
    const TIMES: usize = 300;
    const CONTENT: usize = 16 << 10;
    let target = Target::start();
    target.under_within(2 * GROWTH, || {
        let mut raw = target.connect(A);
        for host in [A, B, C] {
            for _ in 0..TIMES {
                // Before the server has processed the request, in most cases.
                let stream = raw.stream();
                raw.send(&[get_path(stream, host, "/large"), reset(stream)].concat());
                raw.settle();
                // While content is arriving.
                let stream = raw.stream();
                raw.send(&post(stream, host));
                raw.send_data(stream, CONTENT, false);
                raw.send(&reset(stream));
                raw.settle();
                raw.answers.clear();
            }
        }
        // During an answer: a part of a large file has arrived.
        for _ in 0..20 {
            let stream = raw.stream();
            raw.send(&get_path(stream, B, "/large"));
            raw.until(|raw| raw.answers.get(&stream).is_some_and(|it| !it.content.is_empty()));
            assert!(!raw.answers[&stream].ended);
            raw.send(&reset(stream));
            raw.settle();
            raw.answers.clear();
        }
        // After the stream has ended.
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

/// Attack: a client resets a stream between HEADERS and CONTINUATION, where no other frame may
/// occur (RFC 9113 §6.10). Later blocks would be decoded with the wrong table, so the connection
/// ends.
#[test]
fn reset_within_a_header_block_ends_the_connection() {
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

/// Attack: a client makes the server reset streams ("made you reset", CVE-2025-8671) by malformed
/// requests. The server remembers each reset stream for a while. Their memory and number are
/// bounded.
#[test]
fn resets_provoked_by_the_client_are_limited() {
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

/// Attack: a client uses up the connection's window and grants none. Further answers, refusals or
/// not, queue in `h2`, and the client resets their streams. `h2` keeps the data of such a stream
/// until the connection ends, so the server ends the connection.
#[test]
fn resets_of_streams_without_window_are_limited() {
    // A little more than the limit allows for each stream, and the memory that the allocator may
    // keep.
    const KEPT: u64 = (RESETS_MAX as u64) * 1_200 + GROWTH;
    let target = Target::start();
    for host in [A, C] {
        let before = target.memory();
        target.under_within(GROWTH, || {
            let (mut raw, _) = without_window(&target);
            // This client ignores a graceful GOAWAY, which `h2` completes after a PING.
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

/// Not an attack: a client resets as many streams over a long connection. The server sends GOAWAY
/// early enough that the client gets the outstanding answers.
#[test]
fn client_that_resets_many_streams_is_sent_goaway() {
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

/// The number of streams reset at a time.
const AT_ONCE: usize = 100;

/// Makes a client that has used up the connection's window, and returns the stream that used it.
fn without_window(target: &Target) -> (Raw, u32) {
    let mut raw = target.silent(A);
    raw.begin(&[]);
    let first = raw.stream();
    raw.send(&get_path(first, B, "/large"));
    raw.until(|raw| raw.answers.get(&first).is_some_and(|it| it.content.len() == 65_535));
    (raw, first)
}

/// Resets streams after their answers have begun; returns their number. One more request is served,
/// so the refusal limit does not end the connection.
fn give_up(raw: &mut Raw, host: &str) -> usize {
    let mut streams: Vec<u32> = (0..AT_ONCE).map(|_| raw.stream()).collect();
    let asked = streams[1..].iter().flat_map(|stream| get(*stream, host));
    raw.send(&get(streams[0], A).into_iter().chain(asked).collect::<Vec<u8>>());
    raw.until(|raw| {
        raw.gone == Some(ENHANCE_YOUR_CALM)
            || streams.iter().all(|stream| raw.answers.contains_key(stream))
    });
    streams.retain(|stream| raw.answers.remove(stream).is_some_and(|it| it.status.is_some()));
    assert!(!streams.is_empty(), "no stream is answered, {:?}", raw.gone);
    raw.send(&streams.iter().flat_map(|stream| reset(*stream)).collect::<Vec<u8>>());
    raw.settle();
    streams.len()
}
