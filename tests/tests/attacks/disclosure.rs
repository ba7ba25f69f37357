//! What a refusal tells whom it refuses.

use super::server::{A, C, M, N, Target, misdirected};
use coalesce_tests::raw::{
    END_HEADERS, END_STREAM, Frame, HEADERS, NO_ERROR, PING, Raw, SETTINGS, frame, get, get_fields,
    literal, post, string,
};

/// Nobody's, and covered by no certificate.
const NOBODY: &str = "nobody.example.test";

/// Answers have a `date`, so two of different seconds differ. Of so many pairs in a row, one is of
/// the same second.
const TRIES: usize = 10;

/// A `HEAD` of `/`: its method is a literal of a known name (RFC 7541 §6.2.2).
fn head(stream: u32, host: &str) -> Vec<u8> {
    let block = [&[0x02], &*string(b"HEAD"), &get_fields(host, "/")[1..]].concat();
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)
}

/// A `GET` with a field more.
fn with_a_field(stream: u32, host: &str) -> Vec<u8> {
    let block = [get_fields(host, "/"), literal(b"x-some", b"field")].concat();
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)
}

/// All that the server says to requests for this host, on a connection that asks for nothing else,
/// but for what every connection hears at its own time.
fn heard(target: &Target, host: &str) -> Vec<Frame> {
    let mut raw = target.connect(A);
    let mut heard = Vec::new();
    let mut listen = |raw: &mut Raw, last: &dyn Fn(&Raw, &Frame) -> bool| {
        loop {
            let frame = raw.frame().expect("the connection goes on");
            let over = last(raw, &frame);
            if ![PING, SETTINGS].contains(&frame.kind) {
                heard.push(frame);
            }
            if over {
                return;
            }
        }
    };
    for request in [get, head, with_a_field, post] {
        let stream = raw.stream();
        raw.send(&request(stream, host));
        listen(&mut raw, &|raw, _| raw.answers.get(&stream).is_some_and(|it| it.ended));
    }
    // What else comes, comes before the second of two answers: see `Raw::settle`.
    for payload in [b"settle 1", b"settle 2"] {
        raw.send(&frame(PING, 0, 0, payload));
        listen(&mut raw, &|_, frame| frame.kind == PING && frame.payload == payload);
    }
    assert_eq!(raw.answers[&1], misdirected(), "{host}");
    assert_eq!(raw.answers[&7].reset, Some(NO_ERROR), "{host}: of what is not all there");
    heard
}

/// Attack: a stranger asks for names one by one to learn which of them are served here, to whom.
/// Every frame that comes is the same for a host of another certificate, for one that wants a
/// certificate of its clients, for one that nobody has, and for addresses.
#[test]
fn a_refusal_does_not_tell_a_host_of_others_from_nobodys() {
    let target = Target::start();
    target.under(|| {
        for host in [C, M, N, "c.example.test:444", "C.EXAMPLE.TEST.", "192.0.2.1", "[2001:db8::1]"]
        {
            let alike = (0..TRIES).any(|_| heard(&target, host) == heard(&target, NOBODY));
            assert!(alike, "{host}: {:#?}", (heard(&target, host), heard(&target, NOBODY)));
        }
    });
}
