//! Flow control, uploads, and the memory that `h2` keeps for a stream.

use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use bytes::Bytes;
use h2::Reason;
use h2::server::Builder;
use http::Response;

use crate::peer::{
    ACK, Accepted, DATA, Frames, INITIAL_WINDOW_SIZE, PING, Server, frame, get, request, reset,
    upload, window_update,
};

/// The initial size of every window (RFC 9113 §6.9.2).
const WINDOW: usize = 65_535;

/// Answers with content and drops all handles, as an application does.
fn answer(mut accepted: Accepted, content: impl Into<Bytes>) {
    let mut stream = accepted.respond.send_response(Response::new(()), false).unwrap();
    stream.send_data(content.into(), true).unwrap();
}

/// Shuts down gracefully, and answers the PING that comes with it.
fn shut_down(server: &mut Server) {
    server.connection.graceful_shutdown();
    server.run();
    let ping = server.frames().into_iter().find(|it| it.kind == PING).unwrap().payload;
    server.send(&frame(PING, ACK, 0, &ping));
}

/// `uploads` drops the body once `h2` has the content, so the answer to a refused upload ends this
/// way (RFC 9113 §8.1).
#[test]
fn answered_upload_is_reset_with_no_error_when_its_body_is_dropped() {
    let mut server = Server::new();
    let mut accepted = server.send(&upload(1)).remove(0);
    let mut stream = accepted.respond.send_response(Response::new(()), false).unwrap();
    stream.send_data(Bytes::from_static(b"refused"), true).unwrap();
    server.run();
    let frames = server.frames();
    assert_eq!((frames.content_of(1), frames.reset_of(1)), (b"refused".to_vec(), None));
    drop((accepted, stream));
    server.run();
    assert_eq!(server.frames().reset_of(1), Some(Reason::NO_ERROR));
    server.assert_alive(3);
}

/// The window of the connection must come back, or refused uploads would use it up.
#[test]
fn data_of_a_dropped_body_gives_its_window_back() {
    let mut server = Server::new();
    let accepted = server.send(&upload(1)).remove(0);
    server.send(&frame(DATA, 0, 1, &[0; 16_384]));
    answer(accepted, "refused");
    server.run();
    for _ in 0..2 {
        server.send(&frame(DATA, 0, 1, &[0; 16_384]));
    }
    // `h2` grants window once half of it is used.
    assert!(server.frames().granted(0) >= 32_768);
    server.assert_alive(3);
}

/// The adapter releases the body's bytes while its answer waits.
#[test]
fn released_capacity_is_granted_to_the_connection() {
    let mut server = Server::new();
    let mut accepted = server.send(&upload(1)).remove(0);
    for _ in 0..3 {
        server.send(&frame(DATA, 0, 1, &[0; 16_384]));
    }
    assert_eq!(server.frames().granted(0), 0);
    let body = accepted.request.body_mut();
    let context = &mut Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(Ok(data))) = body.poll_data(context) {
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    server.run();
    assert_eq!(server.frames().granted(0), 3 * 16_384);
}

/// So `uploads` keeps the content of an answer, and the body, until there is window for it.
#[test]
fn reset_waits_behind_content_without_window() {
    let mut server = Server::with(&Builder::new(), &[(INITIAL_WINDOW_SIZE, 0)]);
    let accepted = server.send(&upload(1)).remove(0);
    answer(accepted, "refused");
    server.run();
    let frames = server.frames();
    assert!(frames.has_answer(1));
    assert_eq!((frames.content_of(1), frames.reset_of(1)), (Vec::new(), None));
    let frames = server.answer_to(&window_update(1, 100));
    assert_eq!(frames.content_of(1), b"refused");
}

/// So `uploads` must not leave such content to `h2`.
#[test]
fn connection_does_not_end_while_content_of_a_dropped_stream_has_no_window() {
    let mut server = Server::with(&Builder::new(), &[(INITIAL_WINDOW_SIZE, 0)]);
    let accepted = server.send(&upload(1)).remove(0);
    answer(accepted, "refused");
    shut_down(&mut server);
    assert_eq!(server.ended, None);
    server.send(&window_update(1, 100));
    assert_eq!(server.ended, Some(Ok(())));
    // The same without waiting content.
    let mut server = Server::with(&Builder::new(), &[(INITIAL_WINDOW_SIZE, 0)]);
    let accepted = server.send(&upload(1)).remove(0);
    answer(accepted, "");
    shut_down(&mut server);
    assert_eq!(server.ended, Some(Ok(())));
}

/// An upload that the application answers can get into this state, and the adapter cannot see it.
/// It is one reason for `limits::RESETS_MAX`.
#[test]
fn upload_that_is_reset_while_its_answer_waits_counts_as_open_forever() {
    let mut builder = Builder::new();
    builder.max_concurrent_streams(1);
    let mut server = Server::with(&builder, &[(INITIAL_WINDOW_SIZE, 0)]);
    let accepted = server.send(&upload(1)).remove(0);
    answer(accepted, "served");
    server.run();
    server.send(&reset(1));
    let frames = server.answer_to(&request(3, &get(b"a.test")));
    assert_eq!(frames.reset_of(3), Some(Reason::REFUSED_STREAM));
    shut_down(&mut server);
    assert_eq!(server.ended, None);
    // Dropping the connection would fail a debug assertion of `h2` for the same reason.
    std::mem::forget(server);
}

/// `limits::RESETS_MAX` bounds the memory.
#[test]
fn stream_that_is_reset_while_its_answer_waits_for_the_connection_is_kept() {
    const STREAMS: u32 = 1_000;
    let mut server = Server::new();
    // Uses up the window of the connection.
    let mut first = server.send(&request(1, &get(b"a.test"))).remove(0);
    let mut stream = first.respond.send_response(Response::new(()), false).unwrap();
    stream.send_data(Bytes::from(vec![0; WINDOW]), false).unwrap();
    server.run();
    let mut turn = |stream| {
        let accepted = server.send(&request(stream, &get(b"a.test"))).remove(0);
        answer(accepted, "served");
        server.send(&reset(stream));
        server.pipe.ends().from_server.clear();
        server.pipe.ends().flushes.clear();
    };
    let mut streams = (3..).step_by(2);
    for stream in streams.by_ref().take(100) {
        turn(stream);
    }
    let kept = measure(|| streams.by_ref().take(STREAMS as usize).for_each(&mut turn));
    let each = kept.bytes_current / i64::from(STREAMS);
    assert!((500..3_000).contains(&each), "{each} bytes of each stream");
}

/// `uploads` writes when the capacity is ready, and waits otherwise.
#[test]
fn capacity_is_ready_only_if_non_zero() {
    let mut server = Server::with(&Builder::new(), &[(INITIAL_WINDOW_SIZE, 0)]);
    let mut accepted = server.send(&upload(1)).remove(0);
    let mut stream = accepted.respond.send_response(Response::new(()), false).unwrap();
    stream.reserve_capacity(10);
    let context = &mut Context::from_waker(Waker::noop());
    for _ in 0..3 {
        server.run();
        assert!(stream.poll_capacity(context).is_pending());
    }
    server.send(&window_update(1, 4));
    assert!(matches!(stream.poll_capacity(context), Poll::Ready(Some(Ok(4)))));
    assert!(stream.poll_capacity(context).is_pending());
}

/// `limits::SEND_BUFFER_BYTES` bounds the bytes of a stream that wait for a client that does not
/// read.
#[test]
fn capacity_is_bounded_by_the_send_buffer() {
    const LARGE: u32 = 1 << 20;
    for bytes in [16_384, 65_536] {
        let mut builder = Builder::new();
        builder.max_send_buffer_size(bytes);
        let mut server = Server::with(&builder, &[(INITIAL_WINDOW_SIZE, LARGE)]);
        server.send(&window_update(0, LARGE));
        let mut accepted = server.send(&upload(1)).remove(0);
        let mut stream = accepted.respond.send_response(Response::new(()), false).unwrap();
        stream.reserve_capacity(LARGE as usize);
        assert_eq!(stream.capacity(), bytes);
    }
}

/// The engine shows `h2` such a grant whole, and keeps none of it.
#[test]
fn window_beyond_its_maximum_ends_the_connection() {
    let mut server = Server::new();
    let frames = server.answer_to(&window_update(0, u32::MAX >> 1));
    assert_eq!(frames.goaway().map(|goaway| goaway.1), Some(Reason::FLOW_CONTROL_ERROR));
}

/// The engine passes such a frame on, on every stream.
#[test]
fn window_update_of_zero_is_an_error() {
    for stream in [0, 1] {
        let mut server = Server::new();
        let held = server.send(&upload(1));
        let frames = server.answer_to(&window_update(stream, 0));
        assert!(frames.goaway().or(frames.reset_of(1).map(|code| (1, code))).is_some());
        drop(held);
    }
}

/// The window that the engine keeps for early answers is safe, because `h2` sends no more than it
/// was granted.
#[test]
fn content_never_exceeds_the_window_of_the_connection() {
    let mut server = Server::with(&Builder::new(), &[(INITIAL_WINDOW_SIZE, 1 << 20)]);
    let accepted = server.send(&request(1, &get(b"a.test"))).remove(0);
    answer(accepted, vec![0; 100_000]);
    server.run();
    assert_eq!(server.frames().content_of(1).len(), WINDOW);
    let frames = server.answer_to(&window_update(0, 10));
    assert_eq!(frames.content_of(1).len(), 10);
}
