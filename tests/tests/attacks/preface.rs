//! Connections that begin with an invalid preface or invalid frames.

use super::server::{A, Target};
use coalesce_tests::raw::{DATA, PROTOCOL_ERROR, SETTINGS, window_update};
use coalesce_tests::raw::{
    END_HEADERS, HEADERS, NO_ERROR, PREFACE, frame, get, get_fields, settings,
};

/// Attack: garbage instead of the preface, partial prefaces, and prefaces not followed by SETTINGS
/// (RFC 9113 §3.4). The server processes no request and ends the connection.
#[test]
fn garbage_instead_of_the_preface_ends_the_connection() {
    let target = Target::start();
    let cases: [(&str, Vec<u8>); 8] = [
        ("HTTP/1.1", b"GET / HTTP/1.1\r\nhost: a.example.test\r\n\r\n".to_vec()),
        ("zeros", vec![0; 100_000]),
        ("bytes outside of ASCII", (128..=255).collect()),
        ("a preface in lower case", PREFACE.to_ascii_lowercase()),
        ("frames without a preface", [settings(&[]), get(1, A)].concat()),
        ("garbage before the preface", [b"x", PREFACE, &settings(&[]), &get(1, A)].concat()),
        ("two prefaces", [PREFACE, PREFACE, &settings(&[]), &get(1, A)].concat()),
        (
            "SETTINGS of an invalid length",
            [PREFACE, &frame(SETTINGS, 0, 0, &[0; 7]), &get(1, A)].concat(),
        ),
    ];
    target.under(|| {
        for (what, bytes) in &cases {
            let mut raw = target.silent(A);
            raw.send(bytes);
            let said = raw.end();
            assert_ne!(said, Some(NO_ERROR), "{what}");
            assert!(raw.answers.is_empty(), "{what}: {:?}", raw.answers);
        }
    });
}

/// Attack: the client closes the connection after each byte of the preface and of the first frames.
#[test]
fn preface_cut_at_any_byte_ends_the_connection() {
    let target = Target::start();
    let whole = [PREFACE, &settings(&[(4, 65_535)]), &window_update(0, 1), &get(1, A)].concat();
    target.under_within(2 << 20, || {
        for len in 0..whole.len() {
            let mut raw = target.silent(A);
            raw.send(&whole[..len]);
            raw.shut(len % 2 == 0);
            raw.end();
            assert!(raw.answers.values().all(|answer| answer.status.is_none()), "{len} octets");
        }
    });
}

/// Attack: invalid frames on an open connection. Each ends the connection with an error code, and
/// the frames after it are not processed.
#[test]
fn invalid_frames_end_the_connection() {
    let target = Target::start();
    let cases: [(&str, Vec<u8>); 5] = [
        ("content before any request", frame(DATA, 0, 1, b"x")),
        ("a request on stream 0", frame(HEADERS, END_HEADERS, 0, &get_fields(A, "/"))),
        ("a request on an even stream", frame(HEADERS, END_HEADERS, 2, &get_fields(A, "/"))),
        ("a push from a client", frame(5, END_HEADERS, 1, &[0, 0, 0, 2])),
        ("a window increment of 0", window_update(0, 0)),
    ];
    target.under(|| {
        for (what, bytes) in &cases {
            let mut raw = target.connect(A);
            raw.send(&[&bytes[..], &get(3, A)].concat());
            assert_eq!(raw.end(), Some(PROTOCOL_ERROR), "{what}");
            assert!(raw.answers.values().all(|answer| answer.status.is_none()), "{what}");
        }
    });
}
