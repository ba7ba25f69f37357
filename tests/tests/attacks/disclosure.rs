//! Information that a refusal gives to the client.

use super::server::{A, C, M, N, Target, misdirected};
use coalesce_tests::raw::{
    END_HEADERS, END_STREAM, Frame, HEADERS, NO_ERROR, PING, Raw, SETTINGS, frame, get, get_fields,
    literal, post, string,
};

/// A host that no entry and no certificate has.
const UNKNOWN: &str = "unknown.example.test";

/// The number of pairs to compare. Answers have a `date`, so a pair from different seconds differs;
/// one of ten pairs in a row is from the same second.
const TRIES: usize = 10;

/// Makes a `HEAD` of `/`; its method is a literal with a name of the static table (RFC 7541
/// §6.2.2).
fn head(stream: u32, host: &str) -> Vec<u8> {
    let block = [&[0x02], &*string(b"HEAD"), &get_fields(host, "/")[1..]].concat();
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)
}

/// Makes a `GET` with one more field.
fn with_a_field(stream: u32, host: &str) -> Vec<u8> {
    let block = [get_fields(host, "/"), literal(b"x-some", b"field")].concat();
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)
}

/// Returns the frames that answer requests for this host on a new connection. Frames that every
/// connection gets at any time are left out.
fn heard(target: &Target, host: &str) -> Vec<Frame> {
    let mut raw = target.connect(A);
    let mut heard = Vec::new();
    let mut listen = |raw: &mut Raw, last: &dyn Fn(&Raw, &Frame) -> bool| {
        loop {
            let frame = raw.frame().expect("the connection stays open");
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
    // All other frames arrive before the answer to the second PING: see `Raw::settle`.
    for payload in [b"settle 1", b"settle 2"] {
        raw.send(&frame(PING, 0, 0, payload));
        listen(&mut raw, &|_, frame| frame.kind == PING && frame.payload == payload);
    }
    assert_eq!(raw.answers[&1], misdirected(), "{host}");
    assert_eq!(raw.answers[&7].reset, Some(NO_ERROR), "{host}: an incomplete upload is reset");
    heard
}

/// Attack: a stranger requests names one by one to learn which of them the server has, and for
/// which clients. The frames are the same for a host of another certificate, a host that requires a
/// client certificate, an unknown host, and addresses.
#[test]
fn refusal_is_the_same_for_hosts_elsewhere_and_unknown_hosts() {
    let target = Target::start();
    target.under(|| {
        for host in [C, M, N, "c.example.test:444", "C.EXAMPLE.TEST.", "192.0.2.1", "[2001:db8::1]"]
        {
            let alike = (0..TRIES).any(|_| heard(&target, host) == heard(&target, UNKNOWN));
            assert!(alike, "{host}: {:#?}", (heard(&target, host), heard(&target, UNKNOWN)));
        }
    });
}
