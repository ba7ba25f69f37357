//! What does not begin as HTTP/2 does.

use super::raw::{DATA, PROTOCOL_ERROR, SETTINGS, window_update};
use super::raw::{END_HEADERS, HEADERS, NO_ERROR, PREFACE, Raw, frame, get, get_fields, settings};
use super::server::{A, Target};

/// Attack: garbage where the preface should be, cut off prefaces, and prefaces with something else
/// than SETTINGS behind them (RFC 9113 §3.4). Nothing of it is a request; the connection ends.
#[test]
fn garbage_before_the_preface_is_the_end() {
    let target = Target::start();
    let cases: [(&str, Vec<u8>); 8] = [
        ("HTTP/1.1", b"GET / HTTP/1.1\r\nhost: a.example.test\r\n\r\n".to_vec()),
        ("zeros", vec![0; 100_000]),
        ("no octet of text", (128..=255).collect()),
        ("a preface in small letters", PREFACE.to_ascii_lowercase()),
        ("frames without a preface", [settings(&[]), get(1, A)].concat()),
        ("garbage before the preface", [b"x", PREFACE, &settings(&[]), &get(1, A)].concat()),
        ("two prefaces", [PREFACE, PREFACE, &settings(&[]), &get(1, A)].concat()),
        (
            "SETTINGS of a length that settings do not have",
            [PREFACE, &frame(SETTINGS, 0, 0, &[0; 7]), &get(1, A)].concat(),
        ),
    ];
    target.under(|| {
        for (what, bytes) in &cases {
            let mut raw = Raw::silent(&target, A);
            raw.send(bytes);
            let said = raw.end();
            assert_ne!(said, Some(NO_ERROR), "{what}");
            assert!(raw.answers.is_empty(), "{what}: {:?}", raw.answers);
        }
    });
}

/// Attack: the connection is left at each octet of the preface and of the first frames.
#[test]
fn a_preface_may_break_off_anywhere() {
    let target = Target::start();
    let whole = [PREFACE, &settings(&[(4, 65_535)]), &window_update(0, 1), &get(1, A)].concat();
    target.under_within(2 << 20, || {
        for len in 0..whole.len() {
            let mut raw = Raw::silent(&target, A);
            raw.send(&whole[..len]);
            raw.shut(len % 2 == 0);
            raw.end();
            assert!(raw.answers.values().all(|answer| answer.status.is_none()), "{len} octets");
        }
    });
}

/// Attack: frames that no client sends, on a connection that is open: each ends it with the reason,
/// and what comes behind is not served.
#[test]
fn frames_that_make_no_sense_end_the_connection() {
    let target = Target::start();
    let cases: [(&str, Vec<u8>); 5] = [
        ("content before any request", frame(DATA, 0, 1, b"x")),
        ("a request on stream 0", frame(HEADERS, END_HEADERS, 0, &get_fields(A, "/"))),
        ("a request on an even stream", frame(HEADERS, END_HEADERS, 2, &get_fields(A, "/"))),
        ("a push from a client", frame(5, END_HEADERS, 1, &[0, 0, 0, 2])),
        ("a window that grows by nothing", window_update(0, 0)),
    ];
    target.under(|| {
        for (what, bytes) in &cases {
            let mut raw = Raw::connect(&target, A);
            raw.send(&[&bytes[..], &get(3, A)].concat());
            assert_eq!(raw.end(), Some(PROTOCOL_ERROR), "{what}");
            assert!(raw.answers.values().all(|answer| answer.status.is_none()), "{what}");
        }
    });
}
