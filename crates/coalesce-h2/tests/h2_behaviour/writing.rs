//! How `h2` reads and writes its byte stream.

use bytes::Bytes;
use h2::server::Builder;
use http::{HeaderValue, Response};

use crate::peer::{
    CONTINUATION, END_HEADERS, Frames, HEADERS, SETTINGS, Server, frame, get, parse, request,
};

/// The engine changes the first frame, and lets ORIGIN frames follow it.
#[test]
fn first_frame_is_settings() {
    let server = Server::new();
    let frames = parse(&server.pipe.ends().from_server);
    assert_eq!((frames[0].0.kind, frames[0].0.flags), (SETTINGS, 0));
}

/// A flush sends frames that `h2` cannot send, and early answers. There they interrupt neither a
/// frame nor a header block (RFC 9113 §4.3).
#[test]
fn flush_comes_after_whole_frames_and_whole_header_blocks_only() {
    let mut server = Server::new();
    server.pipe.ends().narrow = Some(1_000);
    for stream in [1, 3, 5] {
        let mut accepted = server.send(&request(stream, &get(b"a.test"))).remove(0);
        let mut response = Response::new(());
        let long = HeaderValue::try_from("a".repeat(40_000)).unwrap();
        response.headers_mut().insert("x-long", long);
        let mut stream = accepted.respond.send_response(response, false).unwrap();
        stream.send_data(Bytes::from_static(&[0; 5_000]), true).unwrap();
        server.run();
    }
    let ends = server.pipe.ends();
    let frames = parse(&ends.from_server);
    assert!(
        frames.iter().any(|(it, _)| it.kind == CONTINUATION),
        "one header block has several frames"
    );
    let between: Vec<_> = frames
        .iter()
        .filter(|(it, _)| !matches!(it.kind, HEADERS | CONTINUATION) || it.flags & END_HEADERS != 0)
        .map(|(_, end)| *end)
        .collect();
    let last = ends.flushes.iter().max();
    assert_eq!(last, Some(&ends.from_server.len()), "all bytes are flushed");
    for flushed in &ends.flushes {
        assert!(*flushed == 0 || between.contains(flushed), "a flush at {flushed}");
    }
}

/// Each answer would go out in its own record and system call, so the engine collects the writes.
#[test]
fn answer_is_written_by_the_next_poll_although_more_requests_wait() {
    let requests = [1, 3, 5].map(|stream| request(stream, &get(b"a.test"))).concat();
    let mut server = Server::new();
    server.pipe.ends().from_server.clear();
    let mut accepted = server.send_and_poll(&requests);
    accepted.respond.send_response(Response::new(()), true).unwrap();
    assert_eq!(server.poll().map(|it| it.id), Some(3));
    let written = parse(&server.pipe.ends().from_server);
    let written: Vec<_> = written.into_iter().map(|(frame, _)| frame).collect();
    assert!(written.has_answer(1));
}

/// The transport reads on after it answered all frames early, because an empty read would end the
/// connection.
#[test]
fn empty_read_is_the_end_of_the_connection() {
    let mut server = Server::new();
    server.assert_alive(1);
    server.end();
    assert!(server.ended.is_some());
}

/// The engine passes them on.
#[test]
fn unknown_frame_is_ignored() {
    let mut server = Server::new();
    let frames = server.answer_to(&frame(0xfa, 0xff, 0, b"unknown"));
    assert_eq!((frames.len(), server.ended), (0, None));
    server.assert_alive(1);
}

/// The engine takes the lengths of frames from their headers; RFC 9113 §4.2 allows this length
/// before SETTINGS change it.
#[test]
fn frame_of_the_client_has_16384_octets_at_most() {
    let mut server = Server::with(&Builder::new(), &[]);
    let frames = server.answer_to(&frame(0xfa, 0, 0, &vec![0; 16_385]));
    assert_eq!(frames.goaway().map(|goaway| goaway.1), Some(h2::Reason::FRAME_SIZE_ERROR));
}
